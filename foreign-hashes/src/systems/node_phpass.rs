//! phpass of npm: despite its name bcrypt, with an encoding of its own for letters that are not ASCII. Those passwords
//! are refused.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::bcrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::RefuseNonAscii], bcrypt::parse(stored)?)
}
