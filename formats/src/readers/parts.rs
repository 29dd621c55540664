//! Parts of a record that several sources have.

use data_encoding::{BASE64URL_NOPAD, DecodeError};
use secrecy::SecretString;
use serde_json::Value;

use super::fields::Fields;
use crate::{Disabled, Members, Options, Password, Problem, Record};

/// A record with nothing but an email address.
///
/// # Errors
/// Where there is none: it is what accounts sign in with here.
pub(crate) fn record(email: Option<String>) -> Result<Record, Problem> {
    Ok(Record { email: email.ok_or(Problem::NoEmail)?, ..Record::default() })
}

/// Whether the address is confirmed: as the source says, or as the import was told where the source says nothing.
pub(crate) fn is_confirmed(said: Option<bool>, options: &Options) -> bool {
    said.unwrap_or(options.email_confirmed)
}

/// The text as UUID in its usual form, if it is one.
pub(crate) fn uuid(text: Option<&str>) -> Option<String> {
    uuid::Uuid::try_parse(text?).ok().map(|uuid| uuid.hyphenated().to_string())
}

/// One name of its parts.
pub(crate) fn full_name(parts: [Option<String>; 2]) -> Option<String> {
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// That an account was locked, and by which mark of its source.
pub(crate) fn disabled(reason: &str, until: Option<String>) -> Disabled {
    Disabled { reason: Some(reason.to_owned()), until }
}

/// A password by its hash. `own` is what else the account has for it, and goes before the system's settings.
pub(crate) fn hash(system: &str, stored: Option<String>, own: Members, options: &Options) -> Option<Password> {
    let stored = stored.filter(|stored| !stored.is_empty())?;
    let fields = with_settings(own, options);
    Some(Password::Hash { system: system.to_owned(), stored: SecretString::from(stored), fields })
}

/// The system's settings, and what the account has itself before them.
pub(crate) fn with_settings(own: Members, options: &Options) -> Members {
    let mut fields = options.settings.clone();
    fields.remove("hashes");
    fields.extend(own);
    fields
}

/// Keeps the user name where it is not the email address: applications may know accounts by it.
pub(crate) fn keep_username(record: &mut Record, username: Option<String>) {
    if let Some(username) = username.filter(|username| !username.eq_ignore_ascii_case(&record.email)) {
        record.app.get_or_insert_default().insert("username".to_owned(), Value::from(username));
    }
}

/// Takes what is there under one of several names.
pub(crate) fn first_text(fields: &mut Fields, names: &[&str]) -> Result<Option<String>, Problem> {
    let mut found = None;
    for name in names {
        let text = fields.text(name)?;
        found = found.or(text);
    }
    Ok(found)
}

/// Base64 of either alphabet, padded or not, as base64url without padding.
pub(crate) fn base64url(text: &str) -> Result<String, DecodeError> {
    let text: String = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| match letter {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    BASE64URL_NOPAD.decode(text.as_bytes()).map(|_| text)
}
