//! Published keys (RFC 7517): those that can check an access token, each pinned to its algorithm.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::error::FetchError;

/// The algorithms that a token may be signed with: asymmetric ones only, so that no public key is ever taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    Es256,
    Rs256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: &[Self] = &[Self::Es256, Self::Rs256, Self::EdDsa];

    /// The `alg` of JOSE headers (RFC 7518, RFC 8037).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == name)
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::ES256,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}

pub struct Key {
    pub algorithm: Algorithm,
    pub decoding: DecodingKey,
}

pub type ByKid = HashMap<String, Arc<Key>>;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    /// RFC 7517 lets it be left out. Here it must not be: it is what the key is pinned to.
    alg: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The keys of a set that check tokens of the allowed algorithms. The others are passed over, as RFC 7517, 5 asks for: a key
/// of tomorrow must not take today's away. Of two with one id the first counts.
pub fn parse(set: &[u8], allowed: &[Algorithm]) -> Result<ByKid, FetchError> {
    let set: KeySet = serde_json::from_slice(set).map_err(|_| FetchError::NotAKeySet)?;
    let mut keys = ByKid::new();
    for jwk in set.keys {
        if let Some((kid, key)) = serde_json::from_value(jwk).ok().and_then(|jwk| usable(jwk, allowed)) {
            keys.entry(kid).or_insert(Arc::new(key));
        }
    }
    Ok(keys)
}

fn usable(jwk: Jwk, allowed: &[Algorithm]) -> Option<(String, Key)> {
    let algorithm = Algorithm::named(&jwk.alg).filter(|algorithm| allowed.contains(algorithm))?;
    if jwk.usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let decoding = match (algorithm, jwk.kty.as_str(), jwk.crv.as_deref()) {
        (Algorithm::Es256, "EC", Some("P-256")) => DecodingKey::from_ec_components(&jwk.x?, &jwk.y?),
        (Algorithm::Rs256, "RSA", None) => DecodingKey::from_rsa_components(&jwk.n?, &jwk.e?),
        (Algorithm::EdDsa, "OKP", Some("Ed25519")) => DecodingKey::from_ed_components(&jwk.x?),
        _ => return None,
    };
    Some((jwk.kid, Key { algorithm, decoding: decoding.ok()? }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // The examples of RFC 7517, A.1 and RFC 8037, A.2.
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn kids(keys: &[Value]) -> Vec<String> {
        let set = json!({ "keys": keys }).to_string();
        let mut kids: Vec<_> = parse(set.as_bytes(), Algorithm::ALL).unwrap().into_keys().collect();
        kids.sort();
        kids
    }

    #[test]
    fn keys_with_a_mismatched_or_missing_algorithm_are_skipped() {
        let good = json!({ "kid": "a", "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": X, "y": Y });
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed["kid"] = json!("b");
            changed[name] = value;
            changed
        };
        assert_eq!(kids(std::slice::from_ref(&good)), ["a"]);
        assert_eq!(kids(&[json!({ "kid": "e", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": ED })]), ["e"]);
        for other in [
            with("alg", Value::Null),
            with("alg", json!("none")),
            with("alg", json!("HS256")),
            with("alg", json!("ES384")),
            with("alg", json!("RS256")),
            with("alg", json!("EdDSA")),
            with("kty", json!("oct")),
            with("kty", json!("RSA")),
            with("crv", json!("P-384")),
            with("crv", Value::Null),
            with("use", json!("enc")),
            with("x", Value::Null),
            with("x", json!("not base64!")),
            with("kid", Value::Null),
            with("kid", json!(7)),
            json!({ "kid": "k", "kty": "oct", "alg": "HS256", "k": "c2VjcmV0" }),
            json!("a string"),
        ] {
            assert_eq!(kids(&[good.clone(), other.clone()]), ["a"], "{other}");
        }
    }

    #[test]
    fn an_invalid_key_set_is_refused_and_an_empty_one_accepted() {
        for text in ["", "null", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert!(parse(text.as_bytes(), Algorithm::ALL).is_err(), "{text}");
        }
        assert!(parse(br#"{"keys":[]}"#, Algorithm::ALL).unwrap().is_empty());
    }
}
