//! One row of a file.

use crate::{Problem, Record};

/// A line of a file or an element of a list in it: where it was, and the account or what is wrong.
#[derive(Debug)]
pub struct Row {
    /// From 1: the line where the file has a row on each line, otherwise the element's place in its list. It grows from row to
    /// row.
    pub number: u64,
    /// The account, or what is wrong with it.
    pub record: Result<Record, Problem>,
    /// What of the source was left out or changed, without values that could be secret.
    pub notes: Vec<String>,
}
