//! Writes that meet another transaction on the same item, as they do on AWS and never on the embedded server by itself.

use local::{Outage, Service};
use reqwest::Method;
use serde_json::json;
use tests::{Answer, PASSWORD, TestApp};

use crate::factor::Owner;

const ADA: &str = "ada@example.com";
/// Each write is refused twice, then done.
const PASSING: Outage = Outage::Conflict { times: 2 };
const LASTING: Outage = Outage::Conflict { times: u32::MAX };

#[tokio::test]
async fn signing_in_refreshing_and_signing_out_survive_conflicts() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.idle().await;
    app.outage(Service::DynamoDb, PASSING).await;
    let mut ada = app.sign_in(ADA).await;
    let first = ada.refresh_token.clone();
    ada.refresh().await;
    assert_ne!(ada.refresh_token, first);
    assert_eq!(app.login(ADA, "not the password").await.code(), "invalid_credentials");
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.json()["name"], "Ada King");
    assert_eq!(ada.logout().await.status, 204);
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
}

#[tokio::test]
async fn a_sign_in_succeeds_though_its_hash_cannot_be_replaced() {
    let data = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(data.path()), &[("LIMITS", "off"), ("PASSWORD_HASH_ITERATIONS", "1")]).await;
    app.signed_in(ADA).await;
    app.stack.stop().await;
    let app = TestApp::start_in(Some(data.path()), &[("LIMITS", "off"), ("PASSWORD_HASH_ITERATIONS", "2")]).await;
    app.idle().await;
    app.outage(Service::DynamoDb, LASTING).await;
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    app.stack.stop().await;
}

#[tokio::test]
async fn a_second_factor_is_added_proved_and_removed_in_spite_of_conflicts() {
    let app = TestApp::start().await;
    let session = app.signed_in(ADA).await;
    app.idle().await;
    app.outage(Service::DynamoDb, PASSING).await;
    let ada = Owner::enrolled_as(&app, session, ADA).await;
    assert_eq!(ada.guess(&ada.challenge().await).await.code(), "invalid_code");
    let session = ada.sign_in().await;
    let removed = Answer::of(session.request(Method::DELETE, "/user/totp").json(&json!({ "code": ada.fresh_code() })));
    assert_eq!(removed.await.status, 204);
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_guess_is_counted_once_however_often_its_count_met_a_conflict() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    app.idle().await;
    let challenge = ada.challenge().await;
    app.outage(Service::DynamoDb, PASSING).await;
    for _ in 0..4 {
        assert_eq!(ada.guess(&challenge).await.code(), "invalid_code");
    }
    app.outage(Service::DynamoDb, Outage::None).await;
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.status, 200);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_counted_tells_nothing_of_its_password() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.idle().await;
    app.outage(Service::DynamoDb, LASTING).await;
    let (right, wrong) = tokio::join!(app.login(ADA, PASSWORD), app.login(ADA, "not the password"));
    assert_eq!((right.code(), wrong.code()), ("temporarily_unavailable".into(), "temporarily_unavailable".into()));
    assert!(app.events("login_failed").await.is_empty());
}

#[tokio::test]
async fn a_conflict_that_lasts_is_a_temporary_problem_that_has_changed_nothing() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in(ADA).await;
    let grace = Owner::enrolled(&app, "grace@example.com").await;
    let challenge = grace.challenge().await;
    let code = json!({ "code": grace.fresh_code() });
    app.idle().await;
    app.outage(Service::DynamoDb, LASTING).await;
    let (rename, changed) = (json!({ "name": "Ada King" }), json!({ "email": "ada@example.org" }));
    let (refreshed, signed_out, renamed, moved, signed_in, verified) = tokio::join!(
        app.refresh(&ada.refresh_token),
        ada.logout(),
        ada.put("/user", &rename),
        ada.put("/user", &changed),
        app.login(ADA, PASSWORD),
        grace.verify(&challenge, &code),
    );
    for (what, answer) in [
        ("refresh", refreshed),
        ("logout", signed_out),
        ("a new name", renamed),
        ("a new address", moved),
        ("login", signed_in),
        ("the second factor", verified),
    ] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "temporarily_unavailable"), "{what}");
        assert_eq!(answer.header("retry-after"), "1", "{what}");
    }
    app.outage(Service::DynamoDb, Outage::None).await;
    let user = ada.get("/user").await.json();
    assert_eq!((&user["name"], &user["email"]), (&json!("Ada Lovelace"), &json!(ADA)));
    ada.refresh().await;
    assert_eq!(grace.verify(&challenge, &code).await.status, 200);
}
