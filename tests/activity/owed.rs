//! The events that each change owes: it is performed, and then they have to be there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use shared::domain::user::UNCONFIRMED_LIFE;
use tests::{ADMIN, Answer, PASSWORD, SignedIn, TestApp, jpeg, text};

use crate::transfer::import::import_by_queue;
use crate::{factor, passkey};

const ADA: &str = "ada@example.com";
const ADA_ELSEWHERE: &str = "ada@example.org";
const BOB: &str = "bob@example.com";
const CAROL: &str = "carol@example.com";
const FRANK: &str = "frank@example.com";
const BOUNCE: &str = "bounce@simulator.amazonses.com";
const COMPLAINT: &str = "complaint@simulator.amazonses.com";

/// The changing routes and workers, and the events that each owes; or why it owes none. One that is new has to be added
/// here, and one that owes events is performed in `each_change_has_its_declared_events`.
const OWED: &[(&str, Owed)] = &[
    ("register", Owed::Events(&["user.created"])),
    ("resend_confirmation", Owed::Nothing("an email is asked for")),
    ("confirm_registration", Owed::Events(&["user.confirmed"])),
    ("update_user", Owed::Events(&["user.updated"])),
    ("delete_user", Owed::Events(&["user.deleted"])),
    ("confirm_email_change", Owed::Events(&["user.email_changed"])),
    ("undo_email_change", Owed::Events(&["user.email_change_undone", "user.sessions_ended"])),
    ("create_user", Owed::Events(&["user.created", "user.invited"])),
    ("patch_user", Owed::Events(&["user.updated", "user.email_changed", "user.confirmed", "user.sessions_ended"])),
    ("remove_user", Owed::Events(&["user.deleted"])),
    ("disable_user", Owed::Events(&["user.disabled", "user.sessions_ended"])),
    ("enable_user", Owed::Events(&["user.enabled"])),
    ("impersonate_user", Owed::Events(&["user.impersonated"])),
    ("create_invitation", Owed::Events(&["user.invited"])),
    ("send_invitation", Owed::Events(&["user.invited"])),
    ("revoke_invitation", Owed::Events(&["user.invitation_revoked"])),
    ("accept_invitation", Owed::Events(&["user.created", "user.confirmed"])),
    ("end_user_sessions", Owed::Events(&["user.sessions_ended"])),
    ("remove_user_factors", Owed::Events(&["user.factor_removed", "user.sessions_ended"])),
    ("send_password_reset", Owed::Events(&["user.password_reset_sent"])),
    ("send_confirmation", Owed::Events(&["user.confirmation_sent"])),
    ("clear_email_suppression", Owed::Events(&["user.updated"])),
    ("change_password", Owed::Events(&["user.password_changed", "user.sessions_ended"])),
    ("forgot_password", Owed::Nothing("an email is asked for")),
    ("reset_password", Owed::Events(&["user.password_changed", "user.sessions_ended"])),
    ("login", Owed::Events(&["user.signed_in"])),
    ("verify_login", Owed::Events(&["user.signed_in"])),
    ("start_passkey_login", Owed::Nothing("a ceremony that is of no account")),
    ("passkey_login", Owed::Events(&["user.signed_in"])),
    ("step_up", Owed::Events(&["user.reauthenticated"])),
    ("refresh", Owed::Nothing("the session goes on as it was")),
    ("logout", Owed::Events(&["user.session_ended"])),
    ("end_session", Owed::Events(&["user.session_ended"])),
    ("introspect", Owed::Nothing("it reads")),
    ("start_totp", Owed::Nothing("nothing is in force before it is confirmed")),
    ("confirm_totp", Owed::Events(&["user.factor_added"])),
    ("delete_totp", Owed::Events(&["user.factor_removed", "user.sessions_ended"])),
    ("renew_recovery_codes", Owed::Events(&["user.factor_added", "user.sessions_ended"])),
    ("start_passkey", Owed::Nothing("a ceremony that adds nothing by itself")),
    ("add_passkey", Owed::Events(&["user.factor_added"])),
    ("rename_passkey", Owed::Events(&["user.updated"])),
    ("delete_passkey", Owed::Events(&["user.factor_removed", "user.sessions_ended"])),
    ("upload_picture", Owed::Nothing("the picture is another once the upload is resized")),
    ("delete_picture", Owed::Events(&["user.picture_changed"])),
    ("create_webhook", Owed::Events(&["webhook.created"])),
    ("update_webhook", Owed::Events(&["webhook.updated"])),
    ("delete_webhook", Owed::Events(&["webhook.deleted"])),
    ("rotate_webhook_secret", Owed::Events(&["webhook.secret_rotated"])),
    ("retry_delivery", Owed::Nothing("a delivery is no change of an account or a webhook")),
    ("test_webhook", Owed::Nothing("a delivery is no change of an account or a webhook")),
    ("replay_webhook", Owed::Events(&["webhook.replayed"])),
    ("resize_picture", Owed::Events(&["user.picture_changed"])),
    ("emailer", Owed::Events(&["user.updated"])),
    ("sweeper", Owed::Events(&["user.deleted"])),
    ("record_email_events", Owed::Events(&["user.email_bounced", "user.email_complained"])),
    ("import_users", Owed::Events(&["user.imported"])),
    ("publish_events", Owed::Nothing("it publishes them")),
    ("dispatch_webhooks", Owed::Nothing("it passes them on")),
    ("deliver_webhooks", Owed::Events(&["webhook.updated"])),
];

#[derive(Clone, Copy)]
enum Owed {
    Events(&'static [&'static str]),
    Nothing(&'static str),
}

#[test]
fn every_changing_route_and_worker_declares_its_events() {
    let owed: BTreeMap<_, _> = OWED.iter().copied().collect();
    assert_eq!(owed.len(), OWED.len(), "none stands twice");
    let changing = functions::routes().filter(|route| route.operations.iter().any(shared::http::Operation::changes));
    let all: BTreeSet<_> =
        changing.map(|route| route.name).chain(functions::workers().map(|worker| worker.name)).collect();
    assert_eq!(all, owed.keys().copied().collect());
    for (name, owed) in owed {
        match owed {
            Owed::Nothing(why) => assert!(!why.is_empty(), "{name}"),
            Owed::Events(types) => {
                for name in types {
                    assert!(shared::domain::webhook::is_event_type(name), "{name}");
                }
            }
        }
    }
}

/// A service on which the rows that owe events are performed, one after another.
struct Walk<'a> {
    app: &'a TestApp,
    /// Ids of events that were on the bus before.
    seen: HashSet<String>,
    /// Rows whose events were there.
    done: BTreeSet<&'static str>,
}

impl Walk<'_> {
    /// Sends a request to the route of a row; it has to succeed, and its events have to be there.
    async fn request(&mut self, name: &'static str, send: impl AsyncFnOnce() -> Answer) -> Answer {
        self.settle().await;
        let answer = Box::pin(send()).await;
        assert!(answer.status.is_success(), "{name}: {} {}", answer.status, answer.text);
        self.owes(name).await;
        answer
    }

    /// Does what the worker of a row works at; its events have to be there.
    async fn trigger(&mut self, name: &'static str, act: impl AsyncFnOnce()) {
        self.settle().await;
        Box::pin(act()).await;
        self.owes(name).await;
    }

    /// What happened before a row is performed does not count for it: somebody registered, or signed in.
    async fn settle(&mut self) {
        self.news().await;
    }

    /// Compares the events that are new with what a row owes.
    async fn owes(&mut self, name: &'static str) {
        let told = self.news().await;
        let row = OWED.iter().find(|(row, _)| *row == name);
        let Some((_, Owed::Events(types))) = row else { panic!("{name} is no row that owes events") };
        assert!(types.iter().all(|owed| told.contains(*owed)), "{name} owes {types:?}, new are {told:?}");
        self.done.insert(name);
    }

    /// The types of the events that are new on the bus, once all of them are there.
    async fn news(&mut self) -> BTreeSet<String> {
        // What a worker records is in the stream once its queue is empty: often only after the stream was read.
        self.app.idle().await;
        self.app.idle().await;
        let events = self.app.stack.bus_events().into_iter().filter(|event| event.source == "user-service");
        let new = events.filter(|event| self.seen.insert(text(&event.detail["id"])));
        new.map(|event| text(&event.detail["type"])).collect()
    }
}

#[tokio::test]
async fn each_change_has_its_declared_events() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let mut walk = Walk { app: &app, seen: HashSet::new(), done: BTreeSet::new() };
    Box::pin(accounts(&mut walk)).await;
    Box::pin(sessions(&mut walk)).await;
    Box::pin(apps(&mut walk)).await;
    Box::pin(passkeys(&mut walk)).await;
    Box::pin(pictures(&mut walk)).await;
    Box::pin(emails(&mut walk, &admin)).await;
    Box::pin(staff(&mut walk, &admin)).await;
    // Last, as these move the clock. SES's reports have the machine's time, and old ones do not wait for their email's note.
    Box::pin(webhooks(&mut walk, &admin)).await;
    Box::pin(unconfirmed_accounts(&mut walk)).await;
    let owing = OWED.iter().filter(|(_, owed)| matches!(owed, Owed::Events(_)));
    assert_eq!(walk.done, owing.map(|(name, _)| *name).collect(), "each row that owes events is performed");
}

async fn accounts(walk: &mut Walk<'_>) {
    let app = walk.app;
    walk.request("register", async || app.register(ADA).await).await;
    let link = json!({ "token": app.mailed_token(ADA, "/auth/confirm").await });
    walk.request("confirm_registration", async || app.post("/auth/confirm", &link).await).await;
    let answer = walk.request("login", async || app.login(ADA, PASSWORD).await).await;
    let ada = app.session_of(ADA, &answer.json());
    let name = json!({ "name": "Ada King" });
    walk.request("update_user", async || ada.put("/user", &name).await).await;

    assert_eq!(ada.put("/user", &json!({ "email": ADA_ELSEWHERE })).await.status, 200);
    let link = json!({ "token": app.mailed_token(ADA_ELSEWHERE, "/auth/email/confirm").await });
    walk.request("confirm_email_change", async || app.post("/auth/email/confirm", &link).await).await;
    let link = json!({ "token": app.mailed_token(ADA, "/auth/email/undo").await });
    walk.request("undo_email_change", async || app.post("/auth/email/undo", &link).await).await;
    // The link to choose a password came with that.
    walk.request("reset_password", async || app.choose_password(ADA, PASSWORD).await).await;

    let ada = app.sign_in(ADA).await;
    let passwords = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
    walk.request("change_password", async || ada.put("/user/password", &passwords).await).await;
    walk.request("delete_user", async || ada.delete("/user").await).await;
}

async fn sessions(walk: &mut Walk<'_>) {
    let app = walk.app;
    let bob = app.signed_in(BOB).await;
    let password = json!({ "password": PASSWORD });
    walk.request("step_up", async || bob.post("/auth/step-up", &password).await).await;
    let phone = app.sign_in(BOB).await;
    let path = format!("/auth/sessions/{}", text(&factor::claims(&phone.access_token)["sid"]));
    walk.request("end_session", async || bob.delete(&path).await).await;
    walk.request("logout", async || bob.logout().await).await;
}

/// With recovery codes as proofs: one of the app would take a clock that moves.
async fn apps(walk: &mut Walk<'_>) {
    let app = walk.app;
    let carol = app.signed_in(CAROL).await;
    let secret = factor::start(&carol).await;
    let answer = walk.request("confirm_totp", async || factor::confirm(app, &carol, &secret).await).await;
    let codes = answer.json()["recovery_codes"].clone();

    let challenged = app.login(CAROL, PASSWORD).await;
    assert_eq!(challenged.status, 202, "{}", challenged.text);
    let proof = json!({ "challenge_token": challenged.json()["challenge_token"], "recovery_code": codes[0] });
    let answer = walk.request("verify_login", async || app.post("/auth/login/verify", &proof).await).await;
    let carol = app.session_of(CAROL, &answer.json());
    let proof = json!({ "recovery_code": codes[1] });
    let answer = walk.request("renew_recovery_codes", async || factor::renew(&carol, &proof).await).await;
    let proof = json!({ "recovery_code": answer.json()["recovery_codes"][0] });
    walk.request("delete_totp", async || factor::remove(&carol, &proof).await).await;
}

async fn passkeys(walk: &mut Walk<'_>) {
    let app = walk.app;
    let dan = app.signed_in("dan@example.com").await;
    let mut key = passkey::authenticator(app);
    let asked = passkey::options(&dan, &json!({})).await;
    let (challenge, credential) = (&asked["challenge_token"], key.create(&asked["options"]));
    let answer = walk.request("add_passkey", async || passkey::add(&dan, challenge, &credential).await).await;
    let path = format!("/user/passkeys/{}", text(&answer.json()["id"]));
    walk.request("passkey_login", async || passkey::sign_in(app, &mut key).await).await;
    let name = json!({ "name": "Old phone" });
    walk.request("rename_passkey", async || dan.put(&path, &name).await).await;
    let proof = passkey::proof(app, &mut key).await;
    let remove = async || Answer::of(dan.request(Method::DELETE, &path).json(&proof)).await;
    walk.request("delete_passkey", remove).await;
}

async fn pictures(walk: &mut Walk<'_>) {
    let app = walk.app;
    let erin = app.signed_in("erin@example.com").await;
    let upload = async || {
        assert_eq!(erin.upload("image/jpeg", jpeg(8, 8, [1, 2, 3])).await.status, 200);
        assert_eq!(erin.picture().await["status"], "ready");
    };
    walk.trigger("resize_picture", upload).await;
    walk.request("delete_picture", async || erin.delete("/user/picture").await).await;
}

/// What becomes of emails to addresses of SES's simulator.
async fn emails(walk: &mut Walk<'_>, admin: &SignedIn<'_>) {
    let app = walk.app;
    let bounced = app.signed_in(BOUNCE).await;
    app.confirmed(COMPLAINT).await;
    let ask = async || {
        for email in [BOUNCE, COMPLAINT] {
            assert_eq!(app.post("/auth/password/forgot", &json!({ "email": email })).await.status, 202);
        }
    };
    walk.trigger("record_email_events", ask).await;
    walk.trigger("import_users", async || import_by_queue(app, "imported@example.com").await).await;
    let path = format!("/users/{}/email-suppression", bounced.id);
    walk.request("clear_email_suppression", async || admin.delete(&path).await).await;
}

async fn staff(walk: &mut Walk<'_>, admin: &SignedIn<'_>) {
    let app = walk.app;
    let heidi = json!({ "name": "Heidi", "email": "heidi@example.com", "invite": true });
    let answer = walk.request("create_user", async || admin.post("/users", &heidi).await).await;
    let path = format!("/users/{}", text(&answer.json()["id"]));
    walk.request("send_confirmation", async || admin.post(&format!("{path}/confirmation"), &json!({})).await).await;
    let change = json!({ "name": "Heidi K.", "email": "heidi@example.org", "email_confirmed": true });
    walk.request("patch_user", async || admin.patch(&path, &change).await).await;
    walk.request("send_password_reset", async || admin.post(&format!("{path}/password-reset"), &json!({})).await).await;
    walk.request("disable_user", async || admin.post(&format!("{path}/disable"), &json!({})).await).await;
    walk.request("enable_user", async || admin.post(&format!("{path}/enable"), &json!({})).await).await;
    walk.request("end_user_sessions", async || admin.delete(&format!("{path}/sessions")).await).await;
    let judy = json!({ "email": "judy@example.com", "roles": ["user", "beta"] });
    let answer = walk.request("create_invitation", async || admin.post("/invitations", &judy).await).await;
    let invitation = format!("/invitations/{}", text(&answer.json()["id"]));
    walk.request("send_invitation", async || admin.post(&format!("{invitation}/send"), &json!({})).await).await;
    let token = app.mailed_token("judy@example.com", "/auth/invitation").await;
    let accept = json!({ "token": token, "name": "Judy", "password": PASSWORD });
    walk.request("accept_invitation", async || app.post("/auth/invitation", &accept).await).await;
    let other = json!({ "email": "kim@example.com" });
    let other = format!("/invitations/{}", text(&admin.post("/invitations", &other).await.json()["id"]));
    walk.request("revoke_invitation", async || admin.delete(&other).await).await;
    let ivan = app.signed_in("ivan@example.com").await;
    let impersonation = (format!("/users/{}/impersonation", ivan.id), json!({ "reason": "A ticket" }));
    walk.request("impersonate_user", async || admin.post(&impersonation.0, &impersonation.1).await).await;
    let secret = factor::start(&ivan).await;
    assert_eq!(factor::confirm(app, &ivan, &secret).await.status, 200);
    let factors = format!("/users/{}/factors", ivan.id);
    walk.request("remove_user_factors", async || admin.delete(&factors).await).await;
    walk.request("remove_user", async || admin.delete(&path).await).await;
}

async fn webhooks(walk: &mut Walk<'_>, admin: &SignedIn<'_>) {
    let app = walk.app;
    // Nothing is there, so each delivery fails.
    let webhook = json!({ "url": app.url("/nothing"), "types": ["user.deleted"] });
    let answer = walk.request("create_webhook", async || admin.post("/webhooks", &webhook).await).await;
    let path = format!("/webhooks/{}", text(&answer.json()["id"]));
    let types = json!({ "types": ["user.updated"] });
    let update = async || Answer::of(admin.request(Method::PATCH, &path).json(&types)).await;
    walk.request("update_webhook", update).await;
    let (secret, replay) = (format!("{path}/secret"), format!("{path}/replay"));
    walk.request("rotate_webhook_secret", async || admin.post(&secret, &json!({})).await).await;
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    walk.request("replay_webhook", async || admin.post(&replay, &since).await).await;

    let grace = app.signed_in("grace@example.com").await;
    let fail = async || {
        assert_eq!(grace.put("/user", &json!({ "name": "Grace" })).await.status, 200);
        app.idle().await;
        // The endpoint is switched off after three days of attempts.
        for _ in 0..40 {
            app.later(Duration::from_hours(2)).await;
            app.idle().await;
        }
    };
    walk.trigger("deliver_webhooks", fail).await;
    let admin = app.sign_in(ADMIN).await;
    walk.request("delete_webhook", async || admin.delete(&path).await).await;
}

async fn unconfirmed_accounts(walk: &mut Walk<'_>) {
    let app = walk.app;
    let register = async || assert_eq!(app.register(FRANK).await.status, 202);
    register().await;
    // Whoever registers for the second time claims an address that nobody has proved.
    walk.trigger("emailer", register).await;
    walk.trigger("sweeper", async || app.later(UNCONFIRMED_LIFE + Duration::from_mins(1)).await).await;
}
