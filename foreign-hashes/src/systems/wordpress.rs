//! `WordPress`: bcrypt of an HMAC since 6.8, phpass before, MD5 in its first years, and what plugins put there.

use super::{Read, UNKNOWN, after};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::hex;
use crate::fields::{Fields, Setting, text};
use crate::formats::{argon2, bcrypt, phpass};
use crate::primitives::TemplateDigest;
use crate::scheme::Scheme;
use crate::step::Step;

pub(crate) const SETTINGS: &[Setting] = &[Setting::optional(
    "checked_by",
    "\"the login form\" (if left out), or \"wp_check_password()\" where plugins or scripts called the function.",
)];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let mut steps = before(fields)?;
    if let Some(hash) = stored.strip_prefix("$wp") {
        steps.push(Step::HmacBase64 { digest: Digest::Sha384, key: "wp-sha384".into() });
        return after(&steps, bcrypt::parse(hash)?);
    }
    match stored {
        _ if stored.starts_with("$P$") || stored.starts_with("$H$") => after(&steps, phpass::portable(stored)?),
        _ if stored.starts_with("$argon2") => after(&steps, argon2::parse(stored, None)?),
        _ if bcrypt::is_bcrypt(stored) => {
            steps.push(Step::CutAtNul);
            after(&steps, bcrypt::parse_of_crypt_blowfish(stored)?)
        }
        _ if stored.len() == 32 => after(&steps, (Scheme::Digest(TemplateDigest::plain(Digest::Md5)), hex(stored)?)),
        _ => Err(UNKNOWN),
    }
}

/// What the login form does to a password: every field of a form is slashed, and only the login name loses the slashes
/// again.
fn before(fields: &Fields) -> Result<Vec<Step>, Refused> {
    match text(fields, "checked_by")? {
        None | Some("the login form") => Ok(vec![Step::AddSlashes, Step::Trim]),
        Some(name) if name.starts_with("wp_check_password()") => Ok(Vec::new()),
        Some(_) => Err(Refused::InvalidField("checked_by")),
    }
}
