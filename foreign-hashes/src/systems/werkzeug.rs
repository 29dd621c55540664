//! Werkzeug: `method$salt$hex`, where the salt's characters are the salt.

use super::{Read, UNKNOWN, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::hex;
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, number, parts, pbkdf2, rounds, scrypt};
use crate::primitives::Hmac;
use crate::scheme::Scheme;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let [method, salt, output] = parts(stored, '$')?;
    let output = hex(output)?;
    as_typed(match method.split(':').collect::<Vec<_>>()[..] {
        ["scrypt", n, r, p] => {
            scrypt::build(scrypt::costs_of_n(number(n)?, number(r)?, number(p)?)?, salt.as_bytes(), output)?
        }
        ["pbkdf2", digest, count] => pbkdf2(digest, count, salt, output)?,
        ["scrypt" | "pbkdf2", ..] => return Err(Refused::Unsupported("a method without its parameters")),
        [digest] => hmac(digest, salt, output)?,
        _ => return Err(UNKNOWN),
    })
}

fn pbkdf2(digest: &str, count: &str, salt: &str, output: Vec<u8>) -> Result<Parsed, Refused> {
    let digest = Digest::of_name(digest).ok_or(Refused::Unsupported("PBKDF2 with this digest"))?;
    pbkdf2::of_digest_len(pbkdf2::build(digest, rounds(count)?, salt, output)?, digest)
}

/// What Werkzeug before 3 made of `sha256$salt$hex`: HMAC under the salt, unlike Django, whose hashes look the same.
fn hmac(digest: &str, salt: &str, output: Vec<u8>) -> Result<Parsed, Refused> {
    let digest = Digest::of_name(digest).ok_or(UNKNOWN)?;
    if salt.is_empty() {
        return Err(Refused::Unsupported("a digest without a salt"));
    }
    Ok((Scheme::Hmac(Hmac { digest, key: salt.into() }), output))
}
