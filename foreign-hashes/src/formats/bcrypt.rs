//! `$2b$12$`, 22 characters of salt and 31 of output.

use super::{Parsed, number};
use crate::Refused;
use crate::encoding::bcrypt_base64;
use crate::primitives::Bcrypt;
use crate::scheme::Scheme;

/// Whether the text is meant as bcrypt.
pub(crate) fn is_bcrypt(text: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].into_iter().any(|prefix| text.starts_with(prefix))
}

/// `$2a$`, `$2b$` and `$2y$`, which are the same in every library of today.
pub(crate) fn parse(text: &str) -> Result<Parsed, Refused> {
    parse_any(text, |version| match version {
        "2a" | "2b" | "2y" => Ok(false),
        "2x" => Err(Refused::Unsupported("$2x$, whose meaning differs between libraries")),
        _ => Err(NOT_BCRYPT),
    })
}

/// Also `$2x$`, where the system has `crypt_blowfish`, the only library that keeps its bug.
pub(crate) fn parse_of_crypt_blowfish(text: &str) -> Result<Parsed, Refused> {
    parse_any(text, |version| match version {
        "2a" | "2b" | "2y" => Ok(false),
        "2x" => Ok(true),
        _ => Err(NOT_BCRYPT),
    })
}

const NOT_BCRYPT: Refused = Refused::Malformed("it is not of the form $2b$12$ and 53 characters");

fn parse_any(text: &str, sign_extension: impl Fn(&str) -> Result<bool, Refused>) -> Result<Parsed, Refused> {
    let mut parts = text.strip_prefix('$').ok_or(NOT_BCRYPT)?.split('$');
    let (Some(version), Some(cost), Some(rest), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(NOT_BCRYPT);
    };
    if cost.len() != 2 {
        return Err(NOT_BCRYPT);
    }
    build(number(cost)?, rest, sign_extension(version)?)
}

/// From the cost, and the characters of salt and output without anything between them.
pub(crate) fn build(cost: u32, salt_and_output: &str, sign_extension: bool) -> Result<Parsed, Refused> {
    if salt_and_output.len() != 53 {
        return Err(NOT_BCRYPT);
    }
    let (salt, output) = salt_and_output.split_at_checked(22).ok_or(NOT_BCRYPT)?;
    let cost = u8::try_from(cost).map_err(|_| Refused::Malformed("the cost of bcrypt is not from 4 to 31"))?;
    let scheme = Bcrypt { cost, salt: bcrypt_base64(salt)?.into(), sign_extension };
    Ok((Scheme::Bcrypt(scheme), bcrypt_base64(output)?))
}
