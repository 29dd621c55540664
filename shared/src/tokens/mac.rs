//! HMAC-SHA-256 with a key for one purpose.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretBox};

pub struct MacKey(hmac::Key);

/// Bytes of a MAC that is kept whole.
pub const LENGTH: usize = 32;

impl MacKey {
    #[must_use]
    pub fn new(secret: &SecretBox<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()))
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; LENGTH] {
        let mut mac = [0; LENGTH];
        mac.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        mac
    }

    /// In constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, message, mac).is_ok()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey([REDACTED])")
    }
}
