//! yescrypt, and the same inside HMAC-GOST (`$gy$`).

use ::hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use streebog::{Digest as _, Streebog256};
use yescrypt::{Mode, Params};

use super::{Output, Primitive, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::kind::Kind;
use crate::work;

const OUTPUT: usize = 32;

/// yescrypt without a ROM and without upgrades of a hash, which its own tools never write.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Yescrypt {
    /// The mode as yescrypt numbers it.
    pub(crate) flavor: u32,
    /// The binary logarithm of N.
    pub(crate) log_n: u8,
    pub(crate) r: u32,
    pub(crate) p: u32,
    /// Further passes, as yescrypt counts them.
    pub(crate) t: u32,
    pub(crate) salt: Bytes,
    /// `$gy$`: the stored text up to the salt's end, which takes part in the HMAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gost: Option<Bytes>,
}

impl Yescrypt {
    fn params(&self) -> Option<Params> {
        let mode = Mode::try_from(self.flavor).ok()?;
        let n = 1_u64.checked_shl(self.log_n.into())?;
        Params::new_with_all_params(mode, n, self.r, self.p, self.t, 0).ok()
    }
}

impl Primitive for Yescrypt {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)?;
        check_salt(self.gost.as_deref().unwrap_or_default())?;
        // yescrypt divides by p, and multiplies r and p.
        let fits = u64::from(self.r) * u64::from(self.p) < 1 << 30;
        if self.log_n == 0 || self.log_n > 62 || self.r == 0 || self.p == 0 || !fits || self.params().is_none() {
            return Err(Refused::Malformed("yescrypt does not allow these parameters"));
        }
        Ok(())
    }

    fn kind(&self) -> Kind {
        let Self { flavor, log_n, r, p, t, .. } = *self;
        Kind::Yescrypt { gost: self.gost.is_some(), flavor, log_n, r, p, t }
    }

    fn output_len(&self) -> usize {
        OUTPUT
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let Self { flavor, log_n, r, p, t, .. } = *self;
        let numbers = [flavor as usize, log_n.into(), r as usize, p as usize, t as usize, password.len()];
        work::call(if self.gost.is_some() { "gost-yescrypt" } else { "yescrypt" }, &numbers);
        let mut output = Output::new(vec![0; OUTPUT]);
        yescrypt::yescrypt(password, &self.salt, &self.params()?, &mut output).ok()?;
        match &self.gost {
            None => Some(output),
            Some(setting) => gost(password, setting, &output),
        }
    }
}

/// HMAC of yescrypt's output, under the HMAC of the setting, under the digest of the password: all with Streebog of 256
/// bits (GOST R 34.11-2012, RFC 6986).
fn gost(password: &[u8], setting: &[u8], output: &[u8]) -> Option<Output> {
    let digest = Output::new(Streebog256::digest(password).to_vec());
    gost_hmac(&gost_hmac(&digest, setting)?, output)
}

fn gost_hmac(key: &[u8], message: &[u8]) -> Option<Output> {
    let mut mac = Hmac::<Streebog256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec().into())
}
