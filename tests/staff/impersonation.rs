//! `POST /users/{id}/impersonation`

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tests::{ADMIN, Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::claims;

const ADA: &str = "ada@example.com";

/// A member of staff who acts as Ada, with nothing to refresh.
async fn impersonated<'a>(app: &'a TestApp, admin: &SignedIn<'_>, id: &str, write: bool) -> SignedIn<'a> {
    let body = json!({ "reason": "Ticket 4711", "write": write });
    let answer = admin.post(&format!("/users/{id}/impersonation"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut body = answer.json();
    assert_eq!(body.get("refresh_token"), None);
    body["refresh_token"] = json!("");
    body["user"] = json!({ "id": id });
    app.session_of(ADA, &body)
}

#[tokio::test]
async fn an_administrator_sees_what_a_user_sees_and_changes_nothing() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in(ADA).await);
    let acting = impersonated(&app, &admin, &ada.id, false).await;
    let token = claims(&acting.access_token);
    assert_eq!((&token["sub"], &token["act"]["sub"]), (&json!(ada.id), &json!(admin.id)));
    assert_eq!((&token["auth_time"], &token["amr"]), (&json!(0), &json!([])));
    assert_eq!(acting.get("/user").await.json()["email"], ADA);
    assert_eq!(acting.get("/auth/sessions").await.json()["sessions"].as_array().unwrap().len(), 1, "it is no session");
    for (method, path) in every_change() {
        let answer = Answer::of(acting.request(method.clone(), &path).json(&json!({}))).await;
        assert_eq!(answer.code(), "impersonating", "{method} {path}");
    }
    app.idle().await;
    let mails = app.mails(ADA).await;
    assert!(text(&mails[0]["subject"]).contains("Support accessed"), "{mails:?}");
    let own = ada.get("/user/activity?limit=1").await.json()["events"][0].clone();
    assert_eq!((&own["type"], &own["data"]["write"]), (&json!("user.impersonated"), &json!(false)));
    assert_eq!(own["data"].get("reason"), None);
    let staff = admin.get(&format!("/users/{}/activity?limit=1", ada.id)).await.json();
    assert_eq!(staff["events"][0]["data"]["reason"], "Ticket 4711");
}

/// Every operation that changes something for somebody who is signed in.
fn every_change() -> Vec<(Method, String)> {
    let operations = functions::routes().flat_map(|route| route.operations);
    let changing = operations.filter(|operation| operation.changes() && operation.is_signed_in());
    let id = "01a2295b-29e9-7d21-bf3c-1d64760e4a27";
    let path = |path: &str| {
        path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>().join("/")
    };
    changing.map(|operation| (operation.method.parse().unwrap(), path(operation.path))).collect()
}

#[tokio::test]
async fn with_write_name_profile_and_picture_are_changed_and_nothing_else() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in(ADA).await);
    let acting = impersonated(&app, &admin, &ada.id, true).await;
    assert_eq!(acting.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    assert_eq!(acting.put("/user", &json!({ "profile": { "theme": "dark" } })).await.status, 200);
    let upload = json!({ "content_type": "image/jpeg", "content_length": 10 });
    assert_eq!(acting.post("/user/picture", &upload).await.status, 200);
    assert_eq!(acting.delete("/user/picture").await.status, 204);
    assert_eq!(acting.put("/user", &json!({ "email": "thief@example.com" })).await.code(), "impersonating");
    let open = [(Method::PUT, "/user"), (Method::POST, "/user/picture"), (Method::DELETE, "/user/picture")];
    for (method, path) in every_change() {
        if open.iter().all(|open| (&open.0, open.1) != (&method, path.as_str())) {
            let answer = Answer::of(acting.request(method.clone(), &path).json(&json!({}))).await;
            assert_eq!(answer.code(), "impersonating", "{method} {path}");
        }
    }
    app.idle().await;
    let events = ada.get("/user/activity?limit=5").await.json()["events"].clone();
    let renamed =
        events.as_array().unwrap().iter().find(|event| event["data"]["changed"]["name"] == "Ada King").unwrap();
    assert_eq!((&renamed["actor"]["type"], &renamed["actor"]["id"]), (&json!("staff"), &json!(admin.id)));
}

#[tokio::test]
async fn impersonation_ends_with_its_time_the_users_sessions_and_the_administrators() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in(ADA).await);
    let acting = impersonated(&app, &admin, &ada.id, false).await;
    assert_eq!(ada.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    assert_eq!(acting.get("/user").await.code(), "invalid_token");
    let acting = impersonated(&app, &admin, &ada.id, false).await;
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(acting.get("/user").await.code(), "invalid_token");
    let admin = app.sign_in(ADMIN).await;
    let acting = impersonated(&app, &admin, &ada.id, false).await;
    assert_eq!(admin.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    assert_eq!(acting.get("/user").await.code(), "invalid_token");
    let (admin, other) = (app.sign_in(ADMIN).await, app.sign_in(ADMIN).await);
    let acting = impersonated(&app, &admin, &ada.id, true).await;
    assert_eq!(other.logout().await.status, 204);
    assert_eq!(acting.put("/user", &json!({ "name": "Ada King" })).await.status, 200, "another session of theirs");
    assert_eq!(admin.logout().await.status, 204);
    assert_eq!(acting.put("/user", &json!({ "name": "Ada" })).await.code(), "invalid_token");
}

#[tokio::test]
async fn impersonation_ends_when_the_user_becomes_staff() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in_by_mail(ADA).await);
    let acting = impersonated(&app, &admin, &ada.id, true).await;
    let promoted = admin.patch(&format!("/users/{}", ada.id), &json!({ "roles": ["user", "support"] })).await;
    assert_eq!(promoted.status, 200, "{}", promoted.text);
    assert_eq!(acting.get("/user").await.code(), "invalid_token");
}

#[tokio::test]
async fn neither_staff_nor_disabled_accounts_nor_oneself_are_impersonated() {
    let app = TestApp::start().await;
    let (admin, ada) = (app.admin().await, app.signed_in_by_mail(ADA).await);
    let impersonate = async |id: &str| {
        let body = json!({ "reason": "A ticket" });
        admin.post(&format!("/users/{id}/impersonation"), &body).await.code()
    };
    assert_eq!(impersonate(&admin.id).await, "own_account");
    assert_eq!(admin.post(&format!("/users/{}/disable", ada.id), &json!({})).await.status, 200);
    assert_eq!(impersonate(&ada.id).await, "account_disabled");
    assert_eq!(admin.post(&format!("/users/{}/enable", ada.id), &json!({})).await.status, 200);
    assert_eq!(admin.patch(&format!("/users/{}", ada.id), &json!({ "roles": ["support"] })).await.status, 200);
    assert_eq!(impersonate(&ada.id).await, "staff_account");
    let refused = admin.post(&format!("/users/{}/impersonation", ada.id), &json!({})).await;
    assert_eq!(refused.fields(), [("reason".to_owned(), "required".to_owned())]);
}

#[tokio::test]
async fn access_tokens_have_the_claims_that_are_configured() {
    let app = TestApp::start_with(&[("CLAIMS", "plan:app.plan.name,crm:external_id,theme:profile.theme")]).await;
    let (admin, mut ada) = (app.admin().await, app.signed_in(ADA).await);
    assert_eq!(claims(&ada.access_token).get("ext"), None, "nothing is there");
    let path = format!("/users/{}", ada.id);
    let plan = json!({ "app": { "plan": { "name": "pro" } }, "external_id": "crm-7", "internal": { "plan": "x" } });
    assert_eq!(admin.patch(&path, &plan).await.status, 200);
    assert_eq!(ada.put("/user", &json!({ "profile": { "theme": "dark" } })).await.status, 200);
    ada.refresh().await;
    assert_eq!(claims(&ada.access_token)["ext"], json!({ "plan": "pro", "crm": "crm-7", "theme": "dark" }));
    let large = json!({ "app": { "plan": { "name": "x".repeat(3000) } } });
    assert_eq!(admin.patch(&path, &large).await.fields(), [("app".to_owned(), "claims_too_large".to_owned())]);
    let large = json!({ "profile": { "theme": "x".repeat(3000) } });
    assert_eq!(ada.put("/user", &large).await.fields(), [("profile".to_owned(), "claims_too_large".to_owned())]);
    // As large as they may be, token and headers are far from what API Gateway takes.
    let largest = json!({ "app": { "plan": { "name": "x".repeat(1990) } }, "external_id": "c" });
    assert_eq!(admin.patch(&path, &largest).await.status, 200);
    let length = app.login(ADA, PASSWORD).await.json()["access_token"].as_str().unwrap().len();
    assert!((2600..5000).contains(&length), "{length}");
}
