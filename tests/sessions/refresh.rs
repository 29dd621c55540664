//! `POST /auth/refresh`, `GET /auth/refresh`

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, TestApp, text};

const DAY: Duration = Duration::from_hours(24);

async fn with_bearer(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.request(Method::GET, "/auth/refresh").bearer_auth(token)).await
}

async fn user(app: &TestApp, access_token: &str) -> Answer {
    Answer::of(app.request(Method::GET, "/user").bearer_auth(access_token)).await
}

/// The pair of an answer that has to be one.
fn pair(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    (text(&body["access_token"]), text(&body["refresh_token"]))
}

fn assert_refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_refresh_token"), "{why}");
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{why}");
}

#[tokio::test]
async fn a_refresh_by_post_or_by_get_gives_a_new_pair() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let by_post = app.refresh(&ada.refresh_token).await;
    assert_eq!(by_post.header("cache-control"), "no-store");
    let body = by_post.json();
    let mut fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"]);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));
    let month = 30 * 24 * 3600;
    assert!((month - 60..=month).contains(&body["refresh_expires_in"].as_u64().unwrap()), "{body}");

    let (access_by_post, refresh_by_post) = pair(&by_post);
    let (access_by_get, refresh_by_get) = pair(&with_bearer(&app, &refresh_by_post).await);
    let tokens = [&ada.refresh_token, &refresh_by_post, &refresh_by_get];
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2], "it rotates at every use");
    for access_token in [&ada.access_token, &access_by_post, &access_by_get] {
        assert_eq!(user(&app, access_token).await.json()["id"], json!(ada.id));
    }
}

#[tokio::test]
async fn concurrent_refreshes_all_stay_signed_in() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answers = join_all((0..16).map(async |tab| match tab % 2 {
        0 => app.refresh(&ada.refresh_token).await,
        _ => with_bearer(&app, &ada.refresh_token).await,
    }))
    .await;
    let pairs: Vec<_> = answers.iter().map(pair).collect();
    assert!(pairs.iter().all(|(_, refresh_token)| *refresh_token == pairs[0].1), "all tabs go on with the same token");
    assert_ne!(pairs[0].1, ada.refresh_token);
    for (access_token, _) in &pairs {
        assert_eq!(user(&app, access_token).await.status, 200);
    }
    pair(&app.refresh(&pairs[0].1).await);
    assert!(app.events("session_reuse_detected").await.is_empty());
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_the_current_pair_again() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let (_, lost) = pair(&app.refresh(&ada.refresh_token).await);
    for _ in 0..3 {
        let (access_token, again) = pair(&app.refresh(&ada.refresh_token).await);
        assert_eq!(again, lost);
        assert_eq!(user(&app, &access_token).await.status, 200);
        app.clock.advance(Duration::from_secs(1));
    }
    pair(&app.refresh(&lost).await);
}

#[tokio::test]
async fn a_refresh_token_reused_after_eleven_seconds_ends_the_session() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let elsewhere = app.sign_in("ada@example.com").await;
    let (access_token, refresh_token) = pair(&app.refresh(&ada.refresh_token).await);
    app.clock.advance(Duration::from_secs(11));
    assert_refused(&app.refresh(&ada.refresh_token).await, "the stolen one");
    assert_refused(&app.refresh(&refresh_token).await, "the current one");
    for access_token in [&ada.access_token, &access_token] {
        assert_eq!(user(&app, access_token).await.code(), "invalid_token");
    }
    assert_eq!(elsewhere.get("/user").await.status, 200, "another session goes on");

    let events = app.events("session_reuse_detected").await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["user.id"], &events[0]["event.outcome"]), (&json!(ada.id), &json!("failure")));
    assert!(!serde_json::to_string(&app.stack.logs().await).unwrap().contains(&ada.refresh_token));
}

/// Reported by users of Supabase (auth, issues 1072 and 2136), whose tabs signed each other out.
#[tokio::test]
async fn tabs_that_rotate_one_after_another_all_stay_signed_in() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let mut tokens = vec![ada.refresh_token.clone()];
    for _ in 0..5 {
        tokens.push(pair(&app.refresh(tokens.last().unwrap()).await).1);
    }
    let (current, behind) = tokens.split_last().unwrap();
    for (step, token) in behind.iter().enumerate() {
        let (access_token, again) = pair(&with_bearer(&app, token).await);
        assert_eq!(again, *current, "token {step} gets the current one");
        assert_eq!(user(&app, &access_token).await.status, 200);
    }
    assert!(app.events("session_reuse_detected").await.is_empty());
}

#[tokio::test]
async fn a_token_is_stolen_eleven_seconds_after_its_own_rotation() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let (_, second) = pair(&app.refresh(&ada.refresh_token).await);
    app.clock.advance(Duration::from_secs(6));
    let (_, third) = pair(&app.refresh(&second).await);
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(pair(&app.refresh(&second).await).1, third, "five seconds after its rotation");
    assert_refused(&app.refresh(&ada.refresh_token).await, "eleven seconds after its rotation");
    assert_refused(&app.refresh(&third).await, "the current one");
    assert_eq!(app.events("session_reuse_detected").await.len(), 1);
}

#[tokio::test]
async fn a_client_that_refreshes_without_a_pause_stays_signed_in() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let mut token = ada.refresh_token.clone();
    for _ in 0..40 {
        token = pair(&app.refresh(&token).await).1;
    }
    assert_eq!(pair(&app.refresh(&ada.refresh_token).await).1, token, "the first is not ten seconds old");
    let items = app.items_with(&format!("USER#{}", ada.id)).await;
    let session = items.iter().find(|item| item.contains("earlier_rotations")).unwrap();
    assert!(session.matches("N(\"1").count() < 40, "its item is as large as it gets: {session}");
    app.clock.advance(Duration::from_secs(11));
    let next = pair(&app.refresh(&token).await).1;
    assert_ne!(next, token, "it rotates again");
    assert_refused(&app.refresh(&ada.refresh_token).await, "the first");
}

#[tokio::test]
async fn the_repeat_of_a_lost_answer_does_not_prolong_its_ten_seconds() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    pair(&app.refresh(&ada.refresh_token).await);
    app.clock.advance(Duration::from_secs(5));
    pair(&app.refresh(&ada.refresh_token).await);
    app.clock.advance(Duration::from_secs(6));
    assert_refused(&app.refresh(&ada.refresh_token).await, "eleven seconds after the rotation");
}

#[tokio::test]
async fn a_session_that_is_not_refreshed_ends_after_thirty_days() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let idle = app.sign_in("ada@example.com").await;
    app.clock.advance(DAY * 30 - Duration::from_mins(5));
    let (access_token, _) = pair(&app.refresh(&ada.refresh_token).await);
    app.clock.advance(Duration::from_mins(5));
    assert_refused(&app.refresh(&idle.refresh_token).await, "idle for thirty days");
    assert_eq!(user(&app, &access_token).await.status, 200);
}

#[tokio::test]
async fn a_session_that_is_refreshed_ends_after_ninety_days_in_all() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    for _ in 0..3 {
        app.later(DAY * 25).await;
        ada.refresh().await;
    }
    app.later(DAY * 15 - Duration::from_mins(5)).await;
    let answer = app.refresh(&ada.refresh_token).await;
    let (access_token, refresh_token) = pair(&answer);
    let left = answer.json()["refresh_expires_in"].as_u64().unwrap();
    assert!(left <= 300, "the pair says that it lives {left} more seconds");
    assert_eq!(user(&app, &access_token).await.status, 200);
    app.clock.advance(Duration::from_mins(5));
    assert_refused(&app.refresh(&refresh_token).await, "ninety days old");
    assert_eq!(user(&app, &access_token).await.code(), "invalid_token", "an access token does not outlive its session");
}

#[tokio::test]
async fn head_rotates_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answer = Answer::of(app.request(Method::HEAD, "/auth/refresh").bearer_auth(&ada.refresh_token)).await;
    assert_eq!(answer.status, 405);
    let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "POST"]);
    // Had it rotated, this would be theft.
    app.clock.advance(Duration::from_secs(11));
    pair(&app.refresh(&ada.refresh_token).await);
}

#[tokio::test]
async fn each_kind_of_token_is_good_for_its_own_purpose_only() {
    let app = TestApp::start().await;
    app.register("bob@example.com").await;
    let link = app.confirmation_token("bob@example.com").await;
    let ada = app.signed_in("ada@example.com").await;
    for (token, kind) in [(&ada.access_token, "an access token"), (&link, "a confirmation link")] {
        assert_refused(&app.refresh(token).await, kind);
        assert_refused(&with_bearer(&app, token).await, kind);
    }
    assert_eq!(user(&app, &ada.refresh_token).await.code(), "invalid_token");
    assert_eq!(app.post("/auth/confirm", &json!({ "token": ada.refresh_token })).await.code(), "link_invalid");
    assert_eq!(ada.get("/user").await.status, 200);
    pair(&app.refresh(&ada.refresh_token).await);
}

#[tokio::test]
async fn a_refresh_token_with_any_character_changed_is_refused_and_ends_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for at in 0..ada.refresh_token.len() {
        let mut tampered = ada.refresh_token.clone().into_bytes();
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        assert_refused(&app.refresh(&String::from_utf8(tampered).unwrap()).await, &format!("character {at}"));
    }
    let cut = &ada.refresh_token[..ada.refresh_token.len() - 1];
    let doubled = ada.refresh_token.repeat(2);
    for garbage in ["", " ", "x", "a.b.c", "\u{0}", "ä", cut, &doubled] {
        assert_refused(&app.refresh(garbage).await, garbage);
    }
    pair(&app.refresh(&ada.refresh_token).await);
    assert!(app.events("session_reuse_detected").await.is_empty());
}

#[tokio::test]
async fn the_refresh_token_of_another_installation_is_refused() {
    let app = TestApp::start().await;
    let other = TestApp::start().await;
    let eve = other.signed_in("ada@example.com").await;
    app.confirmed("ada@example.com").await;
    assert_refused(&app.refresh(&eve.refresh_token).await, "signed with another key");
}

#[tokio::test]
async fn a_request_without_the_token_is_refused() {
    let app = TestApp::start().await;
    assert_refused(&app.get("/auth/refresh").await, "no Authorization");
    for (body, code) in [(json!({}), "required"), (json!({ "refresh_token": 5 }), "invalid_type")] {
        let answer = app.post("/auth/refresh", &body).await;
        assert_eq!(answer.fields(), [("refresh_token".to_owned(), code.to_owned())], "{body}");
    }
    for body in [json!({ "refresh_token": "x", "scope": "admin" }), json!(["x"]), Value::Null] {
        assert_eq!(app.post("/auth/refresh", &body).await.code(), "invalid_request", "{body}");
    }
}

#[tokio::test]
async fn the_session_of_a_deleted_account_is_refused() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(ada.delete("/user").await.status, 204);
    assert_refused(&app.refresh(&ada.refresh_token).await, "no account");
    app.register("ada@example.com").await;
    // Confirmation, farewell, confirmation.
    app.mails_to("ada@example.com", 3).await;
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.json()["status"], "confirmed");
    assert_refused(&app.refresh(&ada.refresh_token).await, "another account with the same address");
}

#[tokio::test]
async fn a_theft_that_races_with_the_owner_ends_the_session_for_both() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    let stolen = ada.refresh_token.clone();
    ada.refresh().await;
    app.clock.advance(Duration::from_secs(11));
    let (thief, owner) = tokio::join!(app.refresh(&stolen), app.refresh(&ada.refresh_token));
    assert_refused(&thief, "the thief");
    // The owner may have been faster, but goes no further than that.
    if owner.status == 200 {
        let (access_token, refresh_token) = pair(&owner);
        assert_eq!(user(&app, &access_token).await.code(), "invalid_token");
        assert_refused(&app.refresh(&refresh_token).await, "the owner's next");
    }
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
}
