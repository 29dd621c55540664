//! crypt(3) of libxcrypt. Its passwords are C strings, of less than 512 bytes.

use super::{Read, after};
use crate::fields::{Fields, Setting};
use crate::formats::crypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

/// `CRYPT_MAX_PASSPHRASE_SIZE`, which the string's end is part of.
const MAX_PASSWORD: u16 = 511;

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::RefuseNul, Step::RefuseOver(MAX_PASSWORD)], crypt::libxcrypt(stored)?)
}
