//! `POST /user/passkeys/options`, `POST /user/passkeys`, `PUT` and `DELETE /user/passkeys/{id}`, `POST /auth/passkey/options`,
//! `POST /auth/passkey`

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, SignedIn, TestApp, text};

use crate::passkey::{add, added, added_with, asked, authenticator, options, proof, sign_in};

const ADA: &str = "ada@example.com";

async fn remove(session: &SignedIn<'_>, id: &Value, body: &Value) -> Answer {
    Answer::of(session.request(Method::DELETE, &format!("/user/passkeys/{}", text(id))).json(body)).await
}

async fn rename(session: &SignedIn<'_>, id: &Value, name: &str) -> Answer {
    session.put(&format!("/user/passkeys/{}", text(id)), &json!({ "name": name })).await
}

#[tokio::test]
async fn a_passkey_is_added_in_two_steps_and_shown_afterwards() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.backed_up = true;
    let asked = options(&ada, &json!({})).await;
    let creation = &asked["options"];
    assert_eq!(asked["expires_in"], 300);
    assert_eq!(creation["rp"], json!({ "id": "localhost", "name": "Example" }));
    assert_eq!((&creation["user"]["name"], &creation["user"]["displayName"]), (&json!(ADA), &json!("Ada Lovelace")));
    let selection = &creation["authenticatorSelection"];
    assert_eq!((&selection["residentKey"], &selection["userVerification"]), (&json!("preferred"), &json!("required")));
    assert_eq!((&creation["attestation"], &creation["excludeCredentials"]), (&json!("none"), &json!([])));

    let answer = add(&ada, &asked["challenge_token"], &key.create(creation)).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (201, "no-store"), "{}", answer.text);
    let passkey = answer.json();
    assert_eq!((&passkey["name"], &passkey["backed_up"]), (&json!("Phone"), &json!(true)));
    assert_eq!(passkey["recovery_codes"].as_array().unwrap().len(), 10, "with the first second factor");
    let shown = ada.get("/user/factors").await.json();
    assert_eq!(shown["passkeys"].as_array().unwrap().len(), 1);
    for field in ["id", "name", "backed_up", "created_at", "last_used_at"] {
        assert_eq!(shown["passkeys"][0][field], passkey[field], "{field}");
    }
    assert_eq!(shown["passkeys"][0]["last_used_at"], Value::Null);
    assert_eq!(shown["recovery_codes"]["left"], 10);

    assert_eq!(sign_in(&app, &mut key).await.status, 200);
    let used = ada.get("/user/factors").await.json()["passkeys"][0]["last_used_at"].clone();
    assert!(used.is_string(), "{used}");
    let again = options(&ada, &proof(&app, &mut key).await).await;
    assert_eq!(again["options"]["excludeCredentials"].as_array().unwrap().len(), 1, "the browser is told of it");
}

#[tokio::test]
async fn a_passkey_that_is_there_is_not_added_again() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    // A browser that does as it is told says so itself; the ceremony knows it, too.
    let asked = options(&ada, &proof(&app, &mut key).await).await;
    let answer = add(&ada, &asked["challenge_token"], &key.create(&asked["options"])).await;
    assert_eq!(answer.code(), "invalid_passkey");

    // Begun while it was not there yet, ended at the same time: the table settles it.
    let mut other = authenticator(&app);
    let (one, two) = (proof(&app, &mut key).await, proof(&app, &mut key).await);
    let (one, two) = (options(&ada, &one).await, options(&ada, &two).await);
    let made = [&one, &two].map(|asked| (&asked["challenge_token"], other.create(&asked["options"])));
    let answers = join_all(made.iter().map(|(challenge, credential)| add(&ada, challenge, credential))).await;
    let mut statuses = answers.iter().map(|answer| answer.status.as_u16()).collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert!(answers.iter().any(|answer| answer.text.contains("\"passkey_already_added\"")));
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn concurrent_additions_leave_an_account_ten_passkeys_at_most() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let mut first = authenticator(&app);
    added(&ada, &mut first).await;
    for _ in 0..7 {
        let proof = proof(&app, &mut first).await;
        added_with(&ada, &mut authenticator(&app), &proof).await;
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(options(&ada, &proof(&app, &mut first).await).await);
    }
    let adding = asked.iter().map(async |asked| {
        let mut key = authenticator(&app);
        add(&ada, &asked["challenge_token"], &key.create(&asked["options"])).await
    });
    let answers = join_all(adding).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.map(Answer::code).all(|code| code == "too_many_passkeys"));
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"].as_array().unwrap().len(), 10);
    let proof = proof(&app, &mut first).await;
    assert_eq!(ada.post("/user/passkeys/options", &proof).await.code(), "too_many_passkeys");
}

#[tokio::test]
async fn ceremonies_that_were_kept_add_no_eleventh_passkey() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let mut first = authenticator(&app);
    added(&ada, &mut first).await;
    let mut kept = Vec::new();
    for _ in 0..10 {
        kept.push(options(&ada, &proof(&app, &mut first).await).await);
    }
    let mut refused = Vec::new();
    for asked in &kept {
        let answer = add(&ada, &asked["challenge_token"], &authenticator(&app).create(&asked["options"])).await;
        refused.extend((answer.status != 201).then(|| answer.code()));
    }
    assert_eq!(refused, ["too_many_passkeys"]);
}

#[tokio::test]
async fn one_of_many_concurrent_first_passkeys_brings_the_recovery_codes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        asked.push(options(&ada, &json!({})).await);
    }
    let adding = asked.iter().map(async |asked| {
        let mut key = authenticator(&app);
        add(&ada, &asked["challenge_token"], &key.create(&asked["options"])).await
    });
    let answers = join_all(adding).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1, "the others would need a proof by then");
    assert!(made[0].json()["recovery_codes"].is_array());
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.map(Answer::code).all(|code| code == "invalid_challenge"));
}

#[tokio::test]
async fn a_passkey_is_renamed_by_its_owner_alone() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in("bob@example.com").await);
    let passkey = added(&ada, &mut authenticator(&app)).await;
    let renamed = rename(&ada, &passkey["id"], "  Old phone ").await;
    assert_eq!((renamed.status.as_u16(), &renamed.json()["name"]), (200, &json!("Old phone")), "{}", renamed.text);
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"][0]["name"], "Old phone");
    for (name, code) in [("", "required"), ("a\u{202e}b", "invalid_characters"), (&"a".repeat(101), "too_long")] {
        let fields = rename(&ada, &passkey["id"], name).await.fields();
        assert_eq!(fields, [("name".to_owned(), code.to_owned())], "{name:?}");
    }
    assert_eq!(rename(&bob, &passkey["id"], "Mine").await.code(), "passkey_not_found");
    for nobodys in ["47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", "options", "0198c0de-0000-7000-8000-000000000001"] {
        assert_eq!(rename(&ada, &json!(nobodys), "Mine").await.code(), "passkey_not_found", "{nobodys}");
    }
    assert_eq!(ada.get("/user/factors").await.json()["passkeys"][0]["name"], "Old phone");
}

#[tokio::test]
async fn only_its_owner_removes_a_passkey_by_recent_sign_in_and_proof() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let bob = app.signed_in("bob@example.com").await;
    let (mut key, mut of_bob) = (authenticator(&app), authenticator(&app));
    let passkey = added(&ada, &mut key).await;
    added(&bob, &mut of_bob).await;
    assert_eq!(remove(&bob, &passkey["id"], &proof(&app, &mut of_bob).await).await.code(), "passkey_not_found");

    assert_eq!(remove(&ada, &passkey["id"], &json!({})).await.fields()[0].0, "code");
    for wrong in [json!({ "code": "287082" }), json!({ "recovery_code": "0000-0000-0000-0000-0000-0000" })] {
        assert_eq!(remove(&ada, &passkey["id"], &wrong).await.code(), "invalid_code", "{wrong}");
    }
    let anothers = proof(&app, &mut of_bob).await;
    assert_eq!(remove(&ada, &passkey["id"], &anothers).await.code(), "invalid_passkey");
    let malformed = json!({ "passkey": { "challenge_token": "x", "credential": {} } });
    assert_eq!(remove(&ada, &passkey["id"], &malformed).await.fields().len(), 2);
    let mut two = proof(&app, &mut key).await;
    two["code"] = json!("287082");
    assert_eq!(remove(&ada, &passkey["id"], &two).await.code(), "invalid_request");

    app.clock.advance(Duration::from_mins(16));
    let mut old = ada;
    old.refresh().await;
    let fresh = proof(&app, &mut key).await;
    assert_eq!(remove(&old, &passkey["id"], &fresh).await.code(), "reauthentication_required");
    assert_eq!(old.post("/user/passkeys/options", &fresh).await.code(), "reauthentication_required");
    let ada = app.session_of(ADA, &sign_in(&app, &mut key).await.json());
    let fresh = proof(&app, &mut key).await;
    assert_eq!(remove(&ada, &passkey["id"], &fresh).await.status, 204);
    assert_eq!(remove(&ada, &passkey["id"], &fresh).await.code(), "passkey_not_found");
}

#[tokio::test]
async fn a_passkey_renews_the_recovery_codes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let old = added(&ada, &mut key).await["recovery_codes"].clone();
    let answer = ada.post("/user/recovery-codes", &proof(&app, &mut key).await).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let new = answer.json()["recovery_codes"].clone();
    let challenge = app.login(ADA, tests::PASSWORD).await.json()["challenge_token"].clone();
    for (codes, status) in [(old, 403), (new, 200)] {
        let body = json!({ "challenge_token": challenge, "recovery_code": codes[0] });
        assert_eq!(app.post("/auth/login/verify", &body).await.status, status);
    }
}

#[tokio::test]
async fn requesting_a_passkey_reveals_nothing_about_any_account() {
    let app = TestApp::start().await;
    let before = asked(&app).await;
    let ada = app.signed_in(ADA).await;
    added(&ada, &mut authenticator(&app)).await;
    let after = asked(&app).await;
    for asked in [&before, &after] {
        assert_eq!(asked["options"]["allowCredentials"], json!([]));
        assert_eq!((&asked["options"]["rpId"], &asked["expires_in"]), (&json!("localhost"), &json!(300)));
        assert_eq!(asked["options"]["userVerification"], "required");
    }
    assert_ne!(before["options"]["challenge"], after["options"]["challenge"]);
}

#[tokio::test]
async fn a_passkey_sign_in_from_a_new_client_is_reported() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    let asked = asked(&app).await;
    let body = json!({ "challenge_token": asked["challenge_token"], "credential": key.get(&asked["options"]) });
    let request = app
        .request(Method::POST, "/auth/passkey")
        .json(&body)
        .header("user-agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0");
    assert_eq!(Answer::of(request).await.status, 200);
    assert_eq!(app.events("new_client").await.len(), 1);
}

#[tokio::test]
async fn passkeys_are_good_at_the_configured_front_end() {
    let variables =
        [("RELYING_PARTY_ID", "localhost"), ("RELYING_PARTY_ORIGINS", "http://localhost:3000,https://app.localhost")];
    let app = TestApp::start_with(&variables).await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    key.origin = String::from("http://localhost:3000");
    added(&ada, &mut key).await;
    key.origin = String::from("https://app.localhost");
    assert_eq!(sign_in(&app, &mut key).await.status, 200);
    key.origin = authenticator(&app).origin;
    assert_eq!(sign_in(&app, &mut key).await.code(), "invalid_passkey", "the service's own is not among them");
}

#[tokio::test]
async fn a_browser_is_told_how_it_reaches_each_passkey() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let (mut phone, mut old) = (authenticator(&app), authenticator(&app));
    phone.transports = json!(["hybrid", "internal", "smart-card", "of-the-future", "", "not a name"]);
    old.transports = json!([]);
    added(&ada, &mut phone).await;
    let first = proof(&app, &mut phone).await;
    added_with(&ada, &mut old, &first).await;
    let described = |transports: Value, key: &tests::authenticator::Authenticator| {
        let mut descriptor = json!({ "type": "public-key", "id": key.credential_id() });
        if transports != Value::Null {
            descriptor["transports"] = transports;
        }
        descriptor
    };
    let mut expected = vec![
        described(json!(["hybrid", "internal", "smart-card", "of-the-future"]), &phone),
        described(Value::Null, &old),
    ];
    let by_id = |descriptor: &Value| text(&descriptor["id"]);
    expected.sort_by_key(by_id);
    let again = options(&ada, &proof(&app, &mut phone).await).await;
    let challenged = app.login(ADA, tests::PASSWORD).await.json();
    for listed in [&again["options"]["excludeCredentials"], &challenged["passkey_options"]["allowCredentials"]] {
        let mut listed = listed.as_array().unwrap().clone();
        listed.sort_by_key(by_id);
        assert_eq!(listed, expected);
    }
}

#[tokio::test]
async fn an_owner_is_told_what_a_password_manager_is_signalled_by() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let none = ada.get("/user/factors").await.json();
    let passkey = added(&ada, &mut key).await;
    assert_eq!(passkey["credential_id"], json!(key.credential_id()));
    let shown = ada.get("/user/factors").await.json();
    assert_eq!(shown["passkeys"][0]["credential_id"], passkey["credential_id"]);
    let signal = json!({ "rp_id": "localhost", "user_id": key.user_handle() });
    assert_eq!((&none["webauthn"], &shown["webauthn"]), (&signal, &signal), "also when the last one is gone");
    let renamed = rename(&ada, &passkey["id"], "Old phone").await.json();
    assert_eq!(renamed["credential_id"], passkey["credential_id"]);
}
