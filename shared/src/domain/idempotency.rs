//! Idempotency keys: a repeated request with the same key has no second effect
//! (<https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07>).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::UserId;
use super::network::ClientNetwork;
use crate::clock::Timestamp;

/// How long a key is remembered.
pub const IDEMPOTENCY_LIFE: Duration = Duration::from_hours(24);
/// How long the first request with a key can run: longer than any function. After that its function must have died.
pub const RUNNING: Duration = Duration::from_mins(1);
/// From this length on, a key counts as unguessable, like a UUID.
const UNGUESSABLE: usize = 16;
const MAX_CHARACTERS: usize = 255;

/// A key chosen by the client to identify a request.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The owner of a key: each has its own namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    User(UserId),
    /// Callers who are not signed in.
    Network(ClientNetwork),
}

impl IdempotencyKey {
    /// Visible ASCII, 1 to 255 characters; with quotes, as in the draft, or without.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?.trim();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let fits = (1..=MAX_CHARACTERS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The key in the table.
    #[must_use]
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.0.as_bytes()))
    }

    /// Identifies a request without revealing its body to readers of the table: a MAC with the key itself, of which the table has
    /// only a hash. If the key may be guessable, passwords are excluded, because a MAC is fast to compute.
    #[must_use]
    pub fn fingerprint(&self, method: &str, target: &str, body: &[u8]) -> String {
        let without = (self.0.len() < UNGUESSABLE).then(|| without_passwords(body)).flatten();
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        let mut context = hmac::Context::with_key(&key);
        for part in [method.as_bytes(), target.as_bytes(), without.as_deref().unwrap_or(body)] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

/// `None` if the body is not a JSON object.
fn without_passwords(body: &[u8]) -> Option<Vec<u8>> {
    let Value::Object(mut fields) = serde_json::from_slice(body).ok()? else { return None };
    fields.retain(|name, _| !name.contains("password"));
    serde_json::to_vec(&fields).ok()
}

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdempotencyKey([REDACTED])")
    }
}

/// The first request with a key, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotentRequest {
    pub fingerprint: String,
    /// Identifies this attempt: one that took longer than [`RUNNING`] must not complete the next.
    pub attempt: String,
    pub running_until: Timestamp,
    pub expires_at: Timestamp,
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub status: u16,
    /// `None` if the response contained a token or secret, or is too large to store.
    #[serde(default)]
    pub answer: Option<KeptAnswer>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    #[serde(default)]
    pub content_type: Option<String>,
    /// Base64.
    pub body: String,
}

impl IdempotentRequest {
    #[must_use]
    pub fn begin(fingerprint: String, now: Timestamp) -> Self {
        Self {
            fingerprint,
            attempt: crate::random::uuid(now).to_string(),
            running_until: now.plus(RUNNING),
            expires_at: now.plus(IDEMPOTENCY_LIFE),
            outcome: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_with_or_without_quotes() {
        let plain = IdempotencyKey::parse(b"8e03978e-40d5-43dd-bc93-6894a57f9324").unwrap();
        assert_eq!(IdempotencyKey::parse(b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\""), Some(plain));
        for (header, taken) in [
            (&b"1"[..], true),
            (&[b'k'; 255], true),
            (&[b'k'; 256], false),
            (b"", false),
            (b"\"\"", false),
            (b"two words", false),
            ("kéy".as_bytes(), false),
            (b"\xff", false),
        ] {
            assert_eq!(IdempotencyKey::parse(header).is_some(), taken, "{header:?}");
        }
    }

    #[test]
    fn a_fingerprint_tells_method_target_and_body_apart() {
        let key = IdempotencyKey::parse(b"8e03978e-40d5-43dd-bc93-6894a57f9324").unwrap();
        let all = [
            key.fingerprint("PUT", "/user", b"{}"),
            key.fingerprint("POST", "/user", b"{}"),
            key.fingerprint("PUT", "/user?", b"{}"),
            key.fingerprint("PUT", "/us", b"er{}"),
            key.fingerprint("PUT", "/user", b"{ }"),
            IdempotencyKey::parse(b"another-key-of-some-length").unwrap().fingerprint("PUT", "/user", b"{}"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{at}");
        }
    }

    #[test]
    fn the_fingerprint_of_a_key_that_may_be_guessed_has_no_password() {
        let bodies = [r#"{"name":"Ada","new_password":"one"}"#, r#"{"name":"Ada","new_password":"two"}"#];
        let fingerprints = |key: &str| {
            let key = IdempotencyKey::parse(key.as_bytes()).unwrap();
            bodies.map(|body| key.fingerprint("POST", "/", body.as_bytes()))
        };
        let [one, two] = fingerprints("1");
        assert_eq!(one, two);
        let [one, two] = fingerprints("8e03978e-40d5-43dd-bc93-6894a57f9324");
        assert_ne!(one, two);
    }
}
