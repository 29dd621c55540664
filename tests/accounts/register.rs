//! `POST /auth/register`

use std::time::Duration;

use futures_util::future::join_all;
use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, PASSWORD, TestApp};

const CONFIRM: &str = "Confirm your email address for Example";
const ALREADY: &str = "You already have an account with Example";
const WAITING: &str = "Your account with Example is not confirmed yet";

fn body(name: &str, email: &str, password: &str) -> Value {
    json!({ "name": name, "email": email, "password": password })
}

/// The expected fields of a problem with their codes.
fn named(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
}

fn subjects(mails: &[Value]) -> Vec<&str> {
    mails.iter().filter_map(|mail| mail["subject"].as_str()).collect()
}

#[tokio::test]
async fn a_newcomer_is_asked_to_confirm_the_address() {
    let app = TestApp::start().await;
    let answer = app.register("  Ada@Example.com ").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json(), json!({ "status": "confirmation_required", "email": "Ada@Example.com" }));
    let mails = app.mails_to("Ada@example.com", 1).await;
    assert_eq!(subjects(&mails), [CONFIRM]);
    assert!(!mails[0].to_string().contains(PASSWORD));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let app = TestApp::start().await;
    let answer = app.post("/auth/register", &json!({ "name": " ", "email": "nobody" })).await;
    assert_eq!(answer.fields(), named(&[("name", "required"), ("email", "invalid_email"), ("password", "required")]));
}

#[tokio::test]
async fn every_rule_for_a_field_is_kept() {
    let app = TestApp::start().await;
    let long_name = "ä".repeat(101);
    let long_email = format!("ada@{}.example.com", "a.".repeat(120));
    let (too_short, too_long) = ("ä".repeat(7), "ä".repeat(129));
    let composed_too_short = "e\u{301}".repeat(7);
    let (good_name, good_email) = ("Ada Lovelace", "ada@example.com");
    for (name, email, password, field, code) in [
        ("", good_email, PASSWORD, "name", "required"),
        (" \t ", good_email, PASSWORD, "name", "required"),
        (&long_name, good_email, PASSWORD, "name", "too_long"),
        ("Ada\nBcc: eve@example.com", good_email, PASSWORD, "name", "invalid_characters"),
        ("Ada\u{202e}ecalevoL", good_email, PASSWORD, "name", "invalid_characters"),
        ("Ada\0", good_email, PASSWORD, "name", "invalid_characters"),
        ("\u{3164}", good_email, PASSWORD, "name", "required"),
        ("\u{2800}\u{200b} \u{ad}", good_email, PASSWORD, "name", "required"),
        (good_name, "ａda@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "zoë@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "\"ada\"@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada(x)@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@127.0.0.1", PASSWORD, "email", "invalid_email"),
        (good_name, "", PASSWORD, "email", "invalid_email"),
        (good_name, "ada", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@", PASSWORD, "email", "invalid_email"),
        (good_name, "@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@localhost", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@[127.0.0.1]", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@exa mple.com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@example..com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada lovelace@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "Ada <ada@example.com>", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@example.com, eve@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, "ada@example.com\r\nBcc: eve@example.com", PASSWORD, "email", "invalid_email"),
        (good_name, &long_email, PASSWORD, "email", "too_long"),
        (good_name, good_email, "", "password", "too_short"),
        (good_name, good_email, &too_short, "password", "too_short"),
        (good_name, good_email, &composed_too_short, "password", "too_short"),
        (good_name, good_email, &too_long, "password", "too_long"),
        (good_name, good_email, "password1", "password", "too_common"),
        (good_name, good_email, "PassWord1", "password", "too_common"),
        (good_name, good_email, "Ada@Example.com", "password", "too_similar"),
        (good_name, good_email, "ADA LOVELACE", "password", "too_similar"),
        (good_name, "ada.lovelace@example.com", "Ada.Lovelace", "password", "too_similar"),
    ] {
        let answer = app.post("/auth/register", &body(name, email, password)).await;
        assert_eq!(answer.status, 400, "{name:?} {email:?} {password:?}");
        assert_eq!(answer.fields(), named(&[(field, code)]), "{name:?} {email:?} {password:?}");
        // A refusal does not repeat the password.
        assert!(password.is_empty() || !answer.text.contains(password), "{}", answer.text);
    }
}

#[tokio::test]
async fn values_at_the_edge_of_a_rule_are_taken() {
    let app = TestApp::start().await;
    let (name, longest) = ("ä".repeat(100), "ä".repeat(128));
    let longest_email =
        format!("{}@{}.com", "a".repeat(64), [["a"; 61].concat(), ["b"; 61].concat(), ["c"; 61].concat()].join("."));
    assert_eq!(longest_email.len(), 254);
    for (name, email, password) in [
        (name.as_str(), "a@example.com", PASSWORD),
        ("Ada", "b@example.com", "ääääääää"),
        ("Ada", "c@example.com", longest.as_str()),
        ("Ada", "d@example.com", "        x"),
        ("王", "e+tag.x@sub.example.co", "a password\0with anything\u{7f}"),
        ("Ada", "f@bücher.example", PASSWORD),
        ("Ada", longest_email.as_str(), PASSWORD),
    ] {
        let answer = app.post("/auth/register", &body(name, email, password)).await;
        assert_eq!(answer.status, 202, "{name:?} {email:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_body_of_another_shape_is_refused_and_makes_no_account() {
    let app = TestApp::start().await;
    let complete = body("Ada Lovelace", "ada@example.com", PASSWORD);
    let with = |field: &str, value: Value| {
        let mut changed = complete.clone();
        changed[field] = value;
        changed
    };
    for (sent, fields) in [
        (with("name", json!(5)), named(&[("name", "invalid_type")])),
        (with("email", json!(["ada@example.com"])), named(&[("email", "invalid_type")])),
        (with("password", json!({})), named(&[("password", "invalid_type")])),
        (with("name", Value::Null), named(&[("name", "required")])),
        (with("email", Value::Null), named(&[("email", "required")])),
        (json!({}), named(&[("name", "required"), ("email", "required"), ("password", "required")])),
    ] {
        assert_eq!(app.post("/auth/register", &sent).await.fields(), fields, "{sent}");
    }
    let twice = format!(r#"{{"email":"eve@example.com",{}"#, &complete.to_string()[1..]);
    for sent in [
        with("roles", json!(["admin"])).to_string(),
        with("email_confirmed", json!(true)).to_string(),
        json!(["Ada Lovelace", "ada@example.com", PASSWORD]).to_string(),
        json!("ada@example.com").to_string(),
        "null".to_owned(),
        String::new(),
        format!("{complete}{complete}"),
        complete.to_string().replace('}', ""),
        twice,
    ] {
        let request = app.request(Method::POST, "/auth/register").header("content-type", "application/json");
        let answer = Answer::of(request.body(sent.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{sent}");
    }
    assert_eq!(app.register("ada@example.com").await.status, 202);
    assert_eq!(app.events("user_registered").await.len(), 1);
}

#[tokio::test]
async fn a_taken_address_in_any_spelling_is_answered_like_a_free_one() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let free = app.post("/auth/register", &body("Eve", "bob@example.com", "another password")).await;
    for (count, spelled) in
        ["ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.Com", " ada@example.com ", "ada@ｅｘａｍｐｌｅ.com"]
            .iter()
            .enumerate()
    {
        // Once a minute at most, an owner is told.
        app.clock.advance(Duration::from_mins(1));
        let taken = app.post("/auth/register", &body("Eve", spelled, "another password")).await;
        let (status, headers, text) = taken.essence();
        assert_eq!((status, headers, text.replace(spelled.trim(), "bob@example.com")), free.essence(), "{spelled}");
        let mails = app.mails_to("ada@example.com", count + 2).await;
        assert_eq!(mails.len(), count + 2);
        assert_eq!(mails[0]["subject"], ALREADY);
        assert!(!mails[0].to_string().contains("Eve"), "a stranger's words are in the mail: {}", mails[0]);
    }
    assert_eq!(app.login("ada@example.com", "another password").await.code(), "invalid_credentials");
    assert_eq!(app.sign_in("ada@example.com").await.get("/user").await.json()["name"], "Ada Lovelace");
}

#[tokio::test]
async fn an_international_address_is_one_address_in_every_unicode_form() {
    let app = TestApp::start().await;
    for spelled in
        ["zoe@bücher.example", "zoe@bu\u{308}cher.example", "ZOE@BÜCHER.example", "zoe@xn--bcher-kva.example"]
    {
        assert_eq!(app.register(spelled).await.status, 202, "{spelled}");
    }
    assert_eq!(app.events("user_registered").await.len(), 1);
    assert_eq!(app.events("address_taken").await.len(), 3);
}

#[tokio::test]
async fn an_unconfirmed_address_registered_again_is_confirmed_by_choosing_a_password() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    app.mails_to("ada@example.com", 1).await;
    app.post("/auth/register", &body("Eve", "ada@example.com", "another password")).await;
    let mails = app.mails_to("ada@example.com", 2).await;
    assert_eq!(subjects(&mails), [WAITING, CONFIRM]);
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.code(), "link_invalid");
    assert_eq!(app.choose_password("ada@example.com", "quiet lantern harbour").await.status, 200);
    for password in ["another password", PASSWORD] {
        assert_eq!(app.login("ada@example.com", password).await.code(), "invalid_credentials");
    }
    assert_eq!(app.login("ada@example.com", "quiet lantern harbour").await.status, 200);
}

#[tokio::test]
async fn concurrent_registrations_of_an_address_create_one_account() {
    let app = TestApp::start().await;
    let spellings = ["ada@example.com", "ADA@example.com"];
    let answers = join_all((0..16).map(|racer| app.register(spellings[racer % 2]))).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    app.idle().await;

    let mut mails = app.mails(spellings[0]).await;
    mails.extend(app.mails(spellings[1]).await);
    let confirmations = subjects(&mails).iter().filter(|subject| **subject == CONFIRM).count();
    assert_eq!(confirmations, 1, "{:?}", subjects(&mails));
    let told = subjects(&mails).iter().filter(|subject| **subject == WAITING).count();
    assert!(told <= 1, "an owner is told once a minute at most: {:?}", subjects(&mails));

    let admin = app.admin().await;
    let listed = admin.get("/users").await.json();
    let emails = listed["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_lowercase());
    assert_eq!(emails.filter(|email| email == "ada@example.com").count(), 1, "{listed}");
    assert_eq!(app.events("user_registered").await.len(), 2);
}

#[tokio::test]
async fn a_queue_that_is_down_delays_the_email_and_nothing_else() {
    for outage in [Outage::Unavailable, Outage::AnswerLost] {
        let app = TestApp::start().await;
        app.outage(Service::Sqs, outage).await;
        let answer = app.register("ada@example.com").await;
        assert_eq!(answer.status, 202, "{outage:?}: {}", answer.text);
        app.outage(Service::Sqs, Outage::None).await;
        app.later(Duration::from_mins(2)).await;
        let token = app.confirmation_token("ada@example.com").await;
        app.idle().await;
        assert_eq!(subjects(&app.mails("ada@example.com").await), [CONFIRM], "{outage:?}");
        assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200, "{outage:?}");
    }
}
