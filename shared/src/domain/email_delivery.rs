//! The last report of SES about an address: whether emails to it are delivered.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailDelivery {
    pub status: DeliveryProblem,
    pub since: Timestamp,
    /// The diagnostic of the receiving server, truncated.
    #[serde(default)]
    pub diagnostic: Option<String>,
}

impl EmailDelivery {
    /// The state after another report. A suppression adds nothing if the reason is known, and the first report of a kind sets the
    /// time.
    #[must_use]
    pub fn then(self, new: Self) -> Self {
        match new.status {
            DeliveryProblem::Suppressed => self,
            status if status == self.status => Self { since: self.since, ..new },
            _ => new,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryProblem {
    /// A permanent bounce.
    Bounced,
    /// The recipient marked an email as spam.
    Complained,
    /// SES did not send because the address is on its suppression list.
    Suppressed,
}

impl DeliveryProblem {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
        }
    }
}

/// Maximum length of a stored diagnostic, in characters.
const DIAGNOSTIC: usize = 300;

/// The diagnostic of a server for a bounce, without control characters and truncated.
#[must_use]
pub fn diagnostic(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|character| !character.is_control()).take(DIAGNOSTIC).collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_is_one_short_line() {
        assert_eq!(diagnostic(" smtp; 550 5.1.1\r\n unknown\u{7} "), Some("smtp; 550 5.1.1 unknown".to_owned()));
        assert_eq!(diagnostic(&"x".repeat(1000)).unwrap().len(), DIAGNOSTIC);
        assert_eq!(diagnostic("\r\n"), None);
    }
}
