//! The schemes that a prepared password goes into.

use serde::{Deserialize, Serialize};

use crate::Refused;
use crate::kind::Kind;
use crate::primitives::{
    Argon2, Bcrypt, DesCrypt, Firebase, Hmac, Iterated, Md5Crypt, Output, Pbkdf2, Phpass, Primitive, Scram, Scrypt,
    ScryptMac, ShaCrypt, SunMd5, TemplateDigest, Yescrypt,
};

/// One scheme with its salt and cost.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scheme {
    Argon2(Argon2),
    Bcrypt(Bcrypt),
    DesCrypt(DesCrypt),
    Digest(TemplateDigest),
    Firebase(Firebase),
    Hmac(Hmac),
    Iterated(Iterated),
    Md5Crypt(Md5Crypt),
    Pbkdf2(Pbkdf2),
    Phpass(Phpass),
    Scram(Scram),
    Scrypt(Scrypt),
    ScryptMac(ScryptMac),
    ShaCrypt(ShaCrypt),
    SunMd5(SunMd5),
    Yescrypt(Yescrypt),
}

impl Scheme {
    fn primitive(&self) -> &dyn Primitive {
        match self {
            Self::Argon2(it) => it,
            Self::Bcrypt(it) => it,
            Self::DesCrypt(it) => it,
            Self::Digest(it) => it,
            Self::Firebase(it) => it,
            Self::Hmac(it) => it,
            Self::Iterated(it) => it,
            Self::Md5Crypt(it) => it,
            Self::Pbkdf2(it) => it,
            Self::Phpass(it) => it,
            Self::Scram(it) => it,
            Self::Scrypt(it) => it,
            Self::ScryptMac(it) => it,
            Self::ShaCrypt(it) => it,
            Self::SunMd5(it) => it,
            Self::Yescrypt(it) => it,
        }
    }

    /// # Errors
    /// [`Refused::Malformed`] for what the scheme does not allow, [`Refused::TooCostly`] for what it should not cost.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        self.primitive().check()?;
        self.kind().check()
    }

    pub(crate) fn derive(&self, password: &[u8]) -> Option<Output> {
        self.primitive().derive(password)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.primitive().kind()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.primitive().output_len()
    }

    /// The rule is [`ForeignHash::is_weak`](crate::ForeignHash::is_weak)'s. The kind decides, but phpass is weak
    /// whatever its rounds.
    pub(crate) fn is_weak(&self) -> bool {
        matches!(self, Self::Phpass(_)) || self.kind().is_weak()
    }
}
