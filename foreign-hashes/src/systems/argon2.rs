//! Argon2 libraries, which store strings of their own dialects and hash what they are given.

use super::{Read, as_typed};
use crate::fields::{Fields, Setting, text};
use crate::formats::argon2;

pub(crate) const SETTINGS: &[Setting] = &[Setting::optional(
    "secret",
    "The secret that the hashes are keyed with (npm's argon2: `secret`). The strings do not show it.",
)];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    as_typed(argon2::parse(stored, text(fields, "secret")?)?)
}
