//! Access tokens: what they say, what is refused in their place, and the keys behind them.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use functions::routes;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use lambda_http::tower::ServiceExt;
use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use shared::App;
use shared::domain::email::EmailAddress;
use shared::domain::session::Session;
use shared::tokens::TokenPair;
use tests::{Answer, PASSWORD, TestApp, text};

const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

/// A private key (ES256) of an installation, read from where only it can.
struct Key {
    kid: String,
    encoding: EncodingKey,
    /// The published half.
    jwk: Value,
}

async fn private_keys(app: &TestApp) -> Vec<Key> {
    let query = app.app().dynamodb().query().table_name("keys").key_condition_expression("pk = :pk");
    let query = query.expression_attribute_values(":pk", AttributeValue::S("SIGNING".into())).consistent_read(true);
    let published = jwks(app).await;
    let items = query.send().await.unwrap().items.unwrap();
    let key = |item: &std::collections::HashMap<String, AttributeValue>| {
        let kid = item["kid"].as_s().unwrap().clone();
        let pkcs8 = STANDARD.decode(item["pkcs8"].as_s().unwrap()).unwrap();
        let jwk = published.iter().find(|jwk| jwk["kid"] == kid.as_str()).cloned().unwrap_or_default();
        Key { kid, encoding: EncodingKey::from_ec_der(&pkcs8), jwk }
    };
    items.iter().map(key).collect()
}

async fn private_key(app: &TestApp) -> Key {
    let mut keys = private_keys(app).await;
    assert_eq!(keys.len(), 1);
    keys.remove(0)
}

async fn jwks(app: &TestApp) -> Vec<Value> {
    let answer = app.get("/.well-known/jwks.json").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["keys"].as_array().unwrap().clone()
}

async fn kids(app: &TestApp) -> Vec<String> {
    jwks(app).await.iter().map(|key| text(&key["kid"])).collect()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Header and claims, unchecked.
fn read(token: &str) -> (Value, Value) {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    (decoded(parts[0]), decoded(parts[1]))
}

fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
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

/// Checks a token as a client does that knows nothing of this service but what it publishes.
async fn verified_by_a_client(app: &TestApp, token: &str) -> Value {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = jwks(app).await.into_iter().find(|key| key["kid"].as_str() == header.kid.as_deref()).unwrap();
    assert_eq!(key["alg"], read(token).0["alg"]);
    let jwk: Jwk = serde_json::from_value(key).unwrap();
    let mut validation = Validation::new(header.alg);
    let issuer = app.url("");
    validation.set_issuer(&[&issuer]);
    validation.set_audience(&[&issuer]);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap().claims
}

/// Every route and method that only those who are signed in may call.
fn signed_in_routes() -> Vec<(Method, &'static str)> {
    let operations = routes().flat_map(|route| route.operations);
    let signed_in = operations.filter(|operation| operation.credentials() == Some("access_token"));
    let routes: Vec<_> = signed_in.map(|operation| (operation.method.parse().unwrap(), operation.path)).collect();
    assert!(routes.len() >= 7, "{routes:?}");
    routes
}

/// Asks every signed-in route, with this `Authorization` if there is one.
async fn assert_refused_everywhere(app: &TestApp, authorization: Option<&str>, what: &str) {
    let is_bearer =
        |value: &str| value.trim().split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (code, challenge) = match authorization.filter(|value| is_bearer(value)) {
        None => ("unauthenticated", "Bearer"),
        Some(_) => ("invalid_token", "Bearer error=\"invalid_token\""),
    };
    for (method, path) in signed_in_routes() {
        let mut request = app.request(method.clone(), path).json(&json!({}));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, code), "{method} {path}: {what}");
        assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path}: {what}");
    }
}

async fn user(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.request(Method::GET, "/user").bearer_auth(token)).await
}

#[tokio::test]
async fn an_access_token_follows_rfc_9068_and_verifies_with_the_published_keys() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    let (header, claims) = read(&ada.access_token);
    let published = kids(&app).await;
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": published[0] }));
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["amr", "aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "nbf", "roles", "sid", "sub"];
    assert_eq!(names, expected);
    assert_eq!(claims["client_id"], "web");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.url("")), &json!(app.url(""))));
    assert_eq!((&claims["sub"], &claims["roles"]), (&json!(ada.id), &json!(["user"])));
    let time = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("{name}: {claims}"));
    assert_eq!(time("exp") - time("iat"), 600);
    assert_eq!(time("nbf"), time("iat"));
    assert!((0..=60).contains(&(app.clock.now().seconds() - time("iat"))), "{claims}");
    assert!((0..=60).contains(&(time("iat") - time("auth_time"))), "{claims}");
    assert_eq!(verified_by_a_client(&app, &ada.access_token).await, claims);

    app.clock.advance(MINUTE * 5);
    ada.refresh().await;
    let (_, next) = read(&ada.access_token);
    assert_ne!(next["jti"], claims["jti"]);
    assert!(next["iat"].as_i64().unwrap() >= time("iat") + 300);
    for same in ["iss", "aud", "sub", "client_id", "sid", "roles", "auth_time", "amr"] {
        assert_eq!(next[same], claims[same], "{same}");
    }
    let (_, elsewhere) = read(&app.sign_in("ada@example.com").await.access_token);
    assert_ne!(elsewhere["sid"], claims["sid"]);
    let (_, admin) = read(&app.admin().await.access_token);
    assert_eq!(admin["roles"], json!(["user", "admin"]));
}

#[tokio::test]
async fn a_configured_audience_is_in_the_token_and_required() {
    let app = TestApp::start_with(&[("TOKEN_AUDIENCE", "https://api.example.com")]).await;
    let ada = app.signed_in("ada@example.com").await;
    let (header, claims) = read(&ada.access_token);
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!("https://api.example.com"), &json!(app.url(""))));
    assert_eq!(ada.get("/user").await.status, 200);
    let key = private_key(&app).await;
    let for_the_issuer = sign(&header, &with(&claims, &json!({ "aud": app.url("") })), &key.encoding, Algorithm::ES256);
    assert_eq!(user(&app, &for_the_issuer).await.code(), "invalid_token");
}

/// Validators after RFC 9068 (express-oauth2-jwt-bearer, oauth4webapi, Authlib) refuse a token without a client.
#[tokio::test]
async fn a_token_names_the_configured_client_after_every_refresh() {
    let app = TestApp::start_with(&[("CLIENT_ID", "https://app.example.com/web")]).await;
    let mut ada = app.signed_in("ada@example.com").await;
    for how in ["a sign-in", "a refresh"] {
        assert_eq!(read(&ada.access_token).1["client_id"], "https://app.example.com/web", "{how}");
        ada.refresh().await;
    }
}

/// They were made before the claim was there, and are good for minutes yet.
#[tokio::test]
async fn tokens_of_an_earlier_version_without_a_client_are_taken() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let (header, claims) = read(&ada.access_token);
    let older = with(&claims, &json!({ "client_id": null }));
    let token = sign(&header, &older, &private_key(&app).await.encoding, Algorithm::ES256);
    assert_eq!(user(&app, &token).await.status, 200);
}

#[tokio::test]
async fn the_published_keys_are_public_halves_named_by_their_thumbprint() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let app = TestApp::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let answer = app.get("/.well-known/jwks.json").await;
        assert!(answer.header("cache-control").contains("max-age="), "{}", answer.header("cache-control"));
        let keys = jwks(&app).await;
        assert_eq!(keys.len(), 1);
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(keys[0][private].is_null(), "{private} is published");
        }
        assert_eq!((&keys[0]["use"], &keys[0]["alg"]), (&json!("sig"), &json!(algorithm)));
        let jwk: Jwk = serde_json::from_value(keys[0].clone()).unwrap();
        assert_eq!(keys[0]["kid"], json!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap()));
    }
}

#[tokio::test]
async fn every_algorithm_works_from_end_to_end() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let app = TestApp::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let mut ada = app.signed_in("ada@example.com").await;
        assert_eq!(read(&ada.access_token).0["alg"], algorithm);
        assert_eq!(verified_by_a_client(&app, &ada.access_token).await["sub"], json!(ada.id));
        assert_eq!(ada.get("/user").await.json()["id"], json!(ada.id));
        ada.refresh().await;
        assert_eq!(ada.get("/user").await.status, 200);
        let metadata = app.get("/.well-known/oauth-authorization-server").await.json();
        assert_eq!(metadata["issuer"], json!(app.url("")));

        let mut tampered = ada.access_token.clone().into_bytes();
        let at = tampered.len() - 20;
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(user(&app, &String::from_utf8(tampered).unwrap()).await.code(), "invalid_token");
        assert_eq!(ada.logout().await.status, 204);
        assert_eq!(ada.get("/user").await.code(), "invalid_token");
    }
}

#[tokio::test]
async fn no_signed_in_route_answers_without_a_credential() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_refused_everywhere(&app, None, "nothing").await;
    // Not in the address either, where it would end up in logs.
    let answer = app.get(&format!("/user?access_token={}", ada.access_token)).await;
    assert_eq!(answer.code(), "unauthenticated");
}

#[tokio::test]
async fn no_signed_in_route_takes_anything_but_one_bearer_token() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let token = &ada.access_token;
    let basic = format!("Basic {}", STANDARD.encode(format!("ada@example.com:{PASSWORD}")));
    for authorization in [
        &basic,
        token,
        "Bearer",
        "Bearer  ",
        "Bearer null",
        &format!("Basic {token}"),
        &format!("Token {token}"),
        &format!("DPoP {token}"),
        &format!("Bearer{token}"),
        &format!("Bearer {token} {token}"),
        &format!("Bearer {token}, Bearer {token}"),
        &format!("Bearer \"{token}\""),
        &format!("Bearer {}", ada.refresh_token),
        "Bearer .",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer ä.ö.ü",
    ] {
        assert_refused_everywhere(&app, Some(authorization), authorization).await;
    }
    // The scheme's name has no case (RFC 9110, 11.1).
    let request = app.request(Method::GET, "/user").header("authorization", format!("bearer {token}"));
    assert_eq!(Answer::of(request).await.status, 200);
}

#[tokio::test]
async fn no_signed_in_route_takes_an_expired_token() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.clock.advance(MINUTE * 9);
    assert_eq!(ada.get("/user").await.status, 200);
    app.clock.advance(MINUTE);
    assert_refused_everywhere(&app, Some(&format!("Bearer {}", ada.access_token)), "expired").await;
}

#[tokio::test]
async fn no_signed_in_route_takes_a_forged_token() {
    let app = TestApp::start().await;
    let elsewhere = TestApp::start().await;
    let (own, foreign) = (private_key(&app).await, private_key(&elsewhere).await);
    let admin = app.admin().await;
    let (header, claims) = read(&admin.access_token);
    let es256 = |header: &Value, key: &Key| sign(header, &claims, &key.encoding, Algorithm::ES256);
    assert_eq!(user(&app, &es256(&header, &own)).await.status, 200, "what follows differs from this in one thing each");

    let unsigned = |header: &Value| format!("{}.{}.", encoded(header), encoded(&claims));
    let parts: Vec<&str> = admin.access_token.split('.').collect();
    let mut forged = vec![
        ("a foreign key under our key id", es256(&header, &foreign)),
        ("a foreign key under its own id", es256(&with(&header, &json!({ "kid": foreign.kid })), &foreign)),
        ("a foreign key without an id", es256(&with(&header, &json!({ "kid": null })), &foreign)),
        ("our key without an id", es256(&with(&header, &json!({ "kid": null })), &own)),
        ("our key under an id that is a path", es256(&with(&header, &json!({ "kid": "../../dev/null" })), &own)),
        ("a foreign key that the header carries", es256(&with(&header, &json!({ "jwk": foreign.jwk })), &foreign)),
        (
            "a foreign key that the header points to",
            es256(
                &with(&header, &json!({ "kid": foreign.kid, "jku": elsewhere.url("/.well-known/jwks.json") })),
                &foreign,
            ),
        ),
        ("a token of another installation", elsewhere.admin().await.access_token),
        ("no signature", unsigned(&header)),
        (
            "the signature of another token",
            format!("{}.{}.{}", parts[0], encoded(&with(&claims, &json!({ "exp": 4_000_000_000_i64 }))), parts[2]),
        ),
        ("a fourth part", format!("{}.{}", admin.access_token, parts[2])),
        ("no claims", format!("{}..{}", parts[0], parts[2])),
    ];
    for none in ["none", "None", "NONE", ""] {
        let header = with(&header, &json!({ "alg": none }));
        forged.push(("no algorithm", unsigned(&header)));
        forged.push(("no algorithm, with a signature", format!("{}.{}.{}", encoded(&header), parts[1], parts[2])));
    }
    for other in ["ES384", "RS256", "PS256", "EdDSA", "HS256"] {
        let header = with(&header, &json!({ "alg": other }));
        forged.push(("the name of another algorithm", es256(&header, &own)));
    }
    for secret in public_key_as_secrets(&own.jwk) {
        let header = with(&header, &json!({ "alg": "HS256" }));
        let secret = EncodingKey::from_secret(&secret);
        forged.push(("the public key as a secret", sign(&header, &claims, &secret, Algorithm::HS256)));
    }
    for (what, token) in forged {
        assert_refused_everywhere(&app, Some(&format!("Bearer {token}")), &format!("{what}: {token}")).await;
    }
    assert_eq!(admin.get("/user").await.status, 200);
}

/// The ways in which a public P-256 key is written down, each of which a careless verifier may take for a shared secret.
fn public_key_as_secrets(jwk: &Value) -> Vec<Vec<u8>> {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(text(&jwk[name])).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    // SubjectPublicKeyInfo of a P-256 key: all but the point is always the same.
    let info = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap();
    let der = [info, point.clone()].concat();
    let body: Vec<String> =
        STANDARD.encode(&der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", body.join("\n"));
    vec![
        jwk.to_string().into_bytes(),
        coordinate("x"),
        point,
        der,
        format!("{pem}\n").into_bytes(),
        pem.into_bytes(),
        Vec::new(),
    ]
}

#[tokio::test]
async fn no_signed_in_route_takes_our_token_for_another_purpose() {
    let app = TestApp::start().await;
    let key = private_key(&app).await;
    let ada = app.signed_in("ada@example.com").await;
    let admin = app.admin().await;
    let (header, claims) = read(&admin.access_token);
    let (_, others) = read(&ada.access_token);
    let now = app.clock.now().seconds();
    let signed = |header: &Value, claims: &Value| sign(header, claims, &key.encoding, Algorithm::ES256);
    assert_eq!(
        user(&app, &signed(&header, &claims)).await.status,
        200,
        "what follows differs from this in one thing each"
    );

    for changes in
        [json!({ "typ": "JWT" }), json!({ "typ": "secevent+jwt" }), json!({ "typ": "" }), json!({ "typ": null })]
    {
        let token = signed(&with(&header, &changes), &claims);
        assert_refused_everywhere(&app, Some(&format!("Bearer {token}")), &changes.to_string()).await;
    }
    for changes in [
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": null }),
        json!({ "aud": "" }),
        json!({ "iss": "https://other.example.com" }),
        json!({ "iss": format!("{}/", app.url("")) }),
        json!({ "iss": null }),
        json!({ "nbf": now + 120 }),
        json!({ "nbf": null }),
        json!({ "exp": now }),
        json!({ "exp": now - 1 }),
        json!({ "exp": null }),
        json!({ "exp": "4000000000" }),
        json!({ "sub": others["sub"] }),
        json!({ "sub": null }),
        json!({ "sub": "admin" }),
        json!({ "sid": others["sid"] }),
        json!({ "sid": others["jti"] }),
        json!({ "sid": null }),
        json!({ "auth_time": null }),
    ] {
        let token = signed(&header, &with(&claims, &changes));
        assert_refused_everywhere(&app, Some(&format!("Bearer {token}")), &changes.to_string()).await;
    }
}

#[tokio::test]
async fn no_signed_in_route_takes_another_kind_of_token() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let link = app.confirmation_token("ada@example.com").await;
    let admin = app.admin().await;
    let cursor = text(&admin.get("/users?limit=1").await.json()["next_cursor"]);
    for (token, what) in [(link, "a link"), (cursor, "a cursor"), (admin.refresh_token.clone(), "a refresh token")] {
        assert_refused_everywhere(&app, Some(&format!("Bearer {token}")), what).await;
    }
}

#[tokio::test]
async fn no_signed_in_route_takes_a_token_without_its_session_or_account() {
    let app = TestApp::start().await;
    let gone = app.signed_in("ada@example.com").await;
    let out = app.signed_in("bob@example.com").await;
    assert_eq!(gone.delete("/user").await.status, 204);
    assert_eq!(out.logout().await.status, 204);
    assert_refused_everywhere(&app, Some(&format!("Bearer {}", gone.access_token)), "no account").await;
    assert_refused_everywhere(&app, Some(&format!("Bearer {}", out.access_token)), "signed out").await;
}

#[tokio::test]
async fn the_token_alone_makes_no_administrator() {
    let app = TestApp::start().await;
    let key = private_key(&app).await;
    let ada = app.signed_in("ada@example.com").await;
    let (header, claims) = read(&ada.access_token);
    let claims = with(&claims, &json!({ "roles": ["user", "admin"] }));
    let token = sign(&header, &claims, &key.encoding, Algorithm::ES256);
    let answer = Answer::of(app.request(Method::GET, "/users").bearer_auth(&token)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_key_is_published_a_day_before_signing_until_its_tokens_expire() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let old = private_key(&app).await;
    let signs_with = async || read(&app.sign_in("ada@example.com").await.access_token).0["kid"].clone();
    assert_eq!(signs_with().await, json!(old.kid));
    app.later(DAY * 29).await;
    assert_eq!(kids(&app).await, std::slice::from_ref(&old.kid));

    app.later(DAY).await;
    let published = kids(&app).await;
    assert_eq!(published.len(), 2);
    let new = published.into_iter().find(|kid| *kid != old.kid).unwrap();
    assert_eq!(signs_with().await, json!(old.kid), "the new key is published and does not sign yet");
    app.later(MINUTE).await;
    assert_eq!(kids(&app).await.len(), 2, "one new key is enough");

    app.later(DAY - MINUTE * 3).await;
    let last = app.sign_in("ada@example.com").await;
    assert_eq!(read(&last.access_token).0["kid"], json!(old.kid));
    // A running function looks at the keys every minute.
    app.later(MINUTE * 8).await;
    let first = app.sign_in("ada@example.com").await;
    assert_eq!(read(&first.access_token).0["kid"], json!(new));
    assert_eq!(first.get("/user").await.status, 200);
    assert_eq!(last.get("/user").await.status, 200, "what the old key signed is good until it expires");

    app.later(MINUTE * 30).await;
    assert_eq!(kids(&app).await.len(), 2);
    app.later(MINUTE * 30).await;
    assert_eq!(kids(&app).await, std::slice::from_ref(&new), "the old key is withdrawn");
    assert_eq!(private_keys(&app).await.len(), 1, "and its private half is gone");
    let (header, claims) = read(&app.sign_in("ada@example.com").await.access_token);
    let token = sign(&with(&header, &json!({ "kid": old.kid })), &claims, &old.encoding, Algorithm::ES256);
    assert_eq!(user(&app, &token).await.code(), "invalid_token", "whoever kept the old key signs nothing any more");

    let retired = app.events("key_retired").await;
    assert_eq!((retired.len(), &retired[0]["event.reason"]), (1, &json!(old.kid)));
    assert_eq!(app.events("key_created").await.len(), 2);
}

/// What an operator does with the AWS CLI; docs/operations/signing-key.md has the command.
async fn revoke(app: &TestApp, kid: &str) {
    let update = app.app().dynamodb().update_item().table_name("users");
    let key = |value: &str| AttributeValue::S(value.into());
    update
        .key("pk", key("KEYS"))
        .key("sk", key(kid))
        .update_expression("SET revoked_at = :now")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":now", key("2026-11-25T09:00:00Z"))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_revoked_key_is_trusted_for_at_most_a_minute_and_replaced() {
    let app = TestApp::start().await;
    let compromised = private_key(&app).await;
    let mut ada = app.signed_in("ada@example.com").await;
    let (header, claims) = read(&ada.access_token);
    let forged =
        sign(&header, &with(&claims, &json!({ "jti": claims["sid"] })), &compromised.encoding, Algorithm::ES256);
    assert_eq!(user(&app, &forged).await.status, 200, "who has the key has every session");

    revoke(&app, &compromised.kid).await;
    assert!(kids(&app).await.is_empty(), "published no more, before any run of the sweeper");
    app.later(MINUTE).await;
    for token in [&forged, &ada.access_token] {
        assert_refused_everywhere(&app, Some(&format!("Bearer {token}")), "signed by a revoked key").await;
    }
    let published = kids(&app).await;
    assert!(published.len() == 1 && published[0] != compromised.kid, "{published:?}");
    assert_eq!(private_keys(&app).await.len(), 1, "the private half is gone");

    let bob = app.signed_in("bob@example.com").await;
    assert_eq!(
        read(&bob.access_token).0["kid"],
        json!(published[0]),
        "who signs in has a token of the new key at once"
    );
    assert_eq!(bob.get("/user").await.status, 200);
    ada.refresh().await;
    let (header, refreshed) = read(&ada.access_token);
    assert_eq!((&header["kid"], &refreshed["sid"]), (&json!(published[0]), &claims["sid"]), "and the session goes on");
    assert_eq!(ada.get("/user").await.status, 200);

    let events = app.events("key_revoked").await;
    assert_eq!((events.len(), &events[0]["event.reason"]), (1, &json!(compromised.kid)));
    app.later(MINUTE).await;
    assert_eq!((kids(&app).await, app.events("key_revoked").await.len()), (published, 1), "once is enough");
}

#[tokio::test]
async fn a_verified_token_expires_on_time_and_vouches_for_no_other() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.later(MINUTE * 10 - Duration::from_secs(5)).await;
    for _ in 0..2 {
        assert_eq!(user(&app, &ada.access_token).await.status, 200);
    }

    let (signed, signature) = ada.access_token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(user(&app, &changed).await.code(), "invalid_token");
    app.later(Duration::from_secs(5)).await;
    assert_eq!(user(&app, &ada.access_token).await.code(), "invalid_token");
}

#[tokio::test]
async fn signing_in_and_refreshing_avoid_a_revoked_key_before_the_sweeper_runs() {
    let app = TestApp::start().await;
    let compromised = private_key(&app).await;
    let mut ada = app.signed_in("ada@example.com").await;
    revoke(&app, &compromised.kid).await;
    app.clock.advance(MINUTE);
    ada.refresh().await;
    assert_ne!(read(&ada.access_token).0["kid"], json!(compromised.kid));
    assert_eq!(ada.get("/user").await.status, 200);
    assert_eq!(app.sign_in("ada@example.com").await.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_key_that_waits_for_its_turn_can_be_revoked_too() {
    let app = TestApp::start().await;
    let signs = private_key(&app).await;
    app.later(DAY * 30).await;
    let waiting = kids(&app).await.into_iter().find(|kid| *kid != signs.kid).unwrap();
    revoke(&app, &waiting).await;
    app.later(MINUTE).await;
    let now = kids(&app).await;
    assert!(
        now.len() == 2 && now.contains(&signs.kid) && !now.contains(&waiting),
        "{now:?}: another waits in its place"
    );
    assert_eq!(read(&app.signed_in("ada@example.com").await.access_token).0["kid"], json!(signs.kid));
}

#[tokio::test]
async fn a_signing_key_whose_public_half_was_deleted_signs_nothing_any_more() {
    let app = TestApp::start().await;
    let old = private_key(&app).await;
    let delete = app.app().dynamodb().delete_item().table_name("users").key("pk", AttributeValue::S("KEYS".into()));
    delete.key("sk", AttributeValue::S(old.kid.clone())).send().await.unwrap();
    app.later(MINUTE).await;
    let ada = app.signed_in("ada@example.com").await;
    assert_ne!(read(&ada.access_token).0["kid"], json!(old.kid));
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn each_mac_key_has_its_own_partition() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.confirmed("ada@example.com").await;
    assert_eq!(admin.get("/users?limit=1").await.status, 200);
    let mut keys = Vec::new();
    for purpose in ["refresh", "cursor"] {
        let get = app.app().dynamodb().get_item().table_name("keys");
        let get = get.key("pk", AttributeValue::S(format!("MAC#{purpose}"))).key("sk", AttributeValue::S("KEY".into()));
        keys.push(get.send().await.unwrap().item.unwrap()["key"].clone());
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn keys_outlive_a_restart_and_a_new_algorithm_takes_its_turn() {
    let data = tempfile::tempdir().unwrap();
    let public = ("PUBLIC_URL", "https://api.example.com");
    let app = TestApp::start_in(Some(data.path()), &[public]).await;
    let ada = app.signed_in("ada@example.com").await;
    let (access_token, refresh_token) = (ada.access_token.clone(), ada.refresh_token.clone());
    let old = kids(&app).await;
    app.stack.stop().await;

    let app = TestApp::start_in(Some(data.path()), &[public, ("SIGNING_ALGORITHM", "EdDSA")]).await;
    assert_eq!(user(&app, &access_token).await.status, 200);
    assert_eq!(app.refresh(&refresh_token).await.status, 200);
    assert_eq!(kids(&app).await.len(), 2, "a key of the new algorithm is published");
    assert_eq!(read(&app.sign_in("ada@example.com").await.access_token).0["kid"], json!(old[0]));
    app.later(DAY + MINUTE).await;
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(read(&ada.access_token).0["alg"], "EdDSA");
    assert_eq!(ada.get("/user").await.status, 200);
    app.later(MINUTE * 61).await;
    assert!(!kids(&app).await.contains(&old[0]));
    app.stack.stop().await;
}

#[tokio::test]
async fn deleting_an_account_requires_a_sign_in_within_fifteen_minutes() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(MINUTE * 9);
    ada.refresh().await;
    app.clock.advance(MINUTE * 7);
    let answer = ada.delete("/user").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "reauthentication_required"));
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_user_authentication\", max_age=\"900\"");
    assert_eq!(ada.get("/user").await.status, 200, "everything else goes on");
    ada.refresh().await;
    assert_eq!(ada.delete("/user").await.code(), "reauthentication_required", "a refresh is no sign-in");
    assert_eq!(app.sign_in("ada@example.com").await.delete("/user").await.status, 204);
}

#[tokio::test]
async fn a_refresh_within_fifteen_minutes_keeps_the_sign_in_recent() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(MINUTE * 9);
    ada.refresh().await;
    app.clock.advance(MINUTE * 5);
    assert_eq!(ada.delete("/user").await.status, 204);
}

#[tokio::test]
async fn keys_that_were_read_ahead_make_tokens_when_the_table_is_down() {
    let app = TestApp::start().await;
    app.signed_in("ada@example.com").await;
    let (ready, unready) = (app.another_instance(), app.another_instance());
    let address = EmailAddress::parse("ada@example.com").unwrap().normalized();
    let owner = ready.store().owner_of(&address).await.unwrap().unwrap();
    let user = ready.store().user(owner).await.unwrap().unwrap();
    let session = Session::begin(&user, None, None, ready.clock.now());

    ready.keys().read_ahead(ready.clock.now()).await.unwrap();
    app.outage(Service::DynamoDb, Outage::Unavailable).await;
    assert!(TokenPair::issue(&ready, &user, &session).await.is_ok());
    assert!(TokenPair::issue(&unready, &user, &session).await.is_err());
}

#[tokio::test]
async fn a_token_of_a_former_url_is_accepted() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let former = app.app().config.tokens.issuer.trim_end_matches("/api/v1").to_owned();
    let read_account = async |former: &str, audience: Option<&str>| {
        let mut config = app.app().config.clone();
        config.tokens.issuer = "https://new.example.com/api/v1".to_owned();
        config.tokens.audience = audience.map_or_else(|| config.tokens.issuer.clone(), ToOwned::to_owned);
        config.tokens.former_issuers = vec![format!("{former}/api/v1")];
        let moved = App::new(config, app.clock.clone()).unwrap();
        let service = functions::route("get_user").unwrap().service(moved);
        let request =
            axum::http::Request::get("/api/v1/user").header("authorization", format!("Bearer {}", ada.access_token));
        let request = request.body(axum::body::Body::empty()).unwrap();
        service.oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(read_account(&former, None).await, 200);
    assert_eq!(read_account("https://elsewhere.example.com", None).await, 401);
    assert_eq!(read_account(&former, Some("orders")).await, 401, "a token for another audience");
}
