//! Oslo: the password's NFKC form, by Argon2, bcrypt or scrypt.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::{argon2, bcrypt, scrypt};
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let parsed = match stored {
        _ if stored.starts_with("$argon2") => argon2::parse(stored, None)?,
        _ if bcrypt::is_bcrypt(stored) => bcrypt::parse(stored)?,
        _ => scrypt::hex_pair(stored, 16)?,
    };
    after(&[Step::Nfkc], parsed)
}
