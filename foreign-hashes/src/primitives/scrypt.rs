//! scrypt (RFC 7914), and the header of scrypt's file format.

use scrypt::Params;
use serde::{Deserialize, Serialize};

use super::{Output, Primitive, check_output, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::kind::{Kind, SCRYPT_BLOCK, SCRYPT_BLOCKS};
use crate::work;

/// The file format's beginning: a name and version 0.
const MAGIC: &[u8] = b"scrypt\0";

/// scrypt's costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// The binary logarithm of N.
    pub(crate) log_n: u8,
    pub(crate) r: u32,
    pub(crate) p: u32,
}

impl Costs {
    /// # Errors
    /// What RFC 7914 does not allow.
    pub(super) fn check(self) -> Result<(), Refused> {
        // scrypt multiplies r and p without a look at the size.
        let fits = u64::from(self.r) * u64::from(self.p) < 1 << 30;
        if self.log_n == 0 || self.log_n > 63 || !fits || self.params().is_none() {
            return Err(Refused::Malformed("scrypt does not allow these parameters"));
        }
        Ok(())
    }

    /// With so many bytes of output.
    pub(super) fn kind(self, len: usize) -> Kind {
        let Self { log_n, r, p } = self;
        // An output has at most 1,024 bytes.
        let blocks = u8::try_from(len.div_ceil(SCRYPT_BLOCK.into())).unwrap_or(u8::MAX);
        Kind::Scrypt { log_n, r, p, blocks: blocks.max(SCRYPT_BLOCKS) }
    }

    fn params(self) -> Option<Params> {
        Params::new(self.log_n, self.r, self.p).ok()
    }

    pub(super) fn derive(self, password: &[u8], salt: &[u8], len: usize) -> Option<Output> {
        let blocks = len.div_ceil(SCRYPT_BLOCK.into()).max(SCRYPT_BLOCKS.into());
        work::call("scrypt", &[self.log_n.into(), self.r as usize, self.p as usize, blocks, password.len()]);
        let mut output = Output::new(vec![0; len]);
        scrypt::scrypt(password, salt, &self.params()?, &mut output).ok()?;
        Some(output)
    }
}

/// scrypt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scrypt {
    #[serde(flatten)]
    pub(crate) costs: Costs,
    pub(crate) salt: Bytes,
    /// Bytes of output.
    pub(crate) len: u16,
}

impl Primitive for Scrypt {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)?;
        check_output(self.len.into())?;
        self.costs.check()
    }

    fn kind(&self) -> Kind {
        self.costs.kind(self.len.into())
    }

    fn output_len(&self) -> usize {
        self.len.into()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        self.costs.derive(password, &self.salt, self.len.into())
    }
}

/// The header of scrypt's file format, which npm's scrypt-kdf stores: costs, salt and a checksum, then HMAC-SHA-256 of
/// all that under the second half of scrypt's output. That HMAC is the output here; the format holds no other.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScryptMac {
    #[serde(flatten)]
    pub(crate) costs: Costs,
    /// 32 bytes.
    pub(crate) salt: Bytes,
}

impl ScryptMac {
    /// The first 64 bytes of the format.
    pub(crate) fn header(&self) -> Vec<u8> {
        let Costs { log_n, r, p } = self.costs;
        let mut header = [MAGIC, &[log_n], &r.to_be_bytes(), &p.to_be_bytes(), &self.salt].concat();
        let checksum = Digest::Sha256.of(&[&header]);
        header.extend_from_slice(&checksum[..16]);
        header
    }
}

impl Primitive for ScryptMac {
    fn check(&self) -> Result<(), Refused> {
        if self.salt.len() != 32 {
            return Err(Refused::Malformed("the salt is not of 32 bytes"));
        }
        self.costs.check()
    }

    fn kind(&self) -> Kind {
        self.costs.kind(64)
    }

    fn output_len(&self) -> usize {
        Digest::Sha256.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let key = self.costs.derive(password, &self.salt, 64)?;
        Some(Digest::Sha256.hmac(key.get(32..)?, &self.header()))
    }
}
