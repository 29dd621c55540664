//! Files of accounts: our own JSON Lines, and what other systems export.
//!
//! [`rows`] reads a file of a [`Source`] row by row, so that memory does not grow with the file: lists inside of one JSON
//! document are read element by element as well. Each [`Row`] has the account as a [`Record`], or the [`Problem`] with it; one
//! bad row does not end the reading. What of the source has no counterpart here is in the row's notes.
//!
//! The crate knows nothing of the service's store or rules: a record is what the file says, and may still be refused.
//!
//! - `input` takes files apart: lines, elements of JSON lists, rows of CSV tables.
//! - `readers` has a file for each source, which makes records of those.

mod input;
mod object;
mod options;
mod problem;
mod readers;
pub mod record;
mod row;
mod source;

use std::io::BufRead;

use readers::Reader;

pub use options::{Options, StaffRoles};
pub use problem::Problem;
pub use record::{Algorithm, Digits, Disabled, Members, Passkey, Password, Record, RecoveryCodes, Totp, Version};
pub use row::Row;
pub use source::{Source, UnknownSource};

/// The longest row that is read, in bytes. An account with a dozen passkeys has a few thousand.
pub const MAX_ROW_BYTES: usize = 1024 * 1024;

/// The rows of a file.
pub type Rows<'a> = Box<dyn Iterator<Item = Row> + 'a>;

/// Reads a file of `source` from its beginning.
///
/// A row that is no account has a [`Problem`] and does not end the reading, unless the file as a whole cannot be read on
/// ([`Problem::ends_file`]).
pub fn rows<'a>(source: Source, reader: impl BufRead + 'a, options: &'a Options) -> Rows<'a> {
    rows_after(source, reader, options, 0)
}

/// Reads a file of `source` on behind the row with the number `after`, as [`Row::number`] has it.
///
/// What comes before is taken apart but not converted, so that an import that was interrupted soon goes on where it was.
pub fn rows_after<'a>(source: Source, reader: impl BufRead + 'a, options: &'a Options, after: u64) -> Rows<'a> {
    match Reader::of(source) {
        None => Box::new(input::open_lines(reader, after).map(move |unit| readers::read_own(unit, options))),
        Some(read) => Box::new(input::open(reader, &read.layout, after).map(move |unit| read.row(unit, options))),
    }
}
