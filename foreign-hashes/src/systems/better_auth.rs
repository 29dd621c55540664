//! Better Auth: scrypt of the password's NFKC form.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::scrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::Nfkc], scrypt::hex_pair(stored, 16)?)
}
