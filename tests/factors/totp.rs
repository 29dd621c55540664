//! `GET /user/factors`, `POST /user/totp`, `POST /user/totp/confirm`, `DELETE /user/totp`, `POST /user/recovery-codes`

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::json;
use tests::{PASSWORD, TestApp, text};

use crate::factor::{Owner, confirm, remove, renew, start};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn an_app_is_added_in_two_steps_and_shown_afterwards() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let mut none = json!({ "totp": null, "passkeys": [], "recovery_codes": { "left": 0, "created_at": null } });
    let first = ada.get("/user/factors").await.json();
    none["webauthn"] = first["webauthn"].clone();
    assert_eq!(first, none);

    let answer = ada.post("/user/totp", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let started = answer.json();
    let secret = text(&started["secret"]);
    assert_eq!(secret.len(), 32);
    let url = format!(
        "otpauth://totp/Example:ada%40example.com?secret={secret}&issuer=Example&algorithm=SHA1&digits=6&period=30"
    );
    assert_eq!((&started["otpauth_url"], &started["expires_in"]), (&json!(url), &json!(900)));
    assert_eq!(ada.get("/user/factors").await.json(), none, "it is not in force yet");
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200, "nor asked for");

    let codes = confirm(&app, &ada, &secret).await;
    assert_eq!(codes.status, 200, "{}", codes.text);
    let codes: Vec<_> = codes.json()["recovery_codes"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(codes.len(), 10);
    let shown = ada.get("/user/factors").await.json();
    assert!(shown["totp"]["enrolled_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{shown}");
    assert_eq!(shown["recovery_codes"]["left"], 10);
    assert_eq!(app.login(ADA, PASSWORD).await.status, 202);
    assert_eq!(ada.post("/user/totp", &json!({})).await.code(), "totp_already_enrolled");
    assert_eq!(confirm(&app, &ada, &secret).await.code(), "totp_already_enrolled");
}

#[tokio::test]
async fn a_malformed_proof_is_rejected_even_if_none_is_required() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    for proof in [
        json!({ "code": "12" }),
        json!({ "code": "123456", "recovery_code": "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P" }),
        json!({ "passkey": { "challenge_token": "00000000-0000-7000-8000-000000000000", "credential": [] } }),
    ] {
        assert_eq!(ada.post("/user/totp", &proof).await.code(), "invalid_request", "{proof}");
    }
    assert_eq!(ada.post("/user/totp", &json!({ "code": null, "passkey": null })).await.status, 200);
}

#[tokio::test]
async fn the_qr_code_is_a_small_png_of_black_and_white() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let qr_code = text(&ada.post("/user/totp", &json!({})).await.json()["qr_code"]);
    assert!(qr_code.len() < 4096, "{} bytes", qr_code.len());
    let file = STANDARD.decode(qr_code.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let (edge, bytes) = (usize::try_from(frame.width).unwrap(), frame.line_size);
    assert_eq!(frame.width, frame.height);
    let is_light = |x: usize, y: usize| pixels[y * bytes + x / 8] & (0x80 >> (x % 8)) != 0;
    // A light margin of four modules, and behind it the finder in each corner but the last: seven dark modules in a row.
    let modules = |from: usize| (0..7).map(move |at| from + 4 * at + 2);
    assert!((0..edge).all(|x| is_light(x, 8)) && (0..edge).all(|y| is_light(8, y)));
    assert!(modules(16).all(|x| !is_light(x, 18)), "upper left");
    assert!(modules(edge - 16 - 28).all(|x| !is_light(x, 18)), "upper right");
    assert!(modules(16).all(|x| !is_light(x, edge - 18)), "lower left");
    assert!(!modules(edge - 16 - 28).all(|x| !is_light(x, edge - 18)), "lower right");
}

#[tokio::test]
async fn an_enrolment_confirmed_with_a_wrong_code_is_not_in_force() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    assert_eq!(ada.post("/user/totp/confirm", &json!({ "code": "000000" })).await.code(), "totp_not_found");
    let other = start(&ada).await;
    let secret = start(&ada).await;
    assert_ne!(secret, other);
    assert_eq!(confirm(&app, &ada, &other).await.code(), "invalid_code", "the secret that was replaced");
    assert_eq!(app.events("second_factor_failed").await.len(), 1);
    for code in ["", "12345", "1234567", "abcdef"] {
        let answer = ada.post("/user/totp/confirm", &json!({ "code": code })).await;
        assert_eq!(answer.fields(), [("code".to_owned(), "invalid_code_format".to_owned())], "{code}");
    }
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    assert_eq!(confirm(&app, &ada, &secret).await.status, 200);
    assert_eq!(app.login(ADA, PASSWORD).await.status, 202);
}

#[tokio::test]
async fn codes_for_an_enrolment_cannot_be_guessed_either() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let (wrong, _) = (start(&ada).await, start(&ada).await);
    for _ in 0..6 {
        assert_eq!(confirm(&app, &ada, &wrong).await.code(), "invalid_code");
    }
    assert_eq!(confirm(&app, &ada, &wrong).await.code(), "too_many_attempts");
}

#[tokio::test]
async fn an_enrolment_requires_a_recent_sign_in_and_expires_in_fifteen_minutes() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let secret = start(&ada).await;
    app.clock.advance(Duration::from_mins(15));
    let mut ada = app.sign_in(ADA).await;
    assert_eq!(confirm(&app, &ada, &secret).await.code(), "totp_not_found");
    app.clock.advance(Duration::from_mins(16));
    ada.refresh().await;
    assert_eq!(ada.post("/user/totp", &json!({})).await.code(), "reauthentication_required");
    assert_eq!(app.post("/user/totp", &json!({})).await.code(), "unauthenticated");
}

#[tokio::test]
async fn one_of_many_concurrent_confirmations_creates_recovery_codes() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let secret = start(&ada).await;
    let answers = join_all((0..16).map(|_| confirm(&app, &ada, &secret))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(
        answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "totp_already_enrolled")
    );
    assert_eq!(app.mails_to(ADA, 2).await.len(), 2, "one beside that of the registration");
}

#[tokio::test]
async fn removal_without_a_step_up_is_refused() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let eve = Owner::enrolled(&app, "eve@example.com").await;
    let session = ada.sign_in().await;
    for (body, fields) in [
        (json!({}), [("code", "required")]),
        (json!({ "code": "12" }), [("code", "invalid_code_format")]),
        (json!({ "recovery_code": "x" }), [("recovery_code", "invalid_recovery_code_format")]),
        (json!({ "code": "123456", "recovery_code": ada.recovery[0] }), [("recovery_code", "one_too_many")]),
    ] {
        let expected: Vec<_> = fields.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect();
        assert_eq!(remove(&session, &body).await.fields(), expected, "{body}");
        assert_eq!(renew(&session, &body).await.fields(), expected, "{body}");
    }
    for body in [
        json!({ "code": ada.wrong_code() }),
        json!({ "code": ada.used_code() }),
        json!({ "code": eve.fresh_code() }),
        json!({ "recovery_code": eve.recovery[0] }),
    ] {
        assert_eq!(remove(&session, &body).await.code(), "invalid_code", "{body}");
    }
    assert_eq!(app.login(ADA, PASSWORD).await.status, 202, "it is still in force");

    // A right code with a sign-in of a quarter of an hour ago.
    let mut session = session;
    app.clock.advance(Duration::from_mins(16));
    session.refresh().await;
    let body = json!({ "code": ada.fresh_code() });
    assert_eq!(remove(&session, &body).await.code(), "reauthentication_required");
    assert_eq!(renew(&session, &body).await.code(), "reauthentication_required");
    assert_eq!(ada.sign_in().await.get("/user/factors").await.json()["recovery_codes"]["left"], 10);
}

#[tokio::test]
async fn removal_deletes_the_recovery_codes_and_notifies_the_owner() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in().await;
    let answer = remove(&session, &json!({ "code": ada.fresh_code() })).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let session = app.sign_in(ADA).await;
    assert_eq!(remove(&session, &json!({ "code": "123456" })).await.code(), "totp_not_found");
    assert_eq!(renew(&session, &json!({ "code": "123456" })).await.code(), "totp_not_found");
    let mails = app.mails_to(ADA, 3).await;
    assert_eq!(mails[0]["subject"], "The authenticator app was removed from your Example account");
    assert_eq!(mails[1]["subject"], "An authenticator app was added to your Example account");
    assert_eq!(app.items_with("FACTOR#TOTP").await.len() + app.items_with("FACTOR#RECOVERY").await.len(), 0);

    // Another app: neither the old secret nor an old recovery code has anything to do with it.
    let again = Owner::enrolled_as(&app, session, ADA).await;
    let challenge = again.challenge().await;
    let old = again.verify(&challenge, &json!({ "recovery_code": ada.recovery[0] })).await;
    assert_eq!(old.code(), "invalid_code");
    assert_eq!(again.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_code");
    assert_eq!(again.verify(&challenge, &json!({ "code": again.fresh_code() })).await.status, 200);
}

#[tokio::test]
async fn a_recovery_code_removes_a_lost_app() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in_with(&json!({ "recovery_code": ada.recovery[3] })).await;
    assert_eq!(remove(&session, &json!({ "recovery_code": ada.recovery[3] })).await.code(), "invalid_code", "used");
    assert_eq!(remove(&session, &json!({ "recovery_code": ada.recovery[4] })).await.status, 204);
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn concurrent_removals_with_one_code_succeed_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in().await;
    let body = json!({ "code": ada.fresh_code() });
    let answers = join_all((0..16).map(|_| remove(&session, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1);
    assert_eq!(app.events("second_factor_removed").await.len(), 1);
}

#[tokio::test]
async fn new_recovery_codes_kill_the_old_ones() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in().await;
    let answer = renew(&session, &json!({ "code": ada.fresh_code() })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let codes: Vec<_> = answer.json()["recovery_codes"].as_array().unwrap().iter().map(text).collect();
    let challenge = ada.challenge().await;
    for old in &ada.recovery[..3] {
        assert_eq!(ada.verify(&challenge, &json!({ "recovery_code": old })).await.code(), "invalid_code");
    }
    assert_eq!(ada.verify(&challenge, &json!({ "recovery_code": codes[0] })).await.status, 200);
    assert_eq!(app.mails_to(ADA, 4).await[1]["subject"], "New recovery codes for your Example account");
}

#[tokio::test]
async fn concurrent_uses_of_one_code_renew_the_recovery_codes_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in().await;
    for body in [json!({ "code": ada.fresh_code() }), json!({ "recovery_code": ada.recovery[0] })] {
        let answers = join_all((0..16).map(|_| renew(&session, &body))).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        if body["code"].is_string() {
            assert_eq!(won.len(), 1);
            assert_eq!(session.get("/user/factors").await.json()["recovery_codes"]["left"], 10);
        } else {
            assert_eq!(won.len(), 0, "a code of the old set");
        }
    }
}
