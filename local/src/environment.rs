//! What the template gives each function in its environment, with the defaults that a laptop needs.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use embedded::{Credentials, Embedded};
use shared::domain::limit::Limit;

use crate::provision::{EVENT_BUS, KEYS_TABLE, PICTURES, TABLE, TRANSFER, UPLOADS};
use crate::queues::Queue;

/// The file next to the data that holds the environment of this start, for functions and tools that are started separately
/// but work on the stack's data.
const FILE: &str = "functions.env";

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {cause}")]
pub struct WriteError {
    path: PathBuf,
    cause: io::Error,
}

pub struct Environment {
    /// What the caller says, before everything else.
    variables: HashMap<String, String>,
    /// Where the embedded services are: never taken from the process, so that no real account is ever reached.
    fixed: Vec<(&'static str, String)>,
    /// What a process that says nothing gets.
    defaults: Vec<(&'static str, String)>,
}

impl Environment {
    pub fn new(address: SocketAddr, embedded: &Embedded, variables: HashMap<String, String>) -> Self {
        let endpoints = embedded.endpoints();
        let Credentials { access_key_id, secret_access_key } = embedded.credentials().clone();
        let public_url = format!("http://{address}");
        let fixed = vec![
            ("AWS_REGION", embedded::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
            ("AWS_SESSION_TOKEN", String::new()),
            ("AWS_ENDPOINT_URL", String::new()),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.clone()),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoints.events.clone()),
            ("AWS_ENDPOINT_URL_FIREHOSE", endpoints.firehose.clone()),
            ("AWS_ENDPOINT_URL_S3", endpoints.s3.clone()),
            ("AWS_ENDPOINT_URL_SESV2", endpoints.ses.clone()),
            ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.clone()),
            ("TABLE_NAME", TABLE.to_owned()),
            ("KEYS_TABLE_NAME", KEYS_TABLE.to_owned()),
            ("UPLOADS_BUCKET", UPLOADS.to_owned()),
            ("PICTURES_BUCKET", PICTURES.to_owned()),
            ("MAIL_QUEUE_URL", Queue::Mail.url(&endpoints.sqs)),
            ("WEBHOOK_QUEUE_URL", Queue::Webhooks.url(&endpoints.sqs)),
            ("TRANSFER_BUCKET", TRANSFER.to_owned()),
            ("EVENT_BUS", EVENT_BUS.to_owned()),
            ("LOG_STREAM", "logs".to_owned()),
        ];
        let defaults = vec![
            ("PICTURES_URL", format!("{public_url}/_local/pictures")),
            ("PUBLIC_URL", public_url),
            // With a configuration set, SES reports what becomes of each mail.
            ("SES_CONFIGURATION_SET", "mail".to_owned()),
            ("MAIL_FROM", "Example <no-reply@example.com>".to_owned()),
            ("PRODUCT_NAME", "Example".to_owned()),
            ("ADMIN_EMAIL", "admin@example.com".to_owned()),
            // Webhooks may lead to the receiver of this stack, and to programs of this machine.
            ("WEBHOOK_TARGETS", "local".to_owned()),
            // Off unless set; the file has them for the command line.
            ("LEGACY_USER_POOL", String::new()),
            ("LEGACY_PASSWORD_URL", String::new()),
            ("LEGACY_PASSWORDS_UNTIL", String::new()),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", String::new()),
        ];
        Self { variables, fixed, defaults }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let among =
            |list: &[(&str, String)]| list.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let variable = self.variables.get(name).cloned();
        // An empty variable counts as missing, so the default is used for it too.
        let process = || std::env::var(name).ok().filter(|value| !value.is_empty());
        variable.or_else(|| among(&self.fixed)).or_else(process).or_else(|| among(&self.defaults))
    }

    /// Writes all of it to a file that `cargo lambda watch --env-file` reads.
    pub fn write_to(&self, folder: &Path) -> Result<(), WriteError> {
        let mut file = String::new();
        for (name, _) in self.fixed.iter().chain(&self.defaults) {
            let value = self.get(name).unwrap_or_default().replace('"', "\\\"");
            let _ = writeln!(file, "{name}=\"{value}\"");
        }
        let path = folder.join(FILE);
        std::fs::write(&path, file).map_err(|cause| WriteError { path, cause })
    }
}

/// A variable of the process that was meant as a limit and is none.
pub fn unknown_limit() -> Option<String> {
    let variables = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    variables.filter_map(|(name, _)| name.into_string().ok()).find(|name| is_unknown_limit(name))
}

fn is_unknown_limit(name: &str) -> bool {
    name.starts_with("LIMIT_") && name.ends_with("_PER_IP") && Limit::ALL.iter().all(|limit| limit.variable() != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_limit_is_noticed() {
        for (name, unknown) in [
            ("LIMIT_LOGIN_PER_IP", false),
            ("LIMIT_LOGON_PER_IP", true),
            ("LIMITS", false),
            ("LIMIT_OF_ANOTHER_PROGRAM", false),
        ] {
            assert_eq!(is_unknown_limit(name), unknown, "{name}");
        }
    }
}
