//! Standard output: JSON for programs, aligned text for people.

use std::io::Write;

use serde_json::Value;

use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// A document on one line, or what it says to a person.
    pub fn tell(self, document: &Value, text: impl FnOnce(&Value) -> String) -> Result<()> {
        if self.json { print_json(document) } else { print(&text(document)) }
    }
}

/// A document on one line.
pub fn print_json(document: &Value) -> Result<()> {
    print(&escaped(&document.to_string()))
}

/// One or more lines.
pub fn print(text: &str) -> Result<()> {
    write(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
}

pub fn write(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::of_output(&error))
}

/// A line on standard error; who closed that hears nothing.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "users: {}", printable(text));
}

/// Columns as wide as what they hold.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(&header).chain(rows).map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter().map(|row| aligned(row, &widths)).collect()
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// Names and values, a line each; without those that have no value.
pub fn details(rows: &[(&str, String)]) -> String {
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    let width = rows.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.map(|(name, value)| format!("{name:<width$}  {}\n", printable(value))).collect();
    lines.concat()
}

/// What others chose must not move the cursor, colour the terminal or turn the direction of a line.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// JSON that says the same, without characters that control a terminal: in JSON they occur only in strings.
pub fn escaped(json: &str) -> String {
    let escape = |c: char| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A member as text: without quotation marks, lists with commas, nothing of what is not there.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_are_not_passed_on() {
        let rows = vec![vec!["a".into(), "Ångström".into()], vec!["bcd".into(), "x\u{1b}[31m".into()]];
        assert_eq!(table(&["ID", "NAME"], &rows), "ID   NAME\na    Ångström\nbcd  x\u{fffd}[31m\n");
    }

    #[test]
    fn json_says_the_same_without_what_steers_a_terminal() {
        let document = json!({ "name": "a\u{9b}31m\u{202e}b\u{7f}\n" });
        let escaped = escaped(&document.to_string());
        assert_eq!(escaped, r#"{"name":"a\u009b31m\u202eb\u007f\n"}"#);
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), document);
    }

    #[test]
    fn details_leave_out_what_has_no_value() {
        let rows = [("id", text(&json!("1"))), ("roles", text(&json!(["a", "b"]))), ("app", text(&json!({})))];
        assert_eq!(details(&rows), "id     1\nroles  a,b\n");
    }
}
