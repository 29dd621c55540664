//! PBKDF2 as text.

use super::{Parsed, len, number, parts, rounds};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::{adapted_base64, any_base64, base64, hex};
use crate::primitives::Pbkdf2;
use crate::scheme::Scheme;

const NOT_PBKDF2: Refused = Refused::Malformed("it does not have the parameters of PBKDF2");

pub(crate) fn build(
    digest: Digest,
    rounds: std::num::NonZeroU32,
    salt: impl Into<Bytes>,
    output: Vec<u8>,
) -> Result<Parsed, Refused> {
    Ok((Scheme::Pbkdf2(Pbkdf2 { digest, rounds, salt: salt.into(), len: len(&output)? }), output))
}

/// Refuses an output that does not have the digest's length, where the system makes no other.
pub(crate) fn of_digest_len((scheme, output): Parsed, digest: Digest) -> Result<Parsed, Refused> {
    if output.len() != digest.len() {
        return Err(Refused::Malformed("the output does not have the length of its digest"));
    }
    Ok((scheme, output))
}

/// passlib's `$pbkdf2-sha256$rounds$salt$output`, in its own base64. `$pbkdf2$` is SHA-1's.
pub(crate) fn modular(text: &str) -> Result<Parsed, Refused> {
    let (name, rest) = text.strip_prefix("$pbkdf2").and_then(|rest| rest.split_once('$')).ok_or(NOT_PBKDF2)?;
    adapted(digest_of_suffix(name)?, rest)
}

/// passlib's `{PBKDF2-SHA256}rounds$salt$output`. `{PBKDF2}` is SHA-1's.
pub(crate) fn ldap(text: &str) -> Result<Parsed, Refused> {
    let (name, rest) = text.strip_prefix("{PBKDF2").and_then(|rest| rest.split_once('}')).ok_or(NOT_PBKDF2)?;
    adapted(digest_of_suffix(&name.to_ascii_lowercase())?, rest)
}

fn digest_of_suffix(suffix: &str) -> Result<Digest, Refused> {
    match suffix {
        "" => Ok(Digest::Sha1),
        "-sha1" => Err(NOT_PBKDF2),
        _ => suffix.strip_prefix('-').and_then(Digest::of_name).ok_or(Refused::Unsupported("PBKDF2 with this digest")),
    }
}

fn adapted(digest: Digest, rest: &str) -> Result<Parsed, Refused> {
    let [count, salt, output] = parts(rest, '$')?;
    of_digest_len(build(digest, rounds(count)?, adapted_base64(salt)?, adapted_base64(output)?)?, digest)
}

/// Kratos's `$pbkdf2-sha256$i=100000,l=32$salt$output`.
pub(crate) fn kratos(text: &str) -> Result<Parsed, Refused> {
    let (name, rest) = text.strip_prefix("$pbkdf2-").and_then(|rest| rest.split_once('$')).ok_or(NOT_PBKDF2)?;
    let digest = Digest::of_name(name).ok_or(Refused::Unsupported("PBKDF2 with this digest"))?;
    let [parameters, salt, output] = parts(rest, '$')?;
    let [count, length] = parts(parameters, ',')?;
    let output = base64(output)?;
    if length.strip_prefix("l=").map(number).transpose()? != Some(len(&output)?.into()) {
        return Err(NOT_PBKDF2);
    }
    build(digest, rounds(count.strip_prefix("i=").ok_or(NOT_PBKDF2)?)?, base64(salt)?, output)
}

/// passlib's two of `$p5k2$hex$salt$output`, both with SHA-1. Cryptacular's has 20 bytes in padded base64 and decodes
/// the salt; Dwayne Litzenberger's has 24 bytes without padding, and its salt is the whole text before the output.
pub(crate) fn p5k2(text: &str) -> Result<Parsed, Refused> {
    let [count, salt, output] = parts(text.strip_prefix("$p5k2$").ok_or(NOT_PBKDF2)?, '$')?;
    let whole = text.strip_suffix(output).and_then(|text| text.strip_suffix('$')).ok_or(NOT_PBKDF2)?;
    match output.len() {
        28 => build(Digest::Sha1, hex_rounds(count)?, any_base64(salt)?, any_base64(output)?),
        // An empty count means the 400 of the first version, which no library of today writes.
        32 if count.is_empty() => Err(Refused::Unsupported("$p5k2$ without a number of iterations")),
        32 => build(Digest::Sha1, hex_rounds(count)?, whole, adapted_base64(output)?),
        _ => Err(NOT_PBKDF2),
    }
}

fn hex_rounds(text: &str) -> Result<std::num::NonZeroU32, Refused> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| digits).and_then(std::num::NonZeroU32::new).ok_or(NOT_PBKDF2)
}

/// Atlassian's `{PKCS5S2}`: base64 of 16 bytes of salt and 32 of output, 10,000 times SHA-1.
pub(crate) fn atlassian(text: &str) -> Result<Parsed, Refused> {
    let bytes = base64(text.strip_prefix("{PKCS5S2}").ok_or(NOT_PBKDF2)?)?;
    let (salt, output) = bytes.split_at_checked(16).filter(|(_, output)| output.len() == 32).ok_or(NOT_PBKDF2)?;
    build(Digest::Sha1, ATLASSIAN_ROUNDS, salt, output.to_vec())
}

const ATLASSIAN_ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(10_000).expect("not zero");

/// GRUB's `grub.pbkdf2.sha512.rounds.salt.output`, in hex.
pub(crate) fn grub(text: &str) -> Result<Parsed, Refused> {
    let [count, salt, output] = parts(text.strip_prefix("grub.pbkdf2.sha512.").ok_or(NOT_PBKDF2)?, '.')?;
    build(Digest::Sha512, rounds(count)?, hex(salt)?, hex(output)?)
}
