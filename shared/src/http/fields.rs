//! Fields of a request into values of the domain: all that cannot be taken is reported at once.

use crate::domain::Invalid;
use crate::error::{Error, FieldError, Result};

/// Collects the fields that cannot be taken.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// A field that has to be there.
    pub fn required<T, V>(
        &mut self,
        name: &str,
        value: Option<V>,
        parse: impl FnOnce(V) -> Result<T, Invalid>,
    ) -> Option<T> {
        if value.is_none() {
            self.refuse(name, Invalid::new("required", "This field is required."));
        }
        self.optional(name, value, parse)
    }

    /// A field that may be left out.
    pub fn optional<T, V>(
        &mut self,
        name: &str,
        value: Option<V>,
        parse: impl FnOnce(V) -> Result<T, Invalid>,
    ) -> Option<T> {
        parse(value?).map_err(|invalid| self.refuse(name, invalid)).ok()
    }

    /// The values, if all could be taken.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] with every field that could not.
    pub fn finish<T>(self, values: Option<T>) -> Result<T> {
        values.filter(|_| self.0.is_empty()).ok_or_else(|| Error::fields(self.0))
    }

    fn refuse(&mut self, name: &str, Invalid { code, detail }: Invalid) {
        self.0.push(FieldError { field: name.to_owned(), code, detail });
    }
}
