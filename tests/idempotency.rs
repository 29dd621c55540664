//! `Idempotency-Key`: the same request with the same key has one effect and one answer.

use std::time::Duration;

use futures_util::future::join_all;
use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::id::UserId;
use shared::domain::idempotency::{IdempotencyKey, IdempotentRequest, KeyOwner};
use shared::http::Operation;
use shared::store::Begun;
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

const ADA: &str = "ada@example.com";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

async fn keyed(of: &SignedIn<'_>, method: Method, path: &str, key: &str, body: Option<&Value>) -> Answer {
    let request = of.request(method, path).header("idempotency-key", key);
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn register(app: &TestApp, key: &str, body: &Value) -> Answer {
    Answer::of(app.request(Method::POST, "/auth/register").header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn concurrent_requests_with_one_key_have_one_effect_and_one_answer() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let body = json!({ "name": "Ada King" });
    let answers = join_all((0..16).map(|_| keyed(&ada, Method::PUT, "/user", KEY, Some(&body)))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty());
    assert!(done.iter().all(|answer| answer.text == done[0].text));
    assert!(refused.iter().all(|answer| answer.code() == "request_in_progress"), "{answers:?}");
    app.idle().await;
    let events = ada.get("/user/activity").await.json();
    let updates = events["events"].as_array().unwrap().iter().filter(|event| event["type"] == "user.updated").count();
    assert_eq!(updates, 1);
    let again = keyed(&ada, Method::PUT, "/user", KEY, Some(&body)).await;
    assert_eq!((again.status.as_u16(), &again.text), (200, &done[0].text));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_key_is_refused_for_another_request_until_it_expires() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let (one, two) = (json!({ "name": "One" }), json!({ "name": "Two" }));
    assert_eq!(keyed(&ada, Method::PUT, "/user", KEY, Some(&one)).await.status, 200);
    assert_eq!(keyed(&ada, Method::PUT, "/user", KEY, Some(&two)).await.code(), "idempotency_key_reused");
    assert_eq!(keyed(&ada, Method::POST, "/auth/logout", KEY, None).await.code(), "idempotency_key_reused");
    assert_eq!(keyed(&ada, Method::PUT, "/user", "\"another\"", Some(&two)).await.status, 200);
    assert_eq!(ada.get("/user").await.json()["name"], "Two");
    app.clock.advance(Duration::from_hours(24));
    let ada = app.sign_in(ADA).await;
    let answer = keyed(&ada, Method::PUT, "/user", KEY, Some(&two)).await;
    assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, ""));
}

#[tokio::test]
async fn keys_are_the_callers_own() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_in(ADA).await, app.signed_in("eve@example.com").await);
    let body = json!({ "name": "Somebody" });
    assert_eq!(keyed(&ada, Method::PUT, "/user", KEY, Some(&body)).await.json()["email"], ADA);
    let answer = keyed(&eve, Method::PUT, "/user", KEY, Some(&body)).await;
    assert_eq!(answer.json()["email"], "eve@example.com");
    assert_eq!(answer.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn what_was_refused_may_come_again_with_its_key() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let change = json!({ "current_password": "wrong", "new_password": "quiet lantern harbour" });
    for _ in 0..2 {
        assert_eq!(keyed(&ada, Method::PUT, "/user/password", KEY, Some(&change)).await.code(), "wrong_password");
    }
    let change = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
    assert_eq!(keyed(&ada, Method::PUT, "/user/password", KEY, Some(&change)).await.status, 204);
    assert_eq!(keyed(&ada, Method::PUT, "/user/password", KEY, Some(&change)).await.status, 204, "not again");
}

#[tokio::test]
async fn a_key_stays_reserved_for_a_minute_after_a_server_error() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let path = format!("/users/{}/email-suppression", admin.id);
    app.outage(Service::Ses, Outage::Unavailable).await;
    let failed = keyed(&admin, Method::DELETE, &path, KEY, None).await;
    assert!(failed.status.is_server_error(), "{}", failed.text);
    app.outage(Service::Ses, Outage::None).await;
    assert_eq!(keyed(&admin, Method::DELETE, &path, KEY, None).await.code(), "request_in_progress");
    app.clock.advance(Duration::from_secs(61));
    assert_eq!(keyed(&admin, Method::DELETE, &path, KEY, None).await.status, 204);
}

#[tokio::test]
async fn a_request_whose_first_write_is_sent_twice_is_still_the_first() {
    let app = TestApp::start().await;
    let (owner, now) = (KeyOwner::User(UserId::new(app.app().clock.now())), app.app().clock.now());
    let key = IdempotencyKey::parse(KEY.as_bytes()).unwrap();
    let request = IdempotentRequest::begin(key.fingerprint("PUT", "/", b"{}"), now);
    for _ in 0..2 {
        let begun = app.app().store().begin_request(owner, &key, &request, now).await.unwrap();
        assert!(matches!(begun, Begun::First), "{begun:?}");
    }
    let other = IdempotentRequest::begin(request.fingerprint.clone(), now);
    let begun = app.app().store().begin_request(owner, &key, &other, now).await.unwrap();
    assert!(matches!(begun, Begun::Known(_)), "{begun:?}");
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_stored_nor_its_request_repeated() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let first = keyed(&ada, Method::POST, "/user/totp", KEY, None).await;
    assert_eq!(first.status, 200);
    let secret = text(&first.json()["secret"]);
    assert_eq!(keyed(&ada, Method::POST, "/user/totp", KEY, None).await.code(), "answer_not_kept");
    assert_eq!(app.items_with(&secret).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_ends_its_session_can_be_repeated_and_reveals_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let name = json!({ "name": "Ada King" });
    assert_eq!(keyed(&ada, Method::PUT, "/user", "a-key-with-an-answer", Some(&name)).await.status, 200);
    for _ in 0..2 {
        assert_eq!(keyed(&ada, Method::DELETE, "/user", KEY, None).await.status, 204);
    }
    let kept = keyed(&ada, Method::PUT, "/user", "a-key-with-an-answer", Some(&name)).await;
    assert_eq!(kept.code(), "invalid_token");
    app.later(Duration::from_mins(2)).await;
    app.idle().await;
    assert_eq!(keyed(&ada, Method::DELETE, "/user", KEY, None).await.status, 204);
    assert_eq!(app.items_with(ADA).await, Vec::<String>::new());
}

#[tokio::test]
async fn registering_twice_with_a_key_sends_one_email() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Ada", "email": ADA, "password": PASSWORD });
    let answers = [register(&app, KEY, &body).await, register(&app, KEY, &body).await];
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(answers[0].text, answers[1].text);
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
    let other = json!({ "name": "Ada", "email": ADA, "password": "quiet lantern harbour" });
    assert_eq!(register(&app, KEY, &other).await.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn a_malformed_key_is_refused_by_name() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    for key in ["two words", &"k".repeat(256)] {
        let answer = keyed(&ada, Method::PUT, "/user", key, Some(&json!({ "name": "A" }))).await;
        assert_eq!(answer.fields(), [("Idempotency-Key".to_owned(), "invalid_key".to_owned())], "{key:?}");
    }
}

#[tokio::test]
async fn an_invalid_token_is_refused_before_the_idempotency_key_is_read() {
    let app = TestApp::start().await;
    let request = app.request(Method::PUT, "/user").header("idempotency-key", KEY).json(&json!({ "name": "A" }));
    assert_eq!(Answer::of(request).await.code(), "unauthenticated");
    let request = app.request(Method::PUT, "/user").header("idempotency-key", KEY).bearer_auth("forged");
    assert_eq!(Answer::of(request.json(&json!({ "name": "A" }))).await.code(), "invalid_token");
}

#[test]
fn every_signed_in_operation_that_changes_something_accepts_keys() {
    let mut count = 0;
    for route in functions::routes() {
        for operation in route.operations {
            let signed_in = operation.credentials() == Some("access_token");
            let expected = (Operation::changes(operation) && signed_in) || (route.name == "register");
            assert_eq!(route.idempotent(operation).is_some(), expected, "{operation:?}");
            count += usize::from(expected);
        }
    }
    assert!(count > 20, "{count}");
}
