//! Takes files apart into rows without reading more than one of them into memory.

mod elements;
mod lines;
mod table;

use std::io::{self, BufRead, Cursor, Read};

use elements::Elements;
pub(crate) use lines::Lines;
use serde_json::Value;
use table::Table;

use crate::{MAX_ROW_BYTES, Members, Problem};

/// How much of a file is looked at to see what it is, in bytes.
const HEAD_BYTES: u64 = 4096;

/// A row before it is converted.
pub(crate) struct Unit {
    /// See [`Row::number`](crate::Row::number).
    pub(crate) number: u64,
    /// What it holds, or why it could not be taken out of the file.
    pub(crate) content: Result<Content, Problem>,
}

impl Unit {
    fn failed(number: u64, problem: Problem) -> Self {
        Self { number, content: Err(problem) }
    }
}

/// What a row holds.
pub(crate) enum Content {
    /// A JSON document.
    Json(Vec<u8>),
    /// The cells of a table by their columns, empty ones too: a column without a value says something in some sources.
    Cells(Members),
}

impl Content {
    /// The row as a JSON object; the cells of a table are texts.
    pub(crate) fn into_members(self) -> Result<Members, Problem> {
        match self {
            Self::Cells(cells) => Ok(cells),
            Self::Json(bytes) => match serde_json::from_slice(&bytes) {
                Ok(Value::Object(members)) => Ok(members),
                Ok(_) => Err(Problem::invalid("", "is not a JSON object")),
                Err(error) => Err(not_json(&error)),
            },
        }
    }
}

pub(crate) type Units<'a> = Box<dyn Iterator<Item = Unit> + 'a>;

/// What the files of a source look like.
pub(crate) struct Layout {
    /// The member with the accounts, where the file is one JSON object. Without it, an object is an account.
    pub(crate) list: Option<&'static str>,
    /// What its tables look like, where it has some.
    pub(crate) table: Option<Columns>,
}

/// What the columns of a table are.
#[derive(Clone, Copy)]
pub(crate) enum Columns {
    /// The first row names them, and these are among them.
    Header(&'static [&'static str]),
    /// There is no header: they are these, in this order. Those from the second number on may be absent.
    Fixed(&'static [&'static str], usize),
}

/// Takes a file apart, as its first bytes say.
pub(crate) fn open<'a>(reader: impl BufRead + 'a, layout: &Layout, after: u64) -> Units<'a> {
    let (head, reader) = match peek(reader) {
        Ok(peeked) => peeked,
        Err(problem) => return failed(problem),
    };
    match (Shape::of(&head), layout.list, layout.table) {
        (Shape::Empty, ..) => failed(Problem::file("the file is empty")),
        (Shape::Array, list, _)
        | (Shape::Document, list @ None, _)
        | (Shape::Document | Shape::Lines, list @ Some(_), _) => Box::new(Elements::new(reader, list, after)),
        (Shape::Lines, None, _) => Box::new(Lines::new(reader, after)),
        (Shape::Other, _, Some(columns)) => Box::new(Table::new(reader, columns, after)),
        (Shape::Other, _, None) => failed(Problem::file("the file is not JSON")),
    }
}

/// Takes JSON Lines apart.
pub(crate) fn open_lines<'a>(reader: impl BufRead + 'a, after: u64) -> Units<'a> {
    match peek(reader) {
        Ok((_, reader)) => Box::new(Lines::new(reader, after)),
        Err(problem) => failed(problem),
    }
}

fn failed<'a>(problem: Problem) -> Units<'a> {
    Box::new(std::iter::once(Unit::failed(1, problem)))
}

/// What a file seems to be.
enum Shape {
    /// Nothing but white space.
    Empty,
    /// A JSON array.
    Array,
    /// JSON Lines, or a document on one line.
    Lines,
    /// A JSON object over several lines.
    Document,
    /// Something else, such as a table.
    Other,
}

impl Shape {
    fn of(head: &[u8]) -> Self {
        let text = head.trim_ascii_start();
        match text.split_first() {
            None => Self::Empty,
            Some((b'[', _)) => Self::Array,
            Some((b'{', rest)) => {
                let next = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
                if next == Some(&b'\n') { Self::Document } else { Self::Lines }
            }
            Some(_) => Self::Other,
        }
    }
}

type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The beginning of a file, and the whole file without a byte order mark.
fn peek<R: BufRead>(mut reader: R) -> Result<(Vec<u8>, Peeked<R>), Problem> {
    let mut head = Vec::new();
    reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::file("the file is UTF-16, but must be UTF-8"));
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    let whole = Cursor::new(head.clone()).chain(reader);
    Ok((head, whole))
}

/// A syntax error of JSON without the text around it, which might be a secret.
pub(crate) fn not_json(error: &serde_json::Error) -> Problem {
    let reason = if error.is_eof() { "ends too early" } else { "syntax error" };
    Problem::NotJson { reason, column: error.column().max(1) }
}

/// Whether a row of this many bytes is read.
fn fits(bytes: usize) -> bool {
    bytes <= MAX_ROW_BYTES
}
