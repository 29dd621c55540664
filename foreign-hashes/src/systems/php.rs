//! PHP's `password_verify`: Argon2, and whatever `crypt` reads.

use super::{Read, after, as_typed};
use crate::fields::{Fields, Setting};
use crate::formats::{argon2, bcrypt, crypt};
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

/// `crypt` is C, and stops at a NUL. `password_hash` refuses one, but `password_verify` does not.
pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    match stored {
        _ if stored.starts_with("$argon2") => as_typed(argon2::parse(stored, None)?),
        _ if bcrypt::is_bcrypt(stored) => after(&[Step::CutAtNul], bcrypt::parse_of_crypt_blowfish(stored)?),
        _ => after(&[Step::CutAtNul], crypt::classic(stored)?),
    }
}
