//! The verifier against an issuer of the tests: its keys, its tokens, and a clock that a test moves.

#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction, reason = "a test that cannot go on stops")]

mod cache;
mod caller;
mod https;
mod tokens;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::sync::watch;
use verify::{Builder, FetchError, Fetched, Verifier};

const ISSUER: &str = "https://api.example.com/api/v1";
const START: u64 = 1_800_000_000;

/// A signing key and its published half.
struct Key {
    pub encoding: EncodingKey,
    pub algorithm: Algorithm,
    pub jwk: Value,
}

impl Key {
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        let encoding = match algorithm {
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().unwrap();
                EncodingKey::from_ed_der(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
            }
            Algorithm::RS256 => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
                let pem = STANDARD.encode(der.as_ref());
                let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
                EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
            }
            _ => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                assert_eq!(pair.public_key().as_ref().len(), 65);
                EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
            }
        };
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&encoding, algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        Self { encoding, algorithm, jwk }
    }

    pub fn es256(kid: &str) -> Self {
        Self::new(Algorithm::ES256, kid)
    }

    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": self.jwk["alg"], "kid": self.jwk["kid"] })
    }

    /// Signed with this key, whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        sign(header, claims, &self.encoding, self.algorithm)
    }

    pub fn token(&self) -> String {
        self.sign(&self.header(), &claims())
    }
}

fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// What the service's tokens say, made at [`START`].
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "0192f3a4-0000-7000-8000-000000000001", "aud": ISSUER, "exp": START + 600, "iat": START,
        "nbf": START, "jti": "0192f3a4-0000-7000-8000-000000000002", "sid": "0192f3a4-0000-7000-8000-000000000003",
        "roles": ["user"], "auth_time": START - 60,
    })
}

/// A copy with some fields changed; null takes a field out.
fn with(original: &Value, changes: &Value) -> Value {
    let mut altered = original.clone();
    for (name, value) in changes.as_object().unwrap() {
        let fields = altered.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name)
        } else {
            fields.insert(name.clone(), value.clone())
        };
    }
    altered
}

/// Where the keys are fetched from: what it answers next, and how often it was asked.
#[derive(Clone, Default)]
struct Endpoint(Arc<Inner>);

#[derive(Default)]
struct Inner {
    asked: AtomicUsize,
    seconds: AtomicU64,
    keys: Mutex<Vec<Value>>,
    max_age: Mutex<Option<Duration>>,
    down: Mutex<bool>,
    /// How often a fetch gives way to others before it answers.
    slow: AtomicUsize,
    hangs: watch::Sender<bool>,
}

impl Endpoint {
    pub fn with(keys: &[&Key]) -> Self {
        let endpoint = Self::default();
        endpoint.publish(keys);
        endpoint
    }

    pub fn publish(&self, keys: &[&Key]) {
        *self.0.keys.lock().unwrap() = keys.iter().map(|key| key.jwk.clone()).collect();
    }

    pub fn max_age(&self, max_age: Option<Duration>) {
        *self.0.max_age.lock().unwrap() = max_age;
    }

    pub fn down(&self, down: bool) {
        *self.0.down.lock().unwrap() = down;
    }

    pub fn slow(&self, turns: usize) {
        self.0.slow.store(turns, Ordering::SeqCst);
    }

    /// Whether fetches wait, until this is taken back.
    pub fn hang(&self, hangs: bool) {
        self.0.hangs.send_replace(hangs);
    }

    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub fn advance(&self, by: Duration) {
        self.0.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(START + self.0.seconds.load(Ordering::SeqCst))
    }

    pub fn builder(&self) -> Builder {
        let (fetched, clock) = (self.clone(), self.clone());
        Verifier::builder(ISSUER).clock(move || clock.now()).fetch_with(move || fetched.clone().answer())
    }

    pub fn verifier(&self) -> Verifier {
        self.builder().build().unwrap()
    }

    async fn answer(self) -> Result<Fetched, FetchError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        for _ in 0..self.0.slow.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let _ = self.0.hangs.subscribe().wait_for(|hangs| !hangs).await;
        if *self.0.down.lock().unwrap() {
            return Err(FetchError::Status(503));
        }
        let body = json!({ "keys": *self.0.keys.lock().unwrap() }).to_string().into();
        Ok(Fetched { body, max_age: *self.0.max_age.lock().unwrap() })
    }
}
