//! Passkeys under attack: each ceremony is answered once, by its own account, at our origin, with its user verified.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::authenticator::{Authenticator, claiming};
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::{Owner as AppOwner, claims, start};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

/// An authenticator in a browser at the stack's own origin.
pub fn authenticator(app: &TestApp) -> Authenticator {
    Authenticator::at(&app.stack.url().replace("127.0.0.1", "localhost"))
}

/// Asks for the options to add a passkey.
pub async fn options(session: &SignedIn<'_>, proof: &Value) -> Value {
    let answer = session.post("/user/passkeys/options", proof).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

pub async fn add(session: &SignedIn<'_>, challenge: &Value, credential: &Value) -> Answer {
    let body = json!({ "challenge_token": challenge, "name": "Phone", "credential": credential });
    session.post("/user/passkeys", &body).await
}

/// Adds the passkey to an account without a second factor; the answer.
pub async fn added(session: &SignedIn<'_>, key: &mut Authenticator) -> Value {
    added_with(session, key, &json!({})).await
}

pub async fn added_with(session: &SignedIn<'_>, key: &mut Authenticator, proof: &Value) -> Value {
    let asked = options(session, proof).await;
    let answer = add(session, &asked["challenge_token"], &key.create(&asked["options"])).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// The options to sign in with a passkey alone.
pub async fn asked(app: &TestApp) -> Value {
    let answer = Answer::of(app.request(Method::POST, "/auth/passkey/options")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

pub async fn answer(app: &TestApp, challenge: &Value, credential: &Value) -> Answer {
    app.post("/auth/passkey", &json!({ "challenge_token": challenge, "credential": credential })).await
}

/// Signs in with the passkey alone.
pub async fn sign_in(app: &TestApp, key: &mut Authenticator) -> Answer {
    let asked = asked(app).await;
    answer(app, &asked["challenge_token"], &key.get(&asked["options"])).await
}

/// What a step-up takes of a passkey.
pub async fn proof(app: &TestApp, key: &mut Authenticator) -> Value {
    let asked = asked(app).await;
    json!({ "passkey": { "challenge_token": asked["challenge_token"], "credential": key.get(&asked["options"]) } })
}

async fn verify(app: &TestApp, challenged: &Value, credential: &Value) -> Answer {
    let body = json!({ "challenge_token": challenged["challenge_token"], "passkey": credential });
    app.post("/auth/login/verify", &body).await
}

/// What the log says of why.
async fn reasons(app: &TestApp, event: &str) -> Vec<String> {
    app.events(event).await.iter().map(|event| text(&event["event.reason"])).collect()
}

async fn challenged(app: &TestApp, email: &str) -> Value {
    let answer = app.login(email, PASSWORD).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

/// Adds an authenticator app, with a passkey as the proof; what is answered.
async fn app_beside(app: &TestApp, session: &SignedIn<'_>, key: &mut Authenticator) -> Value {
    let secret = text(&session.post("/user/totp", &proof(app, key).await).await.json()["secret"]);
    let confirmed = crate::factor::confirm(app, session, &secret).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    confirmed.json()
}

/// Signs in with the password and a recovery code.
async fn recover(app: &TestApp, code: &Value) {
    let challenged = challenged(app, ADA).await;
    let body = json!({ "challenge_token": challenged["challenge_token"], "recovery_code": code });
    assert_eq!(app.post("/auth/login/verify", &body).await.status, 200);
}

#[tokio::test]
async fn a_sign_in_too_many_does_not_use_up_what_was_asked() {
    let app = TestApp::start_with(&[("LIMIT_PASSKEY_PER_IP", "1/1m")]).await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    assert_eq!(sign_in(&app, &mut key).await.status, 200);
    let asked = asked(&app).await;
    let credential = key.get(&asked["options"]);
    assert_eq!(answer(&app, &asked["challenge_token"], &credential).await.code(), "rate_limited");
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(answer(&app, &asked["challenge_token"], &credential).await.status, 200);
}

#[tokio::test]
async fn a_passkey_signs_in_alone_and_says_how() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let answer = sign_in(&app, &mut key).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["user"]["email"], ADA);
    assert_eq!(text(&body["device_token"]).len(), 102);
    let mut session = app.session_of(ADA, &body);
    assert_eq!(session.get("/user").await.status, 200);
    assert_eq!(claims(&session.access_token)["amr"], json!(["pop", "user", "mfa"]));
    session.refresh().await;
    assert_eq!(claims(&session.access_token)["amr"], json!(["pop", "user", "mfa"]));
}

#[tokio::test]
async fn a_passkey_is_the_second_factor_of_a_password_sign_in() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let challenged = challenged(&app, ADA).await;
    assert_eq!(challenged["methods"], json!(["passkey", "recovery_code"]));
    assert_eq!(challenged["passkey_options"]["allowCredentials"].as_array().map(Vec::len), Some(1));
    let answer = verify(&app, &challenged, &key.get(&challenged["passkey_options"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let session = app.session_of(ADA, &answer.json());
    assert_eq!(claims(&session.access_token)["amr"], json!(["pwd", "pop", "user", "mfa"]));
}

#[tokio::test]
async fn concurrent_replays_of_a_registration_add_one_passkey() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let asked = options(&ada, &json!({})).await;
    let credential = key.create(&asked["options"]);
    let answers = join_all((0..16).map(|_| add(&ada, &asked["challenge_token"], &credential))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.map(Answer::code).all(|code| code == "invalid_challenge"));
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"].as_array().unwrap().len(), 1);
    assert_eq!(reasons(&app, "passkey_refused").await, ["unknown_challenge"; 15]);
}

#[tokio::test]
async fn concurrent_replays_of_an_assertion_sign_in_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    // One that counts shows a replay by its count as well: here the ceremony alone has to.
    let mut key = authenticator(&app);
    key.sign_count = None;
    added(&ada, &mut key).await;
    let asked = asked(&app).await;
    let credential = key.get(&asked["options"]);
    let answers = join_all((0..16).map(|_| answer(&app, &asked["challenge_token"], &credential))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answer(&app, &asked["challenge_token"], &credential).await.code(), "invalid_challenge");
    assert_eq!(reasons(&app, "login_failed").await, ["unknown_challenge"; 16]);
    let fresh = self::asked(&app).await;
    assert_eq!(answer(&app, &fresh["challenge_token"], &credential).await.code(), "invalid_passkey");
}

#[tokio::test]
async fn concurrent_replays_of_a_second_factor_sign_in_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.sign_count = None;
    added(&ada, &mut key).await;
    let first = challenged(&app, ADA).await;
    let credential = key.get(&first["passkey_options"]);
    let answers = join_all((0..16).map(|_| verify(&app, &first, &credential))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let second = challenged(&app, ADA).await;
    assert_eq!(verify(&app, &second, &credential).await.code(), "invalid_passkey", "another challenge");
}

#[tokio::test]
async fn a_ceremony_of_another_account_adds_nothing() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in(BOB).await);
    let mut key = authenticator(&app);
    let asked = options(&ada, &json!({})).await;
    let credential = key.create(&asked["options"]);
    assert_eq!(add(&bob, &asked["challenge_token"], &credential).await.code(), "invalid_challenge");
    let of_bob = options(&bob, &json!({})).await;
    assert_eq!(add(&bob, &of_bob["challenge_token"], &credential).await.code(), "invalid_passkey");
    assert_eq!(add(&ada, &asked["challenge_token"], &credential).await.status, 201, "nobody used it up");
}

#[tokio::test]
async fn a_passkey_made_or_used_at_another_origin_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let home = authenticator(&app).origin;
    let elsewhere = [
        "https://localhost.example.com",
        "http://localhost",
        "http://localhost:1",
        "https://example.com",
        "http://sub.localhost",
        &home.replace("http://", "https://"),
    ];
    for origin in elsewhere {
        let mut key = authenticator(&app);
        key.origin = origin.to_owned();
        let asked = options(&ada, &json!({})).await;
        let answer = add(&ada, &asked["challenge_token"], &key.create(&asked["options"])).await;
        assert_eq!(answer.code(), "invalid_passkey", "{origin}");
    }
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    for origin in elsewhere {
        key.origin = origin.to_owned();
        assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "{origin}");
    }
    key.origin = home;
    assert_eq!(sign_in(&app, &mut key).await.status, 200);
}

#[tokio::test]
async fn a_passkey_of_another_relying_party_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.rp_id = String::from("example.com");
    let asked = options(&ada, &json!({})).await;
    let credential = key.create(&asked["options"]);
    assert_eq!(add(&ada, &asked["challenge_token"], &credential).await.code(), "invalid_passkey");
    assert_eq!(app.events("passkey_refused").await[0]["event.reason"], "not_valid");
    key.rp_id = String::from("localhost");
    added(&ada, &mut key).await;
    key.rp_id = String::from("example.com");
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey");
}

#[tokio::test]
async fn an_authenticator_that_does_not_verify_its_user_is_refused_everywhere() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.verifies_user = false;
    let asked = options(&ada, &json!({})).await;
    let credential = key.create(&asked["options"]);
    assert_eq!(add(&ada, &asked["challenge_token"], &credential).await.code(), "invalid_passkey");
    assert_eq!(app.events("passkey_refused").await[0]["event.reason"], "user_not_verified");
    key.verifies_user = true;
    added(&ada, &mut key).await;
    key.verifies_user = false;
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "alone");
    let challenged = challenged(&app, ADA).await;
    let credential = key.get(&challenged["passkey_options"]);
    assert_eq!(verify(&app, &challenged, &credential).await.code(), "invalid_passkey", "as the second factor");
}

#[tokio::test]
async fn a_signature_counter_that_does_not_rise_is_refused_as_a_clone() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.sign_count = Some(7);
    added(&ada, &mut key).await;
    assert_eq!(sign_in(&app, &mut key).await.status, 200);
    for behind in [7, 6, 0] {
        key.sign_count = Some(behind);
        assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "{behind} and one more");
    }
    key.sign_count = None;
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "counting no more");
    let cloned = app.events("passkey_cloned").await;
    assert_eq!(
        (cloned.len(), &cloned[0]["user.id"], &cloned[0]["event.outcome"]),
        (4, &json!(ada.id), &json!("failure"))
    );
    assert_eq!(cloned[0]["passkey.id"].as_str().map(str::len), Some(43));
    key.sign_count = Some(8);
    assert_eq!(sign_in(&app, &mut key).await.status, 200, "the owner's goes on");
}

#[tokio::test]
async fn concurrent_sign_ins_with_the_same_signature_counter_succeed_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let mut asked = Vec::new();
    for _ in 0..16 {
        asked.push(self::asked(&app).await);
    }
    let credentials = asked.iter().map(|asked| {
        key.sign_count = Some(0);
        key.get(&asked["options"])
    });
    let credentials: Vec<_> = credentials.collect();
    let both = asked.iter().zip(&credentials);
    let answers = join_all(both.map(|(asked, credential)| answer(&app, &asked["challenge_token"], credential))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "sixteen with the same count");
}

#[tokio::test]
async fn a_passkey_opens_no_account_but_its_own() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in(BOB).await);
    let (mut of_ada, mut of_bob) = (authenticator(&app), authenticator(&app));
    added(&ada, &mut of_ada).await;
    added(&bob, &mut of_bob).await;

    let asked = asked(&app).await;
    let forged = claiming(of_bob.get(&asked["options"]), &ada.id);
    assert_eq!(
        answer(&app, &asked["challenge_token"], &forged).await.code(),
        "invalid_passkey",
        "another's name on it"
    );
    let mut nameless = of_bob.get(&asked["options"]);
    nameless["response"]["userHandle"] = Value::Null;
    let asked = self::asked(&app).await;
    assert_eq!(answer(&app, &asked["challenge_token"], &nameless).await.code(), "invalid_passkey", "no name on it");

    let challenged = challenged(&app, ADA).await;
    let credential = of_bob.get(&challenged["passkey_options"]);
    assert_eq!(verify(&app, &challenged, &credential).await.code(), "invalid_passkey", "as another's second factor");
    let claimed = claiming(of_bob.get(&challenged["passkey_options"]), &ada.id);
    assert_eq!(verify(&app, &challenged, &claimed).await.code(), "invalid_passkey", "with another's name on it");
    let own = claiming(of_ada.get(&challenged["passkey_options"]), &bob.id);
    assert_eq!(verify(&app, &challenged, &own).await.code(), "invalid_passkey", "one's own with another's name on it");
    let mut own = of_ada.get(&challenged["passkey_options"]);
    own["response"]["userHandle"] = Value::Null;
    assert_eq!(verify(&app, &challenged, &own).await.status, 200, "the address says whose it is");
}

#[tokio::test]
async fn a_credential_of_two_accounts_opens_the_one_its_handle_names() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in(BOB).await);
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    added(&bob, &mut key).await;
    let answer = sign_in(&app, &mut key).await;
    assert_eq!(answer.json()["user"]["email"], BOB, "what the authenticator says last");
}

#[tokio::test]
async fn every_failed_passkey_sign_in_has_the_same_answer() {
    let app = TestApp::start().await;
    let mut keys = Vec::new();
    for (at, email) in [ADA, BOB, "cy@example.com"].into_iter().enumerate() {
        let mut key = authenticator(&app);
        let session = app.signed_in(email).await;
        added(&session, &mut key).await;
        match at {
            0 => set(&app, &session.id, "email_confirmed", AttributeValue::Bool(false)).await,
            1 => assert_eq!(session.delete("/user").await.status, 204),
            _ => key.verifies_user = false,
        }
        keys.push(key);
    }
    let mut unknown = authenticator(&app);
    let asked = self::asked(&app).await;
    let mut creation = asked["options"].clone();
    creation["rp"] = json!({ "id": "localhost" });
    creation["pubKeyCredParams"] = json!([{ "alg": -7 }]);
    creation["user"] = json!({ "id": "AAAAAAAAAAAAAAAAAAAAAA" });
    unknown.create(&creation);
    keys.push(unknown);
    let mut answers = Vec::new();
    for key in &mut keys {
        answers.push(sign_in(&app, key).await);
    }
    assert_eq!(answers[0].code(), "invalid_passkey");
    for answer in &answers {
        assert_eq!(answer.essence(), answers[0].essence());
    }
    let mut reasons: Vec<_> =
        app.events("login_failed").await.iter().map(|event| text(&event["event.reason"])).collect();
    reasons.reverse();
    assert_eq!(reasons, ["not_confirmed", "unknown_passkey", "passkey_refused", "unknown_passkey"]);
}

#[tokio::test]
async fn the_passkey_of_a_disabled_account_reveals_that_it_is_disabled() {
    let app = TestApp::start().await;
    let mut key = authenticator(&app);
    let ada = app.signed_in(ADA).await;
    added(&ada, &mut key).await;
    app.set_disabled(&ada.id).await;
    let answer = sign_in(&app, &mut key).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "account_disabled"));
    assert_eq!(app.events("login_failed").await[0]["event.reason"], "disabled");
}

async fn set(app: &TestApp, user: &str, attribute: &str, value: AttributeValue) {
    let update = app.app().dynamodb().update_item().table_name("users");
    update
        .key("pk", AttributeValue::S(format!("USER#{user}")))
        .key("sk", AttributeValue::S("PROFILE".into()))
        .update_expression("SET #attribute = :value")
        .expression_attribute_names("#attribute", attribute)
        .expression_attribute_values(":value", value)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn ceremonies_end_after_five_minutes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let late = options(&ada, &json!({})).await;
    let in_time = options(&ada, &json!({})).await;
    app.clock.advance(Duration::from_mins(4));
    let answer = add(&ada, &in_time["challenge_token"], &key.create(&in_time["options"])).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    app.clock.advance(Duration::from_mins(1));
    let mut other = authenticator(&app);
    let credential = other.create(&late["options"]);
    assert_eq!(add(&ada, &late["challenge_token"], &credential).await.code(), "invalid_challenge");

    let asked = asked(&app).await;
    app.clock.advance(Duration::from_mins(5));
    let credential = key.get(&asked["options"]);
    assert_eq!(self::answer(&app, &asked["challenge_token"], &credential).await.code(), "invalid_challenge");
}

#[tokio::test]
async fn a_ceremony_token_and_any_other_token_are_not_interchangeable() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let session = app.session_of(ADA, &sign_in(&app, &mut key).await.json());
    let challenged = challenged(&app, ADA).await;
    let adding = options(&session, &proof(&app, &mut key).await).await;
    let asked = asked(&app).await;

    let credential = key.get(&asked["options"]);
    let session_id = claims(&session.access_token)["sid"].clone();
    for other in [&adding["challenge_token"], &session_id, &json!(ada.id)] {
        assert_eq!(answer(&app, other, &credential).await.code(), "invalid_challenge", "{other}");
        let body = json!({ "passkey": { "challenge_token": other, "credential": credential } });
        assert_eq!(session.post("/user/recovery-codes", &body).await.code(), "invalid_challenge", "{other}");
    }
    for other in
        [&challenged["challenge_token"], &json!(session.access_token), &json!(session.refresh_token), &json!("")]
    {
        let fields = answer(&app, other, &credential).await.fields();
        assert_eq!(fields, [("challenge_token".to_owned(), "invalid_challenge_token".to_owned())], "{other}");
    }
    for token in [&adding["challenge_token"], &asked["challenge_token"]] {
        assert_eq!(app.refresh(&text(token)).await.code(), "invalid_refresh_token");
        let body = json!({ "challenge_token": token, "code": "287082" });
        assert_eq!(app.post("/auth/login/verify", &body).await.code(), "invalid_challenge");
        let bearer = app.request(Method::GET, "/user").bearer_auth(text(token));
        assert_eq!(Answer::of(bearer).await.code(), "invalid_token");
    }
    let mut second = authenticator(&app);
    let made = second.create(&adding["options"]);
    assert_eq!(add(&session, &asked["challenge_token"], &made).await.code(), "invalid_challenge");
    assert_eq!(answer(&app, &asked["challenge_token"], &credential).await.status, 200, "none of that used it up");
}

#[tokio::test]
async fn wrong_passkeys_count_as_wrong_codes_do() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let mut stranger = authenticator(&app);
    let challenged = challenged(&app, ADA).await;
    for _ in 0..5 {
        let wrong = stranger.get(&challenged["passkey_options"]);
        assert_eq!(verify(&app, &challenged, &wrong).await.code(), "invalid_passkey");
    }
    let right = key.get(&challenged["passkey_options"]);
    assert_eq!(verify(&app, &challenged, &right).await.code(), "invalid_challenge", "five tries");
    let next = self::challenged(&app, ADA).await;
    assert_eq!(verify(&app, &next, &stranger.get(&next["passkey_options"])).await.code(), "invalid_passkey");
    let right = key.get(&next["passkey_options"]);
    assert_eq!(verify(&app, &next, &right).await.code(), "too_many_attempts");
    assert_eq!(sign_in(&app, &mut key).await.status, 200, "alone there is nothing to guess, and nothing to lock");
}

#[tokio::test]
async fn a_session_left_open_adds_no_factor_to_a_second_factor() {
    let app = TestApp::start().await;
    let thief = app.signed_in(ADA).await;
    // What was begun before there was a second factor comes too late as well.
    let (asked, secret) = (options(&thief, &json!({})).await, start(&thief).await);
    let ada = app.sign_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;

    let mut of_thief = authenticator(&app);
    let made = of_thief.create(&asked["options"]);
    assert_eq!(add(&thief, &asked["challenge_token"], &made).await.code(), "invalid_challenge");
    assert_eq!(crate::factor::confirm(&app, &thief, &secret).await.code(), "totp_not_found");
    for path in ["/user/passkeys/options", "/user/totp"] {
        assert_eq!(thief.post(path, &json!({})).await.code(), "second_factor_needed", "{path}");
        assert_eq!(thief.post(path, &json!({ "code": "287082" })).await.code(), "invalid_code", "{path}");
        let wrong = proof(&app, &mut of_thief).await;
        assert_eq!(thief.post(path, &wrong).await.code(), "invalid_passkey", "{path}");
        let right = proof(&app, &mut key).await;
        assert_eq!(ada.post(path, &right).await.status, 200, "{path}");
        assert_eq!(ada.post(path, &right).await.code(), "invalid_challenge", "{path}: once");
    }
}

#[tokio::test]
async fn both_factors_coexist_and_recovery_codes_end_with_the_last_one() {
    let app = TestApp::start().await;
    let owner = AppOwner::enrolled(&app, ADA).await;
    let ada = owner.sign_in().await;
    let mut key = authenticator(&app);
    let passkey = added_with(&ada, &mut key, &json!({ "code": owner.fresh_code() })).await;
    assert!(passkey.get("recovery_codes").is_none(), "there are some: {passkey}");
    let challenged = challenged(&app, ADA).await;
    assert_eq!(challenged["methods"], json!(["totp", "passkey", "recovery_code"]));

    let proof = self::proof(&app, &mut key).await;
    assert_eq!(crate::factor::remove(&ada, &proof).await.status, 204);
    let factors = ada.get("/user/factors").await.json();
    assert_eq!((&factors["totp"], &factors["recovery_codes"]["left"]), (&Value::Null, &json!(10)));
    assert_eq!(self::challenged(&app, ADA).await["methods"], json!(["passkey", "recovery_code"]));

    let path = format!("/user/passkeys/{}", text(&passkey["id"]));
    let body = json!({ "recovery_code": owner.recovery[0] });
    assert_eq!(Answer::of(ada.request(Method::DELETE, &path).json(&body)).await.status, 204);
    let factors = ada.get("/user/factors").await.json();
    assert_eq!((&factors["passkeys"], &factors["recovery_codes"]["left"]), (&json!([]), &json!(0)));
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200, "the password alone signs in again");
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey");
}

#[tokio::test]
async fn an_app_added_to_a_passkey_keeps_the_existing_recovery_codes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let passkey = added(&ada, &mut key).await;
    let confirmed = app_beside(&app, &ada, &mut key).await;
    assert_eq!(confirmed, json!({}), "there are some");

    recover(&app, &passkey["recovery_codes"][0]).await;
    let mails = app.mails_to(ADA, 4).await;
    let told = mails.iter().find(|mail| text(&mail["subject"]).contains("authenticator app was added"));
    assert!(text(&told.unwrap()["text"]).contains("Your other ways to sign in still work."), "{told:?}");
}

#[tokio::test]
async fn an_app_added_to_a_passkey_brings_missing_recovery_codes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let passkey = added(&ada, &mut key).await;
    for code in passkey["recovery_codes"].as_array().unwrap() {
        recover(&app, code).await;
    }
    let confirmed = app_beside(&app, &ada, &mut key).await;
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(ada.get("/user/factors").await.json()["recovery_codes"]["left"], 10);
}

#[tokio::test]
async fn a_new_password_leaves_passkeys_and_a_deleted_account_none() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    app.post("/auth/password/forgot", &json!({ "email": ADA })).await;
    let token = app.mailed_token(ADA, "/auth/password/reset").await;
    let body = json!({ "token": token, "password": "another horse battery" });
    assert_eq!(app.post("/auth/password/reset", &body).await.status, 200);
    let answer = sign_in(&app, &mut key).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let ada = app.session_of(ADA, &answer.json());
    let pending = options(&ada, &proof(&app, &mut key).await).await;
    assert!(pending["challenge_token"].is_string());
    assert_eq!(ada.delete("/user").await.status, 204);
    app.idle().await;
    assert_eq!(app.items_with(&format!("USER#{}", ada.id)).await.len(), 1, "what is left to erase");
    app.later(Duration::from_mins(2)).await;
    assert_eq!(app.items_with(&format!("USER#{}", ada.id)).await, Vec::<String>::new());
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey");
}

#[tokio::test]
async fn changes_to_a_passkey_are_logged_and_notify_the_owner() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let passkey = added(&ada, &mut key).await;
    let path = format!("/user/passkeys/{}", text(&passkey["id"]));
    assert_eq!(ada.put(&path, &json!({ "name": "Old phone" })).await.status, 200);
    let body = proof(&app, &mut key).await;
    assert_eq!(Answer::of(ada.request(Method::DELETE, &path).json(&body)).await.status, 204);
    for action in ["passkey_requested", "passkey_added", "passkey_renamed", "passkey_removed"] {
        let events = app.events(action).await;
        let [event] = events.as_slice() else { panic!("{action}: {events:?}") };
        assert_eq!((&event["user.id"], &event["event.outcome"]), (&json!(ada.id), &json!("success")), "{action}");
        assert_eq!(event["source.ip"], "127.0.0.1", "{action}");
        assert!(action == "passkey_requested" || event["passkey.id"] == passkey["id"], "{action}");
    }
    let subjects: Vec<_> = app.mails_to(ADA, 3).await.iter().map(|mail| text(&mail["subject"])).collect();
    for subject in ["A passkey was added to your Example account", "A passkey was removed from your Example account"] {
        assert_eq!(subjects.iter().filter(|other| *other == subject).count(), 1, "{subjects:?}");
    }
}

/// Reported by users of Supabase (auth, issue 2732), `KeePassXC` (13239) and `webauthn-rs` (510): authenticators correct what they
/// said of backups when the passkey was made.
#[tokio::test]
async fn a_passkey_that_becomes_synchronised_signs_in_and_says_so() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.sign_count = None;
    added(&ada, &mut key).await;
    // Flags 0x45 when it was made; then 0x0d, 0x1d, 0x05, 0x1d, 0x0d.
    for (eligible, backed_up) in [(true, false), (true, true), (false, false), (true, true), (true, false)] {
        (key.backup_eligible, key.backed_up) = (Some(eligible), backed_up);
        let answer = sign_in(&app, &mut key).await;
        assert_eq!(answer.status, 200, "alone, {eligible} {backed_up}: {}", answer.text);
        assert_eq!(ada.get("/user/factors").await.json()["passkeys"][0]["backed_up"], backed_up);

        let challenged = challenged(&app, ADA).await;
        let answer = verify(&app, &challenged, &key.get(&challenged["passkey_options"])).await;
        assert_eq!(answer.status, 200, "after the password, {eligible} {backed_up}: {}", answer.text);
        let answer = ada.post("/user/recovery-codes", &proof(&app, &mut key).await).await;
        assert_eq!(answer.status, 200, "as a proof, {eligible} {backed_up}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_backup_flag_that_was_not_signed_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    for flags in [0x0d, 0x1d, 0x15] {
        let asked = asked(&app).await;
        let mut credential = key.get(&asked["options"]);
        let mut data = URL_SAFE_NO_PAD.decode(text(&credential["response"]["authenticatorData"])).unwrap();
        data[32] = flags;
        credential["response"]["authenticatorData"] = json!(URL_SAFE_NO_PAD.encode(data));
        assert_eq!(answer(&app, &asked["challenge_token"], &credential).await.code(), "invalid_passkey", "{flags:#x}");
    }
    (key.backup_eligible, key.backed_up) = (Some(false), true);
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "backed up and not eligible (0x15)");
    let mut other = authenticator(&app);
    (other.backup_eligible, other.backed_up) = (Some(false), true);
    let asked = options(&ada, &proof_of_last(&app, &mut key).await).await;
    let made = other.create(&asked["options"]);
    assert_eq!(add(&ada, &asked["challenge_token"], &made).await.code(), "invalid_passkey", "neither is a new one");
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"][0]["backed_up"], false);
}

/// A proof by a passkey that says what is true of it again.
async fn proof_of_last(app: &TestApp, key: &mut Authenticator) -> Value {
    (key.backup_eligible, key.backed_up) = (None, false);
    proof(app, key).await
}

#[tokio::test]
async fn a_passkey_that_becomes_synchronised_counts_on() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.sign_count = Some(7);
    added(&ada, &mut key).await;
    key.backed_up = true;
    assert_eq!(sign_in(&app, &mut key).await.status, 200);
    key.sign_count = Some(5);
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "behind");
    assert_eq!(app.events("passkey_cloned").await.len(), 1);
}

/// Reported by users of Yubico's server (java-webauthn-server, issue 327): Safari and a security key.
#[tokio::test]
async fn an_empty_user_handle_is_none() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    for handle in [Some(json!("")), Some(Value::Null), None] {
        let bend = |mut credential: Value| {
            match &handle {
                Some(handle) => credential["response"]["userHandle"] = handle.clone(),
                None => _ = credential["response"].as_object_mut().unwrap().remove("userHandle"),
            }
            credential
        };
        let challenged = challenged(&app, ADA).await;
        let after = verify(&app, &challenged, &bend(key.get(&challenged["passkey_options"]))).await;
        assert_eq!(after.status, 200, "after the password, {handle:?}: {}", after.text);
        let asked = asked(&app).await;
        let credential = bend(key.get(&asked["options"]));
        let proof = json!({ "passkey": { "challenge_token": asked["challenge_token"], "credential": credential } });
        let stepped_up = ada.post("/auth/step-up", &proof).await;
        assert_eq!(stepped_up.status, 204, "as a proof, {handle:?}: {}", stepped_up.text);
        let asked = self::asked(&app).await;
        let alone = answer(&app, &asked["challenge_token"], &bend(key.get(&asked["options"]))).await;
        assert_eq!(alone.code(), "invalid_passkey", "alone nobody is named, {handle:?}");
    }
}

/// How a browser writes a credential otherwise.
type Bend = Box<dyn Fn(&mut Value)>;

#[tokio::test]
async fn members_that_browsers_leave_out_or_add_change_nothing() {
    const LEFT_OUT: [(&str, &str); 3] =
        [("", "clientExtensionResults"), ("", "authenticatorAttachment"), ("response", "transports")];
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut bent: Vec<(String, Bend)> = Vec::new();
    for (within, name) in LEFT_OUT {
        bent.push((
            format!("{name} is null"),
            Box::new(move |credential| {
                let parent = if within.is_empty() { credential } else { &mut credential[within] };
                parent[name] = Value::Null;
            }),
        ));
        bent.push((
            format!("{name} is left out"),
            Box::new(move |credential| {
                let parent = if within.is_empty() { credential } else { &mut credential[within] };
                parent.as_object_mut().unwrap().remove(name);
            }),
        ));
    }
    bent.push((
        "extensions".into(),
        Box::new(|credential| {
            credential["clientExtensionResults"] = json!({
                "credProps": { "rk": true, "authenticatorDisplayName": "Phone" }, "appid": null, "credProtect": null,
                "prf": { "enabled": true }, "largeBlob": { "supported": true }, "minPinLength": "4", "uvm": [[2, 4, 2]],
            });
        }),
    ));
    bent.push((
        "members of level 3 and of the future".into(),
        Box::new(|credential| {
            credential["extensions"] = json!({});
            credential["later"] = json!({ "more": [1, null] });
            for name in ["publicKey", "publicKeyAlgorithm", "later"] {
                credential["response"][name] = json!(-7);
            }
            let response = credential["response"].as_object_mut().unwrap();
            response.entry("authenticatorData").or_insert(json!("AA"));
            response.entry("attestationObject").or_insert(Value::Null);
        }),
    ));
    let mut first = authenticator(&app);
    added(&ada, &mut first).await;
    for (what, bend) in &bent {
        let mut key = authenticator(&app);
        let asked = options(&ada, &proof(&app, &mut first).await).await;
        let mut made = key.create(&asked["options"]);
        bend(&mut made);
        let added = add(&ada, &asked["challenge_token"], &made).await;
        assert_eq!(added.status, 201, "create, {what}: {}", added.text);
        let asked = self::asked(&app).await;
        let mut signed = key.get(&asked["options"]);
        bend(&mut signed);
        let answer = answer(&app, &asked["challenge_token"], &signed).await;
        assert_eq!(answer.status, 200, "get, {what}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_credential_of_another_form_is_refused_by_name() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let asked = options(&ada, &json!({})).await;
    let made = key.create(&asked["options"]);
    let bent = |pointer: &str, value: Value| {
        let mut credential = made.clone();
        *credential.pointer_mut(pointer).unwrap() = value;
        credential
    };
    for credential in [
        json!({}),
        json!([]),
        json!("credential"),
        bent("/response", json!([])),
        bent("/response", Value::Null),
        bent("/rawId", Value::Null),
        bent("/rawId", json!("not base64!")),
        bent("/id", Value::Null),
        bent("/response/clientDataJSON", Value::Null),
        bent("/response/attestationObject", json!(7)),
        bent("/response/transports", json!("usb")),
        bent("/response/transports", json!([1])),
        bent("/clientExtensionResults", json!("none")),
    ] {
        let fields = add(&ada, &asked["challenge_token"], &credential).await.fields();
        assert_eq!(fields, [("credential".to_owned(), "invalid_credential".to_owned())], "{credential}");
    }
    assert_eq!(add(&ada, &asked["challenge_token"], &made).await.status, 201, "none of that used it up");
}

#[tokio::test]
async fn a_passkey_that_is_asked_for_within_another_sites_page_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.cross_origin = true;
    let asked = options(&ada, &json!({})).await;
    let made = key.create(&asked["options"]);
    assert_eq!(add(&ada, &asked["challenge_token"], &made).await.code(), "invalid_passkey", "a new one");
    key.cross_origin = false;
    added(&ada, &mut key).await;
    key.cross_origin = true;
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "alone");
    let challenged = challenged(&app, ADA).await;
    let credential = key.get(&challenged["passkey_options"]);
    assert_eq!(verify(&app, &challenged, &credential).await.code(), "invalid_passkey", "as the second factor");
}

/// Reported by a user of `FusionAuth` (issue 3576).
#[tokio::test]
async fn a_passkey_is_good_in_an_android_app_that_is_listed() {
    const APP: &str = "android:apk-key-hash:NztP-sfNqy2_XIe4erm4qR-w4eRJ2Dl6JduFbPCYHik";
    const OTHER: &str = "android:apk-key-hash:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    for listed in [APP, &format!("{APP},http://localhost:3000")] {
        let app = TestApp::start_with(&[("RELYING_PARTY_ORIGINS", listed)]).await;
        let ada = app.signed_in(ADA).await;
        let mut key = authenticator(&app);
        for elsewhere in [OTHER, "https://localhost", &APP.to_lowercase(), &key.origin.clone()] {
            key.origin = elsewhere.to_owned();
            let asked = options(&ada, &json!({})).await;
            let made = key.create(&asked["options"]);
            assert_eq!(add(&ada, &asked["challenge_token"], &made).await.code(), "invalid_passkey", "{elsewhere}");
        }
        key.origin = APP.to_owned();
        added(&ada, &mut key).await;
        let answer = sign_in(&app, &mut key).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        key.origin = OTHER.to_owned();
        assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "another app's certificate");
        key.origin = String::from("http://localhost:3000");
        assert_eq!(sign_in(&app, &mut key).await.status.is_success(), listed.contains("3000"), "a page beside it");
    }
}
