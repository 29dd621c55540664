//! The members of a row of another system, taken out one by one.

use serde_json::Value;

use super::moment;
use crate::{Members, Problem};

/// How much of a name from a file is repeated in a note, in characters.
const LONGEST_NAME: usize = 64;

/// What a row has, without what was taken out of it, and the notes that were made.
///
/// Cells of tables are texts, so a text is taken for a boolean, a number or JSON where one of those is asked for.
pub(crate) struct Fields {
    members: Members,
    notes: Vec<String>,
}

impl Fields {
    pub(crate) fn new(members: Members) -> Self {
        Self { members, notes: Vec::new() }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The value of a member. `None` where it is absent, null or blank.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !is_blank(value))
    }

    /// Whether there is a member that is neither null nor blank.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !is_blank(value))
    }

    /// Whether there is such a member or column, even with nothing in it.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Puts a member where it is read from afterwards.
    pub(crate) fn insert(&mut self, name: String, value: Value) {
        self.members.insert(name, value);
    }

    /// Takes out the members whose names begin so, without that beginning and without those that are blank.
    pub(crate) fn take_prefixed(&mut self, prefix: &str) -> Members {
        let names: Vec<_> = self.members.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        let mut taken = Members::new();
        for name in names {
            if let Some(value) = self.value(&name) {
                taken.insert(name[prefix.len()..].to_owned(), value);
            }
        }
        taken
    }

    /// A member that is a text; numbers become one.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Problem::invalid(name, "is not text")),
        }
    }

    /// A member that is true or false. Postgres writes `t` and `f`, other databases 1 and 0.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(value) => match scalar(&value).to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" => Ok(Some(true)),
                "false" | "f" | "0" | "no" => Ok(Some(false)),
                _ => Err(Problem::invalid(name, "is neither true nor false")),
            },
        }
    }

    /// A member that is an object, or a text that is JSON of one. An empty one is none.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Members>, Problem> {
        let value = match self.value(name) {
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::Bool(false)),
            Some(value) => value,
            None => return Ok(None),
        };
        match value {
            Value::Object(members) => Ok((!members.is_empty()).then_some(members)),
            Value::Null => Ok(None),
            _ => Err(Problem::invalid(name, "is not a JSON object")),
        }
    }

    /// A member that is a list of objects. Elements that are none are left out, with a note.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Members>, Problem> {
        let values = match self.value(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(Problem::invalid(name, "is not a list")),
        };
        let count = values.len();
        let objects: Vec<_> = values
            .into_iter()
            .filter_map(|value| match value {
                Value::Object(members) => Some(members),
                _ => None,
            })
            .collect();
        if objects.len() < count {
            self.note(format!("`{name}` has elements that are not objects, which are left out"));
        }
        Ok(objects)
    }

    /// A member that is a list of texts: a JSON list, or texts divided by commas, semicolons or vertical bars, in braces or
    /// not.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let value = match self.value(name) {
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Some(value) => value,
            None => return Vec::new(),
        };
        match value {
            Value::Array(values) => values.iter().map(scalar).filter(|text| !text.is_empty()).collect(),
            value => divide(&scalar(&value)),
        }
    }

    /// A member that is a moment, in RFC 3339. One that cannot be read is left out, with a note.
    pub(crate) fn moment(&mut self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        let moment = moment::rfc3339(&value);
        if moment.is_none() {
            self.note(format!("`{name}` is not a valid date and time"));
        }
        moment
    }

    /// Takes out what nothing is lost with: counters, dates of the last change, what another member says as well.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    /// Takes over the notes and what is left of others.
    pub(crate) fn absorb(&mut self, others: Self) {
        self.notes.extend(others.notes);
        self.members.extend(others.members);
    }

    /// The notes, with one for each member that was not taken out.
    pub(crate) fn into_notes(self) -> Vec<String> {
        let mut names: Vec<_> =
            self.members.iter().filter(|(_, value)| !is_blank(value)).map(|(name, _)| name).collect();
        names.sort_unstable();
        let left = names.into_iter().map(|name| format!("`{}` has no counterpart", quoted(name)));
        self.notes.into_iter().chain(left).collect()
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    }
}

fn divide(text: &str) -> Vec<String> {
    let text = text.trim_matches(['{', '}']);
    text.split([',', ';', '|'])
        .map(|part| part.trim().trim_matches('"'))
        .filter(|part| !part.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// A name from a file for a note: on one line, and not longer than that.
pub(crate) fn quoted(name: &str) -> String {
    name.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect()
}
