//! What is wrong with a row or a file, without repeating what it says.

use std::io;

/// What is wrong with one row, or with the whole file ([`Problem::ends_file`]).
///
/// No message repeats a value of the file, because it might be a secret. Names of members are repeated, but for those inside a
/// password, an authenticator app or recovery codes.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The row is longer than [`MAX_ROW_BYTES`](crate::MAX_ROW_BYTES).
    #[error("longer than 1 MiB")]
    TooLong,
    /// The row is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The row is not JSON.
    #[error("not JSON: {reason} at column {column}")]
    NotJson {
        /// What is wrong with it.
        reason: &'static str,
        /// The byte of the row where it is wrong, from 1.
        column: usize,
    },
    /// The row of a table has another number of fields than its header.
    #[error("has {found} fields, the header has {expected}")]
    FieldCount {
        /// How many the row has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A member or column is not what it has to be.
    #[error("{}{reason}", place(member))]
    Invalid {
        /// Where, as a path: `totp.period`, `passkeys[0].id`. Empty for the whole row.
        member: String,
        /// Why.
        reason: String,
    },
    /// The account has no email address, and cannot be an account here.
    #[error("has no email address")]
    NoEmail,
    /// The file as a whole is not what the source writes. There are no further rows.
    #[error("{0}")]
    File(String),
    /// The file could not be read on. There are no further rows.
    #[error("the file could not be read: {0}")]
    Io(#[from] io::Error),
}

impl Problem {
    /// Whether it is about the whole file, so that there are no further rows.
    #[must_use]
    pub fn ends_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Io(_))
    }

    pub(crate) fn invalid(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { member: member.into(), reason: reason.into() }
    }

    pub(crate) fn file(reason: impl Into<String>) -> Self {
        Self::File(reason.into())
    }
}

fn place(member: &str) -> String {
    if member.is_empty() { String::new() } else { format!("{member}: ") }
}
