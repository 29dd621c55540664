//! `GET /auth/sessions`, `DELETE /auth/sessions/{id}`

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

const DAY: Duration = Duration::from_hours(24);
const ADA: &str = "ada@example.com";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";

async fn sessions(of: &SignedIn<'_>) -> Vec<Value> {
    let answer = of.get("/auth/sessions").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["sessions"].as_array().unwrap().clone()
}

async fn current(of: &SignedIn<'_>) -> String {
    text(&sessions(of).await.iter().find(|session| session["current"] == true).unwrap()["id"])
}

async fn end(by: &SignedIn<'_>, id: &str) -> Answer {
    by.delete(&format!("/auth/sessions/{id}")).await
}

/// Signs in as a program that says what it is.
async fn login_with(app: &TestApp, user_agent: &str) -> Answer {
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    Answer::of(app.request(Method::POST, "/auth/login").header("user-agent", user_agent).json(&body)).await
}

#[tokio::test]
async fn the_list_says_when_where_and_with_what_newest_first() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    assert_eq!(login_with(&app, FIREFOX).await.status, 200);
    app.clock.advance(DAY);
    let mut ada = app.sign_in("ada@example.com").await;
    app.clock.advance(DAY);
    ada.refresh().await;
    let listed = sessions(&ada).await;
    assert_eq!(listed.len(), 2);
    let names: Vec<_> = listed[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["client", "created_at", "current", "id", "last_used_at", "source_ip"]);
    assert_eq!((&listed[0]["current"], &listed[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!((&listed[0]["source_ip"], &listed[0]["client"]), (&json!("127.0.0.1"), &Value::Null));
    assert_eq!(listed[1]["client"], FIREFOX);
    let at = |session: &Value, name: &str| text(&session[name]);
    assert!(at(&listed[0], "created_at") > at(&listed[1], "created_at"));
    assert!(at(&listed[0], "last_used_at") > at(&listed[0], "created_at"), "a refresh is use");
    assert_eq!(at(&listed[1], "last_used_at"), at(&listed[1], "created_at"));
}

#[tokio::test]
async fn the_list_never_shows_sessions_of_others_or_ended_ones() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let bob = app.signed_in("bob@example.com").await;
    let out = app.sign_in("ada@example.com").await;
    assert_eq!(sessions(&ada).await.len(), 2);
    assert_eq!(sessions(&bob).await.len(), 1);
    let answer = Answer::of(ada.request(Method::GET, &format!("/auth/sessions?id={}", bob.id))).await;
    assert!(!answer.text.contains(&current(&bob).await), "{}", answer.text);
    out.logout().await;
    assert_eq!(sessions(&ada).await.len(), 1);
    ada.post("/auth/logout", &json!({ "everywhere": true })).await;
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(sessions(&ada).await.len(), 1, "those of an older epoch are over");
    app.clock.advance(DAY * 31);
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(sessions(&ada).await.len(), 1, "and so are those that ran out, whenever DynamoDB deletes them");
}

#[tokio::test]
async fn an_ended_session_is_invalid_at_once_and_the_others_go_on() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let phone = app.sign_in("ada@example.com").await;
    let lost = current(&phone).await;
    let answer = end(&ada, &lost).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(phone.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&phone.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(ada.get("/user").await.status, 200);
    let again = end(&ada, &lost).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (404, "session_not_found"));
    let events = app.events("session_ended").await;
    assert_eq!((events.len(), &events[0]["session.id"], &events[0]["user.id"]), (1, &json!(lost), &json!(ada.id)));
    assert_eq!(events[0]["session.by"], json!(current(&ada).await));
}

#[tokio::test]
async fn ending_the_current_session_is_signing_out() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let own = current(&ada).await;
    assert_eq!(end(&ada, &own).await.status, 204);
    assert_eq!(end(&ada, &own).await.code(), "invalid_token");
    assert_eq!(app.refresh(&ada.refresh_token).await.code(), "invalid_refresh_token");
}

#[tokio::test]
async fn another_users_session_cannot_be_ended_and_looks_nonexistent() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let admin = app.admin().await;
    let theirs = current(&ada).await;
    let never = theirs.chars().rev().map(|c| if c == '0' { '1' } else { c }).collect::<String>();
    let bob = app.signed_in("bob@example.com").await;
    let refused = end(&bob, &theirs).await.essence();
    assert_eq!(refused.0, 404);
    assert_eq!(end(&admin, &theirs).await.essence(), refused, "an administrator is no exception");
    for id in [never.as_str(), "0198c0de-0000-7000-8000-000000000001", "x", "..%252f..", "%00", "SESSION%23x", "{id}"] {
        assert_eq!(end(&bob, id).await.essence(), refused, "{id}");
    }
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn concurrent_requests_end_a_session_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let phone = current(&app.sign_in("ada@example.com").await).await;
    let answers = join_all((0..16).map(|_| end(&ada, &phone))).await;
    let ended = answers.iter().filter(|answer| answer.status == 204).count();
    assert_eq!(ended, 1);
    assert!(answers.iter().all(|answer| [204, 404].contains(&answer.status.as_u16())));
    assert_eq!(app.events("session_ended").await.len(), 1);
}

#[tokio::test]
async fn the_first_sign_in_from_a_further_client_sends_an_email() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    assert_eq!(login_with(&app, FIREFOX).await.status, 200);
    assert_eq!(login_with(&app, &FIREFOX.replace("146", "147")).await.status, 200);
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 1, "that of registering");

    assert_eq!(login_with(&app, "curl/8.14.1").await.status, 200);
    let mails = app.mails_to("ada@example.com", 2).await;
    assert!(text(&mails[0]["subject"]).contains("New sign-in"), "{}", mails[0]);
    for part in ["text", "html"] {
        assert!(text(&mails[0][part]).contains("curl") && text(&mails[0][part]).contains("127.0.0.1"), "{}", mails[0]);
    }
    assert_eq!(login_with(&app, "curl/9.0.0").await.status, 200);
    assert_eq!(login_with(&app, FIREFOX).await.status, 200);
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 2, "each is told of once");
    assert_eq!(app.events("new_client").await.len(), 1);
}

#[tokio::test]
async fn a_client_that_signed_out_is_still_known_until_everything_is() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.logout().await;
    let ada = app.sign_in("ada@example.com").await;
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 1);
    ada.post("/auth/logout", &json!({ "everywhere": true })).await;
    app.sign_in("ada@example.com").await;
    app.mails_to("ada@example.com", 2).await;
}

#[tokio::test]
async fn a_wrong_password_makes_no_client_known() {
    let app = TestApp::start().await;
    app.signed_in("ada@example.com").await;
    let body = json!({ "email": "ada@example.com", "password": "wrong horse battery" });
    let request = app.request(Method::POST, "/auth/login").header("user-agent", "curl/8.14.1").json(&body);
    assert_eq!(Answer::of(request).await.code(), "invalid_credentials");
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 1, "nobody is told of a failure");
    assert_eq!(login_with(&app, "curl/8.14.1").await.status, 200);
    app.mails_to("ada@example.com", 2).await;
}

#[tokio::test]
async fn concurrent_sign_ins_from_a_new_client_all_succeed_and_notify_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    app.signed_in("ada@example.com").await;
    let answers = join_all((0..16).map(|_| login_with(&app, FIREFOX))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    app.mails_to("ada@example.com", 2).await;
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 2);
}

#[tokio::test]
async fn a_clients_user_agent_is_never_quoted_in_an_email() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    assert_eq!(login_with(&app, FIREFOX).await.status, 200);
    assert_eq!(login_with(&app, "<a href=https://evil.example>Call 1 800 555 0100</a>").await.status, 200);
    let mails = app.mails_to("ada@example.com", 2).await;
    for word in ["evil", "800"] {
        assert!(!mails[0].to_string().contains(word), "{}", mails[0]);
    }
    assert!(text(&mails[0]["text"]).contains("an unknown browser or app"));
}

/// Session fixation: Eve plants what is hers in the browser that Ada signs in with.
#[tokio::test]
async fn a_sign_in_never_goes_on_with_a_session_that_was_planted() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.confirmed("eve@example.com").await;
    let planted = app.login("eve@example.com", PASSWORD).await.json();
    let mut eve = app.session_of("eve@example.com", &planted);
    let body = json!({ "email": ADA, "password": PASSWORD, "device_token": planted["device_token"] });
    let request = app.request(Method::POST, "/auth/login").bearer_auth(&eve.access_token);
    let cookies = format!("session={}; refresh_token={}", current(&eve).await, eve.refresh_token);
    let answer = Answer::of(request.header("cookie", cookies).json(&body)).await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (200, ""));
    let ada = app.session_of(ADA, &answer.json());
    let fresh = current(&ada).await;
    assert_ne!(fresh, current(&eve).await);
    assert_ne!(answer.json()["device_token"], planted["device_token"]);

    // What Eve holds is still hers alone, before and after a refresh, and ends with nothing of Ada's.
    assert_eq!(eve.get("/user").await.json()["email"], "eve@example.com");
    eve.refresh().await;
    assert_eq!(eve.get("/user").await.json()["email"], "eve@example.com");
    assert_eq!(end(&eve, &fresh).await.code(), "session_not_found");

    // Nor does a sign-in take the id of a session, or go on with one of the same account.
    for field in ["session_id", "sid", "refresh_token"] {
        let mut naming = body.clone();
        naming[field] = json!(fresh);
        assert_eq!(app.post("/auth/login", &naming).await.code(), "invalid_request", "{field}");
    }
    assert_ne!(current(&app.sign_in(ADA).await).await, fresh);
}
