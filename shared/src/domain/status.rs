//! Whether an account can be used: it is disabled by staff, unconfirmed, or active.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Invalid;
use super::id::UserId;
use super::visible;
use crate::clock::Timestamp;

/// Maximum length of a reason in characters.
pub const MAX_REASON: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    /// The email address is not confirmed yet.
    Unconfirmed,
    /// Disabled by staff, whether or not the address is confirmed.
    Disabled,
}

impl Status {
    /// # Errors
    /// `invalid_status` for anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "active" => Ok(Self::Active),
            "unconfirmed" => Ok(Self::Unconfirmed),
            "disabled" => Ok(Self::Disabled),
            _ => Err(Invalid::new("invalid_status", "The status must be `active`, `unconfirmed` or `disabled`.")),
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unconfirmed => "unconfirmed",
            Self::Disabled => "disabled",
        }
    }
}

/// The disabling of an account by staff: reason, start and end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    pub at: Timestamp,
    /// The member of staff; none if it was an operator on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it ends automatically; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Also reads the format of earlier versions, without time and actor: `true` or `false`.
///
/// # Errors
/// When it is neither that nor a [`Disabled`].
pub fn since_when<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<Disabled>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Whether(bool),
        Since(Disabled),
    }
    Ok(match Option::<Stored>::deserialize(stored)? {
        None | Some(Stored::Whether(false)) => None,
        Some(Stored::Whether(true)) => {
            Some(Disabled { at: Timestamp::from_seconds(0), by: None, reason: None, until: None })
        }
        Some(Stored::Since(disabled)) => Some(disabled),
    })
}

impl Disabled {
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A reason given by staff: 1 to [`MAX_REASON`] characters, at least one of them visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(String);

impl Reason {
    /// # Errors
    /// `required` without a visible character, `too_long` beyond [`MAX_REASON`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if !visible::is_visible(text) {
            return Err(Invalid::new("required", "A reason must contain at least one visible character."));
        }
        if text.chars().count() > MAX_REASON {
            return Err(Invalid::new("too_long", format!("A reason can have at most {MAX_REASON} characters.")));
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn disabling_lasts_until_its_end() {
        let at = Timestamp::from_seconds(1_800_000_000);
        let until = at.plus(Duration::from_hours(1));
        let disabled = Disabled { at, by: None, reason: None, until: Some(until) };
        assert!(disabled.lasts(until.minus(Duration::from_millis(1))) && !disabled.lasts(until));
        assert!(Disabled { until: None, ..disabled }.lasts(until));
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(Reason::parse(" spam \n").unwrap().as_str(), "spam");
        assert_eq!(Reason::parse("\u{200b} ").unwrap_err().code, "required");
        assert_eq!(Reason::parse(&"ä".repeat(501)).unwrap_err().code, "too_long");
    }
}
