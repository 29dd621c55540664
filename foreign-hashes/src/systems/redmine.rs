//! Redmine: SHA-1 of the salt and of the password's SHA-1, both in hex.

use super::{Read, after};
use crate::digest::Digest;
use crate::encoding::hex;
use crate::fields::{Fields, Setting, required_text};
use crate::primitives::TemplateDigest;
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let template = TemplateDigest::salt_first(Digest::Sha1, required_text(fields, "salt")?);
    after(&[Step::Hex(Digest::Sha1)], (Scheme::Digest(template), hex(stored)?))
}
