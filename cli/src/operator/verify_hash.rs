//! Checks passwords against hashes of other systems, as an import and a sign-in would: to try a few rows of a file before it is
//! imported.

use std::io::{BufRead, Write};

use foreign_hashes::vectors::Vector;
use foreign_hashes::{Fields, Stored, System};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output;

/// A hash with a password to try. The system is named as an import names it, or is that of the software that made it.
#[derive(Deserialize)]
struct Tried {
    system: String,
    password: String,
    stored: String,
    #[serde(default)]
    fields: Fields,
}

/// Errors name no values: some are secrets.
fn verify(line: &str) -> std::result::Result<bool, String> {
    let unreadable = |error: serde_json::Error| format!("not a line of this form, at column {}", error.column());
    let line: Value = serde_json::from_str(line).map_err(unreadable)?;
    if line.get("producer").is_some() {
        let vector: Vector = serde_json::from_value(line).map_err(unreadable)?;
        return vector.check().map_err(|refused| refused.to_string());
    }
    let Tried { system, password, stored, fields } = serde_json::from_value(line).map_err(unreadable)?;
    let Ok(system) = system.parse::<System>() else {
        return Err("unknown system: docs/moving-in/other.md lists the supported systems".to_owned());
    };
    match system.read(&stored, &fields).map_err(|refused| refused.to_string())? {
        Stored::Hash(hash) => Ok(hash.verify(&password)),
        Stored::NoPassword => Ok(false),
    }
}

/// A line in, a line out: `{"verifies": true}`, or `{"error": "..."}` where the hash cannot be read.
///
/// # Errors
/// When standard input cannot be read or standard output not be written.
pub fn verify_hashes() -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Failed(format!("cannot read standard input: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match verify(&line) {
            Ok(verifies) => json!({ "verifies": verifies }),
            Err(why) => json!({ "error": why }),
        };
        writeln!(stdout, "{}", output::escaped(&answer.to_string()))
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of_output(&error))?;
    }
    Ok(())
}
