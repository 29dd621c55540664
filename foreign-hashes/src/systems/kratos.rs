//! Ory Kratos, with all the formats that its own import takes.

use super::{Read, UNKNOWN, after, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, argon2, bcrypt, firebase, ldap, parts, pbkdf2, scrypt};
use crate::primitives::{Hmac, Part, TemplateDigest};
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    if bcrypt::is_bcrypt(stored) {
        // Kratos compares no password over 72 bytes.
        return after(&[Step::RefuseOver(72)], bcrypt::parse(stored)?);
    }
    as_typed(match stored {
        _ if stored.starts_with("$argon2i") => argon2::parse(stored, None)?,
        _ if stored.starts_with("$pbkdf2-") => pbkdf2::kratos(stored)?,
        _ if stored.starts_with("$scrypt$") => scrypt(stored)?,
        _ if stored.starts_with("$firescrypt$") => firebase::kratos(stored)?,
        _ if stored.starts_with("$hmac-") => hmac(stored)?,
        _ if stored.starts_with("{SSHA") => ldap::parse(stored)?,
        _ => digest(stored)?,
    })
}

/// `$scrypt$ln=16384,r=8,p=1$salt$output`, where `ln` is N itself.
fn scrypt(stored: &str) -> Result<Parsed, Refused> {
    let [parameters, salt, output] = parts(stored.strip_prefix("$scrypt$").ok_or(UNKNOWN)?, '$')?;
    let [n, r, p] = scrypt::parameters(parameters)?;
    scrypt::build(scrypt::costs_of_n(n, r, p)?, &base64(salt)?, base64(output)?)
}

/// `$hmac-sha256$output$key` in base64, where the output is in hex before.
fn hmac(stored: &str) -> Result<Parsed, Refused> {
    let [name, output, key] = parts(stored.strip_prefix("$hmac-").ok_or(UNKNOWN)?, '$')?;
    let digest = Digest::of_name(name).ok_or(Refused::Unsupported("HMAC with this digest"))?;
    let output =
        String::from_utf8(base64(output)?).map_err(|_| Refused::Malformed("the output is not hex in base64"))?;
    Ok((Scheme::Hmac(Hmac { digest, key: base64(key)?.into() }), hex(&output)?))
}

/// `$md5$output`, or `$md5$pf=template$salt$output`, and the same with SHA.
fn digest(stored: &str) -> Result<Parsed, Refused> {
    let (name, rest) = stored.strip_prefix('$').and_then(|rest| rest.split_once('$')).ok_or(UNKNOWN)?;
    let digest = Digest::of_name(name).ok_or(UNKNOWN)?;
    let Some(rest) = rest.strip_prefix("pf=") else {
        return Ok((Scheme::Digest(TemplateDigest::plain(digest)), base64(rest)?));
    };
    let [template, salt, output] = parts(rest, '$')?;
    let template = String::from_utf8(base64(template)?).map_err(|_| Refused::Malformed("the template is no text"))?;
    Ok((Scheme::Digest(TemplateDigest { digest, of: template_parts(&template, &base64(salt)?) }), base64(output)?))
}

/// The template with the salt in it, cut where the password goes.
fn template_parts(template: &str, salt: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (n, piece) in template.split("{PASSWORD}").enumerate() {
        if n > 0 {
            parts.push(Part::Password);
        }
        for (n, text) in piece.split("{SALT}").enumerate() {
            if n > 0 {
                parts.push(Part::Bytes(salt.into()));
            }
            if !text.is_empty() {
                parts.push(Part::Bytes(text.into()));
            }
        }
    }
    parts
}
