//! Encryption of stored secrets of authenticator apps and webhooks. The table's own encryption protects them on a disk or in a
//! backup; this protects them from readers of the table, such as most functions. The key is stored with the private keys, which
//! only functions that verify codes can read (NIST SP 800-63B-4, 3.1.4.2).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use zeroize::Zeroizing;

use crate::domain::Invalid;
use crate::domain::factor::SealedSecret;
use crate::domain::id::UserId;
use crate::domain::recovery::{RecoveryCode, RecoveryHash};
use crate::domain::totp::{TotpForm, TotpSecret};
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
    pub fn open(&self, sealed: &SealedSecret, form: TotpForm, user: UserId) -> Result<TotpSecret> {
        let secret = self.open_bytes(&sealed.0, user.as_bytes())?;
        Ok(TotpSecret::of_form(secret.as_slice(), form))
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
            bytes.split_at_checked(NONCE_LEN).ok_or_else(|| Error::internal("a sealed secret is truncated"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(owner), &mut text)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// The key of a set of recovery codes from another system. Such codes are short: readers of the table could guess a code from its
/// plain hash. Each set has its own key, so that it can move to another stack.
pub struct CodesKey(Zeroizing<[u8; 32]>);

impl CodesKey {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(Zeroizing::new(crate::random::bytes()))
    }

    /// Of an export.
    ///
    /// # Errors
    /// When it is not 32 octets of base64.
    pub fn parse(text: &SecretString) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("invalid_key", "The key of a set of recovery codes must be 32 bytes in base64.");
        let bytes = Zeroizing::new(STANDARD.decode(text.expose_secret()).map_err(|_| invalid())?);
        bytes.as_slice().try_into().map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| invalid())
    }

    /// For an export.
    #[must_use]
    pub fn encode(&self) -> SecretString {
        STANDARD.encode(&self.0[..]).into()
    }

    /// As it is stored.
    ///
    /// # Errors
    /// Never: a key is short enough for the cipher.
    pub fn seal(&self, key: &SealKey, user: UserId) -> Result<String> {
        key.seal_bytes(&self.0[..], user.as_bytes())
    }

    /// # Errors
    /// When it was not sealed with this key for this account.
    pub fn open(sealed: &str, key: &SealKey, user: UserId) -> Result<Self> {
        let bytes = key.open_bytes(sealed, user.as_bytes())?;
        let bytes = bytes.as_slice().try_into().map_err(|_| Error::internal("a sealed key has the wrong length"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// What is stored of a code.
    #[must_use]
    pub fn hash(&self, code: &RecoveryCode) -> RecoveryHash {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0[..]);
        RecoveryHash::of_bytes(hmac::sign(&key, code.folded().as_bytes()).as_ref())
    }
}

impl Default for CodesKey {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for CodesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodesKey([REDACTED])")
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
    fn an_imported_recovery_code_is_hashed_with_the_key_of_its_set() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let (ada, eve) = (UserId::new(now), UserId::new(now));
        let code = |text: &str| RecoveryCode::parse(&text.into()).unwrap();
        let set = CodesKey::new();
        let hash = set.hash(&code("abcd-1234"));
        assert_eq!(set.hash(&code(" ABCD 1234")), hash);
        assert_ne!(CodesKey::new().hash(&code("abcd-1234")), hash);
        let sealed = set.seal(&key(1), ada).unwrap();
        assert_eq!(CodesKey::open(&sealed, &key(1), ada).unwrap().hash(&code("abcd-1234")), hash);
        assert!(CodesKey::open(&sealed, &key(1), eve).is_err());
        assert_eq!(CodesKey::parse(&set.encode()).unwrap().hash(&code("abcd1234")), hash);
        assert!(CodesKey::parse(&"AAAA".into()).is_err());
    }

    #[test]
    fn a_secret_opens_for_its_account_with_its_key_and_not_otherwise() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let (ada, eve, secret) = (UserId::new(now), UserId::new(now), TotpSecret::new());
        let sealed = key(1).seal(&secret, ada).unwrap();
        assert_eq!(key(1).open(&sealed, TotpForm::default(), ada).unwrap().expose(), secret.expose());
        assert!(key(1).open(&sealed, TotpForm::default(), eve).is_err());
        assert!(key(2).open(&sealed, TotpForm::default(), ada).is_err());
        assert_ne!(key(1).seal(&secret, ada).unwrap(), sealed);
        for at in [0, 10, 20, 40] {
            let mut bytes = STANDARD.decode(&sealed.0).unwrap();
            bytes[at] ^= 1;
            assert!(
                key(1).open(&SealedSecret(STANDARD.encode(&bytes)), TotpForm::default(), ada).is_err(),
                "byte {at}"
            );
        }
        for cut in ["", "AAAA", "no base64"] {
            assert!(key(1).open(&SealedSecret(cut.to_owned()), TotpForm::default(), ada).is_err(), "{cut}");
        }
    }
}
