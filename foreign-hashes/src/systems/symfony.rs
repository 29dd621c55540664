//! Symfony: its native hasher, and the two legacy ones, which keep the salt in a column of its own.

use super::{Read, after, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting, flag, number, required_text, text};
use crate::formats::{argon2, bcrypt, pbkdf2};
use crate::primitives::{Iterated, Order};
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::optional("algorithm", "Of a legacy hasher: `hash_algorithm` or `algorithm`. Left out, it is sha512."),
    Setting::optional("iterations", "Of a legacy hasher. Left out, it is 5000, and 1000 for PBKDF2."),
    Setting::optional(
        "length",
        "Of the PBKDF2 hasher: `key_length`. Left out, the legacy hasher is the one of message digests.",
    ),
    Setting::optional("encode_as_base64", "Of a legacy hasher. Left out, it is true; false is hex."),
];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    match stored {
        _ if stored.starts_with("$argon2") => after(&[Step::RefuseEmpty], argon2::parse(stored, None)?),
        _ if stored.starts_with('$') => after(&[Step::RefuseEmpty, Step::Base64Sha512IfUnfit], bcrypt::parse(stored)?),
        _ => legacy(stored, fields),
    }
}

fn legacy(stored: &str, fields: &Fields) -> Read {
    let salt = required_text(fields, "salt")?;
    let digest = text(fields, "algorithm")?.unwrap_or("sha512");
    let digest = Digest::of_name(&digest.to_ascii_lowercase()).ok_or(Refused::InvalidField("algorithm"))?;
    let output = if flag(fields, "encode_as_base64")?.unwrap_or(true) { base64(stored)? } else { hex(stored)? };
    let length = number(fields, "length")?;
    let rounds = number(fields, "iterations")?.unwrap_or(if length.is_some() { 1_000 } else { 5_000 });
    let rounds = rounds.try_into().map_err(|_| Refused::InvalidField("iterations"))?;
    let Some(length) = length else { return message_digest(digest, rounds, salt, output) };
    if usize::try_from(length).ok() != Some(output.len()) {
        return Err(Refused::Malformed("the output does not have the hasher's length"));
    }
    as_typed(pbkdf2::build(digest, rounds, salt, output)?)
}

/// Of `password{salt}`, and each time again. Braces in a salt are refused, as two passwords could be the same then;
/// without a salt there are none.
fn message_digest(digest: Digest, rounds: std::num::NonZeroU32, salt: &str, output: Vec<u8>) -> Read {
    if salt.contains(['{', '}']) {
        return Err(Refused::InvalidField("salt"));
    }
    let salt = if salt.is_empty() { String::new() } else { format!("{{{salt}}}") };
    let scheme = Iterated { digest, order: Order::PasswordSaltEachTime, rounds, salt: salt.into_bytes().into() };
    as_typed((Scheme::Iterated(scheme), output))
}
