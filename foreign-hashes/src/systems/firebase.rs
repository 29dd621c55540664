//! Firebase Authentication: the project's parameters, and a salt for each account.

use super::{Read, as_typed};
use crate::fields::{Fields, Setting, required_number, required_text};
use crate::formats::firebase::Parts;
use crate::formats::scrypt;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::required("signer_key", "`base64_signer_key` of the project's password hash parameters."),
    Setting::required("salt_separator", "`base64_salt_separator` of the same."),
    Setting::required("rounds", "`rounds` of the same."),
    Setting::required("mem_cost", "`mem_cost` of the same."),
];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let costs = scrypt::costs(required_number(fields, "mem_cost")?, required_number(fields, "rounds")?, 1)?;
    let parts = Parts {
        salt: required_text(fields, "salt")?,
        separator: required_text(fields, "salt_separator")?,
        signer_key: required_text(fields, "signer_key")?,
        output: stored,
    };
    as_typed(parts.build(costs)?)
}
