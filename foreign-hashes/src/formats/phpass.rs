//! phpass's `$P$B` and `$H$B` and Drupal's `$S$D`: log of the rounds, 8 characters of salt, output.

use super::Parsed;
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::crypt64_value;
use crate::primitives::Phpass;
use crate::scheme::Scheme;

const NOT_PHPASS: Refused = Refused::Malformed("it is not of the form $P$B, 8 characters of salt and the output");

/// `$P$`, and phpBB's `$H$`.
pub(crate) fn portable(text: &str) -> Result<Parsed, Refused> {
    let rest = text.strip_prefix("$P$").or_else(|| text.strip_prefix("$H$")).ok_or(NOT_PHPASS)?;
    build(Digest::Md5, rest, 31)
}

/// Drupal's `$S$`.
pub(crate) fn drupal(text: &str) -> Result<Parsed, Refused> {
    build(Digest::Sha512, text.strip_prefix("$S$").ok_or(NOT_PHPASS)?, 52)
}

fn build(digest: Digest, rest: &str, length: usize) -> Result<Parsed, Refused> {
    if rest.len() != length || !rest.bytes().skip(9).all(|byte| crypt64_value(byte).is_some()) {
        return Err(NOT_PHPASS);
    }
    let log_rounds = rest.bytes().next().and_then(crypt64_value).ok_or(NOT_PHPASS)?;
    let salt = rest.get(1..9).ok_or(NOT_PHPASS)?;
    let output = rest.get(9..).ok_or(NOT_PHPASS)?;
    Ok((Scheme::Phpass(Phpass { digest, log_rounds, salt: salt.into() }), output.into()))
}
