//! Journeys across routes.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tests::{Answer, PASSWORD, TestApp, jpeg, text};

#[tokio::test]
async fn a_newcomer_registers_confirms_signs_in_and_out() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
    let request = app.request(Method::GET, &format!("/auth/confirm?token={token}"));
    let confirmed = Answer::of(request.header("accept", "application/json")).await;
    assert_eq!(confirmed.json(), json!({ "status": "confirmed" }));
    let mut ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/user").await.json()["email_confirmed"], true);
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.json()["name"], "Ada King");
    ada.refresh().await;
    assert_eq!(ada.logout().await.status, 204);
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(Answer::of(app.request(Method::GET, "/health")).await.status, 200);
}

#[tokio::test]
async fn an_administrator_finds_a_user_looks_at_them_and_deletes_them() {
    let app = TestApp::start().await;
    let mallory = app.signed_in("mallory@example.com").await;
    let ada = app.signed_in("ada@example.com").await;
    let admin = app.admin().await;
    assert_eq!(admin.get("/user").await.json()["roles"], json!(["user", "admin"]));
    let listed = admin.get("/users?limit=100").await.json();
    let found = listed["users"].as_array().unwrap().iter().find(|user| user["email"] == "mallory@example.com").unwrap();
    let path = format!("/user?id={}", text(&found["id"]));
    let mut read = admin.get(&path).await.json();
    read["status"] = json!("active");
    assert_eq!(read, *found);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.code(), "user_not_found");
    assert_eq!(mallory.get("/user").await.code(), "invalid_token");
    assert_eq!(mallory.post("/user/picture", &json!({})).await.code(), "invalid_token");
    let left: Vec<String> =
        admin.get("/users").await.json()["users"].as_array().unwrap().iter().map(|user| text(&user["email"])).collect();
    assert_eq!(left, ["admin@example.com", "ada@example.com"]);
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn only_choosing_a_password_at_the_configured_address_makes_an_administrator() {
    let app = TestApp::start_with(&[("ADMIN_EMAIL", "Root@Example.com")]).await;
    let other = app.signed_in("admin@example.com").await;
    assert_eq!(other.get("/user").await.json()["roles"], json!(["user"]));
    app.register("root@example.com").await;
    assert_eq!(app.login("root@example.com", PASSWORD).await.code(), "email_not_confirmed");
    assert_eq!(app.choose_password("root@example.com", PASSWORD).await.status, 200);
    assert_eq!(app.sign_in("root@example.com").await.get("/users").await.status, 200);
    let lookalike = app.signed_in("root@example.co").await;
    assert_eq!(lookalike.get("/users").await.code(), "forbidden");
}

#[tokio::test]
async fn two_devices_have_a_session_each_until_one_signs_out_everywhere() {
    let app = TestApp::start().await;
    let mut phone = app.signed_in("ada@example.com").await;
    let mut laptop = app.sign_in("ada@example.com").await;
    phone.refresh().await;
    laptop.refresh().await;
    assert_eq!(phone.logout().await.status, 204);
    assert_eq!(phone.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&phone.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(laptop.get("/user").await.status, 200);

    let tablet = app.sign_in("ada@example.com").await;
    assert_eq!(laptop.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    for device in [&laptop, &tablet] {
        assert_eq!(device.get("/user").await.code(), "invalid_token");
        assert_eq!(app.refresh(&device.refresh_token).await.code(), "invalid_refresh_token");
    }
    assert_eq!(app.sign_in("ada@example.com").await.get("/user").await.status, 200);
}

#[tokio::test]
async fn what_one_device_changes_the_other_sees_and_the_list_shows() {
    let app = TestApp::start().await;
    let phone = app.signed_in("ada@example.com").await;
    let laptop = app.sign_in("ada@example.com").await;
    let admin = app.admin().await;
    phone.put("/user", &json!({ "name": "Ada King" })).await;
    phone.upload("image/jpeg", jpeg(120, 80, [10, 200, 10])).await;
    let picture = phone.picture().await;
    assert_eq!(picture["status"], "ready");
    let seen = laptop.get("/user").await.json();
    assert_eq!((&seen["name"], &seen["picture"]), (&json!("Ada King"), &picture));
    let listed = admin.get("/users").await.json()["users"][1].clone();
    assert!(
        listed.as_object().unwrap().iter().all(|(name, value)| name == "status" || seen[name] == *value),
        "{listed}"
    );
    assert_eq!(laptop.delete("/user/picture").await.status, 204);
    assert_eq!(phone.get("/user").await.json()["picture"], json!({ "status": "none" }));
    let listed = admin.get("/users").await.json();
    assert_eq!(listed["users"][1]["picture"], json!({ "status": "none" }));
}

#[tokio::test]
async fn a_user_returning_within_a_month_signs_in_only_for_deletion() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    for _ in 0..3 {
        app.clock.advance(Duration::from_hours(20 * 24));
        assert_eq!(ada.get("/user").await.code(), "invalid_token");
        ada.refresh().await;
        assert_eq!(ada.get("/user").await.status, 200);
    }
    assert_eq!(ada.delete("/user").await.code(), "reauthentication_required");
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.delete("/user").await.status, 204);
}

#[tokio::test]
async fn a_newcomer_requests_another_email_and_the_first_link_still_works() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let first = app.confirmation_token("ada@example.com").await;
    app.clock.advance(Duration::from_mins(2));
    assert_eq!(app.post("/auth/send", &json!({ "email": "ADA@example.com" })).await.status, 202);
    app.mails_to("ada@example.com", 2).await;
    let second = app.confirmation_token("ada@example.com").await;
    assert_ne!(first, second);
    assert_eq!(app.post("/auth/confirm", &json!({ "token": first })).await.json()["status"], "confirmed");
    assert_eq!(app.post("/auth/confirm", &json!({ "token": second })).await.json()["status"], "already_confirmed");
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
}
