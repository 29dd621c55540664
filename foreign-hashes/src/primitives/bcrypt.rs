//! bcrypt, with the bug of `$2x$`.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Output, Primitive};
use crate::Refused;
use crate::bytes::Bytes;
use crate::kind::Kind;
use crate::work;

/// Blowfish's key: 18 words, which is where the limit of 72 bytes comes from.
const KEY: usize = 72;

/// The systems store one byte less than bcrypt gives.
const OUTPUT: usize = 23;

/// bcrypt of the password's first 72 bytes. The end of a shorter one is marked with a NUL, which is a byte like any
/// other; systems that refuse a NUL in passwords, or stop at it, say so in their steps.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bcrypt {
    /// The binary logarithm of the rounds.
    pub(crate) cost: u8,
    /// 16 bytes.
    pub(crate) salt: Bytes,
    /// `$2x$`: `crypt_blowfish` before 1.1 took characters for signed, so that a byte over 127 overwrites those before
    /// it in its word.
    ///
    /// Its `$2a$` has a countermeasure, which changes hashes where the bug would change nothing although there is a
    /// byte over 127: one that is alone at the start of a word. In UTF-8 such bytes come in groups, so `$2a$` is the
    /// same as `$2b$` here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) sign_extension: bool,
}

impl Bcrypt {
    fn key(&self, password: &[u8]) -> Zeroizing<[u8; KEY]> {
        let mut bytes = password.iter().copied().take(KEY).chain([0]).cycle();
        if !self.sign_extension {
            return Zeroizing::new(std::array::from_fn(|_| bytes.next().unwrap_or(0)));
        }
        let mut key = Zeroizing::new([0; KEY]);
        for word in key.chunks_exact_mut(4) {
            let value = bytes.by_ref().take(4).fold(0, |value: i32, byte| value << 8 | i32::from(byte.cast_signed()));
            word.copy_from_slice(&value.to_be_bytes());
        }
        key
    }
}

impl Primitive for Bcrypt {
    fn check(&self) -> Result<(), Refused> {
        match (self.cost, self.salt.len()) {
            (4..=31, 16) => Ok(()),
            (4..=31, _) => Err(Refused::Malformed("the salt of bcrypt is not of 16 bytes")),
            _ => Err(Refused::Malformed("the cost of bcrypt is not from 4 to 31")),
        }
    }

    fn kind(&self) -> Kind {
        Kind::Bcrypt { cost: self.cost }
    }

    fn output_len(&self) -> usize {
        OUTPUT
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        work::call("bcrypt", &[self.cost.into()]);
        let salt = <[u8; 16]>::try_from(&*self.salt).ok()?;
        let output = Zeroizing::new(bcrypt::bcrypt(self.cost.into(), salt, &*self.key(password)));
        Some(output.get(..OUTPUT)?.to_vec().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bcrypt(sign_extension: bool) -> Bcrypt {
        Bcrypt { cost: 4, salt: vec![7; 16].into(), sign_extension }
    }

    #[test]
    fn exactly_72_bytes_count() {
        let base = "x".repeat(71);
        let derive = |end: &str| bcrypt(false).derive(format!("{base}{end}").as_bytes());
        assert_eq!(derive("y"), derive("yz"));
        assert_ne!(derive("y"), derive("z"));
        assert_ne!(derive(""), derive("y"));
        assert_eq!(derive(""), derive("\0"));
    }

    #[test]
    fn the_bug_is_of_bytes_over_127_only() {
        assert_eq!(bcrypt(true).key(b"plain text"), bcrypt(false).key(b"plain text"));
        assert_eq!(bcrypt(true).key(b"ab\xff\xa3")[..4], [0xff, 0xff, 0xff, 0xa3]);
    }
}
