//! Django: the hasher's name, `$`, and what it stores.

use super::{Read, UNKNOWN, after, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, argon2, bcrypt, number, parts, pbkdf2, rounds, scrypt};
use crate::primitives::TemplateDigest;
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    match stored.split_once('$') {
        Some(("bcrypt_sha256", hash)) => after(&[Step::Hex(Digest::Sha256)], bcrypt::parse(hash)?),
        Some(("bcrypt", hash)) => as_typed(bcrypt::parse(hash)?),
        Some((name, rest)) => as_typed(of_name(name, rest)?),
        None if stored.len() == 32 => as_typed(unsalted_md5(stored)?),
        None => Err(UNKNOWN),
    }
}

/// Everything but bcrypt, as passlib has these formats too.
pub(super) fn of_name(name: &str, rest: &str) -> Result<Parsed, Refused> {
    match name {
        "argon2" => argon2::parse(&format!("${rest}"), None),
        "pbkdf2_sha256" => pbkdf2(Digest::Sha256, rest),
        "pbkdf2_sha1" => pbkdf2(Digest::Sha1, rest),
        "scrypt" => scrypt(rest),
        "md5" => salted(Digest::Md5, rest),
        "sha1" => salted(Digest::Sha1, rest),
        _ => Err(UNKNOWN),
    }
}

/// `iterations$salt$output`, where the salt's characters are the salt.
fn pbkdf2(digest: Digest, rest: &str) -> Result<Parsed, Refused> {
    let [count, salt, output] = parts(rest, '$')?;
    pbkdf2::of_digest_len(pbkdf2::build(digest, rounds(count)?, salt, base64(output)?)?, digest)
}

/// `N$salt$r$p$output`, where the salt's characters are the salt.
fn scrypt(rest: &str) -> Result<Parsed, Refused> {
    let [n, salt, r, p, output] = parts(rest, '$')?;
    scrypt::build(scrypt::costs_of_n(number(n)?, number(r)?, number(p)?)?, salt.as_bytes(), base64(output)?)
}

/// `salt$hex`. Without a salt it is the unsalted hashers of old.
fn salted(digest: Digest, rest: &str) -> Result<Parsed, Refused> {
    let [salt, output] = parts(rest, '$')?;
    Ok((Scheme::Digest(TemplateDigest::salt_first(digest, salt)), hex(output)?))
}

fn unsalted_md5(stored: &str) -> Result<Parsed, Refused> {
    Ok((Scheme::Digest(TemplateDigest::plain(Digest::Md5)), hex(stored)?))
}
