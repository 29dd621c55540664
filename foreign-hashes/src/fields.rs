//! What a check needs besides the stored value: other columns of the row, and the system's settings.

use serde_json::Value;

use crate::Refused;

/// The row's other columns and the system's settings, by name. Numbers and flags may be text, as a CSV file has them;
/// null is the same as no field, unless a setting says otherwise.
pub type Fields = serde_json::Map<String, Value>;

/// A field that is the same for a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// As [`System::read`](crate::System::read) takes it.
    pub name: &'static str,
    /// One line: what it is and where the system has it.
    pub description: &'static str,
    /// Whether no hash of the system can be verified without it.
    pub required: bool,
}

impl Setting {
    pub(crate) const fn required(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: true }
    }

    pub(crate) const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: false }
    }
}

/// A field that is there and is not null.
fn present<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// # Errors
/// [`Refused::InvalidField`] where it is there and is no text.
pub(crate) fn text<'a>(fields: &'a Fields, name: &'static str) -> Result<Option<&'a str>, Refused> {
    present(fields, name).map(|value| value.as_str().ok_or(Refused::InvalidField(name))).transpose()
}

/// # Errors
/// [`Refused::MissingField`], and [`Refused::InvalidField`] where it is no text.
pub(crate) fn required_text<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Refused> {
    text(fields, name)?.ok_or(Refused::MissingField(name))
}

/// # Errors
/// [`Refused::InvalidField`] where it is there and is no number from 0 to 2^32-1.
pub(crate) fn number(fields: &Fields, name: &'static str) -> Result<Option<u32>, Refused> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    present(fields, name).map(|value| number(value).ok_or(Refused::InvalidField(name))).transpose()
}

/// # Errors
/// [`Refused::MissingField`], and [`Refused::InvalidField`] where it is no number.
pub(crate) fn required_number(fields: &Fields, name: &'static str) -> Result<u32, Refused> {
    number(fields, name)?.ok_or(Refused::MissingField(name))
}

/// # Errors
/// [`Refused::InvalidField`] where it is there and is neither true nor false.
pub(crate) fn flag(fields: &Fields, name: &'static str) -> Result<Option<bool>, Refused> {
    let flag = |value: &Value| match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    };
    present(fields, name).map(|value| flag(value).ok_or(Refused::InvalidField(name))).transpose()
}
