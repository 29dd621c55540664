//! Our own format: `docs/import-format.md`.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

use super::{fields::quoted, parts, roles};
use crate::{
    Options, Password, Problem, Record, Row,
    input::{Content, Unit, not_json},
    object::Object,
};

/// Where names of members are not repeated in messages: a secret may have become one by a slip of whatever wrote the file.
const SECRETIVE: [&str; 3] = ["password", "totp", "recovery_codes"];

/// What a line says about its address. A [`Record`] does not tell an absent member from `false`.
#[derive(Deserialize)]
struct Confirmation {
    email_confirmed: Option<bool>,
}

pub(crate) fn read(unit: Unit, options: &Options) -> Row {
    let mut notes = Vec::new();
    let record = unit.content.and_then(|content| match content {
        Content::Json(line) => {
            record(&line).map(|record| with_options(with_settings(record, options), &line, options, &mut notes))
        }
        Content::Cells(_) => Err(Problem::invalid("", "is not a JSON object")),
    });
    Row { number: unit.number, record, notes }
}

/// Applies what the options say about accounts of other systems. A record with `state` is of an export of this service, which
/// knows its staff, and leaves out `email_confirmed` where it is false.
fn with_options(mut record: Record, line: &[u8], options: &Options, notes: &mut Vec<String>) -> Record {
    if record.state.is_none() {
        record.roles = record.roles.and_then(|roles| without_staff(roles, options, notes));
        // The line is read again only where that may change something.
        if options.email_confirmed && !record.email_confirmed {
            record.email_confirmed = parts::is_confirmed(confirmation(line), options);
        }
    }
    record
}

/// The roles without those of staff, unless the options keep them. `None` where no other is left, so that the import's own
/// default applies; a list that was empty stays so.
fn without_staff(mut roles: Vec<String>, options: &Options, notes: &mut Vec<String>) -> Option<Vec<String>> {
    let dropped: Vec<_> = roles.extract_if(.., |role| roles::is_dropped(role, options)).collect();
    notes.extend(dropped.iter().map(|role| roles::left_out(role)));
    (dropped.is_empty() || !roles.is_empty()).then_some(roles)
}

/// What the line says of its address.
fn confirmation(line: &[u8]) -> Option<bool> {
    // The line has been read as a record, so this does not fail; if it did, the address would stay unconfirmed.
    serde_json::from_slice(line).map_or(Some(false), |said: Confirmation| said.email_confirmed)
}

fn with_settings(mut record: Record, options: &Options) -> Record {
    if let Some(Password::Hash { fields, .. }) = &mut record.password {
        *fields = parts::with_settings(std::mem::take(fields), options);
    }
    record
}

fn record(line: &[u8]) -> Result<Record, Problem> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let Object(record): Object<Record> = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().clone();
        problem(&path, &error.into_inner())
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(record)
}

fn problem(path: &Path, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return not_json(error);
    }
    let secretive = is_secretive(path);
    let member = if secretive { outermost(path) } else { whole(path) };
    Problem::invalid(member, reason(&error.to_string(), secretive))
}

fn is_secretive(path: &Path) -> bool {
    SECRETIVE.contains(&outermost(path).as_str())
}

fn outermost(path: &Path) -> String {
    match path.iter().next() {
        Some(Segment::Map { key }) => key.clone(),
        _ => String::new(),
    }
}

fn whole(path: &Path) -> String {
    if path.iter().next().is_none() { String::new() } else { path.to_string() }
}

/// `serde_json`'s message without the values that it repeats and without the place in the line.
fn reason(message: &str, secretive: bool) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if message.starts_with("invalid ") {
        let expected = message.rsplit_once(", expected ").map_or("another value", |(_, expected)| expected);
        return format!("expected {}", in_words_of_json(expected));
    }
    if message.starts_with("unknown ") {
        let known = message.rsplit_once(", expected ").map(|(_, known)| known).unwrap_or_default();
        let what = if message.starts_with("unknown field") { "member" } else { "value" };
        let name = message.split('`').nth(1).filter(|_| what == "member" && !secretive);
        return name.map_or_else(
            || format!("unknown {what}, expected {known}"),
            |name| format!("unknown member `{}`, expected {known}", quoted(name)),
        );
    }
    // "missing field", "duplicate field", and our own texts.
    message.replace(" field ", " member ")
}

/// What Rust's types are called in JSON.
fn in_words_of_json(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "u32" | "u64" => "a whole number that is not negative",
        "i64" => "a whole number",
        other => other,
    }
}
