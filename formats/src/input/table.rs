//! Tables as CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::Value;

use super::{Columns, Content, Unit, fits};
use crate::{MAX_ROW_BYTES, Members, Problem};

/// What the reader of CSV may take ahead of the row that it returns, in bytes; its buffer is smaller.
const READ_AHEAD: usize = 64 * 1024;

/// The rows of a table behind the one with the number `after`, which is the line that a row begins on.
pub(super) struct Table<R> {
    reader: csv::Reader<Text<R>>,
    columns: Columns,
    names: Vec<String>,
    row: ByteRecord,
    number: u64,
    after: u64,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Beginning,
    Rows,
    End,
}

impl<R: Read> Table<R> {
    pub(super) fn new(reader: R, columns: Columns, after: u64) -> Self {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Text::new(reader));
        Self { reader, columns, names: Vec::new(), row: ByteRecord::new(), number: 0, after, state: State::Beginning }
    }

    /// Reads the next row. `false` at the end of the file.
    fn advance(&mut self) -> Result<bool, Problem> {
        self.reader.get_mut().left = MAX_ROW_BYTES + READ_AHEAD;
        match self.reader.read_byte_record(&mut self.row) {
            Ok(more) => Ok(more),
            Err(_) if self.reader.get_ref().spent => {
                Err(Problem::file("a row is longer than 1 MiB: a quotation mark may be unclosed"))
            }
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) => Err(Problem::Io(error)),
                _ => Err(Problem::file("the file is not CSV")),
            },
        }
    }

    /// The line on which the row begins. CSV's own count is that of the end of the row before, ahead of blank lines.
    fn line(&self) -> u64 {
        let inside = self.row.as_slice().split(|byte| *byte == b'\n').skip(1).count();
        let next_line = self.reader.position().line();
        next_line.saturating_sub(1).saturating_sub(inside as u64).max(1)
    }

    fn begin(&mut self) -> Result<(), Problem> {
        self.state = State::Rows;
        match self.columns {
            Columns::Fixed(names, _) => self.names = names.iter().map(ToString::to_string).collect(),
            Columns::Header(required) => {
                self.advance()?;
                self.names = self.row.iter().map(name).collect::<Result<_, _>>()?;
                check(&self.names, required)?;
            }
        }
        Ok(())
    }

    fn next_row(&mut self) -> Result<Option<Unit>, Problem> {
        if self.state == State::Beginning {
            self.begin()?;
        }
        while self.advance()? {
            // A quotation mark that is not closed would count the last line twice.
            self.number = self.line().max(self.number + 1);
            let number = self.number;
            if number > self.after {
                return Ok(Some(Unit { number, content: self.cells().map(Content::Cells) }));
            }
        }
        Ok(None)
    }

    fn cells(&self) -> Result<Members, Problem> {
        if !fits(self.row.as_slice().len()) {
            return Err(Problem::TooLong);
        }
        let (found, expected) = (self.row.len(), self.names.len());
        let complete = match self.columns {
            Columns::Header(_) => found == expected,
            // Firebase ends each row with a comma.
            Columns::Fixed(_, least) => found >= least && self.row.iter().skip(expected).all(<[u8]>::is_empty),
        };
        if !complete {
            return Err(Problem::FieldCount { found, expected });
        }
        let mut cells = Members::new();
        for (name, cell) in self.names.iter().zip(&self.row) {
            let cell = std::str::from_utf8(cell).map_err(|_| Problem::NotUtf8)?;
            cells.insert(name.clone(), Value::from(cell));
        }
        Ok(cells)
    }
}

impl<R: Read> Iterator for Table<R> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.state == State::End {
            return None;
        }
        self.next_row().unwrap_or_else(|problem| {
            self.state = State::End;
            Some(Unit::failed(self.number + 1, problem))
        })
    }
}

fn name(cell: &[u8]) -> Result<String, Problem> {
    let name = std::str::from_utf8(cell).map_err(|_| Problem::file("the header is not UTF-8"))?;
    Ok(name.trim().to_owned())
}

fn check(names: &[String], required: &[&str]) -> Result<(), Problem> {
    if let Some(missing) = required.iter().find(|column| !names.iter().any(|name| name == *column)) {
        return Err(Problem::file(format!("the header has no column `{missing}`")));
    }
    let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
    if twice { Err(Problem::file("the header has a duplicate column")) } else { Ok(()) }
}

/// What the reader of CSV gets to read: without carriage returns and with a line feed at the end, so that lines are counted
/// alike everywhere.
///
/// It fails where a row has not ended after so many bytes: a file whose quotation mark is not closed would be taken as one row.
struct Text<R> {
    reader: R,
    left: usize,
    spent: bool,
    last: u8,
}

impl<R: Read> Text<R> {
    fn new(reader: R) -> Self {
        Self { reader, left: 0, spent: false, last: b'\n' }
    }

    /// What is there at the end of the file: a line feed, unless it was the last byte.
    fn end(&mut self, buffer: &mut [u8]) -> usize {
        match buffer.first_mut() {
            Some(byte) if self.last != b'\n' => {
                *byte = b'\n';
                self.last = b'\n';
                1
            }
            _ => 0,
        }
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.spent = true;
            return Err(io::Error::other("the row is too long"));
        }
        loop {
            let read = self.reader.read(buffer)?;
            if read == 0 {
                return Ok(self.end(buffer));
            }
            let kept = without_carriage_returns(&mut buffer[..read]);
            // Nothing would be the end of the file.
            if kept > 0 {
                self.left = self.left.saturating_sub(kept);
                self.last = buffer[kept - 1];
                return Ok(kept);
            }
        }
    }
}

/// Moves the other bytes to the front, and counts them.
fn without_carriage_returns(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for at in 0..bytes.len() {
        if bytes[at] != b'\r' {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    kept
}
