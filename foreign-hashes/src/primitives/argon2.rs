//! Argon2 (RFC 9106).

use argon2::{Algorithm, AssociatedData, Params, ParamsBuilder, Version};
use serde::{Deserialize, Serialize};

use super::{MAX_SALT, Output, Primitive, check_output, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::kind::Kind;
use crate::work;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Variant {
    D,
    I,
    Id,
}

impl Variant {
    /// The ending of the name: argon2id's is "id".
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::D => "d",
            Self::I => "i",
            Self::Id => "id",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::D, Self::I, Self::Id].into_iter().find(|variant| variant.name() == name)
    }
}

/// Argon2 with everything that it can be given.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Argon2 {
    pub(crate) variant: Variant,
    /// 16 for version 1.0, 19 for version 1.3.
    pub(crate) version: u8,
    /// Memory in KiB.
    pub(crate) m: u32,
    /// Passes over the memory.
    pub(crate) t: u32,
    /// Lanes.
    pub(crate) p: u32,
    pub(crate) salt: Bytes,
    /// The key that a stored string does not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Bytes>,
    /// Associated data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Bytes>,
    /// Bytes of output.
    pub(crate) len: u16,
}

impl Argon2 {
    fn params(&self) -> argon2::Result<Params> {
        let mut params = ParamsBuilder::new();
        params.m_cost(self.m).t_cost(self.t).p_cost(self.p).output_len(self.len.into());
        if let Some(data) = &self.data {
            params.data(AssociatedData::new(data)?);
        }
        params.build()
    }

    fn context(&self) -> argon2::Result<argon2::Argon2<'_>> {
        let algorithm = match self.variant {
            Variant::D => Algorithm::Argon2d,
            Variant::I => Algorithm::Argon2i,
            Variant::Id => Algorithm::Argon2id,
        };
        let version = Version::try_from(u32::from(self.version))?;
        let secret = self.secret.as_deref().unwrap_or_default();
        argon2::Argon2::new_with_secret(secret, algorithm, version, self.params()?)
    }
}

impl Primitive for Argon2 {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.salt)?;
        check_output(self.len.into())?;
        if self.salt.len() < argon2::MIN_SALT_LEN {
            return Err(Refused::Malformed("the salt of Argon2 is shorter than 8 bytes"));
        }
        if self.secret.as_ref().is_some_and(|secret| secret.len() > MAX_SALT) {
            return Err(Refused::Malformed("the secret of Argon2 is too long"));
        }
        if self.data.as_ref().is_some_and(|data| data.len() > AssociatedData::MAX_LEN) {
            return Err(Refused::Unsupported("the associated data of Argon2 is over 32 bytes"));
        }
        self.context().map(|_| ()).map_err(|_| Refused::Malformed("Argon2 does not allow these parameters"))
    }

    fn kind(&self) -> Kind {
        Kind::Argon2 { variant: self.variant, m: self.m, t: self.t, p: self.p, version: self.version }
    }

    fn output_len(&self) -> usize {
        self.len.into()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let Self { version, m, t, p, .. } = *self;
        work::call(self.variant.name(), &[version.into(), m as usize, t as usize, p as usize, password.len()]);
        let mut output = Output::new(vec![0; self.len.into()]);
        self.context().ok()?.hash_password_into(password, &self.salt, &mut output).ok()?;
        Some(output)
    }
}
