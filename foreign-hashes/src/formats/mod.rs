//! The forms of stored values that several systems share, one file each. A form gives a scheme and its output; what
//! happens to a password before is the system's.

pub(crate) mod argon2;
pub(crate) mod bcrypt;
pub(crate) mod crypt;
pub(crate) mod firebase;
pub(crate) mod ldap;
pub(crate) mod pbkdf2;
pub(crate) mod phpass;
pub(crate) mod scrypt;

use std::num::NonZeroU32;

use crate::Refused;
use crate::scheme::Scheme;

/// A scheme, and the output that is stored.
pub(crate) type Parsed = (Scheme, Vec<u8>);

/// # Errors
/// Anything but digits of a number to 2^32-1.
pub(crate) fn number(text: &str) -> Result<u32, Refused> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Refused::Malformed("a number is expected"))
}

/// # Errors
/// Anything but a number from 1 to 2^32-1.
pub(crate) fn rounds(text: &str) -> Result<NonZeroU32, Refused> {
    NonZeroU32::new(number(text)?).ok_or(Refused::Malformed("the number of iterations is zero"))
}

/// The length of an output, for its scheme.
///
/// # Errors
/// One that no scheme has.
pub(crate) fn len(output: &[u8]) -> Result<u16, Refused> {
    u16::try_from(output.len()).map_err(|_| Refused::Malformed("the output is too long"))
}

/// Exactly so many parts between separators.
///
/// # Errors
/// Another number of parts.
pub(crate) fn parts<const N: usize>(text: &str, separator: char) -> Result<[&str; N], Refused> {
    let parts: Vec<&str> = text.split(separator).take(N + 1).collect();
    parts.try_into().map_err(|_| Refused::Malformed("the value does not have the parts of its form"))
}
