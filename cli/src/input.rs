//! What is asked of a person: at the terminal, or in lines of standard input.

use std::io::{IsTerminal, Write};

use secrecy::SecretString;

use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// `--no-input`: nothing is asked.
    silent: bool,
    /// `--password-stdin`: secrets are lines of standard input, in the order in which they are needed.
    secrets_by_line: bool,
}

impl Input {
    pub const fn new(silent: bool, secrets_by_line: bool) -> Self {
        Self { silent, secrets_by_line }
    }

    /// A password or a code; it is not shown while it is typed.
    pub fn secret(self, what: &str) -> Result<SecretString> {
        let missing = || Failure::NeedsInput(format!("input is required, but prompting is disabled: {what}"));
        if self.secrets_by_line {
            return line().filter(|line| !line.is_empty()).map(SecretString::from).ok_or_else(missing);
        }
        if self.silent {
            return Err(missing());
        }
        rpassword::prompt_password(format!("{what}: ")).map(SecretString::from).map_err(|_| missing())
    }

    /// Anything else: never from standard input that is not a terminal.
    pub fn text(self, what: &str) -> Result<String> {
        let missing = || Failure::NeedsInput(format!("input is required, but prompting is disabled: {what}"));
        if self.silent || self.secrets_by_line || !std::io::stdin().is_terminal() {
            return Err(missing());
        }
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{what}: ").and_then(|()| stderr.flush());
        line().ok_or_else(missing)
    }
}

/// The next line, without its end; none when there is none.
fn line() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
