//! HMAC-SHA-256 with a key for one purpose.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

pub struct MacKey(hmac::Key);

/// Bytes of a MAC that is kept whole.
pub const LENGTH: usize = 32;

impl MacKey {
    #[must_use]
    pub fn new(secret: &SecretBox<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret()))
    }

    /// The key for another purpose that is made from this one, so that it has to be neither stored nor read: HKDF-Expand
    /// with SHA-256 (RFC 5869, 2.3) to one block. This key is random already, so there is nothing to extract (3.3). What
    /// is signed with this key itself must never be a purpose and a byte of 1.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        let block = Zeroizing::new(self.sign(&[purpose.as_bytes(), &[1]].concat()));
        Self(hmac::Key::new(hmac::HMAC_SHA256, block.as_ref()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, appendix A.1: its pseudorandom key and info, the first block of its output.
    #[test]
    fn a_derived_key_is_that_of_hkdf() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let random: [u8; 32] =
            hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5").try_into().unwrap();
        let key = MacKey::new(&SecretBox::new(Box::new(random)));
        // The info of the RFC is not text, so this repeats what `derive` does.
        let info = hex("f0f1f2f3f4f5f6f7f8f9");
        let block = key.sign(&[&info[..], &[1]].concat());
        assert_eq!(block.to_vec(), hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
        let derived = MacKey(hmac::Key::new(hmac::HMAC_SHA256, &key.sign(b"device\x01")));
        assert_eq!(key.derive("device").sign(b"x"), derived.sign(b"x"));
        assert_ne!(key.derive("device").sign(b"x"), key.sign(b"x"));
        assert_ne!(key.derive("device").sign(b"x"), key.derive("cursor").sign(b"x"));
    }
}
