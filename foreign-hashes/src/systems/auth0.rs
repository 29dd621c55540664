//! Auth0's export: a JSON object for each account, with a hash of npm's bcrypt.

use serde::Deserialize;

use super::{Read, node_bcrypt};
use crate::Refused;
use crate::fields::{Fields, Setting};

pub(crate) const SETTINGS: &[Setting] = &[];

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "passwordHash")]
    password_hash: String,
}

/// A line, or the hash alone.
pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    if !stored.starts_with('{') {
        return node_bcrypt::read(stored, fields);
    }
    let line: Line = serde_json::from_str(stored).map_err(|_| Refused::Malformed("the line has no passwordHash"))?;
    node_bcrypt::read(&line.password_hash, fields)
}
