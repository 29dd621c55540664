//! What is taken, and what is refused in its place.

use std::time::Duration;

use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use serde_json::{Value, json};
use verify::{Algorithm, Error, Invalid, Verifier};

use crate::{Endpoint, ISSUER, Key, claims, sign, with};

async fn refusal(verifier: &Verifier, token: &str) -> Invalid {
    match verifier.verify(token).await {
        Err(Error::Invalid(invalid)) => invalid,
        other => panic!("{other:?}: {token}"),
    }
}

#[tokio::test]
async fn a_token_of_each_algorithm_is_taken_and_says_who_it_is() {
    for algorithm in [Alg::ES256, Alg::RS256, Alg::EdDSA] {
        let key = Key::new(algorithm, "a");
        let claims = Endpoint::with(&[&key]).verifier().verify(&key.token()).await.unwrap();
        assert_eq!(claims.sub, "0192f3a4-0000-7000-8000-000000000001");
        assert_eq!((claims.roles, claims.aud), (vec!["user".to_owned()], vec![ISSUER.to_owned()]));
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let key = Key::es256("a");
    let verifier = Endpoint::with(&[&key]).verifier();
    let (_, signature) = key.token().rsplit_once('.').map(|(rest, last)| (rest.to_owned(), last.to_owned())).unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let token = key.sign(&with(&key.header(), &json!({ "alg": alg })), &claims());
        let (message, _) = token.rsplit_once('.').unwrap();
        for token in [format!("{message}."), format!("{message}.{signature}"), token.clone()] {
            assert_eq!(refusal(&verifier, &token).await, Invalid::Algorithm, "{alg}");
        }
    }
    let token = key.token();
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_eq!(refusal(&verifier, &format!("{message}.")).await, Invalid::Signature, "the signature is cut off");
    assert_eq!(refusal(&verifier, message).await, Invalid::Malformed);
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    for algorithm in [Alg::ES256, Alg::RS256] {
        let key = Key::new(algorithm, "a");
        let verifier = Endpoint::with(&[&key]).verifier();
        let text = |name: &str| key.jwk[name].as_str().unwrap_or_default().as_bytes().to_vec();
        for secret in [key.jwk.to_string().into_bytes(), text("x"), text("n"), Vec::new()] {
            for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
                let secret = EncodingKey::from_secret(&secret);
                let header = with(&key.header(), &json!({ "alg": alg }));
                assert_eq!(refusal(&verifier, &sign(&header, &claims(), &secret, alg)).await, Invalid::Algorithm);
                // The header of a good token, over a MAC.
                assert_eq!(refusal(&verifier, &sign(&key.header(), &claims(), &secret, alg)).await, Invalid::Signature);
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_key_under_the_same_id_signs_nothing() {
    let (own, foreign) = (Key::es256("a"), Key::es256("a"));
    let verifier = Endpoint::with(&[&own]).verifier();
    assert_eq!(refusal(&verifier, &foreign.token()).await, Invalid::Signature);
    for brought_along in [json!({ "jwk": foreign.jwk }), json!({ "jku": "https://evil.example/jwks.json" })] {
        let token = foreign.sign(&with(&foreign.header(), &brought_along), &claims());
        assert_eq!(refusal(&verifier, &token).await, Invalid::Signature, "{brought_along}");
    }
    let unknown = with(&own.header(), &json!({ "kid": "b" }));
    assert_eq!(refusal(&verifier, &own.sign(&unknown, &claims())).await, Invalid::UnknownKey);
    let without = with(&own.header(), &json!({ "kid": null }));
    assert_eq!(refusal(&verifier, &own.sign(&without, &claims())).await, Invalid::UnknownKey);
}

#[tokio::test]
async fn the_key_decides_the_algorithm_and_the_token_must_name_it() {
    let (ec, ed) = (Key::es256("ec"), Key::new(Alg::EdDSA, "ed"));
    let verifier = Endpoint::with(&[&ec, &ed]).verifier();
    for (header, key) in [(json!({ "alg": "EdDSA" }), &ec), (json!({ "kid": "ec" }), &ed)] {
        let token = key.sign(&with(&key.header(), &header), &claims());
        assert_eq!(refusal(&verifier, &token).await, Invalid::Algorithm, "{header}");
    }
    let only_rsa = Endpoint::with(&[&ec]).builder().algorithms(&[Algorithm::Rs256]).build().unwrap();
    assert_eq!(refusal(&only_rsa, &ec.token()).await, Invalid::Algorithm);
}

#[tokio::test]
async fn a_key_of_an_unsupported_algorithm_is_skipped_without_affecting_others() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    for alg in ["HS256", "ES384", "none"] {
        let mut odd = Key::es256("odd");
        odd.jwk["alg"] = json!(alg);
        endpoint.publish(&[&odd, &key]);
        let verifier = endpoint.verifier();
        assert!(verifier.verify(&key.token()).await.is_ok());
        let token = odd.sign(&with(&odd.header(), &json!({ "alg": "ES256" })), &claims());
        assert_eq!(refusal(&verifier, &token).await, Invalid::UnknownKey, "{alg}");
    }
}

#[tokio::test]
async fn a_jwt_of_another_type_is_no_access_token() {
    let key = Key::es256("a");
    let verifier = Endpoint::with(&[&key]).verifier();
    for typ in [json!("JWT"), json!("id+jwt"), json!("secevent+jwt"), json!(""), Value::Null] {
        let token = key.sign(&with(&key.header(), &json!({ "typ": typ })), &claims());
        assert_eq!(refusal(&verifier, &token).await, Invalid::Type, "{typ}");
    }
    for typ in ["AT+JWT", "application/at+jwt"] {
        let token = key.sign(&with(&key.header(), &json!({ "typ": typ })), &claims());
        assert!(verifier.verify(&token).await.is_ok(), "{typ}");
    }
}

#[tokio::test]
async fn a_token_with_a_wrong_or_missing_claim_is_refused() {
    let key = Key::es256("a");
    let verifier = Endpoint::with(&[&key]).verifier();
    for (changes, invalid) in [
        (json!({ "iss": "https://other.example.com" }), Invalid::Issuer),
        (json!({ "iss": format!("{ISSUER}/") }), Invalid::Issuer),
        (json!({ "iss": [ISSUER, "https://other.example.com"] }), Invalid::Claims),
        (json!({ "aud": "https://other.example.com" }), Invalid::Audience),
        (json!({ "aud": [] }), Invalid::Audience),
        (json!({ "aud": "" }), Invalid::Audience),
        (json!({ "iss": null }), Invalid::Claims),
        (json!({ "aud": null }), Invalid::Claims),
        (json!({ "sub": null }), Invalid::Claims),
        (json!({ "exp": null }), Invalid::Claims),
        (json!({ "nbf": null }), Invalid::Claims),
        (json!({ "sid": null }), Invalid::Claims),
        (json!({ "exp": "4000000000" }), Invalid::Claims),
        (json!({ "roles": "admin" }), Invalid::Claims),
    ] {
        let token = key.sign(&key.header(), &with(&claims(), &changes));
        assert_eq!(refusal(&verifier, &token).await, invalid, "{changes}");
    }
    let several = key.sign(&key.header(), &with(&claims(), &json!({ "aud": ["https://other.example.com", ISSUER] })));
    assert!(verifier.verify(&several).await.is_ok(), "one of several audiences");
    let orders = Endpoint::with(&[&key]).builder().audience("orders").build().unwrap();
    assert_eq!(refusal(&orders, &key.token()).await, Invalid::Audience);
    let token = key.sign(&key.header(), &with(&claims(), &json!({ "aud": "orders" })));
    assert!(orders.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_token_has_its_time() {
    let key = Key::es256("a");
    let now = claims()["iat"].as_i64().unwrap();
    for (changes, expected) in [
        (json!({ "exp": now - 4 }), "taken"),
        (json!({ "exp": now - 5 }), "expired"),
        (json!({ "nbf": now + 5 }), "taken"),
        (json!({ "nbf": now + 6 }), "not yet"),
        (json!({ "exp": i64::MAX }), "taken"),
        (json!({ "exp": 1 }), "expired"),
    ] {
        let token = key.sign(&key.header(), &with(&claims(), &changes));
        let outcome = match Endpoint::with(&[&key]).verifier().verify(&token).await {
            Ok(_) => "taken",
            Err(Error::Expired) => "expired",
            Err(Error::NotYetValid) => "not yet",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(outcome, expected, "{changes}");
    }
    let endpoint = Endpoint::with(&[&key]);
    let strict = endpoint.builder().leeway(Duration::ZERO).build().unwrap();
    endpoint.advance(Duration::from_secs(599));
    assert!(strict.verify(&key.token()).await.is_ok());
    endpoint.advance(Duration::from_secs(1));
    assert!(matches!(strict.verify(&key.token()).await, Err(Error::Expired)));
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_looking_for_keys() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let verifier = endpoint.verifier();
    let token = key.token();
    let huge = key.sign(&key.header(), &with(&claims(), &json!({ "filler": "x".repeat(8 * 1024) })));
    let critical = key.sign(&with(&key.header(), &json!({ "crit": ["b64"], "b64": false })), &claims());
    for token in
        ["", ".", "..", "...", "a.b.c", "Bearer", &format!("{token}.x"), &format!(" {token}"), &huge, &critical]
    {
        assert_eq!(refusal(&verifier, token).await, Invalid::Malformed, "{token}");
    }
    assert_eq!(endpoint.asked(), 0);
}

#[tokio::test]
async fn a_token_with_a_letter_changed_is_refused() {
    let key = Key::es256("a");
    let verifier = Endpoint::with(&[&key]).verifier();
    let token = key.token();
    for at in 0..token.len() - 1 {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verifier.verify(&changed).await.is_err(), "letter {at}");
    }
}
