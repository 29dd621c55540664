//! Flask-Security: the password is normalized; then, unless the scheme is one of a single hash, replaced by an HMAC;
//! then hashed by passlib.

use serde_json::Value;

use super::{Read, UNKNOWN, after, django};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::fields::{Fields, Setting, required_text, text};
use crate::formats::{Parsed, argon2, bcrypt, crypt, pbkdf2};
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::optional(
        "SECURITY_PASSWORD_SALT",
        "The application's setting of this name. It is needed unless each hash is a single one.",
    ),
    Setting::optional(
        "SECURITY_PASSWORD_SINGLE_HASH",
        "The same: true, false, or a list of schemes. Left out, it is the default list.",
    ),
    Setting::optional(
        "SECURITY_PASSWORD_NORMALIZE_FORM",
        "The same: NFC, NFD, NFKC, NFKD, or null for none. Left out, it is NFKD.",
    ),
];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let (scheme, parsed) = identify(stored)?;
    let mut steps: Vec<Step> = normalization(fields)?.into_iter().collect();
    if is_single(scheme, fields)? {
        steps.extend(before_single(scheme));
    } else {
        steps.push(Step::HmacBase64 {
            digest: Digest::Sha512,
            key: Bytes::from(required_text(fields, "SECURITY_PASSWORD_SALT")?),
        });
        steps.extend((scheme == "django_bcrypt_sha256").then_some(Step::Hex(Digest::Sha256)));
    }
    after(&steps, parsed)
}

/// passlib's name of the scheme, which the list of single hashes has.
fn identify(stored: &str) -> Result<(&'static str, Parsed), Refused> {
    let starts = |prefix: &str| stored.starts_with(prefix);
    Ok(match stored {
        _ if starts("$argon2") => ("argon2", argon2::parse(stored, None)?),
        _ if bcrypt::is_bcrypt(stored) => ("bcrypt", bcrypt::parse(stored)?),
        _ if starts("$pbkdf2-sha256$") => ("pbkdf2_sha256", pbkdf2::modular(stored)?),
        _ if starts("$pbkdf2-sha512$") => ("pbkdf2_sha512", pbkdf2::modular(stored)?),
        _ if starts("$5$") => ("sha256_crypt", crypt::classic(stored)?),
        _ if starts("$6$") => ("sha512_crypt", crypt::classic(stored)?),
        _ => return identify_django(stored),
    })
}

fn identify_django(stored: &str) -> Result<(&'static str, Parsed), Refused> {
    let (name, rest) = stored.split_once('$').ok_or(UNKNOWN)?;
    Ok(match name {
        "bcrypt" => ("django_bcrypt", bcrypt::parse(rest)?),
        "bcrypt_sha256" => ("django_bcrypt_sha256", bcrypt::parse(rest)?),
        "argon2" => ("django_argon2", django::of_name(name, rest)?),
        "pbkdf2_sha256" => ("django_pbkdf2_sha256", django::of_name(name, rest)?),
        "pbkdf2_sha1" => ("django_pbkdf2_sha1", django::of_name(name, rest)?),
        "md5" => ("django_salted_md5", django::of_name(name, rest)?),
        "sha1" => ("django_salted_sha1", django::of_name(name, rest)?),
        _ => return Err(UNKNOWN),
    })
}

fn normalization(fields: &Fields) -> Result<Option<Step>, Refused> {
    const NAME: &str = "SECURITY_PASSWORD_NORMALIZE_FORM";
    // Null means that nothing is normalized here, and is not the same as no field.
    if fields.get(NAME).is_some_and(Value::is_null) {
        return Ok(None);
    }
    match text(fields, NAME)? {
        None | Some("NFKD") => Ok(Some(Step::Nfkd)),
        Some("NFC") => Ok(Some(Step::Nfc)),
        Some("NFD") => Ok(Some(Step::Nfd)),
        Some("NFKC") => Ok(Some(Step::Nfkc)),
        Some(_) => Err(Refused::InvalidField(NAME)),
    }
}

/// False is the same as an empty list, so that Django's schemes get an HMAC as well; left out, it is the default, which
/// names them.
fn is_single(scheme: &str, fields: &Fields) -> Result<bool, Refused> {
    const NAME: &str = "SECURITY_PASSWORD_SINGLE_HASH";
    match fields.get(NAME) {
        None | Some(Value::Null) => Ok(scheme.starts_with("django_")),
        Some(Value::Bool(single)) => Ok(*single),
        Some(Value::Array(schemes)) => Ok(schemes.iter().any(|it| it == scheme)),
        Some(Value::String(text)) => Ok(match &*text.to_ascii_lowercase() {
            "true" => true,
            "false" => false,
            names => names.split(',').any(|name| name.trim() == scheme),
        }),
        Some(_) => Err(Refused::InvalidField(NAME)),
    }
}

/// What passlib does before the scheme, and libpass's refusal of what bcrypt would cut: such passwords can be
/// registered, and never used.
fn before_single(scheme: &str) -> Vec<Step> {
    match scheme {
        "bcrypt" | "django_bcrypt" => vec![Step::RefuseNul, Step::RefuseOver(72)],
        "django_bcrypt_sha256" => vec![Step::Hex(Digest::Sha256)],
        "sha256_crypt" | "sha512_crypt" => vec![Step::RefuseNul],
        _ => Vec::new(),
    }
}
