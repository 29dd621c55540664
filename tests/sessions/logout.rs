//! `POST /auth/logout`

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, TestApp};

#[tokio::test]
async fn both_tokens_of_the_session_end_at_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answer = ada.logout().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&ada.refresh_token).await.code(), "invalid_refresh_token");
    let again = ada.logout().await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (401, "invalid_token"));
    assert_eq!(again.header("www-authenticate"), "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn every_access_token_of_the_session_ends_not_only_the_newest() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    let first = ada.access_token.clone();
    ada.refresh().await;
    assert_eq!(ada.logout().await.status, 204);
    let answer = Answer::of(app.request(Method::GET, "/user").bearer_auth(first)).await;
    assert_eq!(answer.code(), "invalid_token");
}

#[tokio::test]
async fn another_session_of_the_account_goes_on() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let mut phone = app.sign_in("ada@example.com").await;
    assert_eq!(ada.logout().await.status, 204);
    assert_eq!(phone.get("/user").await.status, 200);
    phone.refresh().await;
    assert_eq!(phone.get("/user").await.status, 200);
}

#[tokio::test]
async fn everywhere_ends_every_session_of_the_account_and_no_other() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let phone = app.sign_in("ada@example.com").await;
    let mut bob = app.signed_in("bob@example.com").await;
    assert_eq!(ada.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    for over in [&ada, &phone] {
        assert_eq!(over.get("/user").await.code(), "invalid_token");
        assert_eq!(app.refresh(&over.refresh_token).await.code(), "invalid_refresh_token");
    }
    assert_eq!(bob.get("/user").await.status, 200);
    bob.refresh().await;
    assert_eq!(app.sign_in("ada@example.com").await.get("/user").await.status, 200);
}

#[tokio::test]
async fn the_body_may_be_left_out_empty_or_say_no() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let other = app.sign_in("ada@example.com").await;
    for body in [None, Some(""), Some("{}"), Some(r#"{"everywhere":false}"#)] {
        let ada = app.sign_in("ada@example.com").await;
        let mut request = ada.request(Method::POST, "/auth/logout").header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body);
        }
        assert_eq!(Answer::of(request).await.status, 204, "{body:?}");
        assert_eq!(ada.get("/user").await.code(), "invalid_token", "{body:?}");
        assert_eq!(other.get("/user").await.status, 200, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_ends_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for body in [
        json!({ "everywhere": "yes" }),
        json!({ "everywhere": 1 }),
        json!({ "everywhere": null }),
        json!({ "everywhere": true, "user": "somebody" }),
        json!([true]),
        json!("everywhere"),
        Value::Null,
    ] {
        let answer = ada.post("/auth/logout", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{body}");
        assert_eq!(ada.get("/user").await.status, 200, "{body}");
    }
    for (content_type, body, status) in [
        ("application/json", "{", 400),
        ("text/plain", r#"{"everywhere":true}"#, 415),
        ("application/x-www-form-urlencoded", "everywhere=true", 415),
    ] {
        let request = ada.request(Method::POST, "/auth/logout").header("content-type", content_type).body(body);
        assert_eq!(Answer::of(request).await.status, status, "{content_type} {body}");
    }
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_stranger_cannot_sign_a_user_out() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answer = app.post("/auth/logout", &json!({ "everywhere": true })).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"));
    let request = app.request(Method::POST, "/auth/logout").bearer_auth(&ada.refresh_token);
    assert_eq!(Answer::of(request).await.code(), "invalid_token");
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn signing_out_is_in_the_log() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.post("/auth/logout", &json!({ "everywhere": true })).await;
    let events = app.events("logged_out").await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["user.id"], &events[0]["session.everywhere"]), (&json!(ada.id), &json!(true)));
}
