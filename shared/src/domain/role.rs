//! Roles: the permissions of an account here and in the team's other services.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Invalid;

/// How many roles an account can have.
pub const MAX_ROLES: usize = 20;
/// The pattern of [`Role::parse`], for the OpenAPI document.
const PATTERN: &str = "^[a-z][a-z0-9_-]{0,31}$";

/// The name of a role. Three have a meaning in this service; teams define others for their own services, which read them from
/// access tokens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Role(Cow<'static, str>);

impl Role {
    /// The role of every account from its registration on. It grants nothing.
    pub const USER: Self = Self(Cow::Borrowed("user"));
    /// Supports users: reads accounts and their activity, and changes little.
    pub const SUPPORT: Self = Self(Cow::Borrowed("support"));
    pub const ADMIN: Self = Self(Cow::Borrowed("admin"));

    /// # Errors
    /// `invalid_role` for anything but a lowercase letter followed by up to 31 lowercase letters, digits, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut characters = text.bytes();
        let begins = characters.next().is_some_and(|first| first.is_ascii_lowercase());
        let goes_on = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-');
        if begins && goes_on && text.len() <= 32 {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        let detail = "A role must be a lowercase letter followed by up to 31 lowercase letters, digits, `_` or `-`.";
        Err(Invalid::new("invalid_role", detail))
    }

    /// A list of roles, sorted, each once.
    ///
    /// # Errors
    /// `invalid_role` if one is invalid, `too_many` beyond [`MAX_ROLES`].
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, Invalid> {
        let mut roles = texts.iter().map(|text| Self::parse(text)).collect::<Result<Vec<_>, _>>()?;
        roles.sort_unstable();
        roles.dedup();
        if roles.len() > MAX_ROLES {
            return Err(Invalid::new("too_many", format!("An account can have at most {MAX_ROLES} roles.")));
        }
        Ok(roles)
    }

    /// Whether it is a staff role.
    #[must_use]
    pub fn is_of_staff(&self) -> bool {
        *self == Self::SUPPORT || *self == Self::ADMIN
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        let description =
            "`user`, `support` and `admin` have a meaning in this service; other roles are defined by the team.";
        let role = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN));
        role.description(Some(description)).examples(["user"]).into()
    }
}

impl ToSchema for Role {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_short_name_in_lower_case() {
        let longest = format!("a{}", "0".repeat(31));
        for text in ["user", "a", "beta-tester", "plan_2", &longest] {
            assert_eq!(Role::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "User", "2fa", "-a", "_a", "a b", "ä", "a.b", "a#b", &format!("{longest}0")] {
            assert_eq!(Role::parse(text).unwrap_err().code, "invalid_role", "{text:?}");
        }
    }

    #[test]
    fn roles_are_sorted_and_each_is_there_once() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(Role::parse_all(&texts(&["user", "admin", "user"])).unwrap(), [Role::ADMIN, Role::USER]);
        let many: Vec<String> = (0..21).map(|number| format!("role{number}")).collect();
        assert!(Role::parse_all(&many[..20]).is_ok());
        assert_eq!(Role::parse_all(&many).unwrap_err().code, "too_many");
    }
}
