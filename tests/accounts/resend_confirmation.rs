//! `POST /auth/send`

use std::time::Duration;

use serde_json::json;
use tests::{Answer, TestApp};

const MINUTE: Duration = Duration::from_mins(1);

async fn send(app: &TestApp, email: &str) -> Answer {
    let answer = app.post("/auth/send", &json!({ "email": email })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    // What the emailer makes of it is known once the queue is empty.
    app.idle().await;
    answer
}

#[tokio::test]
async fn unknown_confirmed_and_unconfirmed_addresses_get_the_same_answer() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    app.register("bob@example.com").await;
    let unknown = send(&app, "eve@example.com").await;
    assert_eq!(unknown.json(), json!({ "status": "confirmation_required", "email": "eve@example.com" }));
    for known in ["ada@example.com", "bob@example.com"] {
        let (status, headers, text) = send(&app, known).await.essence();
        assert_eq!((status, headers, text.replace(known, "eve@example.com")), unknown.essence(), "{known}");
    }
    assert_eq!(app.mails("eve@example.com").await.len(), 0);
    assert_eq!(app.mails("ada@example.com").await.len(), 1, "a confirmed address needs no more mails");
    assert_eq!(app.mails("bob@example.com").await.len(), 2);
}

#[tokio::test]
async fn an_unconfirmed_address_gets_a_new_link_and_the_first_still_works() {
    for newest in [true, false] {
        let app = TestApp::start().await;
        app.register("ada@example.com").await;
        let first = app.confirmation_token("ada@example.com").await;
        app.clock.advance(Duration::from_hours(23));
        send(&app, " ADA@Example.com").await;
        assert_eq!(app.mails("ada@example.com").await.len(), 2);
        let fresh = app.confirmation_token("ada@example.com").await;
        assert_ne!(first, fresh);
        let token = if newest { &fresh } else { &first };
        assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.json()["status"], "confirmed");
    }
}

#[tokio::test]
async fn a_fresh_link_works_when_the_first_one_has_expired() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let first = app.confirmation_token("ada@example.com").await;
    app.clock.advance(Duration::from_hours(24));
    send(&app, "ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": first })).await.code(), "link_expired");
    let fresh = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": fresh })).await.json()["status"], "confirmed");
}

#[tokio::test]
async fn an_account_is_sent_at_most_one_email_a_minute() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    app.mails_to("ada@example.com", 1).await;
    // The second registration contests the account, and is told of whenever that is.
    app.register("ada@example.com").await;
    app.idle().await;
    app.clock.advance(MINUTE);
    for minute in 3..5 {
        send(&app, "ada@example.com").await;
        send(&app, "ADA@example.com").await;
        // Registering again would send one too.
        app.register("ada@example.com").await;
        app.idle().await;
        assert_eq!(app.mails("ada@example.com").await.len(), minute);
        app.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn one_account_does_not_use_up_the_minute_of_another() {
    let app = TestApp::start().await;
    for email in ["ada@example.com", "bob@example.com"] {
        app.register(email).await;
        send(&app, email).await;
        assert_eq!(app.mails(email).await.len(), 2, "{email}");
    }
}

#[tokio::test]
async fn without_limits_every_wish_is_granted() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    app.register("ada@example.com").await;
    app.mails_to("ada@example.com", 1).await;
    for count in 2..6 {
        send(&app, "ada@example.com").await;
        assert_eq!(app.mails("ada@example.com").await.len(), count);
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let app = TestApp::start().await;
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "email": "nobody" }), "invalid_email"),
        (json!({ "email": 5 }), "invalid_type"),
    ] {
        let answer = app.post("/auth/send", &body).await;
        assert_eq!(answer.fields(), [("email".to_owned(), code.to_owned())], "{body}");
    }
    let answer = app.post("/auth/send", &json!({ "email": "ada@example.com", "to": "eve@example.com" })).await;
    assert_eq!(answer.code(), "invalid_request");
}
