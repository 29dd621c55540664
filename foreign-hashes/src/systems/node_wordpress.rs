//! wordpress-hash-node of npm: phpass of the low bytes of a JavaScript string.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::phpass;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::Utf16LowBytes], phpass::portable(stored)?)
}
