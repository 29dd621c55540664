//! PBKDF2 (RFC 8018), and SCRAM's keys that are made with it (RFC 5802).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Output, Primitive, check_output, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::{self, Digest};
use crate::kind::Kind;

fn check_digest(digest: Digest) -> Result<(), Refused> {
    digest.pbkdf2().map(|_| ()).ok_or(Refused::Unsupported("PBKDF2 with this digest"))
}

/// PBKDF2 with HMAC.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pbkdf2 {
    pub(crate) digest: Digest,
    pub(crate) rounds: NonZeroU32,
    pub(crate) salt: Bytes,
    /// Bytes of output.
    pub(crate) len: u16,
}

impl Primitive for Pbkdf2 {
    fn check(&self) -> Result<(), Refused> {
        check_digest(self.digest)?;
        check_salt(&self.salt)?;
        check_output(self.len.into())
    }

    fn kind(&self) -> Kind {
        Kind::Pbkdf2 { digest: self.digest, rounds: self.rounds, len: self.len }
    }

    fn output_len(&self) -> usize {
        self.len.into()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        digest::pbkdf2(self.digest, self.rounds, &self.salt, password, self.len.into())
    }
}

/// SCRAM's `StoredKey`: the digest of an HMAC under PBKDF2's output. `ServerKey` would prove the password as well.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scram {
    pub(crate) digest: Digest,
    pub(crate) rounds: NonZeroU32,
    pub(crate) salt: Bytes,
}

impl Primitive for Scram {
    fn check(&self) -> Result<(), Refused> {
        check_digest(self.digest)?;
        check_salt(&self.salt)
    }

    fn kind(&self) -> Kind {
        // A digest has at most 64 bytes.
        let len = u16::try_from(self.digest.len()).unwrap_or(u16::MAX);
        Kind::Pbkdf2 { digest: self.digest, rounds: self.rounds, len }
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let salted = digest::pbkdf2(self.digest, self.rounds, &self.salt, password, self.digest.len())?;
        Some(self.digest.of(&[&self.digest.hmac(&salted, b"Client Key")]))
    }
}
