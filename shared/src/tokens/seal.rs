//! Encryption of what has to be read again: the secrets of authenticator apps and of webhooks. The table's own encryption keeps them from
//! whoever finds a disk or a backup; this keeps them from whoever may read the table, as most functions may. The key lies
//! with the private keys, which only functions that check codes read (NIST SP 800-63B-4, 3.1.4.2).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

use crate::domain::factor::SealedSecret;
use crate::domain::id::UserId;
use crate::domain::totp::TotpSecret;
use crate::error::{Error, Result};

/// AES-256-GCM with a random nonce: one key may seal 2^32 times (NIST SP 800-38D, 8.3).
pub struct SealKey(LessSafeKey);

impl SealKey {
    /// # Errors
    /// Never: the key has the cipher's length.
    pub fn new(secret: &SecretBox<[u8; 32]>) -> Result<Self> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret.expose_secret())?)))
    }

    /// Encrypts a secret for one account: in another's item it does not open.
    ///
    /// # Errors
    /// Never: a secret is short enough for the cipher.
    pub fn seal(&self, secret: &TotpSecret, user: UserId) -> Result<SealedSecret> {
        self.seal_bytes(secret.expose(), user.as_bytes()).map(SealedSecret)
    }

    /// # Errors
    /// When it was not sealed with this key for this account.
    pub fn open(&self, sealed: &SealedSecret, user: UserId) -> Result<TotpSecret> {
        let secret = self.open_bytes(&sealed.0, user.as_bytes())?;
        let secret = secret.as_slice().try_into().map_err(|_| Error::internal("a sealed secret has another length"))?;
        Ok(TotpSecret::from_bytes(secret))
    }

    /// Encrypts a secret for one `owner`, as base64.
    ///
    /// # Errors
    /// Never: a secret is short enough for the cipher.
    pub fn seal_bytes(&self, secret: &[u8], owner: &[u8]) -> Result<String> {
        let nonce: [u8; NONCE_LEN] = crate::random::bytes();
        let mut text = Zeroizing::new(secret.to_vec());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut *text)?;
        Ok(STANDARD.encode([&nonce[..], &text].concat()))
    }

    /// # Errors
    /// When it was not sealed with this key for this owner.
    pub fn open_bytes(&self, sealed: &str, owner: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let bytes = STANDARD.decode(sealed).map_err(Error::internal)?;
        let (nonce, text) =
            bytes.split_at_checked(NONCE_LEN).ok_or_else(|| Error::internal("a sealed secret is cut"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(owner), &mut text)?.len();
        text.truncate(length);
        Ok(text)
    }
}

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(error: aws_lc_rs::error::Unspecified) -> Self {
        Self::internal(error)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn key(byte: u8) -> SealKey {
        SealKey::new(&SecretBox::new(Box::new([byte; 32]))).unwrap()
    }

    #[test]
    fn a_secret_opens_for_its_account_with_its_key_and_not_otherwise() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let (ada, eve, secret) = (UserId::new(now), UserId::new(now), TotpSecret::new());
        let sealed = key(1).seal(&secret, ada).unwrap();
        assert_eq!(key(1).open(&sealed, ada).unwrap().expose(), secret.expose());
        assert!(key(1).open(&sealed, eve).is_err());
        assert!(key(2).open(&sealed, ada).is_err());
        assert_ne!(key(1).seal(&secret, ada).unwrap(), sealed);
        for at in [0, 10, 20, 40] {
            let mut bytes = STANDARD.decode(&sealed.0).unwrap();
            bytes[at] ^= 1;
            assert!(key(1).open(&SealedSecret(STANDARD.encode(&bytes)), ada).is_err(), "byte {at}");
        }
        for cut in ["", "AAAA", "no base64"] {
            assert!(key(1).open(&SealedSecret(cut.to_owned()), ada).is_err(), "{cut}");
        }
    }
}
