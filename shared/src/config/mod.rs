//! The configuration: read once, at cold start, from the environment. Each field's doc names its variable;
//! whatever is missing or malformed is reported by that name, all of it at once.

mod aws;
mod claims;
mod events;
mod front;
mod legacy;
mod limits;
mod mail;
mod pictures;
mod reader;
mod relying_party;
mod tokens;
mod transfer;

use std::fmt;
use std::time::Duration;

pub use aws::{Aws, Endpoints, Tables};
pub use claims::ExtraClaims;
pub use events::Events;
pub use front::Front;
pub use legacy::Legacy;
pub use limits::{HashCost, Limits};
pub use mail::Mail;
pub use pictures::Pictures;
pub use relying_party::RelyingParty;
pub use tokens::{IntrospectionClients, Tokens};
pub use transfer::Transfer;

use self::reader::Reader;
use crate::domain::email::EmailAddress;
use crate::domain::password::MinLength;
use crate::domain::user::UNCONFIRMED_LIFE;
use crate::telemetry::LogLevels;

/// What every path of the API starts with.
pub const BASE_PATH: &str = "/api/v1";

/// All of it, a struct for each concern.
#[derive(Debug, Clone)]
pub struct Config {
    pub aws: Aws,
    pub tables: Tables,
    pub pictures: Pictures,
    pub events: Events,
    pub mail: Mail,
    pub tokens: Tokens,
    pub introspection_clients: IntrospectionClients,
    /// `CLAIMS`: account data in access tokens under `ext`.
    pub claims: ExtraClaims,
    /// The front that every request comes through; without one, requests come directly from API Gateway.
    pub front: Option<Front>,
    pub relying_party: RelyingParty,
    /// `PASSWORD_MIN_LENGTH`: the minimum length of new passwords.
    pub password_min_length: MinLength,
    pub password_hash: HashCost,
    /// `ADMIN_EMAIL`: the account with this address becomes an administrator when its password is chosen through a link that was
    /// emailed to it.
    pub admin_email: Option<EmailAddress>,
    /// `UNCONFIRMED_DAYS`: how long an account can remain unconfirmed before it is erased.
    pub unconfirmed_life: Duration,
    pub limits: Limits,
    pub transfer: Transfer,
    /// Former systems.
    pub legacy: Legacy,
    /// `LOG_STREAM`: the Firehose stream that log records go to; without it they go to standard output only.
    pub log_stream: Option<String>,
    /// `LOG_LEVEL`: what is logged. Security events are always logged.
    pub log_levels: LogLevels,
}

/// Every problem found in the environment, one a line.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration: {}", self.0.join("; "))
    }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or malformed.
    pub fn from_env() -> Result<Self, ConfigError> {
        // What turns the limits off, or lets webhooks lead to this machine, is for the local stack alone, however a function's
        // environment came to have it.
        Self::read(|name| std::env::var(name).ok().filter(|_| !["LIMITS", "WEBHOOK_TARGETS"].contains(&name)))
    }

    /// Reads variables through `lookup`; an empty one counts as missing, as SAM has no other way to leave one out.
    ///
    /// # Errors
    /// Names every variable that is missing or malformed.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let public_url = reader.url("PUBLIC_URL");
        let config = Self {
            aws: Aws::read(&mut reader),
            tables: Tables::read(&mut reader),
            pictures: Pictures::read(&mut reader),
            events: Events::read(&mut reader),
            tokens: Tokens::read(&mut reader, format!("{public_url}{BASE_PATH}")),
            front: reader.parsed("FRONT_SECRET_SHA256"),
            claims: reader.parsed("CLAIMS").unwrap_or_default(),
            introspection_clients: reader.parsed("INTROSPECTION_CLIENTS").unwrap_or_default(),
            relying_party: RelyingParty::read(&mut reader, &public_url),
            password_min_length: reader.parsed("PASSWORD_MIN_LENGTH").unwrap_or_default(),
            password_hash: HashCost::read(&mut reader),
            admin_email: reader.parsed("ADMIN_EMAIL"),
            unconfirmed_life: reader.days("UNCONFIRMED_DAYS", 1..=365).unwrap_or(UNCONFIRMED_LIFE),
            limits: Limits::read(&mut reader),
            transfer: Transfer::read(&reader),
            legacy: Legacy::read(&mut reader),
            log_stream: reader.optional("LOG_STREAM"),
            log_levels: reader.parsed("LOG_LEVEL").unwrap_or_default(),
            // The last: without a sender there is nothing to return, and all else has been looked at by then.
            mail: match Mail::read(&mut reader, &public_url) {
                Some(mail) => mail,
                None => return Err(ConfigError(reader.problems)),
            },
        };
        if reader.problems.is_empty() { Ok(config) } else { Err(ConfigError(reader.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::keys::Algorithm;
    use crate::domain::limit::Limit;

    pub(super) fn complete() -> HashMap<&'static str, &'static str> {
        HashMap::from([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-real-secret"),
            ("TABLE_NAME", "users"),
            ("KEYS_TABLE_NAME", "keys"),
            ("UPLOADS_BUCKET", "uploads"),
            ("PICTURES_BUCKET", "pictures"),
            ("PICTURES_URL", "https://pictures.example.com/"),
            ("PUBLIC_URL", "https://api.example.com/"),
            ("MAIL_QUEUE_URL", "https://sqs.example.com/1/mail"),
            ("EVENT_BUS", "events"),
            ("WEBHOOK_QUEUE_URL", "https://sqs.example.com/1/webhooks"),
            ("MAIL_FROM", "no-reply@example.com"),
            ("PRODUCT_NAME", "Example"),
        ])
    }

    pub(super) fn read(variables: &HashMap<&str, &str>) -> Result<Config, ConfigError> {
        Config::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_is_left_out_has_the_documented_defaults() {
        let config = read(&complete()).unwrap();
        assert_eq!(config.tokens.issuer, "https://api.example.com/api/v1");
        assert_eq!(config.tokens.audience, config.tokens.issuer);
        assert_eq!(config.tokens.algorithm, Algorithm::Es256);
        assert_eq!(config.tokens.client_id, "web");
        assert_eq!(config.password_min_length, MinLength::default());
        assert_eq!(config.password_hash.memory_kib, 19_456);
        assert!(config.limits.on);
        assert_eq!(config.limits.rate(Limit::Login), "30/5m".parse().ok());
    }

    #[test]
    fn everything_that_is_missing_or_malformed_is_named_at_once() {
        let mut variables = complete();
        variables.remove("TABLE_NAME");
        variables.insert("MAIL_FROM", " ");
        variables.insert("SIGNING_ALGORITHM", "none");
        variables.insert("ADMIN_EMAIL", "nobody");
        variables.insert("PICTURES_URL", "pictures.example.com");
        variables.insert("LIMIT_LOGIN_PER_IP", "thirty");
        variables.insert("CLIENT_ID", "the web");
        variables.insert("PASSWORD_MIN_LENGTH", "7");
        variables.insert("LOG_LEVEL", "loud");
        variables.insert("CLAIMS", "sub:app.sub");
        variables.insert("LIMITS", "no");
        let problem = read(&variables).unwrap_err().to_string();
        for name in [
            "TABLE_NAME",
            "MAIL_FROM",
            "SIGNING_ALGORITHM",
            "ADMIN_EMAIL",
            "PICTURES_URL",
            "LIMIT_LOGIN_PER_IP",
            "CLIENT_ID",
            "PASSWORD_MIN_LENGTH",
            "LOG_LEVEL",
            "CLAIMS",
            "LIMITS must",
        ] {
            assert_eq!(problem.matches(name).count(), 1, "{problem} does not name {name} once");
        }
    }

    #[test]
    fn one_endpoint_variable_serves_all_services_and_a_specific_one_wins() {
        let mut variables = complete();
        variables.insert("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
        variables.insert("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9999");
        let endpoints = read(&variables).unwrap().aws.endpoints;
        assert_eq!(endpoints.sqs.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(endpoints.s3.as_deref(), Some("http://127.0.0.1:9999"));
    }

    #[test]
    fn secrets_do_not_print() {
        assert!(!format!("{:?}", read(&complete()).unwrap()).contains("not-a-real-secret"));
    }
}
