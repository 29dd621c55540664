//! The bcrypt gem, which Rails' `has_secure_password` uses: passwords over 72 bytes are cut, and ones with a NUL are
//! refused.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::bcrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::RefuseNul], bcrypt::parse_of_crypt_blowfish(stored)?)
}
