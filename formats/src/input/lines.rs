//! Files with a JSON document on each line.

use std::io::{self, BufRead, Read};

use super::{Content, Unit, fits};
use crate::{MAX_ROW_BYTES, Problem};

/// The lines of a file behind the one with the number `after`. Blank lines are left out, but count.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    after: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, after: u64) -> Self {
        Self { reader, number: 0, after, ended: false }
    }

    /// The next line, without its end and at most one byte longer than allowed. `None` at the end of the file.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        // Two bytes for the end of the line, one to see that it is too long.
        let limit = MAX_ROW_BYTES as u64 + 3;
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }

    /// The next line that is neither blank nor to be skipped.
    fn wanted(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(line) = self.line()? {
            self.number += 1;
            if self.number > self.after && !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.ended {
            return None;
        }
        match self.wanted() {
            Ok(None) => None,
            Ok(Some(line)) => Some(Unit { number: self.number, content: content(line) }),
            Err(error) => {
                self.ended = true;
                Some(Unit::failed(self.number + 1, Problem::Io(error)))
            }
        }
    }
}

fn content(mut line: Vec<u8>) -> Result<Content, Problem> {
    line.truncate(line.trim_ascii_end().len());
    if !fits(line.len()) {
        return Err(Problem::TooLong);
    }
    if std::str::from_utf8(&line).is_err() {
        return Err(Problem::NotUtf8);
    }
    Ok(Content::Json(line))
}
