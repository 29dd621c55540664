//! `/invitations`, `/auth/invitation`

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{ADMIN, Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::Owner;

const GRACE: &str = "grace@example.com";
const NEW: &str = "quiet lantern harbour";

async fn invite(admin: &SignedIn<'_>, email: &str, roles: &[&str]) -> Answer {
    admin.post("/invitations", &json!({ "email": email, "roles": roles, "app": { "team": "blue" } })).await
}

async fn link(app: &TestApp, email: &str) -> String {
    app.mailed_token(email, "/auth/invitation").await
}

async fn accept(app: &TestApp, token: &str, body: Value) -> Answer {
    let mut body = body;
    body["token"] = json!(token);
    app.post("/auth/invitation", &body).await
}

#[tokio::test]
async fn an_invitee_without_an_account_creates_one_with_the_roles() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let invited = invite(&admin, GRACE, &["user", "support"]).await;
    assert_eq!((invited.status.as_u16(), &invited.json()["status"]), (201, &json!("pending")));
    assert_eq!(invite(&admin, "Grace@Example.com", &["user"]).await.code(), "already_invited");
    let token = link(&app, GRACE).await;
    let page = app.get(&format!("/auth/invitation?token={token}")).await;
    assert!(page.text.contains("You are invited") && page.text.contains("name=\"name\""), "{}", page.text);
    let missing = accept(&app, &token, json!({})).await.fields();
    assert_eq!(
        missing,
        [("name", "required"), ("password", "required")].map(|(field, code)| (field.to_owned(), code.to_owned()))
    );
    let common = accept(&app, &token, json!({ "name": "Grace", "password": "password" })).await;
    assert_eq!(common.fields()[0].0, "password");
    let body = json!({ "name": "Grace Hopper", "password": PASSWORD });
    assert_eq!(accept(&app, &token, body.clone()).await.json(), json!({ "status": "accepted", "email": GRACE }));
    assert_eq!(accept(&app, &token, body).await.code(), "link_used");
    let grace = app.sign_in(GRACE).await.get("/user").await.json();
    assert_eq!((&grace["roles"], &grace["app"]), (&json!(["support", "user"]), &json!({ "team": "blue" })));
    let listed = admin.get("/invitations").await.json();
    assert_eq!(listed["invitations"][0]["status"], "accepted");
    assert_eq!(admin.get("/users?role=support").await.json()["users"][0]["email"], GRACE);
    assert_eq!(invite(&admin, GRACE, &["user", "beta"]).await.status, 201, "and again, later");
}

#[tokio::test]
async fn the_account_of_the_address_gets_the_roles_and_no_other() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let grace = app.signed_in(GRACE).await;
    let eve = app.signed_in("eve@example.com").await;
    assert_eq!(invite(&admin, GRACE, &["beta"]).await.status, 201);
    let token = link(&app, GRACE).await;
    let page = app.get(&format!("/auth/invitation?token={token}")).await;
    assert!(page.text.contains("<button") && !page.text.contains("password"), "{}", page.text);
    // Whoever is signed in has nothing to do with it.
    let request = eve.request(reqwest::Method::POST, "/auth/invitation").json(&json!({ "token": token }));
    assert_eq!(Answer::of(request).await.json()["email"], GRACE);
    assert_eq!(grace.get("/user").await.json()["roles"], json!(["beta", "user"]), "and the session goes on");
    assert_eq!(eve.get("/user").await.json()["roles"], json!(["user"]));
}

#[tokio::test]
async fn an_unconfirmed_account_becomes_its_invitees_alone() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    // A stranger registered with the address.
    assert_eq!(app.register(GRACE).await.status, 202);
    let plain = app.mailed_token(GRACE, "/auth/confirm").await;
    assert_eq!(invite(&admin, GRACE, &["user", "support"]).await.status, 201);
    let token = link(&app, GRACE).await;
    assert_eq!(accept(&app, &token, json!({})).await.fields(), [("password".to_owned(), "required".to_owned())]);
    assert_eq!(accept(&app, &token, json!({ "password": NEW })).await.status, 200);
    assert_eq!(app.login(GRACE, PASSWORD).await.code(), "invalid_credentials", "the stranger's");
    let grace = app.login(GRACE, NEW).await.json();
    assert_eq!(grace["user"]["roles"], json!(["support", "user"]));
    assert_eq!(app.post("/auth/confirm", &json!({ "token": plain })).await.json()["status"], "already_confirmed");
}

#[tokio::test]
async fn a_link_works_until_it_expires_is_replaced_or_revoked() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let invited = invite(&admin, GRACE, &["user"]).await.json();
    let path = format!("/invitations/{}", text(&invited["id"]));
    let first = link(&app, GRACE).await;
    app.clock.advance(Duration::from_hours(24 * 6));
    let admin = app.sign_in(ADMIN).await;
    let sent = admin.post(&format!("{path}/send"), &json!({})).await;
    assert_eq!(sent.status, 202);
    assert_ne!(sent.json()["expires_at"], invited["expires_at"]);
    let second = link(&app, GRACE).await;
    let body = json!({ "name": "Grace", "password": PASSWORD });
    assert_eq!(accept(&app, &first, body.clone()).await.code(), "link_used", "another took its place");
    app.clock.advance(Duration::from_hours(24 * 7));
    assert_eq!(accept(&app, &second, body.clone()).await.code(), "link_expired");
    let admin = app.sign_in(ADMIN).await;
    assert_eq!(admin.post(&format!("{path}/send"), &json!({})).await.code(), "invitation_not_found");
    let again = text(&invite(&admin, GRACE, &["user"]).await.json()["id"]);
    let third = link(&app, GRACE).await;
    assert_eq!(admin.delete(&format!("/invitations/{again}")).await.status, 204);
    assert_eq!(admin.delete(&format!("/invitations/{again}")).await.code(), "invitation_not_found");
    assert_eq!(accept(&app, &third, body).await.code(), "link_invalid");
    assert_eq!(app.login(GRACE, PASSWORD).await.code(), "invalid_credentials");
}

#[tokio::test]
async fn one_of_many_concurrent_acceptances_succeeds() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert_eq!(invite(&admin, GRACE, &["user"]).await.status, 201);
    let token = link(&app, GRACE).await;
    let body = json!({ "name": "Grace", "password": PASSWORD });
    let answers = join_all((0..16).map(|_| accept(&app, &token, body.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert_eq!(admin.get(&format!("/users?q={GRACE}")).await.json()["users"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn staff_roles_need_a_recent_sign_in_and_disabled_accounts_get_none() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let grace = app.signed_in(GRACE).await;
    let invited = invite(&admin, GRACE, &["admin"]).await.json();
    let token = link(&app, GRACE).await;
    assert_eq!(admin.post(&format!("/users/{}/disable", grace.id), &json!({})).await.status, 200);
    assert_eq!(accept(&app, &token, json!({})).await.code(), "link_invalid");
    app.clock.advance(Duration::from_mins(16));
    admin.refresh().await;
    assert_eq!(invite(&admin, "eve@example.com", &["admin"]).await.code(), "reauthentication_required");
    let send = format!("/invitations/{}/send", text(&invited["id"]));
    assert_eq!(admin.post(&send, &json!({})).await.code(), "reauthentication_required", "as sending it anew is");
    assert_eq!(invite(&admin, "eve@example.com", &["beta"]).await.status, 201);
    assert_eq!(invite(&admin, "nobody", &["Admin"]).await.fields().len(), 2);
}

#[tokio::test]
async fn a_users_own_data_is_exported_without_secrets() {
    let app = TestApp::start().await;
    let owner = Owner::enrolled(&app, "ada@example.com").await;
    let mut ada = owner.sign_in().await;
    app.idle().await;
    let export = ada.get("/user/export").await;
    assert_eq!(export.status, 200, "{}", export.text);
    let body = export.json();
    assert_eq!(
        (&body["user"]["email"], &body["factors"]["recovery_codes_left"]),
        (&json!("ada@example.com"), &json!(10))
    );
    assert_eq!((body["sessions"].as_array().unwrap().len(), &body["activity_goes_on"]), (2, &json!(false)));
    assert_eq!(body["activity"].as_array().unwrap().last().unwrap()["type"], "user.created");
    for secret in ["argon2", "hash", "secret", "epoch", &owner.recovery[0]] {
        assert!(!export.text.contains(secret), "{secret}");
    }
    app.clock.advance(Duration::from_mins(16));
    ada.refresh().await;
    assert_eq!(ada.get("/user/export").await.code(), "reauthentication_required");
}

#[tokio::test]
async fn what_an_administrator_offered_goes_with_their_role() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let other = app.signed_in_by_mail("other@example.com").await;
    let path = format!("/users/{}", other.id);
    assert_eq!(admin.patch(&path, &json!({ "roles": ["user", "admin"] })).await.status, 200);
    let invited = invite(&other, GRACE, &["user", "admin"]).await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let token = link(&app, GRACE).await;
    assert_eq!(admin.patch(&path, &json!({ "roles": ["user"] })).await.status, 200);
    let body = json!({ "name": "Grace", "password": PASSWORD });
    assert_eq!(accept(&app, &token, body.clone()).await.code(), "link_invalid");
    // Until another administrator offers it.
    let send = format!("/invitations/{}/send", text(&invited.json()["id"]));
    assert_eq!(admin.post(&send, &json!({})).await.json()["invited_by"], json!(admin.id));
    let token = link(&app, GRACE).await;
    assert_eq!(accept(&app, &token, body).await.status, 200);
}

#[tokio::test]
async fn a_staff_role_requires_a_password_chosen_through_the_mailbox() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    // A stranger registered, and the owner of the mailbox used the link without a thought.
    app.confirmed(GRACE).await;
    let stranger = app.sign_in(GRACE).await;
    assert_eq!(invite(&admin, GRACE, &["user", "support"]).await.status, 201);
    let token = link(&app, GRACE).await;
    assert_eq!(accept(&app, &token, json!({})).await.fields(), [("password".to_owned(), "required".to_owned())]);
    assert_eq!(accept(&app, &token, json!({ "password": NEW })).await.status, 200);
    assert_eq!(stranger.get("/user").await.code(), "invalid_token");
    assert_eq!(app.login(GRACE, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.login(GRACE, NEW).await.json()["user"]["roles"], json!(["support", "user"]));
}

#[tokio::test]
async fn a_demoted_administrator_regains_nothing_by_their_own_invitation() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let other = app.signed_in_by_mail(GRACE).await;
    let path = format!("/users/{}", other.id);
    assert_eq!(admin.patch(&path, &json!({ "roles": ["user", "admin"] })).await.status, 200);
    assert_eq!(invite(&other, GRACE, &["user", "admin"]).await.status, 201);
    let token = link(&app, GRACE).await;
    assert_eq!(admin.patch(&path, &json!({ "roles": ["user"] })).await.status, 200);
    assert_eq!(accept(&app, &token, json!({})).await.code(), "link_invalid");
    assert_eq!(other.get("/user").await.json()["roles"], json!(["user"]));
}
