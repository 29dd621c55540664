//! What ends a command before it is done, and the exit code of each.

use std::fmt;
use std::io;
use std::path::Path;

use serde::Deserialize;

pub type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub enum Failure {
    /// The reader of standard output closed it: there is nothing left to do.
    OutputClosed,
    /// The service refused.
    Refused(Problem),
    Failed(String),
    /// Something would have to be asked, or there is no session.
    NeedsInput(String),
    NotConfirmed(String),
    NotFound(String),
    Unreachable(String),
}

/// A problem answer (RFC 9457), or what is known of an answer that is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub errors: Vec<FieldProblem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldProblem {
    field: String,
    code: String,
    detail: String,
}

impl Failure {
    /// The exit code for a session that is missing or has ended, and for input.
    pub const NEEDS_INPUT: u8 = 3;

    /// As `docs/command-line.md` lists them; 2 is clap's, for arguments that make no sense.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::NeedsInput(_) => Self::NEEDS_INPUT,
            Self::NotConfirmed(_) => 4,
            Self::NotFound(_) => 5,
            Self::Unreachable(_) => 6,
            Self::Refused(problem) => problem.exit_code(),
        }
    }

    /// Of a file that cannot be read or written.
    pub fn of_file(path: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("{}: {error}", path.display()))
    }

    pub fn not_signed_in(url: &str) -> Self {
        Self::NeedsInput(format!(
            "not signed in at {url}: run `users login`, or set another URL with --url or USERS_URL"
        ))
    }

    /// Of standard output.
    pub fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(format!("cannot write to standard output: {error}")),
        }
    }
}

impl Problem {
    fn exit_code(&self) -> u8 {
        match (self.status, self.code.as_str()) {
            // A wrong password or code was refused, which is another thing than a session that is missing.
            (401, "unauthenticated" | "invalid_token" | "reauthentication_required" | "invalid_refresh_token") => {
                Failure::NEEDS_INPUT
            }
            (404, _) => 5,
            (502..=504, _) => 6,
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputClosed => f.write_str("standard output was closed"),
            Self::Refused(problem) => problem.fmt(f),
            Self::Failed(text)
            | Self::NeedsInput(text)
            | Self::NotConfirmed(text)
            | Self::NotFound(text)
            | Self::Unreachable(text) => f.write_str(text),
        }
    }
}

/// On one line: every field that could not be taken, or else what is wrong.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.is_empty() {
            return write!(f, "{} ({})", self.detail, self.code);
        }
        let fields =
            self.errors.iter().map(|FieldProblem { field, code, detail }| format!("{field}: {detail} ({code})"));
        f.write_str(&fields.collect::<Vec<_>>().join("; "))
    }
}

/// Of the store, whose causes are for operators.
impl From<shared::Error> for Failure {
    fn from(error: shared::Error) -> Self {
        // The public message of an internal error is for HTTP clients.
        let source = std::error::Error::source(&error);
        Self::Failed(source.map_or_else(|| error.to_string(), |source| shared::error::Causes(source).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_one_line_with_its_fields_and_an_exit_code() {
        let problem: Problem = serde_json::from_str(
            r#"{"status":400,"code":"invalid_request","detail":"Look.","title":"x",
                "errors":[{"field":"email","code":"invalid_email","detail":"Bad."}]}"#,
        )
        .unwrap();
        assert_eq!(problem.to_string(), "email: Bad. (invalid_email)");
        for (status, code, exit) in [
            (400, "invalid_request", 1),
            (401, "invalid_credentials", 1),
            (401, "reauthentication_required", 3),
            (404, "user_not_found", 5),
            (503, "temporarily_unavailable", 6),
        ] {
            let problem = Problem { status, code: code.into(), ..Problem::default() };
            assert_eq!(Failure::Refused(problem).exit_code(), exit, "{code}");
        }
    }
}
