//! Checks passwords against hashes of other systems, as an import and a sign-in would: to try a few rows of a file before it is imported.

use std::io::{BufRead, Write};

use foreign_hashes::vectors::Vector;
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::output;

/// A line in, a line out: `{"verifies": true}`, or `{"error": "..."}` where the hash cannot be read.
///
/// # Errors
/// When standard input cannot be read or standard output not be written.
pub fn verify_hashes() -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Failed(format!("standard input cannot be read: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match serde_json::from_str::<Vector>(&line) {
            Ok(vector) => match vector.check() {
                Ok(verifies) => json!({ "verifies": verifies }),
                Err(refused) => json!({ "error": refused.to_string() }),
            },
            Err(error) => json!({ "error": format!("not a line of this form: {error}") }),
        };
        writeln!(stdout, "{}", output::escaped(&answer.to_string()))
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of_output(&error))?;
    }
    Ok(())
}
