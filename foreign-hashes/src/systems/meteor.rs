//! Meteor: bcrypt of the SHA-256 that its client sends instead of the password, in hex.

use super::{Read, after};
use crate::digest::Digest;
use crate::fields::{Fields, Setting};
use crate::formats::bcrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    after(&[Step::Hex(Digest::Sha256)], bcrypt::parse(stored)?)
}
