//! Journeys across routes.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, PASSWORD, TestApp};

#[tokio::test]
async fn a_newcomer_registers_confirms_signs_in_and_out() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
    assert_eq!(app.get(&format!("/auth/confirm?token={token}")).await.json(), json!({ "status": "confirmed" }));
    let mut ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/user").await.json()["email_confirmed"], true);
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.json()["name"], "Ada King");
    ada.refresh().await;
    assert_eq!(ada.logout().await.status, 204);
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(Answer::of(app.request(Method::GET, "/health")).await.status, 200);
}
