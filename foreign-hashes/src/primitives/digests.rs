//! Digests and HMACs of a password and a salt, once or many times.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{MAX_SALT, Output, Primitive, check_salt, is_affordable};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::kind::Kind;

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

    /// Of so many passwords, and of so many other bytes in parts that are as long as a salt may be.
    pub(crate) fn of_shape(digest: Digest, passwords: u8, others: u16) -> Self {
        let dots = vec![b'.'; others.into()];
        let others = dots.chunks(MAX_SALT).map(|dots| Part::Bytes(dots.into()));
        Self { digest, of: others.chain((0..passwords).map(|_| Part::Password)).collect() }
    }

    /// How often the password is hashed, and how many other bytes are.
    fn shape(&self) -> (usize, usize) {
        self.of.iter().fold((0, 0), |(passwords, others), part| match part {
            Part::Password => (passwords + 1, others),
            Part::Bytes(bytes) => (passwords, others + bytes.len()),
        })
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

    fn kind(&self) -> Kind {
        let (passwords, others) = self.shape();
        // There are at most 16 parts, of at most 1,024 bytes each.
        let byte = |number| u8::try_from(number).unwrap_or(u8::MAX);
        Kind::Digest { digest: self.digest, passwords: byte(passwords), others: byte(others / 64) }
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

    fn kind(&self) -> Kind {
        Kind::Hmac(self.digest)
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
    /// First salt + password, then the previous digest and the password: phpass.
    SaltPasswordThenPassword,
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

impl Iterated {
    /// Bytes that each round hashes, besides the previous digest.
    fn each_round(&self, password: &[u8]) -> usize {
        match self.order {
            Order::SaltPasswordThenAlone => 0,
            Order::SaltPasswordThenPassword => password.len(),
            Order::PasswordSaltEachTime => password.len().saturating_add(self.salt.len()),
        }
    }
}

impl Primitive for Iterated {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)
    }

    fn kind(&self) -> Kind {
        let (digest, rounds) = (self.digest, self.rounds);
        match self.order {
            Order::SaltPasswordThenAlone => Kind::Pbkdf1 { digest, rounds },
            Order::SaltPasswordThenPassword => Kind::Iterated { digest, rounds, salt: None },
            Order::PasswordSaltEachTime => {
                // A salt has at most 1,024 bytes.
                Kind::Iterated { digest, rounds, salt: Some(u16::try_from(self.salt.len()).unwrap_or(u16::MAX)) }
            }
        }
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let further = 1..self.rounds.get();
        if !is_affordable(further.end - 1, self.each_round(password)) {
            return None;
        }
        Some(match self.order {
            Order::SaltPasswordThenAlone => {
                let first = self.digest.of(&[&self.salt, password]);
                further.fold(first, |previous, _| self.digest.of(&[&previous]))
            }
            Order::SaltPasswordThenPassword => {
                let first = self.digest.of(&[&self.salt, password]);
                further.fold(first, |previous, _| self.digest.of(&[&previous, password]))
            }
            Order::PasswordSaltEachTime => {
                let first = self.digest.of(&[password, &self.salt]);
                further.fold(first, |previous, _| self.digest.of(&[&previous, password, &self.salt]))
            }
        })
    }
}
