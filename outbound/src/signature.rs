//! Signatures of webhooks, after [Standard Webhooks] 1.0.0: HMAC-SHA-256 with a secret of the endpoint, over id, time and body.
//!
//! The crate `standardwebhooks` 1.0.1 is not used: it brings another HMAC along, does not wipe its secret, takes empty ones, and
//! signs with one secret only. `tests/webhooks/check` verifies signatures with the libraries for Python and JavaScript.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zeroize::Zeroizing;

/// The message's id, the same for each attempt: the receiver's idempotency key.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// The time of the attempt, in seconds since 1970-01-01T00:00:00Z. Receivers refuse a message that is more than five minutes off.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// What [`sign`] returns.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What a shown secret begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "whsec_";
/// The version of this scheme.
const VERSION: &str = "v1";

/// The secret that sender and receiver of an endpoint's webhooks share: 24 to 64 random bytes. Wiped when it is dropped.
pub struct Secret(SecretSlice<u8>);

/// Why something is not a [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    #[error("A webhook secret must have 24 to 64 bytes.")]
    Length,
    #[error("A webhook secret must be {PREFIX} followed by base64.")]
    Format,
}

impl Secret {
    /// Bytes of the shortest and of the longest secret that the specification has.
    pub const SHORTEST: usize = 24;
    pub const LONGEST: usize = 64;

    /// A secret of these random bytes.
    ///
    /// # Errors
    /// When they are less than 24 or more than 64.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&bytes.len()) {
            return Err(SecretError::Length);
        }
        Ok(Self(Box::<[u8]>::from(bytes).into()))
    }

    /// Reads what [`expose`](Self::expose) shows.
    ///
    /// # Errors
    /// When it has another form, or bytes less than 24 or more than 64.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Format)?;
        // Longer than any secret, so it is not decoded.
        if encoded.len() > Self::LONGEST.div_ceil(3) * 4 {
            return Err(SecretError::Length);
        }
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError::Format)?);
        Self::from_bytes(&bytes)
    }

    /// As it is shown to the receiver, and stored: `whsec_` and base64 with padding (RFC 4648, 4).
    #[must_use]
    pub fn expose(&self) -> SecretString {
        let mut text = String::with_capacity(PREFIX.len() + Self::LONGEST.div_ceil(3) * 4);
        text.push_str(PREFIX);
        STANDARD.encode_string(self.0.expose_secret(), &mut text);
        text.into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([REDACTED])")
    }
}

/// The value of [`SIGNATURE`] for a message: one signature by each secret, in their order, so the newest first. While a secret
/// is being rotated there are two, and a receiver that knows either accepts the message.
///
/// The id must not contain a full stop, which separates it from the time in what is signed. The time is that of [`TIMESTAMP`].
/// The body is signed as it is sent; receivers' libraries expect UTF-8.
#[must_use]
pub fn sign(id: &str, timestamp: i64, body: &[u8], secrets: &[&Secret]) -> String {
    let signed = secrets.iter().map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.expose_secret());
        let mut mac = hmac::Context::with_key(&key);
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        format!("{VERSION},{}", STANDARD.encode(mac.sign()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use ::hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    /// Messages that the makers' libraries are tested with.
    #[test]
    fn a_message_is_signed_as_the_makers_libraries_do() {
        for (secret, id, timestamp, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            assert_eq!(sign(id, timestamp, body.as_bytes(), &[&Secret::parse(secret).unwrap()]), signature);
        }
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        for length in 0..100 {
            let secret = Secret::from_bytes(&vec![7; length]);
            assert_eq!(secret.is_ok(), (24..=64).contains(&length), "{length}");
            assert_eq!(Secret::parse(&format!("whsec_{}", STANDARD.encode(vec![7; length]))).is_ok(), secret.is_ok());
        }
    }

    #[test]
    fn a_secret_is_read_in_the_form_that_is_shown() {
        let shown = format!("whsec_{}", STANDARD.encode([251; 32]));
        assert_eq!(Secret::parse(&shown).unwrap().expose().expose_secret(), shown);
        for other in [
            shown.trim_end_matches('=').to_owned(),
            shown.replace('+', "-"),
            shown.replace("whsec_", ""),
            shown.replace("whsec_", "WHSEC_"),
            shown.replace("whsec_", "v1,whsec_"),
            format!("{shown}\n"),
            format!(" {shown}"),
        ] {
            assert_eq!(Secret::parse(&other).err(), Some(SecretError::Format), "{other:?}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::from_bytes(&[7; 24]).unwrap();
        assert_eq!(format!("{secret:?} {:?}", secret.expose()), "Secret([REDACTED]) SecretBox<str>([REDACTED])");
    }

    proptest! {
        #[test]
        fn each_secret_signs_in_the_order_given(
            id in "[a-zA-Z0-9_-]{1,40}",
            timestamp in 0..i64::MAX,
            body in proptest::collection::vec(any::<u8>(), 0..200),
            secrets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 24..=64), 1..4),
        ) {
            let message = [format!("{id}.{timestamp}.").as_bytes(), &body].concat();
            let known: Vec<_> = secrets.iter().map(|bytes| Secret::from_bytes(bytes).unwrap()).collect();
            let header = sign(&id, timestamp, &body, &known.iter().collect::<Vec<_>>());
            let signatures: Vec<_> = header.split(' ').collect();
            prop_assert_eq!(signatures.len(), secrets.len());
            for (signature, secret) in signatures.iter().zip(&secrets) {
                let mac = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
                let verified = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&message).verify_slice(&mac);
                prop_assert!(verified.is_ok());
            }
        }

        #[test]
        fn a_secret_of_any_bytes_is_read_as_it_was_shown(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = Secret::parse(Secret::from_bytes(&bytes).unwrap().expose().expose_secret()).unwrap();
            prop_assert_eq!(secret.0.expose_secret(), &bytes[..]);
        }
    }
}
