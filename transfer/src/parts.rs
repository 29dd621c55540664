//! Files in parts: what the command line puts into the bucket and the function takes from it.

use serde::{Deserialize, Serialize};

use crate::import::Line;

/// Accounts of a part.
pub const PART: usize = 200;
/// What all keys begin with.
pub const PREFIX: &str = "imports/";

/// A part of a file that is imported: what its message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The import that it belongs to: letters, digits and hyphens.
    pub import: String,
    /// Counted from 0.
    pub number: u32,
    /// The rows of the whole file that its lines are, in their order.
    pub rows: Vec<u64>,
}

impl Part {
    #[must_use]
    pub fn key(&self) -> String {
        format!("{PREFIX}{}/{:08}.jsonl", self.import, self.number)
    }

    #[must_use]
    pub fn report_key(&self) -> String {
        format!("{PREFIX}{}/{:08}.report.jsonl", self.import, self.number)
    }

    /// A line of the part's report, with its row of the whole file.
    #[must_use]
    pub fn of_whole_file(&self, line: Line) -> Line {
        let at = usize::try_from(line.row).unwrap_or_default();
        let row = at.checked_sub(1).and_then(|at| self.rows.get(at)).copied();
        Line { row: row.unwrap_or(line.row), ..line }
    }
}
