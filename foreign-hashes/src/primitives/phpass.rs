//! phpass's portable hashes, and Drupal 7's, which are the same with SHA-512.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Iterated, Order, Output, Primitive};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::to_crypt64;
use crate::kind::Kind;

/// The digest of salt and password, then so many times the digest of the previous one and the password.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phpass {
    /// MD5, or Drupal's SHA-512.
    pub(crate) digest: Digest,
    /// The binary logarithm of the rounds.
    pub(crate) log_rounds: u8,
    /// 8 characters.
    pub(crate) salt: Bytes,
}

impl Phpass {
    /// With the first.
    fn rounds(&self) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(1_u32.checked_shl(self.log_rounds.into()).unwrap_or(u32::MAX))
    }

    /// Characters of output. phpass stores all of MD5; Drupal cuts its string to 55 characters, 12 of which are not
    /// output.
    const fn characters(&self) -> usize {
        match self.digest {
            Digest::Md5 => 22,
            _ => 43,
        }
    }
}

impl Primitive for Phpass {
    fn check(&self) -> Result<(), Refused> {
        if !matches!(self.digest, Digest::Md5 | Digest::Sha512) {
            return Err(Refused::Unsupported("phpass with this digest"));
        }
        if self.salt.len() != 8 {
            return Err(Refused::Malformed("the salt of phpass is not of 8 characters"));
        }
        // phpass's own limits.
        if !(7..=30).contains(&self.log_rounds) {
            return Err(Refused::Malformed("the rounds of phpass are not from 2^7 to 2^30"));
        }
        Ok(())
    }

    fn kind(&self) -> Kind {
        Kind::Iterated { digest: self.digest, rounds: self.rounds(), salt: None }
    }

    fn output_len(&self) -> usize {
        self.characters()
    }

    /// As text, because Drupal cuts within a byte.
    fn derive(&self, password: &[u8]) -> Option<Output> {
        let rounds = Iterated {
            digest: self.digest,
            order: Order::SaltPasswordThenPassword,
            rounds: self.rounds(),
            salt: self.salt.clone(),
        };
        let mut text = to_crypt64(&rounds.derive(password)?);
        text.truncate(self.characters());
        Some(text.into_bytes().into())
    }
}
