//! `GET`, `PUT` and `DELETE /user`

use std::time::Duration;

use futures_util::future::join_all;
use local::{Outage, Service};
use serde_json::{Value, json};
use shared::domain::session::Session;
use shared::store::Pending;
use tests::{Answer, PASSWORD, SignedIn, TestApp, eventually, jpeg, text};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_user_reads_all_of_their_own_account() {
    let app = TestApp::start().await;
    let ada = app.signed_in("Ada@example.com").await;
    let answer = ada.get("/user").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let user = answer.json();
    let mut fields: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["app", "created_at", "email", "email_confirmed", "id", "name", "picture", "profile", "roles", "updated_at"],
        "nothing else, and no password hash above all"
    );
    assert_eq!(user["id"], ada.id);
    assert_eq!(user["email"], "Ada@example.com", "as it was typed");
    assert_eq!(user["roles"], json!(["user"]));
    assert_eq!(user["picture"], json!({ "status": "none" }));
    assert!(text(&user["created_at"]).ends_with('Z'));
}

#[tokio::test]
async fn only_an_administrator_reads_others() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in("ada@example.com").await);
    let nobody = "0198c0de-0000-7000-8000-000000000000";

    assert_eq!(admin.get(&format!("/user?id={}", ada.id)).await.json()["email"], "ada@example.com");
    assert_eq!(ada.get(&format!("/user?id={}", ada.id)).await.json()["id"], ada.id);
    assert_eq!(ada.get(&format!("/user?id={}", admin.id)).await.code(), "forbidden");
    assert_eq!(ada.get(&format!("/user?id={nobody}")).await.code(), "forbidden", "whether there is one is not told");
    let answer = admin.get(&format!("/user?id={nobody}")).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "user_not_found"));
    assert_eq!(app.get("/user").await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused_and_names_its_field() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for id in ["", "7", "nobody", "0198c0de-0000-7000-8000-00000000000", "%00", "../users"] {
        let answer = admin.get(&format!("/user?id={id}")).await;
        assert_eq!(answer.status, 400, "{id}");
        assert_eq!(answer.fields()[0].0, "id", "{id}");
    }
    for query in ["who=me", "id=a&id=b"] {
        assert_eq!(admin.get(&format!("/user?{query}")).await.code(), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn a_name_is_changed_trimmed_and_shown_at_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let before = ada.get("/user").await.json();
    app.clock.advance(Duration::from_secs(1));
    let answer = ada.put("/user", &json!({ "name": "  Ada e\u{301} King\t" })).await;
    assert_eq!(answer.status, 200);
    let after = answer.json();
    assert_eq!(after["name"], "Ada \u{e9} King");
    assert_eq!(ada.get("/user").await.json(), after);
    assert_eq!(after["created_at"], before["created_at"]);
    assert!(text(&after["updated_at"]) > text(&before["updated_at"]));
    let event = &app.events("user_updated").await[0];
    assert_eq!(event["user.id"], ada.id);
}

#[tokio::test]
async fn names_that_cannot_be_taken_change_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let before = ada.get("/user").await.json();
    for (name, code) in [
        (json!(""), "required"),
        (json!(" \t\n"), "required"),
        (json!("a".repeat(101)), "too_long"),
        (json!("👩".repeat(101)), "too_long"),
        (json!("Ada\nBcc: eve@example.com"), "invalid_characters"),
        (json!("Ada\u{0}"), "invalid_characters"),
        (json!("Ada\u{202e}"), "invalid_characters"),
        (json!("\u{1b}[2J"), "invalid_characters"),
        (json!(null), "required"),
        (json!(7), "invalid_type"),
        (json!(["Ada"]), "invalid_type"),
        (json!({ "first": "Ada" }), "invalid_type"),
    ] {
        let answer = ada.put("/user", &json!({ "name": name })).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.fields(), [("name".to_owned(), code.to_owned())], "{name}");
    }
    assert_eq!(ada.get("/user").await.json(), before);
    let longest = "👩".repeat(100);
    assert_eq!(ada.put("/user", &json!({ "name": longest })).await.json()["name"], longest);
}

#[tokio::test]
async fn nothing_but_what_may_change_can_be_written() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let before = ada.get("/user").await.json();
    for (field, value) in [
        ("roles", json!(["admin"])),
        ("id", json!("0198c0de-0000-7000-8000-000000000000")),
        ("email_confirmed", json!(false)),
        ("password_hash", json!("x")),
        ("disabled", json!(true)),
        ("session_epoch", json!(9)),
        ("pending_email", json!("eve@example.com")),
        ("former_emails", json!([])),
        ("picture", json!({ "status": "ready" })),
        ("created_at", json!(0)),
        ("pk", json!("USER#x")),
        ("NAME", json!("Eve")),
        ("__proto__", json!({ "roles": ["admin"] })),
    ] {
        let mut change = json!({ "name": "Eve" });
        change[field] = value;
        let answer = ada.put("/user", &change).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{field}");
    }
    assert_eq!(ada.put("/user", &json!(["Eve"])).await.code(), "invalid_request", "a body is an object");
    assert_eq!(ada.get("/user").await.json(), before);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_but_a_farewell() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let other = app.sign_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(80, 60, [200, 20, 20])).await;
    assert_eq!(ada.picture().await["status"], "ready");
    assert_eq!(app.objects("pictures").await.len(), 3);
    assert_eq!(app.login("ada@example.com", "wrong horse battery").await.status, 401);
    app.idle().await;

    let answer = ada.delete("/user").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));

    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(other.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&other.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(ada.delete("/user").await.code(), "invalid_token", "there is nobody left to delete");
    let subjects: Vec<String> =
        app.mails_to("ada@example.com", 2).await.iter().map(|mail| text(&mail["subject"])).collect();
    assert_eq!(subjects[0], "Your account with Example was deleted");
    app.idle().await;
    app.later(2 * MINUTE).await;
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
    // Of the address stays how often strangers failed with it, for two hours: they would see it go.
    let left = app.items_with("ada@example.com").await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("\"ATTEMPTS\"") && left[0].contains("ttl"), "{left:?}");
    assert_eq!(app.objects("pictures").await, [""; 0]);
    assert_eq!(app.objects("uploads").await, [""; 0]);
    let event = &app.events("user_deleted").await[0];
    assert_eq!((&event["user.id"], &event["user.changes.by"]), (&json!(ada.id), &json!(ada.id)));

    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "invalid_credentials");
    let again = app.register("ada@example.com").await;
    assert_eq!(again.status, 202);
    app.mails_to("ada@example.com", 3).await;
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    assert_ne!(app.sign_in("ada@example.com").await.id, ada.id);
}

#[tokio::test]
async fn the_old_confirmation_link_of_a_deleted_account_is_worth_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let old = app.confirmation_token("ada@example.com").await;
    assert_eq!(ada.delete("/user").await.status, 204);
    app.register("ada@example.com").await;
    app.idle().await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": old })).await.code(), "link_invalid");
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn emails_queued_for_a_deleted_account_are_not_sent() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.idle().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    app.register("ada@example.com").await;
    app.post("/auth/send", &json!({ "email": "ada@example.com" })).await;
    assert_eq!(app.items_with("\"MAIL#").await.len(), 2);
    assert_eq!(ada.delete("/user").await.status, 204);
    assert_eq!(app.items_with("\"MAIL#").await.len(), 1, "the farewell alone");
    app.outage(Service::Sqs, Outage::None).await;
    app.later(2 * MINUTE).await;
    let mails = app.mails_to("ada@example.com", 2).await;
    app.idle().await;
    assert_eq!(mails[0]["subject"], "Your account with Example was deleted");
    assert_eq!(app.mails("ada@example.com").await.len(), 2);
    assert_eq!(app.items_with("\"MAIL#").await, [""; 0]);
}

#[tokio::test]
async fn only_an_administrator_deletes_others_and_each_only_once() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in("ada@example.com").await);
    let bob = app.signed_in("bob@example.com").await;
    let path = format!("/user?id={}", bob.id);
    assert_eq!(ada.delete(&path).await.code(), "forbidden");
    assert_eq!(ada.delete("/user?id=0198c0de-0000-7000-8000-000000000000").await.code(), "forbidden");
    assert_eq!(bob.get("/user").await.status, 200);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.delete(&path).await.code(), "user_not_found");
    assert_eq!(admin.delete("/user?id=nobody").await.code(), "invalid_request");
    assert_eq!(bob.get("/user").await.code(), "invalid_token");
    assert_eq!(ada.get("/user").await.status, 200);
    app.mails_to("bob@example.com", 2).await;
    let event = &app.events("user_deleted").await[0];
    assert_eq!((&event["user.id"], &event["user.changes.by"]), (&json!(bob.id), &json!(admin.id)));
}

#[tokio::test]
async fn one_of_many_concurrent_deletions_succeeds() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let statuses: Vec<u16> =
        join_all((0..8).map(|_| ada.delete("/user"))).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [204, 401, 404].contains(status)), "{statuses:?}");
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 2, "one confirmation, one farewell");
    app.later(2 * MINUTE).await;
    assert_eq!(app.items_with("ada@example.com").await, [""; 0]);
}

#[tokio::test]
async fn deleting_the_account_requires_a_recent_sign_in() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    app.clock.advance(16 * MINUTE);
    ada.refresh().await;
    let answer = ada.delete("/user").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "reauthentication_required"));
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_user_authentication\", max_age=\"900\"");
    assert_eq!(ada.get("/user").await.status, 200);
    assert_eq!(app.sign_in("ada@example.com").await.delete("/user").await.status, 204);
}

#[tokio::test]
async fn the_sweeper_erases_what_was_left_while_s3_was_down() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(70, 70, [20, 20, 200])).await;
    assert_eq!(ada.picture().await["status"], "ready");
    app.idle().await;

    app.outage(Service::S3, Outage::Unavailable).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    app.outage(Service::S3, Outage::None).await;
    assert_eq!(app.objects("pictures").await.len(), 3);

    app.later(2 * MINUTE).await;
    assert_eq!(app.objects("pictures").await, [""; 0]);
    app.mails_to("ada@example.com", 2).await;
    app.idle().await;
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
    assert_eq!(app.items_with("ada@example.com").await, [""; 0]);
    assert!(app.app().store().due(100, app.clock.now().plus(2000 * MINUTE)).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_account_with_sixty_sessions_is_deleted_with_all_of_them() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in("ada@example.com").await;
    let sessions: Vec<SignedIn<'_>> = join_all((0..60).map(|_| app.sign_in("ada@example.com"))).await;
    assert!(app.items_with("SESSION#").await.len() >= 61);
    assert_eq!(ada.delete("/user").await.status, 204);
    app.idle().await;
    app.later(2 * MINUTE).await;
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
    for session in sessions.iter().step_by(20) {
        assert_eq!(app.refresh(&session.refresh_token).await.code(), "invalid_refresh_token");
    }
}

#[tokio::test]
async fn a_sign_in_that_races_the_deletion_leaves_nothing_behind() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in("ada@example.com").await;
    let (deleted, _) =
        tokio::join!(ada.delete("/user"), join_all((0..12).map(|_| app.login("ada@example.com", PASSWORD))));
    assert_eq!(deleted.status, 204);
    app.later(2 * MINUTE).await;
    app.idle().await;
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
}

#[tokio::test]
async fn the_farewell_is_in_the_outbox_even_when_the_queue_is_down() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.idle().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    app.outage(Service::Sqs, Outage::None).await;
    let owed = app.app().store().due(100, app.clock.now().plus(2 * MINUTE)).await.unwrap();
    assert!(owed.iter().any(|pending| matches!(pending, Pending::Email(_))), "{owed:?}");
    app.later(2 * MINUTE).await;
    app.mails_to("ada@example.com", 2).await;
}

#[tokio::test]
async fn answers_are_500_and_reveal_nothing_while_the_table_is_down() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.idle().await;
    app.outage(Service::DynamoDb, Outage::Unavailable).await;
    let answer: Answer = ada.get("/user").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (500, "internal_error"));
    for word in ["dynamo", "Dynamo", "Unavailable", "table", "127.0.0.1"] {
        assert!(!answer.text.contains(word), "{word} in {}", answer.text);
    }
    app.outage(Service::DynamoDb, Outage::None).await;
    let back: Value = eventually("the table", async || {
        let answer = ada.get("/user").await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(back["id"], ada.id);
}

#[tokio::test]
async fn a_session_begun_during_its_accounts_deletion_is_erased_a_minute_later() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let user = app.app().store().user(ada.id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(ada.delete("/user").await.status, 204);
    let late = Session::begin(&user, None, None, app.clock.now());
    app.app().store().begin_session(&late, None).await.unwrap();
    app.idle().await;
    app.later(2 * MINUTE).await;
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
}
