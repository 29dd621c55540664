//! The sources whose files are read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What wrote a file. In text it is in kebab-case: `json-lines`, `flask-security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// This service's own format.
    JsonLines,
    /// An Amazon Cognito user pool.
    Cognito,
    /// Auth0.
    Auth0,
    /// Clerk.
    Clerk,
    /// Firebase Authentication.
    Firebase,
    /// Supabase Auth.
    Supabase,
    /// Keycloak.
    Keycloak,
    /// Ory Kratos.
    Kratos,
    /// Django's `auth_user`.
    Django,
    /// Flask-Security, and other Flask applications with a table of users.
    FlaskSecurity,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 10] = [
        Self::JsonLines,
        Self::Cognito,
        Self::Auth0,
        Self::Clerk,
        Self::Firebase,
        Self::Supabase,
        Self::Keycloak,
        Self::Kratos,
        Self::Django,
        Self::FlaskSecurity,
    ];

    /// Its name in kebab-case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json-lines",
            Self::Cognito => "cognito",
            Self::Auth0 => "auth0",
            Self::Clerk => "clerk",
            Self::Firebase => "firebase",
            Self::Supabase => "supabase",
            Self::Keycloak => "keycloak",
            Self::Kratos => "kratos",
            Self::Django => "django",
            Self::FlaskSecurity => "flask-security",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// That a text names no [`Source`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown source; supported are json-lines, cognito, auth0, clerk, firebase, supabase, keycloak, kratos, django and \
     flask-security"
)]
pub struct UnknownSource;

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        Self::ALL.into_iter().find(|source| source.name() == text).ok_or(UnknownSource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_read_back_from_its_name() {
        for source in Source::ALL {
            assert_eq!(source.to_string().parse(), Ok(source));
            assert_eq!(serde_json::json!(source), source.name());
            assert!(UnknownSource.to_string().contains(source.name()), "{source} is not among the known");
        }
        assert_eq!("okta".parse::<Source>(), Err(UnknownSource));
    }
}
