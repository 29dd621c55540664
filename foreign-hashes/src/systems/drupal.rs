//! Drupal: its phpass with SHA-512, phpass's own, and from 10.1 on PHP's `password_hash`.

use super::{Read, UNKNOWN, after, php};
use crate::Refused;
use crate::digest::Digest;
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, bcrypt, phpass};
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

/// Drupal's own limit, in bytes.
const MAX_PASSWORD: u16 = 512;

/// `U` in front: the hash of an old MD5, which was hashed once more when the site moved to Drupal 7.
pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    if bcrypt::is_bcrypt(stored) {
        return php::read(stored, fields);
    }
    match stored.strip_prefix('U') {
        Some(rest) => after(&[Step::RefuseOver(MAX_PASSWORD), Step::Hex(Digest::Md5)], either(rest)?),
        None => after(&[Step::RefuseOver(MAX_PASSWORD)], either(stored)?),
    }
}

fn either(text: &str) -> Result<Parsed, Refused> {
    match text.get(..3) {
        Some("$S$") => phpass::drupal(text),
        Some("$P$" | "$H$") => phpass::portable(text),
        _ => Err(UNKNOWN),
    }
}
