//! `POST /auth/step-up`, and what a recent session may do

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::factor::{Factor, Permission, UsedProof};
use shared::domain::mail::OutboxEmail;
use shared::domain::session::Session;
use shared::domain::user::User;
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::{Owner, claims};
use crate::passkey::{added, added_with, authenticator, options, proof};

const ADA: &str = "ada@example.com";
const LATER: Duration = Duration::from_mins(16);

async fn step_up(session: &SignedIn<'_>, body: &Value) -> Answer {
    session.post("/auth/step-up", body).await
}

fn password() -> Value {
    json!({ "password": PASSWORD })
}

/// Moves the clock past a quarter of an hour, and goes on with the session.
async fn leave_open(app: &TestApp, session: &mut SignedIn<'_>) {
    app.clock.advance(LATER);
    session.refresh().await;
}

fn assert_not_recent(answer: &Answer, what: &str) {
    assert_eq!(answer.code(), "reauthentication_required", "{what}");
    let asked = "Bearer error=\"insufficient_user_authentication\", max_age=\"900\"";
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, asked), "{what}");
}

fn passkey_path(passkey: &Value) -> String {
    format!("/user/passkeys/{}", text(&passkey["id"]))
}

async fn stored(app: &TestApp, session: &SignedIn<'_>) -> (User, Session) {
    let claims = claims(&session.access_token);
    let (user, session) = (text(&claims["sub"]).parse().unwrap(), text(&claims["sid"]).parse().unwrap());
    let (user, session) = app.app().store().user_and_session(user, session).await.unwrap();
    (user.unwrap(), session.unwrap())
}

#[tokio::test]
async fn the_password_makes_an_old_session_recent_for_fifteen_minutes() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in(ADA).await;
    leave_open(&app, &mut ada).await;
    let before = claims(&ada.access_token);
    let change = json!({ "email": "ada@example.org" });
    assert_not_recent(&ada.put("/user", &change).await, "an old sign-in");
    assert_eq!(step_up(&ada, &json!({ "password": "wrong" })).await.code(), "wrong_password");
    assert_not_recent(&ada.put("/user", &change).await, "a wrong password");

    let answer = step_up(&ada, &password()).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (204, "no-store"), "{}", answer.text);
    assert_eq!(ada.put("/user", &change).await.status, 200, "with the access token that it has");
    ada.refresh().await;
    let after = claims(&ada.access_token);
    let waited = after["auth_time"].as_i64().unwrap() - before["auth_time"].as_i64().unwrap();
    assert!((960..=1020).contains(&waited), "auth_time moved on by {waited} s");
    assert_eq!((&after["amr"], &after["sid"]), (&json!(["pwd"]), &before["sid"]));
    let events = app.events("stepped_up").await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["session.id"], &events[0]["event.reason"]), (&after["sid"], &json!("password")));
    assert_eq!(app.events("step_up_failed").await[0]["event.outcome"], "failure");

    leave_open(&app, &mut ada).await;
    assert_not_recent(&ada.delete("/user").await, "a quarter of an hour later");
    assert_eq!(step_up(&ada, &password()).await.status, 204);
    assert_eq!(ada.delete("/user").await.status, 204);
}

#[tokio::test]
async fn each_second_factor_makes_an_old_session_recent() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let mut session = owner.sign_in().await;
    let mut key = authenticator(&app);
    added_with(&session, &mut key, &json!({ "code": owner.fresh_code() })).await;
    let change = json!({ "email": ADA });
    for (method, amr) in [
        ("code", json!(["pwd", "otp", "mfa"])),
        ("recovery_code", json!(["pwd", "otp", "mfa"])),
        ("passkey", json!(["pwd", "otp", "pop", "user", "mfa"])),
    ] {
        leave_open(&app, &mut session).await;
        assert_not_recent(&session.put("/user", &change).await, method);
        let body = match method {
            "code" => json!({ "code": owner.fresh_code() }),
            "recovery_code" => json!({ "recovery_code": owner.recovery[0] }),
            _ => proof(&app, &mut key).await,
        };
        let answer = step_up(&session, &body).await;
        assert_eq!(answer.status, 204, "{method}: {}", answer.text);
        assert_eq!(session.put("/user", &change).await.status, 200, "{method}");
        session.refresh().await;
        assert_eq!(claims(&session.access_token)["amr"], amr, "{method}");
        assert!(step_up(&session, &body).await.status.is_client_error(), "{method}: once");
    }
    let mails = app.mails_to(ADA, 4).await;
    let told = mails.iter().filter(|mail| text(&mail["subject"]).contains("A recovery code was used"));
    assert_eq!(told.count(), 1, "the owner is told of the recovery code");
    assert_eq!(app.events("recovery_code_used").await.len(), 1);
}

#[tokio::test]
async fn an_owner_is_told_of_every_recovery_code_that_is_used() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    let codes = added(&ada, &mut key).await["recovery_codes"].clone();
    let used = async |left: usize| {
        app.idle().await;
        let mails = app.mails(ADA).await;
        let told = format!("You have {left} recovery codes left.");
        mails.iter().filter(|mail| text(&mail["html"]).contains(&told)).count()
    };
    options(&ada, &json!({ "recovery_code": codes[0] })).await;
    assert_eq!(used(9).await, 1, "to begin adding a passkey");
    assert_eq!(ada.post("/user/totp", &json!({ "recovery_code": codes[1] })).await.status, 200);
    assert_eq!(used(8).await, 1, "to begin adding an app");
    assert_eq!(step_up(&ada, &json!({ "recovery_code": codes[2] })).await.status, 204);
    assert_eq!(used(7).await, 1, "to step up");
    assert_eq!(app.events("recovery_code_used").await.len(), 3);
}

#[tokio::test]
async fn the_password_is_not_enough_where_there_is_a_second_factor() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let mut session = owner.sign_in().await;
    leave_open(&app, &mut session).await;
    for guess in [PASSWORD, "wrong"] {
        assert_eq!(step_up(&session, &json!({ "password": guess })).await.code(), "second_factor_needed", "{guess}");
    }
    let both = json!({ "password": PASSWORD, "code": owner.fresh_code() });
    assert_eq!(step_up(&session, &both).await.fields(), [("password".to_owned(), "one_too_many".to_owned())]);
    assert_not_recent(&session.delete("/user").await, "no proof was taken");
    assert_eq!(step_up(&session, &json!({ "code": owner.used_code() })).await.status, 204, "it was not used up");
}

#[tokio::test]
async fn a_step_up_without_a_proof_is_refused_by_the_field() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let (with, without) = (owner.sign_in().await, app.signed_in("bob@example.com").await);
    for (session, body, field, code) in [
        (&with, json!({}), "code", "required"),
        (&with, json!({ "code": "12" }), "code", "invalid_code_format"),
        (&with, json!({ "code": "123456", "recovery_code": owner.recovery[0] }), "recovery_code", "one_too_many"),
        (&with, json!({ "passkey": {} }), "passkey.challenge_token", "required"),
        (&without, json!({}), "password", "required"),
        (&without, json!({ "password": null }), "password", "required"),
        (&without, json!({ "code": "123456" }), "password", "required"),
        (&without, json!({ "code": "123456", "password": PASSWORD }), "password", "one_too_many"),
    ] {
        assert_eq!(step_up(session, &body).await.fields()[0], (field.to_owned(), code.to_owned()), "{body}");
    }
    assert_eq!(app.post("/auth/step-up", &password()).await.code(), "unauthenticated", "nobody is signed in");
}

#[tokio::test]
async fn guessed_passwords_of_a_step_up_count_with_those_of_a_change() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    for _ in 0..6 {
        assert_eq!(step_up(&ada, &json!({ "password": "wrong" })).await.code(), "wrong_password");
    }
    let locked = step_up(&ada, &password()).await;
    assert_eq!((locked.status.as_u16(), locked.code().as_str()), (429, "too_many_attempts"));
    let change = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
    assert_eq!(ada.put("/user/password", &change).await.code(), "too_many_attempts", "one count for both");
    assert_eq!(
        app.login(ADA, PASSWORD).await.status,
        200,
        "strangers and the account's sessions have counts of their own"
    );
    app.clock.advance(Duration::from_secs(3));
    assert_eq!(step_up(&ada, &password()).await.status, 204);
    for _ in 0..5 {
        assert_eq!(app.login(ADA, "wrong").await.code(), "invalid_credentials", "the right one forgave");
    }
}

#[tokio::test]
async fn guessed_codes_of_a_step_up_lock_the_second_factor() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let session = owner.sign_in().await;
    for _ in 0..6 {
        assert_eq!(step_up(&session, &json!({ "code": owner.wrong_code() })).await.code(), "invalid_code");
    }
    let right = json!({ "code": owner.used_code() });
    assert_eq!(step_up(&session, &right).await.code(), "too_many_attempts");
    let challenge = owner.challenge().await;
    assert_eq!(owner.verify(&challenge, &right).await.code(), "too_many_attempts", "one count for both");
}

#[tokio::test]
async fn concurrent_step_ups_with_one_code_succeed_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let owner = Owner::enrolled(&app, ADA).await;
    let session = owner.sign_in().await;
    let code = owner.fresh_code();
    for body in [json!({ "code": code }), json!({ "recovery_code": owner.recovery[0] })] {
        let answers = join_all((0..16).map(|_| step_up(&session, &body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{body}");
        assert!(answers.iter().filter(|answer| answer.status != 204).all(|answer| answer.code() == "invalid_code"));
    }
    let challenge = owner.challenge().await;
    assert_eq!(
        owner.verify(&challenge, &json!({ "code": code })).await.code(),
        "invalid_code",
        "used for a sign-in, too"
    );
}

#[tokio::test]
async fn a_step_up_counts_for_its_own_session_only() {
    let app = TestApp::start().await;
    let (mut ada, mut elsewhere) = (app.signed_in(ADA).await, app.sign_in(ADA).await);
    leave_open(&app, &mut ada).await;
    elsewhere.refresh().await;
    assert_eq!(step_up(&ada, &password()).await.status, 204);
    assert_not_recent(&elsewhere.delete("/user").await, "another session of the account");
    assert_eq!(ada.logout().await.status, 204);
    assert_eq!(step_up(&ada, &password()).await.code(), "invalid_token", "a session that is over");
}

#[tokio::test]
async fn a_session_that_ends_concurrently_uses_up_no_code() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let session = owner.sign_in().await;
    let store = app.app().store();
    let (user, mine) = stored(&app, &session).await;
    let hash =
        shared::domain::recovery::RecoveryCode::parse(&owner.recovery[0].clone().into()).unwrap().hash().unwrap();
    let used_proof = UsedProof::RecoveryCode(hash);
    assert_eq!(session.logout().await.status, 204);
    let (now, event) = (app.clock.now(), tests::any_event(&user));
    assert!(!store.reauthenticate(&user, mine.id, Some(&used_proof), None, &event).await.unwrap(), "the session ended");
    let mail = OutboxEmail::of_factor(&user, Factor::Totp.removal(&user), now);
    let permission = Permission::Session;
    assert!(
        !store.remove_factor(&user, &mine, &Factor::Totp, &permission, &mail, &[]).await.unwrap(),
        "the session ended"
    );

    let session = owner.sign_in().await;
    let (_, mine) = stored(&app, &session).await;
    let body = json!({ "everywhere": true });
    assert_eq!(session.post("/auth/logout", &body).await.status, 204);
    assert!(
        !store.reauthenticate(&user, mine.id, Some(&used_proof), None, &event).await.unwrap(),
        "all sessions ended"
    );
    assert!(
        !store.remove_factor(&user, &mine, &Factor::Totp, &permission, &mail, &[]).await.unwrap(),
        "all sessions ended"
    );
    let session = owner.sign_in_with(&json!({ "recovery_code": owner.recovery[0] })).await;
    assert_eq!(session.get("/user").await.status, 200, "the code was not used_proof up");
}

#[tokio::test]
async fn a_factor_is_removed_without_a_body_after_a_step_up() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let mut session = owner.sign_in().await;
    let mut key = authenticator(&app);
    let passkey = added_with(&session, &mut key, &json!({ "code": owner.fresh_code() })).await;
    leave_open(&app, &mut session).await;
    assert_not_recent(&session.delete("/user/totp").await, "an old session");
    assert_not_recent(&session.delete(&passkey_path(&passkey)).await, "an old session");
    assert_eq!(step_up(&session, &proof(&app, &mut key).await).await.status, 204);
    assert_eq!(session.delete("/user/totp").await.status, 204);
    assert_eq!(session.delete("/user/totp").await.code(), "totp_not_found");
    assert_eq!(session.delete(&passkey_path(&passkey)).await.status, 204);
    assert_eq!(session.delete(&passkey_path(&passkey)).await.code(), "passkey_not_found");
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200, "the password alone signs in again");
    assert_eq!(app.events("second_factor_removed").await[0]["event.reason"], "session");
    assert_eq!(app.events("passkey_removed").await[0]["event.reason"], "session");
    let subjects: Vec<_> = app.mails_to(ADA, 5).await.iter().map(|mail| text(&mail["subject"])).collect();
    assert_eq!(subjects.iter().filter(|subject| subject.contains("was removed")).count(), 2, "{subjects:?}");
}

#[tokio::test]
async fn a_sign_in_with_the_second_factor_removes_one_without_a_body() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let session = owner.sign_in().await;
    let empty = session.request(Method::DELETE, "/user/totp").header("content-type", "application/json");
    assert_eq!(Answer::of(empty).await.status, 204);
}

#[tokio::test]
async fn a_session_without_the_second_factor_is_not_recent_once_one_exists() {
    let app = TestApp::start().await;
    let (thief, ada) = (app.signed_in(ADA).await, app.sign_in(ADA).await);
    let mut key = authenticator(&app);
    let passkey = added(&ada, &mut key).await;
    // Both signed in a moment ago, and with the password alone.
    assert_not_recent(&thief.delete(&passkey_path(&passkey)).await, "removes the passkey");
    assert_not_recent(&thief.delete("/user").await, "deletes the account");
    assert_not_recent(&thief.put("/user", &json!({ "email": "eve@example.com" })).await, "moves the account");
    assert_eq!(step_up(&thief, &password()).await.code(), "second_factor_needed");
    assert_eq!(ada.put("/user", &json!({ "email": "ada@example.org" })).await.status, 200, "adding it was a proof");
    assert_eq!(ada.delete(&passkey_path(&passkey)).await.status, 204);
}

#[tokio::test]
async fn passkeys_are_removed_at_once_by_one_recent_session() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut first = authenticator(&app);
    let mut passkeys = vec![added(&ada, &mut first).await];
    for _ in 0..4 {
        let proof = proof(&app, &mut first).await;
        passkeys.push(added_with(&ada, &mut authenticator(&app), &proof).await);
    }
    let paths: Vec<_> = passkeys.iter().map(passkey_path).collect();
    let answers = join_all(paths.iter().map(|path| ada.delete(path))).await;
    assert_eq!(answers.iter().map(|answer| answer.status.as_u16()).collect::<Vec<_>>(), [204; 5]);
    let factors = ada.get("/user/factors").await.json();
    assert_eq!((&factors["passkeys"], &factors["recovery_codes"]["left"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_step_up_moves_no_border_of_what_a_thief_added() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let signed_in_at = stored(&app, &ada).await.1.signed_in_at;
    added(&ada, &mut authenticator(&app)).await;
    let (user, session) = stored(&app, &ada).await;
    assert_eq!(session.signed_in_at, signed_in_at);
    assert_eq!(session.reauthenticated.unwrap().second_factor, Some(shared::domain::factor::Method::Passkey));
    ada.put("/user", &json!({ "email": "eve@example.com" })).await;
    let asked = app.app().store().user(user.id).await.unwrap().unwrap();
    assert_eq!(asked.email_asked_by_sign_in_at, Some(signed_in_at));
}

#[tokio::test]
async fn routes_that_take_a_proof_still_do_after_a_step_up() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut key = authenticator(&app);
    added(&ada, &mut key).await;
    assert_eq!(step_up(&ada, &proof(&app, &mut key).await).await.status, 204);
    assert_eq!(ada.post("/user/passkeys/options", &json!({})).await.code(), "second_factor_needed");
    assert_eq!(ada.post("/user/recovery-codes", &json!({})).await.fields()[0].0, "code");
    options(&ada, &proof(&app, &mut key).await).await;
}
