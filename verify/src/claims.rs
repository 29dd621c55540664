//! What an access token says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer};

/// The claims of a token that was checked (RFC 9068, 2.2). Times are seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// Who issued the token: the service's address with its base path.
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// Whom the token is for; yours is among them.
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    /// The token's own id.
    pub jti: String,
    /// The client that asked for the token.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The id of the session that the token belongs to.
    pub sid: String,
    /// The user's roles when the token was made; a role removed since then remains until the token expires.
    #[serde(default)]
    pub roles: Vec<String>,
    /// When the user proved who they are. A refresh does not move it. 0 where another acts for them.
    pub auth_time: i64,
    /// Who acts for the user, where it is not the user (RFC 8693, 4.1): a member of staff, for ten minutes.
    #[serde(default)]
    pub act: Option<Actor>,
    /// Claims of the team's own, as the service is configured.
    #[serde(default)]
    pub ext: serde_json::Map<String, serde_json::Value>,
}

/// A party that acts for the user of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// Their own user's id.
    pub sub: String,
}

impl Claims {
    /// Whether a member of staff acts for the user. What you would ask the user's password for is not for them.
    #[must_use]
    pub const fn is_impersonated(&self) -> bool {
        self.act.is_some()
    }

    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Whether the user proved who they are within the last `max_age` before `now`: what to ask for before something that
    /// a stolen token should not be enough for (RFC 9470).
    #[must_use]
    pub fn signed_in_within(&self, max_age: Duration, now: SystemTime) -> bool {
        let signed_in =
            u64::try_from(self.auth_time).ok().and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        // A sign-in in the future comes from a clock that runs fast.
        signed_in.is_some_and(|at| now.duration_since(at).unwrap_or_default() <= max_age)
    }
}

/// `aud` is a string or an array of strings (RFC 7519, 4.1.3).
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_recent_up_to_and_at_the_limit() {
        let claims = Claims {
            iss: String::new(),
            sub: String::new(),
            aud: Vec::new(),
            exp: 0,
            iat: 0,
            nbf: 0,
            jti: String::new(),
            client_id: None,
            sid: String::new(),
            roles: vec!["user".into()],
            act: None,
            ext: serde_json::Map::new(),
            auth_time: 1000,
        };
        for (now, recent) in [(1000, true), (1900, true), (1901, false), (900, true)] {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!(claims.signed_in_within(Duration::from_mins(15), now), recent, "{now:?}");
        }
        assert!(claims.has_role("user") && !claims.has_role("admin"));
    }
}
