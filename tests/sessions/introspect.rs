//! `POST /auth/introspect`

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, SignedIn, TestApp, text};

/// `printf first | sha256sum` and `printf second | sha256sum`: real secrets are 256 random bits.
const CLIENTS: &str = "orders:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e,\
                       billing:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";

async fn start() -> TestApp {
    TestApp::start_with(&[("INTROSPECTION_CLIENTS", CLIENTS)]).await
}

async fn introspect(app: &TestApp, token: &str) -> Answer {
    let request = app.request(Method::POST, "/auth/introspect").basic_auth("orders", Some("first"));
    Answer::of(request.form(&[("token", token)])).await
}

async fn assert_inactive(app: &TestApp, token: &str, what: &str) {
    let answer = introspect(app, token).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, r#"{"active":false}"#), "{what}");
}

async fn session(of: &SignedIn<'_>) -> String {
    text(&of.get("/auth/sessions").await.json()["sessions"][0]["id"])
}

#[tokio::test]
async fn an_active_token_is_described_by_its_claims_and_never_cached() {
    let app = start().await;
    let admin = app.admin().await;
    let answer = introspect(&app, &admin.access_token).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let body = answer.json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "active",
        "aud",
        "auth_time",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "roles",
        "sid",
        "sub",
        "token_type",
    ];
    assert_eq!(names, expected);
    assert_eq!(body["client_id"], "web");
    assert_eq!(
        (&body["active"], &body["token_type"], &body["sub"]),
        (&json!(true), &json!("Bearer"), &json!(admin.id))
    );
    assert_eq!((&body["iss"], &body["roles"]), (&json!(app.url("")), &json!(["user", "admin"])));
    assert_eq!(body["sid"], json!(session(&admin).await));
    let events = app.events("token_introspected").await;
    assert_eq!((&events[0]["service.origin.name"], &events[0]["user.id"]), (&json!("orders"), &json!(admin.id)));
}

#[tokio::test]
async fn every_service_has_credentials_of_its_own() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    for (id, secret) in [("orders", "first"), ("billing", "second")] {
        let request = app.request(Method::POST, "/auth/introspect").basic_auth(id, Some(secret));
        let form = [("token", ada.access_token.as_str()), ("token_type_hint", "access_token")];
        assert_eq!(Answer::of(request.form(&form)).await.json()["active"], true, "{id}");
    }
}

/// Clients of OAuth encode id and secret as in a form first (RFC 6749, 2.3.1), and oauth4webapi even what that leaves alone.
#[tokio::test]
async fn a_service_may_encode_its_credentials_as_in_a_form() {
    // `printf 'a+b/c=&%' | sha256sum`
    let client = "orders-1.eu:586e0358479fc2030ad467444e20b2a90274705ba56440e912af4b910aec2bb1";
    let app = TestApp::start_with(&[("INTROSPECTION_CLIENTS", client)]).await;
    let ada = app.signed_in("ada@example.com").await;
    for (id, secret, active) in [
        ("orders-1.eu", "a+b/c=&%", true),
        ("orders-1.eu", "a%2Bb%2Fc%3D%26%25", true),
        ("orders%2D1%2Eeu", "a%2Bb%2Fc%3D%26%25", true),
        ("orders-1.eu", "a b/c=&%", false),
        ("orders%2D1", "a%2Bb%2Fc%3D%26%25", false),
    ] {
        let request = app.request(Method::POST, "/auth/introspect").basic_auth(id, Some(secret));
        let answer = Answer::of(request.form(&[("token", &ada.access_token)])).await;
        assert_eq!(answer.status == 200, active, "{id} {secret}: {}", answer.text);
    }
}

#[tokio::test]
async fn introspection_without_a_services_credentials_reveals_nothing() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    let ask = || app.request(Method::POST, "/auth/introspect").form(&[("token", ada.access_token.as_str())]);
    let hash = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
    for (request, what) in [
        (ask(), "none"),
        (ask().basic_auth("orders", Some("second")), "another service's secret"),
        (ask().basic_auth("orders", Some(hash)), "the hash in place of the secret"),
        (ask().basic_auth("orders", Some("")), "an empty secret"),
        (ask().basic_auth("orders", None::<&str>), "no secret"),
        (ask().basic_auth("", Some("first")), "no id"),
        (ask().basic_auth("nobody", Some("first")), "an unknown id"),
        (ask().header("authorization", "Basic"), "no credentials"),
        (ask().header("authorization", "Basic b3JkZXJz"), "no colon"),
        (ask().header("authorization", "Basic !!!"), "no base64"),
        (ask().bearer_auth(&ada.access_token), "the token itself"),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_client"), "{what}");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{what}");
    }
    assert_eq!(app.events("introspection_refused").await.len(), 11);
    assert!(app.events("token_introspected").await.is_empty());
}

#[tokio::test]
async fn introspection_is_refused_if_no_service_is_configured() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(introspect(&app, &ada.access_token).await.code(), "invalid_client");
}

#[tokio::test]
async fn a_token_is_inactive_once_its_session_or_account_ends() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    let phone = app.sign_in("ada@example.com").await;
    let lost = session(&phone).await;
    assert_eq!(introspect(&app, &phone.access_token).await.json()["active"], true);
    assert_eq!(ada.delete(&format!("/auth/sessions/{lost}")).await.status, 204);
    assert_inactive(&app, &phone.access_token, "its session was ended from another").await;
    let out = app.sign_in("ada@example.com").await;
    out.logout().await;
    assert_inactive(&app, &out.access_token, "signed out").await;
    let other = app.sign_in("ada@example.com").await;
    ada.post("/auth/logout", &json!({ "everywhere": true })).await;
    assert_inactive(&app, &ada.access_token, "signed out everywhere").await;
    assert_inactive(&app, &other.access_token, "signed out everywhere, from another session").await;
    let gone = app.signed_in("bob@example.com").await;
    assert_eq!(gone.delete("/user").await.status, 204);
    assert_inactive(&app, &gone.access_token, "no account").await;
    let late = app.sign_in("ada@example.com").await;
    app.clock.advance(Duration::from_mins(10));
    assert_inactive(&app, &late.access_token, "expired").await;
}

#[tokio::test]
async fn no_other_kind_of_token_is_active() {
    let app = start().await;
    app.register("ada@example.com").await;
    let link = app.confirmation_token("ada@example.com").await;
    let admin = app.admin().await;
    app.confirmed("bob@example.com").await;
    let cursor = text(&admin.get("/users?limit=1").await.json()["next_cursor"]);
    let cut = &admin.access_token[..admin.access_token.len() - 2];
    for (token, what) in [
        (link.as_str(), "a confirmation link"),
        (&cursor, "a cursor"),
        (&admin.refresh_token, "a refresh token"),
        (cut, "a token cut short"),
        ("e30.e30.", "an unsigned one"),
        ("", "nothing"),
        ("x", "garbage"),
    ] {
        assert_inactive(&app, token, what).await;
    }
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(app.refresh(&ada.access_token).await.code(), "invalid_refresh_token");
    let request = app.request(Method::GET, "/auth/refresh").bearer_auth(&ada.access_token);
    assert_eq!(Answer::of(request).await.code(), "invalid_refresh_token");
}

#[tokio::test]
async fn roles_are_those_of_the_account_now() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(introspect(&app, &ada.access_token).await.json()["roles"], json!(["user"]));
}

#[tokio::test]
async fn only_a_form_with_a_token_is_taken() {
    let app = start().await;
    let ask = || app.request(Method::POST, "/auth/introspect").basic_auth("orders", Some("first"));
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, status, code) in [
        ("application/json", r#"{"token":"x"}"#, 415, "unsupported_media_type"),
        ("text/plain", "token=x", 415, "unsupported_media_type"),
        (form, "", 400, "invalid_request"),
        (form, "token_type_hint=access_token", 400, "invalid_request"),
        (form, "token=x&token=y", 400, "invalid_request"),
        (form, "token=x&client_secret=y", 400, "invalid_request"),
    ] {
        let answer = Answer::of(ask().header("content-type", content_type).body(body)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{content_type} {body}");
    }
    let huge = format!("token={}", "x".repeat(64 * 1024));
    assert_eq!(Answer::of(ask().header("content-type", form).body(huge)).await.status, 413);
    let in_url = app.request(Method::POST, "/auth/introspect?token=x").basic_auth("orders", Some("first"));
    assert_eq!(Answer::of(in_url.header("content-type", form)).await.status, 400, "a token does not belong into a URL");
}

#[tokio::test]
async fn the_log_holds_neither_token_nor_secret() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    introspect(&app, &ada.access_token).await;
    let lines: Vec<Value> = app.stack.logs().await;
    let log = json!(lines).to_string();
    assert!(!log.contains(&ada.access_token) && !log.contains("\"first\""));
}

#[tokio::test]
async fn a_service_is_told_of_a_step_up_at_once() {
    let app = start().await;
    let ada = app.signed_in("ada@example.com").await;
    let auth_time = async || introspect(&app, &ada.access_token).await.json()["auth_time"].as_i64().unwrap();
    let signed_in = auth_time().await;
    app.clock.advance(Duration::from_mins(5));
    assert_eq!(auth_time().await, signed_in);
    assert_eq!(ada.post("/auth/step-up", &json!({ "password": tests::PASSWORD })).await.status, 204);
    assert!((300..=310).contains(&(auth_time().await - signed_in)));
}
