//! The digests that the systems use, with what is built on them: HMAC and PBKDF2.

use std::num::NonZeroU32;

use ::hmac::{Hmac, KeyInit, Mac};
use aws_lc_rs::{digest, hmac, pbkdf2};
use hmac::Algorithm;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::primitives::Output;
use crate::work;

/// A digest. MD5 is the `md-5` crate's, as AWS-LC does not offer it; the others are AWS-LC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// As it is called in the names of schemes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.name() == name)
    }

    /// Bytes of its output.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Bytes that it compresses at once.
    #[cfg(test)]
    pub(crate) const fn block_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// The digest of the parts, one after the other.
    pub(crate) fn of(self, parts: &[&[u8]]) -> Output {
        work::blocks(self, parts.iter().map(|part| part.len()).sum());
        let algorithm = match self {
            Self::Md5 => return md5(parts),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec().into()
    }

    /// HMAC of the message (RFC 2104).
    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Output {
        work::blocks(self, message.len());
        let algorithm: Algorithm = match self {
            Self::Md5 => return hmac_md5(key, message),
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec().into()
    }

    /// Its PBKDF2 (RFC 8018), where AWS-LC has it: not for MD5.
    pub(crate) const fn pbkdf2(self) -> Option<pbkdf2::Algorithm> {
        match self {
            Self::Md5 => None,
            Self::Sha1 => Some(pbkdf2::PBKDF2_HMAC_SHA1),
            Self::Sha256 => Some(pbkdf2::PBKDF2_HMAC_SHA256),
            Self::Sha384 => Some(pbkdf2::PBKDF2_HMAC_SHA384),
            Self::Sha512 => Some(pbkdf2::PBKDF2_HMAC_SHA512),
        }
    }
}

fn md5(parts: &[&[u8]]) -> Output {
    let mut state = Md5::new();
    for part in parts {
        state.update(part);
    }
    state.finalize().to_vec().into()
}

fn hmac_md5(key: &[u8], message: &[u8]) -> Output {
    // A key of any length is right for HMAC; the type cannot say so.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return Output::default() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec().into()
}

/// PBKDF2 with so many bytes of output; nothing for a digest without it.
pub(crate) fn pbkdf2(digest: Digest, rounds: NonZeroU32, salt: &[u8], password: &[u8], len: usize) -> Option<Output> {
    work::call("pbkdf2", &[digest.len(), rounds.get() as usize, len.div_ceil(digest.len()), password.len()]);
    let mut output = Output::new(vec![0; len]);
    pbkdf2::derive(digest.pbkdf2()?, rounds, salt, password, &mut output);
    Some(output)
}
