//! passlib, and libpass, which continues it: any of their formats, by its prefix.

use std::num::NonZeroU32;

use super::{Read, UNKNOWN, after, as_typed, django};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::base64;
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, argon2, bcrypt, crypt, ldap, number, parts, pbkdf2, phpass, rounds, scrypt};
use crate::primitives::{Iterated, Order};
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    match stored.bytes().next() {
        Some(b'$') => modular(stored),
        Some(b'{') => as_typed(tagged(stored)?),
        _ if stored.starts_with("grub.") => as_typed(pbkdf2::grub(stored)?),
        _ => named(stored),
    }
}

/// What bcrypt and crypt(3) cannot take, passlib refuses.
const NO_NUL: &[Step] = &[Step::RefuseNul];

fn modular(stored: &str) -> Read {
    let starts = |prefix: &str| stored.starts_with(prefix);
    match stored {
        _ if starts("$argon2") => as_typed(argon2::parse(stored, None)?),
        _ if starts("$bcrypt-sha256$") => bcrypt_sha256(stored),
        _ if bcrypt::is_bcrypt(stored) => after(NO_NUL, bcrypt::parse(stored)?),
        _ if starts("$pbkdf2") => as_typed(pbkdf2::modular(stored)?),
        _ if starts("$p5k2$") => as_typed(pbkdf2::p5k2(stored)?),
        _ if starts("$scrypt$") => as_typed(scrypt::phc(stored)?),
        _ if starts("$7$") => as_typed(scrypt::crypt3(stored)?),
        _ if starts("$P$") || starts("$H$") => as_typed(phpass::portable(stored)?),
        _ if starts("$md5") => after(NO_NUL, crypt::sun_md5(stored)?),
        _ => after(NO_NUL, crypt::classic(stored)?),
    }
}

/// `name$…`, which are Django's, and DES crypt, which has no name.
fn named(stored: &str) -> Read {
    match stored.split_once('$') {
        Some(("bcrypt", hash)) => after(NO_NUL, bcrypt::parse(hash)?),
        Some(("bcrypt_sha256", hash)) => after(&[Step::Hex(Digest::Sha256)], bcrypt::parse(hash)?),
        Some((name, rest)) => as_typed(django::of_name(name, rest)?),
        None => after(NO_NUL, crypt::des(stored)?),
    }
}

fn tagged(stored: &str) -> Result<Parsed, Refused> {
    match stored {
        _ if stored.starts_with("{PKCS5S2}") => pbkdf2::atlassian(stored),
        _ if stored.starts_with("{PBKDF2") => pbkdf2::ldap(stored),
        _ if stored.starts_with("{FSHP") => fshp(stored),
        _ => ldap::parse(stored),
    }
}

/// `$bcrypt-sha256$v=2,t=2b,r=12$salt$output`, and `$bcrypt-sha256$2b,12$salt$output` before 1.7.3: bcrypt of a SHA-256
/// in base64, which is an HMAC under the salt's characters in version 2.
fn bcrypt_sha256(stored: &str) -> Read {
    const MALFORMED: Refused = Refused::Malformed("it does not have the parameters of $bcrypt-sha256$");
    let [parameters, salt, output] = parts(stored.strip_prefix("$bcrypt-sha256$").ok_or(UNKNOWN)?, '$')?;
    let (version, cost, step) = match parameters.split(',').collect::<Vec<_>>()[..] {
        ["v=2", version, cost] => (
            version.strip_prefix("t=").ok_or(MALFORMED)?,
            cost.strip_prefix("r=").ok_or(MALFORMED)?,
            Step::HmacBase64 { digest: Digest::Sha256, key: Bytes::from(salt) },
        ),
        [version, cost] => (version, cost, Step::Base64(Digest::Sha256)),
        _ => return Err(MALFORMED),
    };
    if !["2a", "2b", "2y"].contains(&version) {
        return Err(MALFORMED);
    }
    after(&[step], bcrypt::build(number(cost)?, &format!("{salt}{output}"), false)?)
}

/// `{FSHP1|16|480000}`: which digest, bytes of salt, and how often; then salt and output in base64.
fn fshp(stored: &str) -> Result<Parsed, Refused> {
    const MALFORMED: Refused = Refused::Malformed("it does not have the parts of FSHP");
    let (tag, rest) = stored.strip_prefix("{FSHP").and_then(|rest| rest.split_once('}')).ok_or(UNKNOWN)?;
    let [digest, salt_len, count] = parts(tag, '|')?;
    let digest = match digest {
        "0" => Digest::Sha1,
        "1" => Digest::Sha256,
        "2" => Digest::Sha384,
        "3" => Digest::Sha512,
        _ => return Err(MALFORMED),
    };
    let salt_len = usize::try_from(number(salt_len)?).map_err(|_| MALFORMED)?;
    let mut salt = base64(rest)?;
    if salt.len() != salt_len.saturating_add(digest.len()) {
        return Err(MALFORMED);
    }
    let output = salt.split_off(salt_len);
    let rounds: NonZeroU32 = rounds(count)?;
    Ok((Scheme::Iterated(Iterated { digest, order: Order::SaltPasswordThenAlone, rounds, salt: salt.into() }), output))
}
