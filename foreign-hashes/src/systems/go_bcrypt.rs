//! Go's bcrypt: hashing refuses passwords over 72 bytes, checking cuts them.

use super::{Read, as_typed};
use crate::fields::{Fields, Setting};
use crate::formats::bcrypt;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    as_typed(bcrypt::parse(stored)?)
}
