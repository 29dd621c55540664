//! The schemes, one file each: what they need, what they allow and what they cost.

mod argon2;
mod bcrypt;
mod des_crypt;
mod digests;
mod firebase;
mod md5_crypt;
mod pbkdf2;
mod phpass;
mod scrypt;
mod sha_crypt;
mod sun_md5;
mod yescrypt;

use zeroize::Zeroizing;

use crate::Refused;
use crate::kind::Kind;

pub(crate) use argon2::{Argon2, Variant};
pub(crate) use bcrypt::Bcrypt;
pub(crate) use des_crypt::{DesCrypt, from_text as des_crypt_from_text};
pub(crate) use digests::{Hmac, Iterated, Order, Part, TemplateDigest};
pub(crate) use firebase::Firebase;
pub(crate) use md5_crypt::{Md5Crypt, output_from_text as md5_crypt_output};
pub(crate) use pbkdf2::{Pbkdf2, Scram};
pub(crate) use phpass::Phpass;
pub(crate) use scrypt::{Costs as ScryptCosts, Scrypt, ScryptMac};
pub(crate) use sha_crypt::{ShaCrypt, output_from_text as sha_crypt_output};
pub(crate) use sun_md5::SunMd5;
pub(crate) use yescrypt::Yescrypt;

/// What a scheme gives, and what is on the way to it: wiped from memory.
pub(crate) type Output = Zeroizing<Vec<u8>>;

/// The longest salt, key or other input besides the password, in bytes. The systems' salts have at most 64.
pub(crate) const MAX_SALT: usize = 1024;

/// The longest output in bytes. The longest default is passport-local-mongoose's, 512.
pub(crate) const MAX_OUTPUT: usize = 1024;

/// What every scheme has.
pub(crate) trait Primitive {
    /// # Errors
    /// [`Refused::Malformed`] for every value that the scheme does not allow, so that [`Primitive::derive`] cannot
    /// fail. The bounds of its cost are [`Kind::check`]'s.
    fn check(&self) -> Result<(), Refused>;

    /// What its time depends on besides the password: two schemes of a kind compute the same, and refuse the same.
    fn kind(&self) -> Kind;

    /// Bytes of its output.
    fn output_len(&self) -> usize;

    /// Nothing for a password that [`is_affordable`] refuses, and where memory is short.
    fn derive(&self, password: &[u8]) -> Option<Output>;
}

/// Whether a scheme that hashes so many bytes of password and salt in every round would hash no more than a GiB of them,
/// which takes about three seconds: the bounds of rounds count on passwords of ordinary length.
pub(crate) fn is_affordable(rounds: u32, bytes: usize) -> bool {
    const MAX_BYTES: u64 = 1 << 30;
    u64::from(rounds).saturating_mul(bytes as u64) <= MAX_BYTES
}

/// # Errors
/// A salt over [`MAX_SALT`].
fn check_salt(salt: &[u8]) -> Result<(), Refused> {
    if salt.len() > MAX_SALT {
        return Err(Refused::Malformed("the salt is too long"));
    }
    Ok(())
}

/// # Errors
/// No output, or one over [`MAX_OUTPUT`].
fn check_output(len: usize) -> Result<(), Refused> {
    if len == 0 || len > MAX_OUTPUT {
        return Err(Refused::Malformed("the output is empty or too long"));
    }
    Ok(())
}
