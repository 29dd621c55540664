//! ASP.NET Identity's `PasswordHasher`: base64 of a version and PBKDF2's parts.

use std::num::NonZeroU32;

use super::{Read, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::base64;
use crate::fields::{Fields, Setting};
use crate::formats::pbkdf2;

pub(crate) const SETTINGS: &[Setting] = &[];

const V2_ROUNDS: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
const MALFORMED: Refused = Refused::Malformed("it does not have the parts of ASP.NET Identity's format");

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let bytes = base64(stored)?;
    match bytes.split_first() {
        Some((0, rest)) => version_2(rest),
        Some((1, rest)) => version_3(rest),
        _ => Err(Refused::Unsupported("the format's version is neither 2 nor 3")),
    }
}

/// 16 bytes of salt and 32 of output.
fn version_2(rest: &[u8]) -> Read {
    let (salt, output) = rest.split_at_checked(16).filter(|(_, output)| output.len() == 32).ok_or(MALFORMED)?;
    as_typed(pbkdf2::build(Digest::Sha1, V2_ROUNDS, salt, output.to_vec())?)
}

/// Digest, iterations and length of the salt, 4 bytes each, big-endian; salt; output. Identity itself refuses less than
/// 16 bytes of each.
fn version_3(rest: &[u8]) -> Read {
    let (digest, rest) = split_number(rest)?;
    let (rounds, rest) = split_number(rest)?;
    let (salt_len, rest) = split_number(rest)?;
    let digest = match digest {
        0 => Digest::Sha1,
        1 => Digest::Sha256,
        2 => Digest::Sha512,
        _ => return Err(MALFORMED),
    };
    let (salt, output) = usize::try_from(salt_len).ok().and_then(|len| rest.split_at_checked(len)).ok_or(MALFORMED)?;
    if salt.len() < 16 || output.len() < 16 {
        return Err(MALFORMED);
    }
    let rounds = NonZeroU32::new(rounds).ok_or(MALFORMED)?;
    as_typed(pbkdf2::build(digest, rounds, salt, output.to_vec())?)
}

fn split_number(bytes: &[u8]) -> Result<(u32, &[u8]), Refused> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest)).ok_or(MALFORMED)
}
