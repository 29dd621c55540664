//! Digests and HMACs of a password and a salt, once or many times.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Output, Primitive, check_salt, is_affordable};
use crate::bytes::Bytes;
use crate::class::Kind;
use crate::digest::Digest;
use crate::{Class, Refused};

/// The most parts that a template may have.
const MAX_PARTS: usize = 16;

/// What a digest is of: the password, or bytes that are always the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Password,
    Bytes(Bytes),
}

/// One digest of a few parts, in their order.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TemplateDigest {
    pub(crate) digest: Digest,
    pub(crate) of: Vec<Part>,
}

impl TemplateDigest {
    /// digest(password)
    pub(crate) fn plain(digest: Digest) -> Self {
        Self { digest, of: vec![Part::Password] }
    }

    /// digest(salt + password)
    pub(crate) fn salt_first(digest: Digest, salt: impl Into<Bytes>) -> Self {
        Self { digest, of: vec![Part::Bytes(salt.into()), Part::Password] }
    }

    /// digest(password + salt)
    pub(crate) fn salt_last(digest: Digest, salt: impl Into<Bytes>) -> Self {
        Self { digest, of: vec![Part::Password, Part::Bytes(salt.into())] }
    }
}

impl Primitive for TemplateDigest {
    fn check(&self) -> Result<(), Refused> {
        if self.of.len() > MAX_PARTS {
            return Err(Refused::Malformed("the template has too many parts"));
        }
        if !self.of.contains(&Part::Password) {
            return Err(Refused::Malformed("the template does not use the password"));
        }
        self.of.iter().try_for_each(|part| match part {
            Part::Password => Ok(()),
            Part::Bytes(bytes) => check_salt(bytes),
        })
    }

    fn class(&self) -> Class {
        Class(Kind::Digest(self.digest))
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let parts: Vec<&[u8]> = self
            .of
            .iter()
            .map(|part| match part {
                Part::Password => password,
                Part::Bytes(bytes) => bytes,
            })
            .collect();
        Some(self.digest.of(&parts))
    }
}

/// HMAC of the password under a key that is stored with it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hmac {
    pub(crate) digest: Digest,
    pub(crate) key: Bytes,
}

impl Primitive for Hmac {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.key)
    }

    fn class(&self) -> Class {
        Class(Kind::Digest(self.digest))
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        Some(self.digest.hmac(&self.key, password))
    }
}

/// What the first digest of an iterated one is of, and each further one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// First salt + password, then the previous digest alone: FSHP, which is PBKDF1 (RFC 8018) with both inputs
    /// exchanged.
    SaltPasswordThenAlone,
    /// First password + salt, then the previous digest and both again: Symfony.
    PasswordSaltEachTime,
}

/// A digest of a digest of a digest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Iterated {
    pub(crate) digest: Digest,
    pub(crate) order: Order,
    /// How many digests in all.
    pub(crate) rounds: NonZeroU32,
    pub(crate) salt: Bytes,
}

impl Primitive for Iterated {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)
    }

    fn class(&self) -> Class {
        Class(Kind::Iterated { digest: self.digest, rounds: self.rounds })
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        if !is_affordable(self.rounds.get(), password) {
            return None;
        }
        let further = 1..self.rounds.get();
        Some(match self.order {
            Order::SaltPasswordThenAlone => {
                let first = self.digest.of(&[&self.salt, password]);
                further.fold(first, |previous, _| self.digest.of(&[&previous]))
            }
            Order::PasswordSaltEachTime => {
                let first = self.digest.of(&[password, &self.salt]);
                further.fold(first, |previous, _| self.digest.of(&[&previous, password, &self.salt]))
            }
        })
    }
}
