//! Devise: bcrypt of the password with the pepper after it, so that from 72 bytes on the pepper does not count.

use super::{Read, after};
use crate::fields::{Fields, Setting, text};
use crate::formats::bcrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] =
    &[Setting::optional("pepper", "Devise's `config.pepper`, if it is set. Hashes do not show whether it was.")];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let mut steps = vec![Step::RefuseNul];
    if let Some(pepper) = text(fields, "pepper")?.filter(|pepper| !pepper.is_empty()) {
        steps.insert(0, Step::Append(pepper.into()));
    }
    after(&steps, bcrypt::parse(stored)?)
}
