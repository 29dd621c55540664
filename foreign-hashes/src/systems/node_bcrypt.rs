//! bcrypt of Node.js: passwords over 72 bytes are cut, and a NUL is a byte like any other.

use super::{Read, as_typed};
use crate::fields::{Fields, Setting};
use crate::formats::bcrypt;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    as_typed(bcrypt::parse(stored)?)
}
