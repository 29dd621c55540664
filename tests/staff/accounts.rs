//! What staff do to accounts, and what is left of what the accounts held.

use std::time::Duration;

use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::metadata::Metadata;
use shared::domain::user::User;
use tests::{ADMIN, Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::{self, Owner};

const ADA: &str = "ada@example.com";
const NEW: &str = "quiet lantern harbour";

/// Gives somebody a role.
async fn with_roles<'a>(app: &'a TestApp, admin: &SignedIn<'_>, email: &str, roles: &[&str]) -> SignedIn<'a> {
    let user = app.signed_in_by_mail(email).await;
    let answer = admin.patch(&format!("/users/{}", user.id), &json!({ "roles": roles })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    user
}

async fn shown(staff: &SignedIn<'_>, id: &str) -> Value {
    let answer = staff.get(&format!("/users/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn each_route_for_staff_takes_the_role_that_it_says() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let support = with_roles(&app, &admin, "support@example.com", &["user", "support"]).await;
    let nobody = app.signed_in("nobody@example.com").await;
    let ada = app.signed_in(ADA).await;
    let user = format!("/users/{}", ada.id);
    let session = format!("{user}/sessions/{}", ada.id);
    for (method, path, takes) in [
        (Method::GET, "/users".to_owned(), "support"),
        (Method::GET, user.clone(), "support"),
        (Method::GET, format!("{user}/sessions"), "support"),
        (Method::DELETE, session, "support"),
        (Method::DELETE, format!("{user}/sessions"), "support"),
        (Method::POST, format!("{user}/password-reset"), "support"),
        (Method::POST, format!("{user}/confirmation"), "support"),
        (Method::DELETE, format!("{user}/email-suppression"), "support"),
        (Method::GET, format!("{user}/activity"), "support"),
        (Method::POST, "/users".to_owned(), "admin"),
        (Method::PATCH, user.clone(), "admin"),
        (Method::POST, format!("{user}/impersonation"), "admin"),
        (Method::POST, format!("{user}/disable"), "admin"),
        (Method::POST, format!("{user}/enable"), "admin"),
        (Method::DELETE, format!("{user}/factors"), "admin"),
        (Method::DELETE, format!("{user}/factors/totp"), "admin"),
        (Method::DELETE, format!("{user}/factors/recovery-codes"), "admin"),
        (Method::DELETE, format!("{user}/factors/passkeys/x"), "admin"),
        (Method::GET, "/invitations".to_owned(), "admin"),
        (Method::POST, "/invitations".to_owned(), "admin"),
        (Method::DELETE, format!("/invitations/{}", ada.id), "admin"),
        (Method::POST, format!("/invitations/{}/send", ada.id), "admin"),
        (Method::GET, "/activity".to_owned(), "admin"),
        (Method::DELETE, user, "admin"),
    ] {
        let send = async |caller: &SignedIn<'_>| {
            let request = caller.request(method.clone(), &path);
            let request = if method == Method::GET { request } else { request.json(&json!({})) };
            Answer::of(request).await
        };
        let anonymous = Answer::of(app.request(method.clone(), &path)).await;
        assert_eq!(anonymous.code(), "unauthenticated", "{method} {path}");
        assert_eq!(send(&nobody).await.code(), "forbidden", "{method} {path}");
        let by_support = send(&support).await;
        if takes == "support" {
            assert_ne!(by_support.status, 403, "{method} {path}: {}", by_support.text);
        } else {
            assert_eq!(by_support.code(), "forbidden", "{method} {path}");
        }
        let by_admin = send(&admin).await;
        assert!(![401, 403].contains(&by_admin.status.as_u16()), "{method} {path}: {}", by_admin.text);
    }
}

#[tokio::test]
async fn what_changes_accounts_takes_a_recent_sign_in() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    app.clock.advance(Duration::from_mins(16));
    admin.refresh().await;
    let user = format!("/users/{}", ada.id);
    for (method, path) in [
        (Method::POST, "/users".to_owned()),
        (Method::PATCH, user.clone()),
        (Method::DELETE, user.clone()),
        (Method::POST, format!("{user}/disable")),
        (Method::POST, format!("{user}/impersonation")),
        (Method::POST, format!("{user}/enable")),
        (Method::DELETE, format!("{user}/factors")),
    ] {
        let answer = Answer::of(admin.request(method.clone(), &path).json(&json!({}))).await;
        assert_eq!(answer.code(), "reauthentication_required", "{method} {path}");
    }
}

/// `printf first | sha256sum`: real secrets are 256 random bits.
const CLIENT: &str = "orders:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";

async fn bearer(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.request(Method::GET, "/user").bearer_auth(token)).await
}

/// Everything that somebody can hold who was not signed out.
struct Holds<'a> {
    owner: Owner<'a>,
    session: SignedIn<'a>,
    device_token: String,
    challenge: String,
    reset_link: String,
    change_link: String,
    /// The access token of a member of staff who acts as them.
    impersonation: String,
}

impl<'a> Holds<'a> {
    async fn of(app: &'a TestApp, admin: &SignedIn<'_>) -> Self {
        let owner = Owner::enrolled(app, ADA).await;
        let proof = json!({ "code": owner.fresh_code() });
        let signed_in = owner.verify(&owner.challenge().await, &proof).await.json();
        let session = app.session_of(ADA, &signed_in);
        let device_token = text(&signed_in["device_token"]);
        assert_eq!(session.put("/user", &json!({ "email": "ada@example.org" })).await.status, 200);
        let change_link = app.mailed_token("ada@example.org", "/auth/email/confirm").await;
        assert_eq!(app.post("/auth/password/forgot", &json!({ "email": ADA })).await.status, 202);
        let reset_link = app.mailed_token(ADA, "/auth/password/reset").await;
        let challenge = owner.challenge().await;
        let acting = admin.post(&format!("/users/{}/impersonation", session.id), &json!({ "reason": "Ticket" })).await;
        let impersonation = text(&acting.json()["access_token"]);
        Self { owner, session, device_token, challenge, reset_link, change_link, impersonation }
    }

    /// What of it is still worth something.
    async fn left(&self, app: &TestApp) -> Vec<&'static str> {
        let mut left = Vec::new();
        let mut note = |what, works: bool| left.extend(works.then_some(what));
        note("access token", self.session.get("/user").await.status == 200);
        note("impersonation", bearer(app, &self.impersonation).await.status == 200);
        let introspected = app.request(Method::POST, "/auth/introspect").basic_auth("orders", Some("first"));
        let introspected = Answer::of(introspected.form(&[("token", &self.session.access_token)])).await;
        note("introspection answer", introspected.json()["active"] == json!(true));
        note("refresh token", app.refresh(&self.session.refresh_token).await.status == 200);
        let verified = self.owner.verify(&self.challenge, &json!({ "code": self.owner.fresh_code() })).await;
        note("challenge", verified.status == 200);
        let link = json!({ "token": self.change_link });
        note("change link", app.post("/auth/email/confirm", &link).await.status == 200);
        let link = json!({ "token": self.reset_link, "password": NEW });
        note("reset link", app.post("/auth/password/reset", &link).await.status == 200);
        let store = app.app().store();
        let Some(user) = store.user(self.session.id.parse().unwrap()).await.unwrap() else { return left };
        let mac = app.app().keys().device_mac().await.unwrap();
        let device = shared::tokens::device::decode(&self.device_token, mac).unwrap();
        note("device token", device.belongs_to(&user, app.clock.now()));
        note("pending change", user.pending_email.is_some());
        left
    }
}

#[tokio::test]
async fn what_an_account_holds_ends_with_the_act_that_says_so() {
    const ALL: [&str; 5] = ["access token", "introspection answer", "refresh token", "challenge", "change link"];
    for (act, ends_all) in [
        ("nothing", false),
        ("disable", true),
        ("sessions", true),
        ("password-reset", true),
        ("factors", true),
        ("address", true),
        ("name", false),
        ("roles", false),
        ("confirmation", false),
        ("enable", false),
        ("delete", true),
    ] {
        let app = TestApp::start_with(&[("INTROSPECTION_CLIENTS", CLIENT)]).await;
        let admin = app.admin().await;
        let holds = Holds::of(&app, &admin).await;
        let admin = app.sign_in(&admin.email).await;
        let path = format!("/users/{}", holds.session.id);
        let answer = match act {
            "disable" => admin.post(&format!("{path}/disable"), &json!({})).await,
            "sessions" => admin.delete(&format!("{path}/sessions")).await,
            "password-reset" => admin.post(&format!("{path}/password-reset"), &json!({ "end_sessions": true })).await,
            "factors" => admin.delete(&format!("{path}/factors")).await,
            "address" => admin.patch(&path, &json!({ "email": "ada@example.net", "email_confirmed": true })).await,
            "name" => admin.patch(&path, &json!({ "name": "Ada King" })).await,
            "roles" => admin.patch(&path, &json!({ "roles": ["user", "beta"] })).await,
            "confirmation" => admin.post(&format!("{path}/confirmation"), &json!({})).await,
            "enable" => admin.post(&format!("{path}/enable"), &json!({})).await,
            "delete" => admin.delete(&path).await,
            _ => admin.get(&path).await,
        };
        assert!(answer.status.is_success(), "{act}: {}", answer.text);
        let left = holds.left(&app).await;
        if ends_all {
            assert_eq!(left, Vec::<&str>::new(), "{act}");
        } else {
            // Using one link ends what is there besides.
            for held in ALL {
                assert!(left.contains(&held), "{act}: {held} of {left:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_disablement_is_revealed_only_by_the_password_and_ends_by_itself() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    let until = app.clock.now().plus(Duration::from_hours(1)).rfc3339();
    let path = format!("/users/{}/disable", ada.id);
    let body = json!({ "reason": "Sends spam", "until": until });
    let answer = admin.post(&path, &body).await.json();
    assert_eq!(answer["status"], "disabled");
    assert_eq!((&answer["disabled"]["reason"], &answer["disabled"]["until"]), (&json!("Sends spam"), &json!(until)));
    assert_eq!(answer["disabled"]["by"], json!(admin.id));
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "account_disabled");
    assert_eq!(app.login(ADA, "not the password").await.code(), "invalid_credentials");
    let (known, unknown) = (app.register(ADA).await, app.register("free@example.com").await);
    assert_eq!(known.status, unknown.status);
    let activity = admin.get(&format!("/users/{}/activity?limit=2", ada.id)).await.json();
    assert_eq!(activity["events"][1]["data"]["reason"], "Sends spam");
    app.clock.advance(Duration::from_hours(1));
    let again = app.sign_in(ADA).await;
    assert_eq!(again.get("/user").await.status, 200, "it ends by itself");
    let admin = app.sign_in(ADMIN).await;
    assert_eq!(shown(&admin, &ada.id).await["status"], "active");
    let own = again.get("/user/activity").await.text;
    assert!(!own.contains("Sends spam"), "what staff write is for staff: {own}");
}

#[tokio::test]
async fn a_disabled_account_is_enabled_again_without_what_ended() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert_eq!(app.register(ADA).await.status, 202);
    let link = app.mailed_token(ADA, "/auth/confirm").await;
    let id = text(&admin.get(&format!("/users?email={ADA}")).await.json()["users"][0]["id"]);
    for _ in 0..2 {
        assert_eq!(admin.post(&format!("/users/{id}/disable"), &json!({})).await.status, 200);
    }
    assert_eq!(app.post("/auth/confirm", &json!({ "token": link })).await.code(), "link_invalid");
    // It does not lapse while it is disabled.
    app.later(Duration::from_hours(24 * 15)).await;
    let admin = app.sign_in(ADMIN).await;
    for _ in 0..2 {
        let enabled = admin.post(&format!("/users/{id}/enable"), &json!({})).await;
        assert_eq!((enabled.status.as_u16(), &enabled.json()["status"]), (200, &json!("unconfirmed")));
    }
    assert_eq!(app.post("/auth/confirm", &json!({ "token": link })).await.code(), "link_expired");
    assert_eq!(admin.post(&format!("/users/{id}/confirmation"), &json!({})).await.status, 202);
    let link = app.mailed_token(ADA, "/auth/confirm").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": link })).await.status, 200);
    let confirmed = admin.post(&format!("/users/{id}/confirmation"), &json!({})).await.json();
    assert_eq!(confirmed["status"], "already_confirmed");
    app.later(Duration::from_hours(24 * 15)).await;
    let admin = app.sign_in(ADMIN).await;
    assert_eq!(shown(&admin, &id).await["status"], "active", "and then it stays");
}

#[tokio::test]
async fn staff_cannot_disable_demote_or_delete_themselves() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let own = format!("/users/{}", admin.id);
    for answer in [
        admin.post(&format!("{own}/disable"), &json!({})).await,
        admin.post(&format!("{own}/enable"), &json!({})).await,
        admin.delete(&own).await,
        admin.delete(&format!("{own}/factors")).await,
        admin.patch(&own, &json!({ "roles": ["user"] })).await,
        admin.patch(&own, &json!({ "email": "other@example.com" })).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "own_account"));
    }
    assert_eq!(admin.patch(&own, &json!({ "roles": ["admin", "beta"] })).await.status, 200);
    assert_eq!(admin.patch(&own, &json!({ "name": "Root" })).await.json()["name"], "Root");
}

#[tokio::test]
async fn one_of_two_administrators_who_demote_each_other_is_left() {
    for _ in 0..8 {
        let app = TestApp::start().await;
        let admin = app.admin().await;
        let other = with_roles(&app, &admin, "other@example.com", &["user", "admin"]).await;
        let demoted = json!({ "roles": ["user"] });
        let (paths, body) = ([format!("/users/{}", other.id), format!("/users/{}", admin.id)], &demoted);
        let (one, two) = tokio::join!(admin.patch(&paths[0], body), other.patch(&paths[1], body));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403], "{} {}", one.text, two.text);
    }
}

#[tokio::test]
async fn a_merge_patch_changes_named_fields_and_if_match_refuses_stale_edits() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    let path = format!("/users/{}", ada.id);
    let first = shown(&admin, &ada.id).await;
    let plan =
        json!({ "app": { "plan": { "name": "pro", "seats": 5 } }, "internal": { "risk": 3 }, "external_id": "crm-1" });
    let second = admin.patch(&path, &plan).await.json();
    assert_eq!(second["app"], json!({ "plan": { "name": "pro", "seats": 5 } }));
    assert_ne!(second["etag"], first["etag"]);
    let tagged = async |etag: &Value, patch: &Value| {
        let request = admin.request(Method::PATCH, &path).header("if-match", format!("\"{}\"", text(etag)));
        Answer::of(request.header("content-type", "application/merge-patch+json").body(patch.to_string())).await
    };
    let seats = json!({ "app": { "plan": { "seats": null } } });
    let stale = tagged(&first["etag"], &seats).await;
    assert_eq!((stale.status.as_u16(), stale.code().as_str()), (412, "precondition_failed"));
    let third = tagged(&second["etag"], &seats).await;
    assert_eq!(third.json()["app"], json!({ "plan": { "name": "pro" } }));
    assert_eq!(third.header("etag"), format!("\"{}\"", text(&third.json()["etag"])));
    let own = ada.get("/user").await;
    assert_eq!(own.json()["app"], json!({ "plan": { "name": "pro" } }));
    assert!(!own.text.contains("risk") && !own.text.contains("crm-1"), "{}", own.text);
    let gone = admin.patch(&path, &json!({ "app": null, "external_id": null })).await.json();
    assert_eq!((&gone["app"], gone.get("external_id")), (&json!({}), None));
    for (patch, field, code) in [
        (json!({ "name": null }), "name", "invalid_type"),
        (json!({ "roles": ["Admin"] }), "roles", "invalid_role"),
        (json!({ "app": "x" }), "app", "invalid_type"),
        (json!({ "app": { "a": "x".repeat(17_000) } }), "app", "too_large"),
        (json!({ "external_id": "a b" }), "external_id", "invalid_external_id"),
        (json!({ "password": "x" }), "password", "unknown_field"),
    ] {
        assert_eq!(admin.patch(&path, &patch).await.fields(), [(field.to_owned(), code.to_owned())], "{patch}");
    }
}

#[tokio::test]
async fn an_address_set_by_staff_replaces_the_old_one_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in("bob@example.com").await);
    let path = format!("/users/{}", ada.id);
    assert_eq!(admin.patch(&path, &json!({ "email": "Bob@Example.com" })).await.code(), "address_taken");
    let moved = admin.patch(&path, &json!({ "email": "ada@example.org" })).await.json();
    assert_eq!((&moved["email"], &moved["status"]), (&json!("ada@example.org"), &json!("unconfirmed")));
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.login("ada@example.org", PASSWORD).await.code(), "email_not_confirmed");
    let told = app.mails_to(ADA, 2).await;
    assert!(text(&told[0]["subject"]).contains("The email address of your account"), "{told:?}");
    let link = app.mailed_token("ada@example.org", "/auth/confirm").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": link })).await.status, 200);
    assert_eq!(app.login("ada@example.org", PASSWORD).await.status, 200);
    // The old address is free, and leads to nobody.
    assert_eq!(
        admin.patch(&format!("/users/{}", bob.id), &json!({ "email": ADA, "email_confirmed": true })).await.status,
        200
    );
    assert_eq!(app.login(ADA, PASSWORD).await.json()["user"]["id"], json!(bob.id));
}

#[tokio::test]
async fn an_account_created_by_staff_is_its_owners_after_choosing_a_password() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({
        "name": "Grace Hopper", "email": "grace@example.com", "roles": ["user", "support"], "app": { "plan": "pro" },
        "external_id": "hr-7", "invite": true,
    });
    let created = admin.post("/users", &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.json()["status"], "unconfirmed");
    assert_eq!(admin.post("/users", &body).await.code(), "address_taken");
    let other = json!({ "name": "G", "email": "g@example.com", "external_id": "hr-7" });
    assert_eq!(admin.post("/users", &other).await.code(), "external_id_taken");
    assert_eq!(app.login("grace@example.com", PASSWORD).await.code(), "invalid_credentials");
    app.clock.advance(Duration::from_hours(24 * 6));
    assert_eq!(app.choose_password("grace@example.com", PASSWORD).await.status, 200);
    let grace = app.sign_in("grace@example.com").await;
    assert_eq!(grace.get("/user").await.json()["roles"], json!(["support", "user"]));
    assert_eq!(grace.get("/users").await.status, 200);
    // Without an invitation nothing is emailed, and the owner may ask for a link.
    let admin = app.sign_in(ADMIN).await;
    let silent = json!({ "name": "Silent", "email": "silent@example.com", "email_confirmed": true });
    assert_eq!(admin.post("/users", &silent).await.json()["status"], "active");
    app.idle().await;
    assert_eq!(app.mails("silent@example.com").await, Vec::<Value>::new());
    assert_eq!(app.recover("silent@example.com", PASSWORD).await.status, 200);
    app.sign_in("silent@example.com").await;
}

#[tokio::test]
async fn staff_see_sessions_and_end_one_or_all() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (laptop, phone) = (app.signed_in(ADA).await, app.sign_in(ADA).await);
    let path = format!("/users/{}/sessions", laptop.id);
    let listed = admin.get(&path).await.json()["sessions"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|session| session["current"] == false));
    let first = text(&factor::claims(&laptop.access_token)["sid"]);
    assert_eq!(admin.delete(&format!("{path}/{first}")).await.status, 204);
    assert_eq!(admin.delete(&format!("{path}/{first}")).await.code(), "session_not_found");
    assert_eq!(laptop.get("/user").await.code(), "invalid_token");
    assert_eq!(phone.get("/user").await.status, 200);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(phone.get("/user").await.code(), "invalid_token");
    assert_eq!(admin.get(&path).await.json()["sessions"], json!([]));
    assert!(shown(&admin, &laptop.id).await["last_sign_in_at"].is_string());
}

#[tokio::test]
async fn staff_take_off_the_factors_that_an_owner_has_lost() {
    let app = TestApp::start().await;
    app.admin().await;
    let owner = Owner::enrolled(&app, ADA).await;
    let ada = owner.sign_in().await;
    let admin = app.sign_in(ADMIN).await;
    let path = format!("/users/{}", ada.id);
    assert_eq!(
        shown(&admin, &ada.id).await["factors"],
        json!({ "totp": true, "passkeys": 0, "recovery_codes_left": 10 })
    );
    assert_eq!(admin.delete(&format!("{path}/factors/passkeys/x")).await.code(), "passkey_not_found");
    assert_eq!(admin.delete(&format!("{path}/factors/recovery-codes")).await.status, 204);
    assert_eq!(ada.get("/user").await.code(), "invalid_token", "a session may have begun with one");
    assert_eq!(admin.delete(&format!("{path}/factors/totp")).await.status, 204);
    assert_eq!(admin.delete(&format!("{path}/factors/totp")).await.code(), "totp_not_found");
    assert_eq!(admin.delete(&format!("{path}/factors")).await.status, 204, "nothing is left to do");
    assert_eq!(
        shown(&admin, &ada.id).await["factors"],
        json!({ "totp": false, "passkeys": 0, "recovery_codes_left": 0 })
    );
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    app.idle().await;
    let subjects: Vec<_> = app.mails(ADA).await.iter().map(|mail| text(&mail["subject"])).collect();
    assert!(subjects.iter().any(|subject| subject.contains("recovery codes")), "{subjects:?}");
}

#[tokio::test]
async fn a_staff_action_fails_if_its_actor_has_lost_the_role() {
    use shared::domain::event::{Actor, DomainEvent, EventKind};
    use shared::domain::role::Role;
    use shared::domain::staff::StaffMember;
    use shared::domain::status::Disabled;
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let other = with_roles(&app, &admin, "other@example.com", &["user", "admin"]).await;
    let ada = app.signed_in(ADA).await;
    let (store, now) = (app.app().store(), app.clock.now());
    let user = async |id: &str| store.user(id.parse().unwrap()).await.unwrap().unwrap();
    let staff =
        StaffMember { id: other.id.parse().unwrap(), epoch: user(&other.id).await.session_epoch, role: Role::ADMIN };
    let ada = user(&ada.id).await;
    assert_eq!(admin.patch(&format!("/users/{}", other.id), &json!({ "roles": ["user"] })).await.status, 200);
    let events = DomainEvent::of_user(ada.id, &Actor::SYSTEM, [EventKind::Enabled {}], now);
    let act = shared::store::StaffAct { user: &ada, staff: Some(&staff), mail: None, events: &events, now };
    let disabled = Disabled { at: now, by: None, reason: None, until: None };
    assert!(!store.disable_user(&act, &disabled, None).await.unwrap());
    assert!(!store.end_sessions_of(&act).await.unwrap());
    assert!(!user(&ada.id.to_string()).await.is_disabled(now), "nothing was changed");
}

#[tokio::test]
async fn a_demoted_administrator_cannot_change_their_own_account_as_staff() {
    use shared::domain::event::{Actor, DomainEvent, EventKind};
    use shared::domain::role::Role;
    use shared::domain::staff::StaffMember;
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let other = with_roles(&app, &admin, "other@example.com", &["user", "admin"]).await;
    let store = app.app().store();
    let before = store.user(other.id.parse().unwrap()).await.unwrap().unwrap();
    let staff = StaffMember { id: before.id, epoch: before.session_epoch, role: Role::ADMIN };
    let after =
        User { app: Metadata::parse(json!({ "a": 1 }).as_object().unwrap().clone()).unwrap(), ..before.clone() };
    let demoted = admin.patch(&format!("/users/{}", other.id), &json!({ "roles": ["user"] })).await;
    assert_eq!(demoted.status, 200);
    let now = app.clock.now();
    let read = store.user(before.id).await.unwrap().unwrap();
    let events = DomainEvent::of_user(before.id, &Actor::SYSTEM, [EventKind::Enabled {}], now);
    // Whatever they read, who they were when they asked does not hold any more.
    for user in [&before, &read] {
        let act = shared::store::StaffAct { user, staff: Some(&staff), mail: None, events: &events, now };
        assert!(!store.patch_user(&act, &after, &[], false).await.unwrap());
    }
    assert_eq!(shown(&admin, &other.id).await["app"], json!({}));
}

#[tokio::test]
async fn an_act_that_is_refused_changes_no_item() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let support = with_roles(&app, &admin, "help@example.com", &["user", "support"]).await;
    let ada = app.signed_in(ADA).await;
    let (path, own) = (format!("/users/{}", ada.id), format!("/users/{}", admin.id));
    app.idle().await;
    let table = async || {
        let items = app.items_with("").await;
        // Maps are printed in any order.
        let words = |item: &String| {
            let mut words: Vec<_> = item.split(|c: char| !c.is_alphanumeric()).map(ToOwned::to_owned).collect();
            words.sort_unstable();
            words
        };
        let mut items: Vec<_> = items.iter().map(words).collect();
        items.sort_unstable();
        items
    };
    let before = table().await;
    let tagged = admin.request(Method::PATCH, &path).header("if-match", "\"stale\"");
    let taken = json!({ "email": ADMIN, "name": "Ada King" });
    for (what, answer, code) in [
        ("support disables", support.post(&format!("{path}/disable"), &json!({})).await, "forbidden"),
        ("support demotes", support.patch(&own, &json!({ "roles": ["user"] })).await, "forbidden"),
        ("oneself", admin.delete(&own).await, "own_account"),
        ("an address that is taken", admin.patch(&path, &taken).await, "address_taken"),
        ("a stale state", Answer::of(tagged.json(&json!({ "name": "Ada King" }))).await, "precondition_failed"),
        ("no role", admin.patch(&path, &json!({ "name": "Ada King", "roles": ["No"] })).await, "invalid_request"),
        ("no factor", admin.delete(&format!("{path}/factors/totp")).await, "totp_not_found"),
    ] {
        assert_eq!(answer.code(), code, "{what}: {}", answer.text);
    }
    assert_eq!(table().await, before);
}

#[tokio::test]
async fn a_staff_action_succeeds_while_the_queue_is_down_and_emails_later() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    let path = format!("/users/{}", ada.id);
    let sent = admin.post(&format!("{path}/password-reset"), &json!({ "end_sessions": true })).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    assert_eq!(ada.get("/user").await.code(), "invalid_token");
    app.outage(Service::Sqs, Outage::None).await;
    app.later(Duration::from_mins(2)).await;
    assert!(!app.mailed_token(ADA, "/auth/password/reset").await.is_empty());
}

#[tokio::test]
async fn a_contested_account_is_confirmed_by_no_word_of_staff() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for _ in 0..2 {
        assert_eq!(app.register(ADA).await.status, 202);
    }
    app.idle().await;
    let id = text(&admin.get(&format!("/users?email={ADA}")).await.json()["users"][0]["id"]);
    let confirmed = admin.patch(&format!("/users/{id}"), &json!({ "email_confirmed": true })).await;
    assert_eq!(confirmed.fields(), [("email_confirmed".to_owned(), "contested".to_owned())]);
}

#[tokio::test]
async fn an_unconfirmed_account_lapses_after_its_disablement_ends() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert_eq!(app.register(ADA).await.status, 202);
    let id = text(&admin.get(&format!("/users?email={ADA}")).await.json()["users"][0]["id"]);
    let until = app.clock.now().plus(Duration::from_hours(24 * 20)).rfc3339();
    let disabled = admin.post(&format!("/users/{id}/disable"), &json!({ "until": until })).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    assert_eq!(admin.patch(&format!("/users/{id}"), &json!({ "name": "Ada King" })).await.status, 200);
    for (days, status) in [(19, 200), (20, 404)] {
        app.later(Duration::from_hours(24 * days)).await;
        let admin = app.sign_in(ADMIN).await;
        assert_eq!(admin.get(&format!("/users/{id}")).await.status, status, "{days} days later");
    }
}

#[tokio::test]
async fn an_account_whose_password_may_be_a_strangers_cannot_become_staff() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let staff = json!({ "roles": ["user", "support"] });
    // The owner of the mailbox clicked the link of a stranger's registration.
    let stranger = app.signed_in(ADA).await;
    let refused = admin.patch(&format!("/users/{}", stranger.id), &staff).await;
    assert_eq!(refused.fields(), [("roles".to_owned(), "password_in_doubt".to_owned())]);
    assert_eq!(app.recover(ADA, NEW).await.status, 200);
    assert_eq!(admin.patch(&format!("/users/{}", stranger.id), &staff).await.status, 200);
    // Or clicks it afterwards.
    let grace = "grace@example.com";
    assert_eq!(app.register(grace).await.status, 202);
    let plain = app.mailed_token(grace, "/auth/confirm").await;
    let id = text(&admin.get(&format!("/users?email={grace}")).await.json()["users"][0]["id"]);
    assert_eq!(admin.patch(&format!("/users/{id}"), &staff).await.status, 200);
    assert_eq!(app.post("/auth/confirm", &json!({ "token": plain })).await.code(), "link_invalid");
    assert_eq!(app.login(grace, PASSWORD).await.code(), "email_not_confirmed");
    assert_eq!(app.recover(grace, NEW).await.status, 200);
    assert_eq!(app.login(grace, NEW).await.json()["user"]["roles"], json!(["support", "user"]));
}
