//! What SES reports of emails that came back.

use local::{Outage, Service, SuppressionReason};
use serde_json::{Value, json};
use tests::{PASSWORD, SignedIn, TestApp, text};

const BOUNCE: &str = "bounce@simulator.amazonses.com";
const COMPLAINT: &str = "complaint@simulator.amazonses.com";

async fn delivery(of: &SignedIn<'_>) -> Value {
    of.get("/user").await.json()["email_delivery"].clone()
}

async fn subjects(app: &TestApp, address: &str) -> usize {
    app.idle().await;
    app.mails(address).await.len()
}

/// Somebody signed in who was sent another email since they confirmed their address, and whatever SES says of it.
async fn signed_in_and_mailed<'a>(app: &'a TestApp, email: &str) -> SignedIn<'a> {
    assert_eq!(app.register(email).await.status, 202);
    // SES has reported what became of the link before it is used.
    app.idle().await;
    let token = app.mailed_token(email, "/auth/confirm").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    let user = app.sign_in(email).await;
    assert_eq!(delivery(&user).await, Value::Null, "the link came to where it was used");
    assert_eq!(app.post("/auth/password/forgot", &json!({ "email": email })).await.status, 202);
    app.idle().await;
    user
}

#[tokio::test]
async fn a_bounced_address_gets_only_requested_emails_until_staff_clear_it() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let user = signed_in_and_mailed(&app, BOUNCE).await;
    let shown = delivery(&user).await;
    assert_eq!(shown["status"], "bounced");
    assert!(text(&shown["diagnostic"]).contains("5.1.1"), "{shown}");
    assert_eq!(admin.get(&format!("/user?id={}", user.id)).await.json()["email_delivery"]["status"], "bounced");
    let before = subjects(&app, BOUNCE).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
    assert_eq!(user.put("/user/password", &change).await.status, 204);
    assert_eq!(subjects(&app, BOUNCE).await, before, "nobody asked for it");
    app.clock.advance(std::time::Duration::from_mins(2));
    assert_eq!(app.post("/auth/password/forgot", &json!({ "email": BOUNCE })).await.status, 202);
    assert_eq!(subjects(&app, BOUNCE).await, before + 1);
    assert_eq!(admin.delete(&format!("/users/{}/email-suppression", user.id)).await.status, 204);
    assert_eq!(delivery(&user).await, Value::Null);
    app.idle().await;
    let cleared = user.get("/user/activity?limit=1").await.json()["events"][0]["actor"].clone();
    assert_eq!(cleared, json!({ "type": "staff", "id": admin.id }), "not from where");
    let change = json!({ "current_password": "quiet lantern harbour", "new_password": "another quiet lantern" });
    assert_eq!(user.put("/user/password", &change).await.status, 204);
    assert_eq!(subjects(&app, BOUNCE).await, before + 2);
    assert_eq!(user.delete(&format!("/users/{}/email-suppression", user.id)).await.code(), "forbidden");
}

#[tokio::test]
async fn a_complaint_counts_and_a_transient_bounce_does_not() {
    let app = TestApp::start().await;
    let user = signed_in_and_mailed(&app, COMPLAINT).await;
    assert_eq!(delivery(&user).await["status"], "complained");
    let away = app.signed_in("ooto@simulator.amazonses.com").await;
    app.idle().await;
    assert_eq!(delivery(&away).await, Value::Null);
    let events = crate::activity::domain_events::published(&app, &away.id).await;
    let bounced = events.iter().find(|event| event["type"] == "user.email_bounced").unwrap();
    assert_eq!(bounced["data"]["permanent"], false);
    // The same person marks that email as spam, later.
    let reports = app.stack.bus_events();
    let report =
        reports.iter().find(|event| event.source == "aws.ses" && event.detail["bounce"] != Value::Null).unwrap();
    let mut complaint = json!({ "eventType": "Complaint", "mail": report.detail["mail"] });
    complaint["complaint"] =
        json!({ "feedbackId": "1", "complainedRecipients": report.detail["bounce"]["bouncedRecipients"] });
    app.enqueue("email-events", &json!({ "detail": report.detail }).to_string()).await;
    app.enqueue("email-events", &json!({ "detail": complaint }).to_string()).await;
    app.idle().await;
    assert_eq!(delivery(&away).await["status"], "complained");
    let events = crate::activity::domain_events::published(&app, &away.id).await;
    let count = |name: &str| events.iter().filter(|event| event["type"] == name).count();
    assert_eq!((count("user.email_bounced"), count("user.email_complained")), (1, 1), "each report counts once");
}

#[tokio::test]
async fn a_transient_bounce_that_is_reported_twice_is_taken_once() {
    let app = TestApp::start().await;
    let away = app.signed_in("ooto@simulator.amazonses.com").await;
    app.idle().await;
    let reports = app.stack.bus_events();
    let report =
        reports.iter().find(|event| event.source == "aws.ses" && event.detail["bounce"] != Value::Null).unwrap();
    assert_eq!(report.detail["bounce"]["bounceType"], "Transient");
    let again = json!({ "detail": report.detail }).to_string();
    for _ in 0..2 {
        app.enqueue("email-events", &again).await;
    }
    app.idle().await;
    let events = crate::activity::domain_events::published(&app, &away.id).await;
    assert_eq!(events.iter().filter(|event| event["type"] == "user.email_bounced").count(), 1);
    assert_eq!(app.queued("email-events-dead-letters").await, 0, "it was taken, and is no failure");
}

#[tokio::test]
async fn the_delivery_status_of_emails_is_erased_with_the_account() {
    let app = TestApp::start().await;
    let user = signed_in_and_mailed(&app, BOUNCE).await;
    assert_eq!(delivery(&user).await["status"], "bounced");
    assert_eq!(user.delete("/user").await.status, 204);
    app.later(std::time::Duration::from_mins(2)).await;
    assert_eq!(app.items_with(BOUNCE).await, Vec::<String>::new(), "nothing of it is left");
}

#[tokio::test]
async fn a_suppressed_address_is_shown_and_cleared_in_ses_as_well() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let user = app.signed_in("ada@example.com").await;
    app.stack.suppress("ada@example.com", SuppressionReason::Bounce);
    assert_eq!(app.post("/auth/password/forgot", &json!({ "email": "ada@example.com" })).await.status, 202);
    app.idle().await;
    assert_eq!(delivery(&user).await["status"], "suppressed");
    assert_eq!(admin.delete(&format!("/users/{}/email-suppression", user.id)).await.status, 204);
    assert_eq!(delivery(&user).await, Value::Null);
    let listed = app.app().ses().get_suppressed_destination().email_address("ada@example.com").send().await;
    assert!(listed.is_err(), "SES has forgotten it");
}

#[tokio::test]
async fn a_public_answer_is_the_same_whatever_becomes_of_emails() {
    let app = TestApp::start().await;
    app.signed_in(BOUNCE).await;
    app.signed_in("ada@example.com").await;
    app.idle().await;
    let forgot = async |email: &str| {
        let answer = app.post("/auth/password/forgot", &json!({ "email": email })).await;
        let (status, headers, body) = answer.essence();
        (status, headers, body.replace(email, "EMAIL"))
    };
    assert_eq!(forgot(BOUNCE).await, forgot("ada@example.com").await);
}

#[tokio::test]
async fn a_report_about_no_email_of_ours_changes_nothing() {
    let app = TestApp::start().await;
    let user = app.signed_in("ada@example.com").await;
    app.idle().await;
    let mut report = json!({ "source": "aws.ses", "detail-type": "Email Bounced", "detail": {
        "eventType": "Bounce",
        "mail": { "messageId": "of-somebody-else", "destination": ["ada@example.com"] },
        "bounce": { "bounceType": "Permanent", "bounceSubType": "General",
                    "bouncedRecipients": [{ "emailAddress": "ada@example.com" }] },
    }});
    app.enqueue("email-events", &report.to_string()).await;
    app.idle().await;
    assert_eq!(delivery(&user).await, Value::Null);
    app.enqueue("email-events", "no report").await;
    tests::eventually("a dead letter", async || (app.queued("email-events-dead-letters").await == 1).then_some(()))
        .await;
    // The note of an email that was sent just now may be still to come.
    report["detail"]["mail"]["timestamp"] = json!(app.app().clock.now().rfc3339());
    app.enqueue("email-events", &report.to_string()).await;
    tests::eventually("another try", async || (app.queued("email-events-dead-letters").await == 2).then_some(())).await;
}

#[tokio::test]
async fn a_link_that_was_used_shows_that_emails_arrive() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let user = signed_in_and_mailed(&app, BOUNCE).await;
    assert_eq!(delivery(&user).await["status"], "bounced");
    // The note about the new password would bounce, too.
    app.outage(Service::Ses, Outage::Unavailable).await;
    assert_eq!(app.choose_password(BOUNCE, PASSWORD).await.status, 200);
    let shown = admin.get(&format!("/user?id={}", user.id)).await.json();
    assert_eq!(shown.get("email_delivery"), None, "whoever used the link reads there");
    let address = shared::domain::email::EmailAddress::parse(BOUNCE).unwrap().normalized();
    assert_eq!(app.app().store().email_delivery(&address).await.unwrap(), None);
}

#[tokio::test]
async fn a_former_owner_can_undo_a_change_despite_a_complaint() {
    let app = TestApp::start().await;
    let user = signed_in_and_mailed(&app, COMPLAINT).await;
    assert_eq!(delivery(&user).await["status"], "complained");
    assert_eq!(user.put("/user", &json!({ "email": "thief@example.com" })).await.status, 200);
    let confirm = app.mailed_token("thief@example.com", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": confirm })).await.status, 200);
    let undo = app.mailed_token(COMPLAINT, "/auth/email/undo").await;
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": undo })).await.status, 200);
}
