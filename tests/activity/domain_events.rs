//! Every change is told: as an event on the bus, and as activity of the account.

use std::collections::BTreeSet;
use std::time::Duration;

use local::{Outage, Service};
use serde_json::{Value, json};
use tests::{PASSWORD, SignedIn, TestApp, jpeg, text};

use crate::factor::Owner;
use crate::transfer::import::import;

const ADA: &str = "ada@example.com";
const NEW: &str = "quiet lantern harbour";

/// The events on the bus about a subject, oldest first, once all of them are there.
pub async fn published(app: &TestApp, subject: &str) -> Vec<Value> {
    app.idle().await;
    let events = app.stack.bus_events().into_iter().filter(|event| event.source == "user-service");
    let mut events: Vec<Value> = events.map(|event| event.detail).filter(|event| event["subject"] == subject).collect();
    events.reverse();
    events
}

fn types(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(&event["type"])).collect()
}

async fn activity(of: &SignedIn<'_>) -> Vec<Value> {
    let mut events = Vec::new();
    let mut path = "/user/activity?limit=100".to_owned();
    loop {
        let page = of.get(&path).await.json();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/user/activity?limit=100&cursor={cursor}"),
            None => return events,
        }
    }
}

#[tokio::test]
async fn an_accounts_events_are_in_order_and_match_its_activity() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    let passwords = json!({ "current_password": PASSWORD, "new_password": NEW });
    assert_eq!(ada.put("/user/password", &passwords).await.status, 204);
    let events = published(&app, &ada.id).await;
    let expected = [
        "user.created",
        "user.confirmed",
        "user.signed_in",
        "user.updated",
        "user.password_changed",
        "user.sessions_ended",
    ];
    assert_eq!(types(&events), expected);
    let mut seen = activity(&ada).await;
    seen.reverse();
    assert_eq!(types(&seen), expected);
    for (event, seen) in events.iter().zip(&seen) {
        assert_eq!(event["id"], seen["id"]);
        assert_eq!((&event["specversion"], &event["datacontenttype"]), (&json!("1.0"), &json!("application/json")));
        assert_eq!(event["source"], format!("{}/api/v1", app.stack.url()));
        assert_eq!(event["time"], seen["time"]);
        let mut data = event["data"].as_object().unwrap().clone();
        let actor = data.remove("actor").unwrap();
        assert_eq!(actor, seen["actor"]);
        assert_eq!(Value::Object(data), seen.get("data").cloned().unwrap_or_else(|| json!({})));
    }
    let sequences: Vec<_> = events.iter().map(|event| text(&event["sequence"])).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
    assert_eq!(events[3]["data"]["changed"], json!({ "name": "Ada King" }));
    let actor = &events[3]["data"]["actor"];
    assert_eq!((&actor["type"], &actor["id"]), (&json!("user"), &json!(ada.id)));
    assert_eq!(actor["source_ip"], "127.0.0.1");
    assert_eq!(events[0]["data"]["actor"]["type"], "anonymous");
    assert_eq!(events[1]["data"]["actor"]["type"], "link");
}

/// DynamoDB has no empty names, and fewer numbers than JSON.
#[tokio::test]
async fn an_event_can_hold_any_json_of_a_profile() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let profile = json!({ "": [{ "": 1e200 }], "small": 1e-200 });
    assert_eq!(ada.put("/user", &json!({ "profile": profile })).await.json()["profile"], profile);
    assert_eq!(activity(&ada).await[0]["data"]["changed"]["profile"], profile);
    assert_eq!(published(&app, &ada.id).await.last().unwrap()["data"]["changed"]["profile"], profile);
}

#[tokio::test]
async fn no_event_holds_a_password_a_token_a_hash_or_a_link() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let ada = owner.sign_in().await;
    assert_eq!(ada.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    assert_eq!(app.recover(ADA, NEW).await.status, 200);
    let events = published(&app, &ada.id).await;
    assert!(events.len() > 5, "{events:?}");
    let text = serde_json::to_string(&events).unwrap();
    let mut secrets = vec![PASSWORD, NEW, &ada.access_token, &ada.refresh_token, "argon2", "token=", "eyJ"];
    secrets.extend(owner.recovery.iter().map(String::as_str));
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_deletion_is_told_with_what_was_there_and_leaves_no_activity() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    let events = published(&app, &ada.id).await;
    let deleted = events.last().unwrap();
    assert_eq!(deleted["type"], "user.deleted");
    assert_eq!(deleted["data"]["user"]["email"], ADA);
    assert_eq!(deleted["data"]["reason"], "requested");
    app.later(Duration::from_mins(2)).await;
    app.idle().await;
    assert_eq!(app.items_with(&ada.id).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_staff_action_outlives_its_account_in_staff_activity_without_its_data() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    let seen = admin.get(&format!("/users/{}/activity", ada.id)).await.json();
    assert_eq!(types(seen["events"].as_array().unwrap()), ["user.signed_in", "user.confirmed", "user.created"]);
    assert_eq!(admin.delete(&format!("/user?id={}", ada.id)).await.status, 204);
    let events = published(&app, &ada.id).await;
    let actor = &events.last().unwrap()["data"]["actor"];
    assert_eq!((&actor["type"], &actor["id"]), (&json!("staff"), &json!(admin.id)));
    app.later(Duration::from_mins(2)).await;
    assert_eq!(admin.get(&format!("/users/{}/activity", ada.id)).await.code(), "user_not_found");
    let acts = admin.get("/activity").await.json()["events"].clone();
    let act = &acts.as_array().unwrap()[0];
    assert_eq!((&act["type"], &act["subject"]), (&json!("user.deleted"), &json!(ada.id)));
    assert_eq!(act["actor"]["id"], json!(admin.id));
    assert_eq!(act.get("data"), None, "nothing of the account is left");
    assert_eq!(app.items_with(ADA).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_the_owner_and_staff_see_activity_and_cursors_fit_one_list() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (ada, eve) = (app.signed_in(ADA).await, app.signed_in("eve@example.com").await);
    for name in ["One", "Two", "Three"] {
        assert_eq!(ada.put("/user", &json!({ "name": name })).await.status, 200);
    }
    app.idle().await;
    let mut names = Vec::new();
    let mut path = "/user/activity?limit=2".to_owned();
    let mut cursors = Vec::new();
    loop {
        let page = ada.get(&path).await.json();
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 2);
        names.extend(types(events));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        cursors.push(cursor.to_owned());
        path = format!("/user/activity?limit=2&cursor={cursor}");
    }
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "user.updated").count(), 3);
    let foreign = eve.get(&format!("/user/activity?cursor={}", cursors[0])).await;
    assert_eq!(foreign.fields(), [("cursor".to_owned(), "invalid_cursor".to_owned())]);
    let foreign = admin.get(&format!("/activity?cursor={}", cursors[0])).await;
    assert_eq!(foreign.fields(), [("cursor".to_owned(), "invalid_cursor".to_owned())]);
    assert_eq!(ada.get("/user/activity?limit=101").await.fields()[0].1, "out_of_range");
    assert_eq!(eve.get(&format!("/users/{}/activity", ada.id)).await.code(), "forbidden");
    assert_eq!(eve.get("/activity").await.code(), "forbidden");
    let shown = admin.get(&format!("/users/{}/activity", ada.id)).await.json();
    assert_eq!(shown["events"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn activity_is_forgotten_after_its_days() {
    let app = TestApp::start_with(&[("ACTIVITY_DAYS", "1")]).await;
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    assert_eq!(activity(&ada).await.len(), 3);
    let cursor = text(&ada.get("/user/activity?limit=1").await.json()["next_cursor"]);
    app.clock.advance(Duration::from_hours(25));
    let again = app.sign_in(ADA).await;
    app.idle().await;
    assert_eq!(types(&activity(&again).await), ["user.signed_in"]);
    let rest = again.get(&format!("/user/activity?cursor={cursor}")).await;
    assert_eq!((rest.status.as_u16(), &rest.json()["events"]), (200, &json!([])), "what was on the page after is gone");
}

#[tokio::test]
async fn addresses_stay_out_of_events_where_they_are_not_wanted() {
    let app = TestApp::start_with(&[("EVENT_ADDRESSES", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let events = serde_json::to_string(&published(&app, &ada.id).await).unwrap();
    assert!(events.contains("user.created"));
    for personal in [ADA, "Ada Lovelace", "source_ip", "user_agent"] {
        assert!(!events.contains(personal), "{personal}");
    }
    assert_eq!(activity(&ada).await[2]["data"]["user"]["email"], ADA);
}

/// What a request or a worker changes, as events of it.
#[tokio::test]
async fn every_type_of_event_about_an_account_happens() {
    let app = TestApp::start().await;
    let mut seen = BTreeSet::new();
    let mut collect = async |id: &str| {
        for event in published(&app, id).await {
            seen.insert(text(&event["type"]));
        }
    };
    // A life with all that there is.
    let owner = Owner::enrolled(&app, ADA).await;
    let ada = owner.sign_in().await;
    assert_eq!(ada.upload("image/jpeg", jpeg(8, 8, [1, 2, 3])).await.status, 200);
    ada.picture().await;
    assert_eq!(ada.put("/user", &json!({ "email": "ada@example.org" })).await.status, 200);
    let confirm = app.mailed_token("ada@example.org", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": confirm })).await.status, 200);
    let undo = app.mailed_token(ADA, "/auth/email/undo").await;
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": undo })).await.status, 200);
    assert_eq!(app.recover(ADA, NEW).await.status, 200);
    collect(&ada.id).await;
    let other = app.signed_in("eve@example.com").await;
    assert_eq!(other.post("/auth/step-up", &json!({ "password": PASSWORD })).await.status, 204);
    assert_eq!(other.logout().await.status, 204);
    collect(&other.id).await;
    let gone = app.signed_in("gone@example.com").await;
    assert_eq!(gone.delete("/user").await.status, 204);
    collect(&gone.id).await;
    for address in ["bounce", "complaint"] {
        let user = app.signed_in(&format!("{address}@simulator.amazonses.com")).await;
        collect(&user.id).await;
    }
    let admin = app.admin().await;
    let account = json!({ "name": "Heidi", "email": "heidi@example.com", "invite": true });
    let id = text(&admin.post("/users", &account).await.json()["id"]);
    let reason = json!({ "reason": "A ticket" });
    assert_eq!(admin.post(&format!("/users/{id}/impersonation"), &reason).await.status, 200);
    for act in ["confirmation", "password-reset", "disable", "enable"] {
        assert!(admin.post(&format!("/users/{id}/{act}"), &json!({})).await.status.is_success(), "{act}");
    }
    collect(&id).await;
    let invitation = text(&admin.post("/invitations", &json!({ "email": "kim@example.com" })).await.json()["id"]);
    assert_eq!(admin.delete(&format!("/invitations/{invitation}")).await.status, 204);
    collect(&invitation).await;
    let ids = import(&app, &json!({ "email": "ida@example.com" })).await;
    collect(&ids[0]).await;
    let known = shared::domain::event::EventKind::ALL.iter().map(|(name, ..)| (*name).to_owned());
    let known: BTreeSet<_> = known.filter(|name| name.starts_with("user.")).collect();
    let missing: Vec<_> = known.difference(&seen).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert_eq!(seen.difference(&known).count(), 0);
}

#[tokio::test]
async fn events_survive_every_bus_failure_in_the_order_of_each_user() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.signed_in(ADA).await, app.signed_in("eve@example.com").await);
    for outage in [Outage::Unavailable, Outage::AnswerLost, Outage::PartialFailure] {
        app.outage(Service::EventBridge, outage).await;
        for number in 0..12 {
            for user in [&ada, &eve] {
                assert_eq!(user.put("/user", &json!({ "name": format!("{outage:?} {number}") })).await.status, 200);
            }
        }
        app.outage(Service::EventBridge, Outage::None).await;
    }
    for user in [&ada, &eve] {
        let published = published(&app, &user.id).await;
        // Duplicates have one id; without them each is there once and in its order.
        let mut once: Vec<&Value> = Vec::new();
        for event in &published {
            if !once.iter().any(|seen| seen["id"] == event["id"]) {
                once.push(event);
            }
        }
        assert!(once.windows(2).all(|pair| text(&pair[0]["sequence"]) < text(&pair[1]["sequence"])));
        let seen = activity(user).await;
        let seen: Vec<_> = seen.iter().rev().map(|event| text(&event["id"])).collect();
        assert_eq!(once.iter().map(|event| text(&event["id"])).collect::<Vec<_>>(), seen);
        assert_eq!(seen.len(), 3 + 36);
    }
}

#[tokio::test]
async fn events_of_a_service_that_stopped_are_published_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(data.path()), &[]).await;
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    app.outage(Service::EventBridge, Outage::Unavailable).await;
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    let id = ada.id.clone();
    app.stack.stop().await;
    let app = TestApp::start_in(Some(data.path()), &[]).await;
    let expected = ["user.created", "user.confirmed", "user.signed_in", "user.updated"];
    assert_eq!(types(&published(&app, &id).await), expected);
}

#[tokio::test]
async fn a_rejected_registration_and_a_wrong_password_tell_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let before = published(&app, &ada.id).await.len();
    let again = json!({ "name": "Eve", "email": ADA, "password": NEW });
    assert_eq!(app.post("/auth/register", &again).await.status, 202);
    assert_eq!(app.login(ADA, "wrong").await.status, 401);
    assert_eq!(ada.put("/user", &json!({ "name": " " })).await.status, 400);
    assert_eq!(published(&app, &ada.id).await.len(), before);
}
