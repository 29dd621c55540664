//! `MediaWiki`: `:type:` and what it stores.

use super::{Read, UNKNOWN, after, as_typed};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, argon2, bcrypt, number, parts, pbkdf2, rounds};
use crate::primitives::TemplateDigest;
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let (kind, rest) = stored.strip_prefix(':').and_then(|rest| rest.split_once(':')).ok_or(UNKNOWN)?;
    match kind {
        "A" => as_typed((Scheme::Digest(TemplateDigest::plain(Digest::Md5)), hex(rest)?)),
        "B" => salted(rest),
        "argon2" => as_typed(argon2::parse(rest, None)?),
        "bcrypt" => after(&[Step::CutAtNul], bcrypt(rest)?),
        "pbkdf2" => as_typed(pbkdf2(rest)?),
        "pbkdf2-legacyB" => layered(rest),
        _ => Err(UNKNOWN),
    }
}

/// What `MediaWiki` 1.5 did: the digest in hex, with the salt before it.
fn before_salted(salt: &str) -> [Step; 2] {
    [Step::Hex(Digest::Md5), Step::Prepend(Bytes::from(format!("{salt}-").into_bytes()))]
}

/// `salt:hex`.
fn salted(rest: &str) -> Read {
    let [salt, output] = parts(rest, ':')?;
    after(&before_salted(salt), (Scheme::Digest(TemplateDigest::plain(Digest::Md5)), hex(output)?))
}

/// `9$salt$output`. The cost has no leading zero.
fn bcrypt(rest: &str) -> Result<Parsed, Refused> {
    let [cost, salt, output] = parts(rest, '$')?;
    bcrypt::build(number(cost)?, &format!("{salt}{output}"), false)
}

/// `digest:iterations:length:salt:output`, in base64.
fn pbkdf2(rest: &str) -> Result<Parsed, Refused> {
    let [digest, count, length, salt, output] = parts(rest, ':')?;
    pbkdf2_of([digest, count, length], salt, output)
}

fn pbkdf2_of([digest, count, length]: [&str; 3], salt: &str, output: &str) -> Result<Parsed, Refused> {
    let digest = Digest::of_name(digest).ok_or(Refused::Unsupported("PBKDF2 with this digest"))?;
    let output = base64(output)?;
    if usize::try_from(number(length)?).ok() != Some(output.len()) {
        return Err(Refused::Malformed("the output does not have the length that is written before it"));
    }
    pbkdf2::build(digest, rounds(count)?, base64(salt)?, output)
}

/// `!digest:iterations:length!salt of B!salt of PBKDF2!output`: a hash of type B that was hashed once more.
fn layered(rest: &str) -> Read {
    let [of_b, parameters, inner_salt, salt, output] = parts(rest, '!')?;
    if !of_b.is_empty() {
        return Err(Refused::Malformed("type B has no parameters"));
    }
    let [a, b] = before_salted(inner_salt);
    after(&[a, b, Step::Hex(Digest::Md5)], pbkdf2_of(parts(parameters, ':')?, salt, output)?)
}
