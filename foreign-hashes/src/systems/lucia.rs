//! Lucia: scrypt of the password's NFKC form. Its first version used r=8, and writes `s2:` in front since it uses 16;
//! the later `Scrypt` uses 16 and writes nothing.

use super::{Read, after};
use crate::Refused;
use crate::fields::{Fields, Setting, text};
use crate::formats::scrypt;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[Setting::optional(
    "hasher",
    "\"Scrypt\" (if left out) or \"LegacyScrypt\", as the application uses it: what hashes without `s2:` mean.",
)];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let r_without_mark = match text(fields, "hasher")? {
        None | Some("Scrypt") => 16,
        Some("LegacyScrypt") => 8,
        Some(_) => return Err(Refused::InvalidField("hasher")),
    };
    let parsed = match stored.strip_prefix("s2:") {
        Some(rest) => scrypt::hex_pair(rest, 16)?,
        None => scrypt::hex_pair(stored, r_without_mark)?,
    };
    after(&[Step::Nfkc], parsed)
}
