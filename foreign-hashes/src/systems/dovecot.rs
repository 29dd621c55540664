//! Dovecot: a scheme in braces, and what it stores. Its passwords are C strings.

use std::num::NonZeroU32;

use super::{Read, after};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, argon2, bcrypt, crypt, ldap, parts, pbkdf2, rounds};
use crate::primitives::Scram;
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

const UNKNOWN_SCHEME: Refused = Refused::Unsupported("this scheme of Dovecot");

/// Without a scheme it is crypt(3), Dovecot's own default.
pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let parsed = match ldap::tagged(stored) {
        Some((scheme, rest)) => tagged(&scheme.to_ascii_uppercase(), rest)?,
        None => crypt::libxcrypt(stored)?,
    };
    after(&[Step::RefuseNul], parsed)
}

fn tagged(scheme: &str, rest: &str) -> Result<Parsed, Refused> {
    match scheme {
        "ARGON2I" | "ARGON2ID" => argon2::parse(rest, None),
        "BLF-CRYPT" => bcrypt::parse_of_crypt_blowfish(rest),
        "CRYPT" => crypt::libxcrypt(rest),
        "DES-CRYPT" => crypt::des(rest),
        "MD5-CRYPT" | "MD5" => crypt::md5_crypt(rest),
        "SHA256-CRYPT" => crypt::sha_crypt(Digest::Sha256, rest.strip_prefix("$5$").map_or("", |_| rest)),
        "SHA512-CRYPT" => crypt::sha_crypt(Digest::Sha512, rest.strip_prefix("$6$").map_or("", |_| rest)),
        "PBKDF2" => pbkdf2(rest),
        "SCRAM-SHA-1" => scram(Digest::Sha1, rest),
        "SCRAM-SHA-256" => scram(Digest::Sha256, rest),
        _ => digest(scheme, rest),
    }
}

/// `$1$salt$iterations$hex`, SHA-1, where the salt's characters are the salt.
fn pbkdf2(rest: &str) -> Result<Parsed, Refused> {
    let [_, version, salt, count, output] = parts(rest, '$')?;
    if version != "1" {
        return Err(Refused::Unsupported("another version of Dovecot's PBKDF2 than 1"));
    }
    pbkdf2::of_digest_len(pbkdf2::build(Digest::Sha1, rounds(count)?, salt, hex(output)?)?, Digest::Sha1)
}

/// `iterations,salt,StoredKey,ServerKey`.
fn scram(digest: Digest, rest: &str) -> Result<Parsed, Refused> {
    let [count, salt, stored_key, server_key] = parts(rest, ',')?;
    base64(server_key)?;
    let rounds: NonZeroU32 = rounds(count)?;
    Ok((Scheme::Scram(Scram { digest, rounds, salt: base64(salt)?.into() }), base64(stored_key)?))
}

/// Digests, whose encoding may follow the scheme's name after a dot. Without it Dovecot takes a text that is twice as
/// long as the digest for hex.
fn digest(scheme: &str, rest: &str) -> Result<Parsed, Refused> {
    let (name, encoding) = scheme.split_once('.').map_or((scheme, None), |(name, encoding)| (name, Some(encoding)));
    let (digest, salted) = match name {
        "PLAIN-MD5" | "LDAP-MD5" => (Digest::Md5, false),
        "SHA1" => (Digest::Sha1, false),
        _ => ldap::digest_of(name).ok_or(UNKNOWN_SCHEME)?,
    };
    let is_hex = match encoding {
        Some("HEX") => true,
        Some("B64" | "BASE64") => false,
        Some(_) => return Err(UNKNOWN_SCHEME),
        None => !salted && rest.len() == 2 * digest.len(),
    };
    ldap::build(digest, salted, if is_hex { hex(rest)? } else { base64(rest)? })
}
