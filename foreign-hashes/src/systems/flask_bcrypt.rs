//! Flask-Bcrypt: Python's bcrypt, of the password or of its SHA-256 in hex.

use super::{Read, after, pwdlib};
use crate::digest::Digest;
use crate::fields::{Fields, Setting, flag};
use crate::formats::bcrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::optional(
        "BCRYPT_HANDLE_LONG_PASSWORDS",
        "The application's setting of this name; false if it is not set.",
    ),
    Setting::optional("bcrypt_backend", pwdlib::BACKEND),
];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    if flag(fields, "BCRYPT_HANDLE_LONG_PASSWORDS")?.unwrap_or(false) {
        return after(&[Step::Hex(Digest::Sha256)], bcrypt::parse(stored)?);
    }
    after(pwdlib::limit(fields)?, bcrypt::parse(stored)?)
}
