//! The elements of a list in a JSON document, one after another.
//!
//! `serde_json` reads a list either whole or by calling back, and stops at the first error. This scanner only looks for where
//! each element ends and leaves the element itself to `serde_json`: a file of any size is read with the memory of one element,
//! an iterator can be stopped and gone on with, and an element that is malformed inside, or too long, does not hide the next
//! one.

use std::io::{self, BufRead};

use super::{Content, Unit, fits};
use crate::Problem;

/// The elements behind the one with the number `after`.
///
/// A file is one JSON value or several, as when the pages of an answer are appended to one file. An array's values are
/// elements; an object's are those in its member `list`, or the object itself is one where there is no such member to look
/// for.
pub(super) struct Elements<R> {
    reader: R,
    list: Option<&'static str>,
    number: u64,
    after: u64,
    place: Place,
}

/// Where in the file the next byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of every value.
    Outside,
    /// In the array that is the whole value.
    Array,
    /// Between the members of an object; whether the list was among them so far.
    Object { found: bool },
    /// In the list of an object.
    List,
    /// Behind the last row.
    End,
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(reader: R, list: Option<&'static str>, after: u64) -> Self {
        Self { reader, list, number: 0, after, place: Place::Outside }
    }

    /// The next element that is not skipped. `None` at the end of the file.
    fn element(&mut self) -> Result<Option<Result<Vec<u8>, Problem>>, Problem> {
        loop {
            let byte = match (self.next_byte()?, self.place) {
                (None, Place::Outside) => return Ok(None),
                (None, _) => return Err(Problem::file("the file ends in the middle")),
                (Some(byte), _) => byte,
            };
            match (self.place, byte) {
                (Place::Outside, b'[') => self.enter(Place::Array),
                (Place::Outside, b'{') if self.list.is_some() => self.enter(Place::Object { found: false }),
                (Place::Array, b']') | (Place::Object { found: true }, b'}') => self.enter(Place::Outside),
                (Place::List, b']') => self.enter(Place::Object { found: true }),
                (Place::Array | Place::List | Place::Object { .. }, b',') => self.reader.consume(1),
                (Place::Object { found: false }, b'}') => return Err(self.no_list()),
                (Place::Object { found }, b'"') => self.member(found)?,
                (Place::Outside, b'{') | (Place::Array | Place::List, _) => {
                    if self.number < self.after {
                        self.skip_value()?;
                        self.number += 1;
                    } else {
                        let value = self.value()?;
                        self.number += 1;
                        return Ok(Some(value));
                    }
                }
                _ => return Err(Problem::file("the file is not JSON")),
            }
        }
    }

    fn enter(&mut self, place: Place) {
        self.reader.consume(1);
        self.place = place;
    }

    /// Reads a member's name, and goes into its value or over it.
    fn member(&mut self, found: bool) -> Result<(), Problem> {
        let name = self.value()?.unwrap_or_default();
        if self.next_byte()? != Some(b':') {
            return Err(Problem::file("the file is not JSON"));
        }
        self.reader.consume(1);
        let first = self.next_byte()?;
        let is_list = serde_json::from_slice::<String>(&name).is_ok_and(|name| Some(name.as_str()) == self.list);
        match (is_list, first) {
            (true, Some(b'[')) => self.enter(Place::List),
            (true, _) => return Err(self.no_list()),
            (false, _) => {
                self.skip_value()?;
                self.place = Place::Object { found };
            }
        }
        Ok(())
    }

    fn no_list(&self) -> Problem {
        Problem::file(format!("the file has no list `{}`", self.list.unwrap_or_default()))
    }

    /// The next byte that is not white space, still to be consumed.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let found = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
            let byte = found.map(|at| bytes[at]);
            let blank = found.unwrap_or(bytes.len());
            self.reader.consume(blank);
            if byte.is_some() {
                return Ok(byte);
            }
        }
    }

    /// Reads a value, or over it where it is too long.
    fn value(&mut self) -> Result<Result<Vec<u8>, Problem>, Problem> {
        let mut value = Vec::new();
        let mut fitting = true;
        self.scan(|part| {
            fitting = fitting && fits(value.len() + part.len());
            if fitting {
                value.extend_from_slice(part);
            }
        })?;
        Ok(if fitting { Ok(value) } else { Err(Problem::TooLong) })
    }

    fn skip_value(&mut self) -> Result<(), Problem> {
        self.scan(|_| ())
    }

    /// Gives the bytes of a value to `part`, piece by piece.
    fn scan(&mut self, mut part: impl FnMut(&[u8])) -> Result<(), Problem> {
        let mut extent = Extent::default();
        let mut length = 0;
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Err(Problem::file("the file ends in the middle"));
            }
            let end = extent.end(bytes);
            let taken = end.unwrap_or(bytes.len());
            part(&bytes[..taken]);
            self.reader.consume(taken);
            length += taken;
            match end {
                // Without progress the scan would come here forever.
                Some(_) if length == 0 => return Err(Problem::file("the file is not JSON")),
                Some(_) => return Ok(()),
                None => {}
            }
        }
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.place == Place::End {
            return None;
        }
        match self.element() {
            Ok(None) => None,
            Ok(Some(value)) => Some(Unit { number: self.number, content: value.and_then(content) }),
            Err(problem) => {
                self.place = Place::End;
                Some(Unit::failed(self.number + 1, problem))
            }
        }
    }
}

fn content(value: Vec<u8>) -> Result<Content, Problem> {
    if std::str::from_utf8(&value).is_err() {
        return Err(Problem::NotUtf8);
    }
    Ok(Content::Json(value))
}

/// How far a JSON value extends, by its quotes and brackets alone.
#[derive(Default)]
struct Extent {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Extent {
    /// How many of the bytes still belong to the value, if it ends among them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().enumerate().find_map(|(at, byte)| match self.step(*byte) {
            Step::Inside => None,
            Step::Last => Some(at + 1),
            Step::Behind => Some(at),
        })
    }

    fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            return self.step_in_string(byte);
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            // The end of a number, `true`, `false` or `null`.
            b'}' | b']' | b',' | b':' if self.depth == 0 => return Step::Behind,
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            _ if self.depth == 0 && byte.is_ascii_whitespace() => return Step::Behind,
            _ => {}
        }
        Step::Inside
    }

    fn step_in_string(&mut self, byte: u8) -> Step {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                if self.depth == 0 {
                    return Step::Last;
                }
            }
            _ => {}
        }
        Step::Inside
    }
}

/// Whether a byte belongs to a value.
enum Step {
    Inside,
    Last,
    Behind,
}
