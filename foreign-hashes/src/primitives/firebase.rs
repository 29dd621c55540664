//! Firebase's scrypt: the project's signer key, encrypted under what scrypt makes of the password.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use serde::{Deserialize, Serialize};

use super::scrypt::Costs;
use super::{Output, Primitive, check_output, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::kind::Kind;

/// AES-256-CTR of the signer key. Its counter starts at zero, which does no harm: the key is another for each salt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Firebase {
    #[serde(flatten)]
    pub(crate) costs: Costs,
    /// The account's salt, and the project's separator after it.
    pub(crate) salt: Bytes,
    pub(crate) signer_key: Bytes,
}

impl Primitive for Firebase {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)?;
        check_output(self.signer_key.len())?;
        self.costs.check()
    }

    fn kind(&self) -> Kind {
        self.costs.kind(32)
    }

    fn output_len(&self) -> usize {
        self.signer_key.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let key = self.costs.derive(password, &self.salt, 32)?;
        let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, &key).ok()?).ok()?;
        let mut output = Output::new(self.signer_key.to_vec());
        key.less_safe_encrypt(&mut output, EncryptionContext::Iv128(FixedLength::from([0; 16]))).ok()?;
        Some(output)
    }
}
