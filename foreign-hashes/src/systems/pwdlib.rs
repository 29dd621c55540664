//! Argon2 and bcrypt as Python applications store them: with pwdlib, `fastapi-users`, or the bcrypt package.

use super::{Read, after, as_typed};
use crate::Refused;
use crate::fields::{Fields, Setting, text};
use crate::formats::{argon2, bcrypt};
use crate::step::Step;

/// Of the setting `bcrypt_backend`.
pub(super) const BACKEND: &str = "\"bcrypt\" and its version, as in \"bcrypt 5.0.0\": from 5 on, passwords over 72 bytes are refused. \
                                  Left out, they are cut, as all versions before did.";

pub(crate) const SETTINGS: &[Setting] = &[Setting::optional("bcrypt_backend", BACKEND)];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    if stored.starts_with("$argon2") {
        return as_typed(argon2::parse(stored, None)?);
    }
    after(limit(fields)?, bcrypt::parse(stored)?)
}

/// What Python's bcrypt does with a password over 72 bytes. Old tables hold hashes of cut ones, whatever the version of
/// today is.
pub(super) fn limit(fields: &Fields) -> Result<&'static [Step], Refused> {
    const NAME: &str = "bcrypt_backend";
    let Some(backend) = text(fields, NAME)? else { return Ok(&[]) };
    let version = backend.strip_prefix("bcrypt").unwrap_or(backend).trim();
    let major =
        version.split('.').next().and_then(|major| major.parse::<u32>().ok()).ok_or(Refused::InvalidField(NAME))?;
    Ok(if major >= 5 { &[Step::RefuseOver(72)] } else { &[] })
}
