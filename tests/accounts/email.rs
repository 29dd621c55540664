//! Changing the address: `PUT /user` with an `email`, `/auth/email/confirm`, `/auth/email/undo`

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use shared::domain::email::EmailAddress;
use shared::domain::factor::{StoredFactors, TotpUse};
use shared::domain::link::LinkToken;
use shared::domain::mail::{EmailKind, FactorChange, OutboxEmail};
use shared::domain::passkey::{Credential, Passkey, PasskeyId, PasskeyName, Transports};
use shared::domain::password::{NewPassword, Password};
use shared::domain::recovery::RecoverySet;
use shared::domain::session::Session;
use shared::domain::totp::Step;
use shared::store::AddressRestoration;
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::{self, Owner};
use crate::passkey;

const OLD: &str = "ada@example.com";
const NEW: &str = "ada@example.org";
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const CHANGED: &str = "The email address of your account with Example was changed";
const CONFIRM: &str = "Confirm your new email address for Example";

async fn ask(session: &SignedIn<'_>, email: &str) -> Answer {
    session.put("/user", &json!({ "email": email })).await
}

/// Asks for a change; the token that was mailed to the new address.
async fn asked(app: &TestApp, session: &SignedIn<'_>, email: &str) -> String {
    let answer = ask(session, email).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    app.mailed_token(email, "/auth/email/confirm").await
}

async fn confirm(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/email/confirm", &json!({ "token": token })).await
}

async fn undo(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/email/undo", &json!({ "token": token })).await
}

/// Changes the address; the token with which `from` takes it back.
async fn moved(app: &TestApp, session: &SignedIn<'_>, from: &str, to: &str) -> String {
    let token = asked(app, session, to).await;
    let answer = confirm(app, &token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    app.mailed_token(from, "/auth/email/undo").await
}

/// The owner, who chose a password with the link that came after the change was taken back.
async fn back_in(app: &TestApp) -> SignedIn<'_> {
    let chosen = app.choose_password(OLD, PASSWORD).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    app.sign_in(OLD).await
}

async fn subjects(app: &TestApp, email: &str) -> Vec<String> {
    app.idle().await;
    app.mails(email).await.iter().map(|mail| text(&mail["subject"])).collect()
}

async fn submit(app: &TestApp, path: &str, token: &str) -> Answer {
    Answer::of(app.request(Method::POST, path).header("accept", BROWSER).form(&[("token", token)])).await
}

#[tokio::test]
async fn an_email_change_takes_effect_on_confirmation_and_notifies_the_old_address() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let answer = ask(&ada, NEW).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let user = answer.json();
    assert_eq!((&user["email"], &user["pending_email"]), (&json!(OLD), &json!(NEW)));
    assert_eq!(ada.get("/user").await.json(), user);
    assert_eq!(app.login(NEW, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.sign_in(OLD).await.get("/user").await.json()["email"], OLD);

    let token = app.mailed_token(NEW, "/auth/email/confirm").await;
    let answer = confirm(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "email_changed" })));
    let user = ada.get("/user").await.json();
    assert_eq!((&user["email"], &user["email_confirmed"]), (&json!(NEW), &json!(true)), "the session goes on");
    assert_eq!(user.get("pending_email"), None);
    assert_eq!(app.login(OLD, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.sign_in(NEW).await.id, ada.id);
    assert_eq!(subjects(&app, OLD).await[0], CHANGED);
    assert_eq!(subjects(&app, NEW).await, [CONFIRM]);
    for action in ["address_change_requested", "address_changed"] {
        assert_eq!(app.events(action).await[0]["user.id"], ada.id, "{action}");
    }
}

#[tokio::test]
async fn changing_the_email_but_not_the_name_requires_a_recent_sign_in() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in(OLD).await;
    app.clock.advance(16 * MINUTE);
    ada.refresh().await;
    let answer = ask(&ada, NEW).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "reauthentication_required"));
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_user_authentication\", max_age=\"900\"");
    let both = ada.put("/user", &json!({ "name": "Ada King", "email": NEW })).await;
    assert_eq!(both.code(), "reauthentication_required");
    assert_eq!(ada.get("/user").await.json()["name"], "Ada Lovelace", "not even the name, then");
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    assert_eq!(subjects(&app, NEW).await, [""; 0]);
    let both = app.sign_in(OLD).await.put("/user", &json!({ "name": "Ada Byron", "email": NEW })).await.json();
    assert_eq!((&both["name"], &both["pending_email"]), (&json!("Ada Byron"), &json!(NEW)));
}

#[tokio::test]
async fn invalid_addresses_and_read_only_fields_change_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let before = ada.get("/user").await.json();
    for (body, field, code) in [
        (json!({ "email": "nobody" }), "email", "invalid_email"),
        (json!({ "email": "a@example.com\r\nBcc: eve@example.com" }), "email", "invalid_email"),
        (json!({ "email": format!("{}@example.com", "a".repeat(300)) }), "email", "too_long"),
        (json!({ "email": 7 }), "email", "invalid_type"),
        (json!({ "email": NEW, "name": "" }), "name", "required"),
        (json!({}), "name", "required"),
    ] {
        assert_eq!(ada.put("/user", &body).await.fields(), [(field.to_owned(), code.to_owned())], "{body}");
    }
    for (field, value) in [
        ("roles", json!(["admin"])),
        ("id", json!("0198c0de-0000-7000-8000-000000000000")),
        ("email_confirmed", json!(true)),
        ("pending_email", json!(NEW)),
        ("former_emails", json!([])),
    ] {
        let mut body = json!({ "email": NEW });
        body[field] = value;
        assert_eq!(ada.put("/user", &body).await.code(), "invalid_request", "{field}");
    }
    assert_eq!(ada.get("/user").await.json(), before);
    assert_eq!(subjects(&app, NEW).await, [""; 0]);
}

#[tokio::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_an_email() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    app.confirmed("bob@example.com").await;
    let taken = ask(&ada, "bob@example.com").await;
    app.clock.advance(MINUTE);
    let free = ask(&ada, "eve@example.com").await;
    let same = |answer: &Answer, email: &str| {
        let mut user = answer.json();
        user.as_object_mut().unwrap().remove("updated_at");
        let (status, headers, _) = answer.essence();
        (status, headers, user.to_string().replace(email, "SOMEBODY"))
    };
    assert_eq!(same(&taken, "bob@example.com"), same(&free, "eve@example.com"));
    assert_eq!(subjects(&app, "bob@example.com").await[0], "You already have an account with Example");
    let mails = app.mails("bob@example.com").await;
    assert!(!text(&mails[0]["text"]).contains("token="), "{}", mails[0]);
    assert_eq!(subjects(&app, "eve@example.com").await, [CONFIRM]);
    assert_eq!(app.login("bob@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_address_taken_before_its_change_is_confirmed_stays_with_its_owner() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = asked(&app, &ada, NEW).await;
    app.confirmed(NEW).await;
    let answer = confirm(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "address_taken"));
    let page = submit(&app, "/auth/email/confirm", &token).await;
    assert!(page.status == 409 && page.text.contains("This email address is already in use"), "{}", page.text);
    assert_eq!(ada.get("/user").await.json()["email"], OLD);
    assert_eq!(app.sign_in(OLD).await.id, ada.id);
    assert_ne!(app.sign_in(NEW).await.id, ada.id);
}

#[tokio::test]
async fn opening_a_link_changes_nothing_for_any_client() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = asked(&app, &ada, NEW).await;
    for accept in [BROWSER, "*/*", "application/json"] {
        let path = format!("/auth/email/confirm?token={token}");
        let page = Answer::of(app.request(Method::GET, &path).header("accept", accept)).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Confirm new email address") && page.text.contains(&token), "{}", page.text);
        assert_eq!(page.header("referrer-policy"), "no-referrer");
    }
    assert_eq!(ada.get("/user").await.json()["email"], OLD);
    let page = submit(&app, "/auth/email/confirm", &token).await;
    assert!(page.status == 200 && page.text.contains("Your new email address is confirmed"), "{}", page.text);

    let token = app.mailed_token(OLD, "/auth/email/undo").await;
    for accept in [BROWSER, "*/*", "application/json"] {
        let path = format!("/auth/email/undo?token={token}");
        let page = Answer::of(app.request(Method::GET, &path).header("accept", accept)).await;
        assert!(page.status == 200 && page.text.contains("Undo this change"), "{}", page.text);
    }
    assert_eq!(ada.get("/user").await.json()["email"], NEW);
    let page = submit(&app, "/auth/email/undo", &token).await;
    assert!(page.status == 200 && page.text.contains("has this email address again"), "{}", page.text);
    let page = submit(&app, "/auth/email/undo", &token).await;
    assert!(page.status == 410 && page.text.contains("This link has already been used"), "{}", page.text);
}

#[tokio::test]
async fn undoing_an_email_change_ends_all_sessions_and_sends_a_reset_link() {
    let app = TestApp::start().await;
    let thief = app.signed_in(OLD).await;
    let token = moved(&app, &thief, OLD, "thief@example.net").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "the thief's own password" });
    assert_eq!(thief.put("/user/password", &body).await.status, 204, "which must not end the way back");

    let answer = undo(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "email_restored" })));
    assert_eq!(thief.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&thief.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(app.login("thief@example.net", "the thief's own password").await.code(), "invalid_credentials");
    let token = app.mailed_token(OLD, "/auth/password/reset").await;
    let body = json!({ "token": token, "password": "quiet lantern harbour" });
    assert_eq!(app.post("/auth/password/reset", &body).await.status, 200);
    assert_eq!(app.login(OLD, "the thief's own password").await.code(), "invalid_credentials");
    let answer = app.login(OLD, "quiet lantern harbour").await.json();
    assert_eq!((&answer["user"]["id"], &answer["user"]["email"]), (&json!(thief.id), &json!(OLD)));
    assert_eq!(app.events("address_change_undone").await[0]["user.id"], thief.id);
    // The thief's address is free for whoever has it.
    app.confirmed("thief@example.net").await;
    assert_ne!(app.sign_in("thief@example.net").await.id, thief.id);
}

#[tokio::test]
async fn a_thief_who_changes_the_address_repeatedly_keeps_nothing() {
    let app = TestApp::start().await;
    let thief = app.signed_in(OLD).await;
    let mine = moved(&app, &thief, OLD, "thief1@example.net").await;
    app.clock.advance(MINUTE);
    let his = moved(&app, &thief, "thief1@example.net", "thief2@example.net").await;
    app.clock.advance(MINUTE);
    let his_next = moved(&app, &thief, "thief2@example.net", "thief3@example.net").await;
    app.clock.advance(MINUTE);
    let answer = ask(&thief, "thief4@example.net").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "too_many_attempts"), "three in a week");
    assert_eq!(undo(&app, &mine).await.status, 200);
    for token in [&his, &his_next] {
        assert_eq!(undo(&app, token).await.code(), "link_used", "what came later is worth nothing");
    }
    assert_eq!(back_in(&app).await.id, thief.id);
    for address in ["thief1@example.net", "thief2@example.net", "thief3@example.net"] {
        assert_eq!(app.login(address, PASSWORD).await.code(), "invalid_credentials");
        app.confirmed(address).await;
    }
}

#[tokio::test]
async fn the_old_address_is_reserved_and_its_link_works_for_a_week() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = moved(&app, &ada, OLD, NEW).await;
    app.clock.advance(7 * DAY - MINUTE);
    let mails = subjects(&app, OLD).await.len();
    assert_eq!(app.register(OLD).await.status, 202, "the answer is as ever");
    assert_eq!(subjects(&app, OLD).await.len(), mails, "and nothing comes of it");
    assert_eq!(undo(&app, &token).await.status, 200, "so the way back is open");

    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = moved(&app, &ada, OLD, NEW).await;
    app.clock.advance(7 * DAY);
    let answer = undo(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_expired"));
    let page = submit(&app, "/auth/email/undo", &token).await;
    assert!(page.status == 410 && page.text.contains("for a week only"), "{}", page.text);
    app.register(OLD).await;
    assert_eq!(app.confirmation_token(OLD).await.len(), 64);
    let token = app.mailed_token(OLD, "/auth/confirm").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.json()["status"], "confirmed");
    assert_ne!(app.sign_in(OLD).await.id, ada.id);
    assert_eq!(app.sign_in(NEW).await.id, ada.id);
}

#[tokio::test]
async fn links_that_were_used_or_have_expired_are_not_used_again() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = asked(&app, &ada, NEW).await;
    app.clock.advance(DAY);
    let answer = confirm(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_expired"));
    assert_eq!(app.sign_in(OLD).await.get("/user").await.json().get("pending_email"), None);

    let ada = app.sign_in(OLD).await;
    let token = asked(&app, &ada, NEW).await;
    assert_eq!(confirm(&app, &token).await.status, 200);
    assert_eq!(confirm(&app, &token).await.code(), "link_used");
    let back = app.mailed_token(OLD, "/auth/email/undo").await;
    assert_eq!(undo(&app, &back).await.status, 200);
    assert_eq!(undo(&app, &back).await.code(), "link_used");
    assert_eq!(confirm(&app, &token).await.code(), "link_used", "nor does it move the account once more");
    assert_eq!(back_in(&app).await.id, ada.id);
    let event = &app.events("link_refused").await[0];
    assert_eq!((&event["link.purpose"], &event["user.id"]), (&json!("change_address"), &json!(ada.id)));
}

#[tokio::test]
async fn concurrent_uses_of_a_link_change_the_email_and_undo_it_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = asked(&app, &ada, NEW).await;
    let answers = join_all((0..16).map(|_| confirm(&app, &token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "link_used"), "{answers:?}");
    let back = app.mailed_token(OLD, "/auth/email/undo").await;
    let answers = join_all((0..16).map(|_| undo(&app, &back))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "link_used"), "{answers:?}");
    assert_eq!(app.events("address_changed").await.len(), 1);
    assert_eq!(app.events("address_change_undone").await.len(), 1);
    assert_eq!(subjects(&app, OLD).await.iter().filter(|subject| *subject == CHANGED).count(), 1);
}

#[tokio::test]
async fn one_of_many_concurrent_changes_is_accepted() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let addresses: Vec<String> = (0..16).map(|number| format!("ada{number}@example.org")).collect();
    let answers = join_all(addresses.iter().map(|address| ask(&ada, address))).await;
    let won: Vec<usize> = (0..16).filter(|at| answers[*at].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "too_many_attempts"), "{answers:?}");
    app.idle().await;
    for (at, address) in addresses.iter().enumerate() {
        assert_eq!(app.mails(address).await.len(), usize::from(at == won[0]), "{address}");
    }
}

#[tokio::test]
async fn a_pending_change_is_replaced_by_a_later_one_or_cancelled() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let first = asked(&app, &ada, NEW).await;
    app.clock.advance(MINUTE);
    let second = asked(&app, &ada, "ada@example.net").await;
    assert_eq!(confirm(&app, &first).await.code(), "link_used");
    let dropped = ask(&ada, "ADA@example.com").await;
    assert_eq!((dropped.status.as_u16(), dropped.json().get("pending_email")), (200, None));
    assert_eq!(dropped.json()["email"], OLD);
    assert_eq!(confirm(&app, &second).await.code(), "link_used");
    let answer = ask(&ada, "victim@example.com").await;
    assert_eq!(answer.code(), "too_many_attempts", "nor is the minute over by that");
    assert_ne!(answer.header("retry-after"), "");
}

#[tokio::test]
async fn accounts_and_newcomers_who_race_for_an_address_leave_it_with_one() {
    let app = TestApp::start().await;
    for round in 0..4 {
        let wanted = format!("wanted{round}@example.org");
        let mut tokens = Vec::new();
        for number in 0..4 {
            let account = app.signed_in(&format!("account{number}of{round}@example.com")).await;
            // One email a minute goes to an address, whoever asks for it.
            app.clock.advance(MINUTE);
            tokens.push(asked(&app, &account, &wanted).await);
        }
        let confirming = join_all(tokens.iter().map(|token| confirm(&app, token)));
        let registering = join_all((0..4).map(|_| app.register(&wanted)));
        let (confirmed, registered) = tokio::join!(confirming, registering);
        assert!(registered.iter().all(|answer| answer.status == 202));
        let moved = confirmed.iter().filter(|answer| answer.status == 200).count();
        assert!(moved <= 1, "{confirmed:?}");
        assert!(confirmed.iter().all(|answer| answer.status == 200 || answer.code() == "address_taken"));
        let admin = if round == 0 { app.admin().await } else { app.sign_in("admin@example.com").await };
        let users = admin.get("/users?limit=100").await.json();
        let having = users["users"].as_array().unwrap().iter().filter(|user| user["email"] == wanted).count();
        assert_eq!(having, 1, "{users}");
    }
}

#[tokio::test]
async fn a_change_that_races_the_deletion_leaves_nothing_behind() {
    for _ in 0..4 {
        let app = TestApp::start().await;
        let ada = app.signed_in(OLD).await;
        let token = asked(&app, &ada, NEW).await;
        let (deleted, confirmed) = tokio::join!(ada.delete("/user"), confirm(&app, &token));
        assert_eq!(deleted.status, 204, "{} {}", deleted.text, confirmed.text);
        app.idle().await;
        app.later(2 * MINUTE).await;
        app.idle().await;
        for trace in [ada.id.as_str(), OLD, NEW] {
            assert_eq!(app.items_with(trace).await, [""; 0], "{trace}: {}", confirmed.text);
        }
        app.confirmed(NEW).await;
    }
}

#[tokio::test]
async fn deleting_an_account_frees_its_reserved_addresses() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let token = moved(&app, &ada, OLD, NEW).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    app.idle().await;
    app.later(2 * MINUTE).await;
    for trace in [ada.id.as_str(), OLD, NEW] {
        assert_eq!(app.items_with(trace).await, [""; 0], "{trace}");
    }
    assert_eq!(undo(&app, &token).await.code(), "link_invalid");
    app.register(OLD).await;
    let token = app.mailed_token(OLD, "/auth/confirm").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.json()["status"], "confirmed");
}

#[tokio::test]
async fn undoing_a_change_wins_over_a_concurrent_change() {
    for _ in 0..4 {
        let app = TestApp::start().await;
        let thief = app.signed_in(OLD).await;
        let back = moved(&app, &thief, OLD, "thief1@example.net").await;
        app.clock.advance(MINUTE);
        let further = asked(&app, &thief, "thief2@example.net").await;
        let (undone, changed) = tokio::join!(undo(&app, &back), confirm(&app, &further));
        assert_eq!(undone.status, 200, "{} {}", undone.text, changed.text);
        assert!(changed.status == 200 || changed.code() == "link_used", "{}", changed.text);
        assert_eq!(back_in(&app).await.id, thief.id);
        for address in ["thief1@example.net", "thief2@example.net"] {
            assert_eq!(app.login(address, PASSWORD).await.code(), "invalid_credentials");
        }
        assert_eq!(thief.get("/user").await.code(), "invalid_token");
    }
}

#[tokio::test]
async fn a_stale_rehash_is_not_written_and_the_old_address_stays_reserved() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let store = app.app().store();
    let before = store.user(ada.id.parse().unwrap()).await.unwrap().unwrap();
    moved(&app, &ada, OLD, NEW).await;

    let hash = app.app().hasher.hash(&NewPassword::known(Password::new(&PASSWORD.into()))).await.unwrap();
    let session = Session::begin(&before, None, None, app.clock.now());
    assert!(!store.begin_session_with_hash(&before, &session, None, None, &hash).await.unwrap());
    let after = store.user(before.id).await.unwrap().unwrap();
    assert_eq!(after.password_hash.parameters(), before.password_hash.parameters());
    assert_eq!(store.owner_of(&before.email.normalized()).await.unwrap(), None);
    assert_eq!(store.owner_of(&after.email.normalized()).await.unwrap(), Some(before.id));
}

#[tokio::test]
async fn an_address_reserved_for_another_account_cannot_be_taken() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    moved(&app, &ada, OLD, NEW).await;
    app.clock.advance(MINUTE);
    let bob = app.signed_in("bob@example.com").await;
    let token = asked(&app, &bob, OLD).await;
    let answer = confirm(&app, &token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_used"));
    assert_eq!(bob.get("/user").await.json()["email"], "bob@example.com");
}

/// Sudhodanan and Paverd, "Pre-hijacked accounts" (USENIX Security 2022): the unexpired email change attack.
#[tokio::test]
async fn undoing_a_change_removes_an_app_added_around_it() {
    let app = TestApp::start().await;
    for (address, app_first) in [(OLD, false), ("grace@example.com", true)] {
        app.confirmed(address).await;
        app.clock.advance(DAY);
        let session = app.sign_in(address).await;
        let to = format!("{address}.net");
        let (thief, back) = if app_first {
            // To sign in once more before the change does not make the app its owner's.
            let with_app = Owner::enrolled_as(&app, session, address).await;
            app.clock.advance(MINUTE);
            let thief = with_app.sign_in().await;
            let back = moved(&app, &thief, address, &to).await;
            (thief, back)
        } else {
            let back = moved(&app, &session, address, &to).await;
            let secret = factor::start(&session).await;
            assert_eq!(factor::confirm(&app, &session, &secret).await.status, 200);
            (session, back)
        };
        assert_eq!(undo(&app, &back).await.status, 200);
        assert_eq!(app.login(address, PASSWORD).await.code(), "invalid_credentials", "app first: {app_first}");
        assert_eq!(app.choose_password(address, PASSWORD).await.status, 200);
        assert_eq!(app.login(address, PASSWORD).await.status, 200, "app first: {app_first}");
        assert_eq!(app.items_with("FACTOR#").await, [""; 0], "app first: {app_first}");
        let removed = &app.events("second_factor_removed").await[0];
        assert_eq!((&removed["user.id"], &removed["event.reason"]), (&json!(thief.id), &json!("undo")));
    }
}

#[tokio::test]
async fn undoing_a_change_removes_the_thiefs_passkey_and_keeps_the_owners() {
    let app = TestApp::start().await;
    let owner = app.signed_in(OLD).await;
    let (mut own, mut foreign) = (passkey::authenticator(&app), passkey::authenticator(&app));
    passkey::added(&owner, &mut own).await;
    app.clock.advance(8 * DAY);
    let thief = app.session_of(OLD, &passkey::sign_in(&app, &mut own).await.json());
    passkey::added_with(&thief, &mut foreign, &passkey::proof(&app, &mut own).await).await;
    let back = moved(&app, &thief, OLD, NEW).await;
    assert_eq!(passkey::sign_in(&app, &mut foreign).await.status, 200, "before");
    assert_eq!(undo(&app, &back).await.status, 200);
    assert_eq!(passkey::sign_in(&app, &mut foreign).await.code(), "invalid_passkey");
    let answer = passkey::sign_in(&app, &mut own).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let owner = app.session_of(OLD, &answer.json());
    assert_eq!(owner.get("/user/factors").await.json()["passkeys"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.events("passkey_removed").await[0]["event.reason"], "undo");
}

#[tokio::test]
async fn a_passkey_being_added_while_a_change_is_undone_is_not_added() {
    let app = TestApp::start().await;
    let store = app.app().store();
    let thief = app.signed_in(OLD).await;
    let back = moved(&app, &thief, OLD, NEW).await;
    let read = store.user(thief.id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(undo(&app, &back).await.status, 200);
    let now = app.clock.now();
    let passkey = Passkey {
        id: PasskeyId::of(b"credential"),
        name: PasskeyName::parse("Phone").unwrap(),
        credential: Credential(String::new()),
        transports: Transports::default(),
        sign_count: 0,
        backed_up: false,
        created_at: now,
        last_used_at: None,
        user_handle: None,
    };
    let mail = OutboxEmail::of_factor(&read, FactorChange::PasskeyAdded { first: true }, now);
    assert!(!store.add_passkey(&read, &passkey, None, &mail, &[]).await.unwrap());
    let again = store.user(read.id).await.unwrap().unwrap();
    assert!(store.add_passkey(&again, &passkey, None, &mail, &[]).await.unwrap(), "by whoever signed in since");
}

#[tokio::test]
async fn an_undo_that_missed_a_concurrently_added_app_is_refused() {
    let app = TestApp::start().await;
    let store = app.app().store();
    let thief = app.signed_in(OLD).await;
    let back = moved(&app, &thief, OLD, NEW).await;
    let read = store.user(thief.id.parse().unwrap()).await.unwrap().unwrap();
    let secret = factor::start(&thief).await;
    assert_eq!(factor::confirm(&app, &thief, &secret).await.status, 200);
    let (now, link) = (app.clock.now(), LinkToken::decode(&back).unwrap().hash());
    let mail = OutboxEmail::new(read.email.normalized(), EmailKind::AddressRestored { user: read.id }, now);
    let old = EmailAddress::parse(OLD).unwrap();
    let stored = StoredFactors { recovery: None, passkeys: &[] };
    let unusable = &read.password_hash;
    let restoration =
        AddressRestoration { user: &read, stored, to: &old, unusable, link: &link, mail: &mail, events: &[] };
    assert!(!store.restore_address(&restoration, now).await.unwrap());
    assert_eq!(undo(&app, &back).await.status, 200, "by whoever reads again");
    back_in(&app).await;
}

#[tokio::test]
async fn an_app_being_confirmed_while_a_change_is_undone_is_not_added() {
    let app = TestApp::start().await;
    let store = app.app().store();
    let thief = app.signed_in(OLD).await;
    let back = moved(&app, &thief, OLD, NEW).await;
    factor::start(&thief).await;
    let id = thief.id.parse().unwrap();
    let read = store.user(id).await.unwrap().unwrap();
    let secret = store.factors(id, None).await.unwrap().totp.unwrap().secret;
    assert_eq!(undo(&app, &back).await.status, 200);
    let now = app.clock.now();
    let mail = OutboxEmail::of_factor(&read, FactorChange::Added, now);
    let (codes, _) = RecoverySet::new(now);
    assert!(
        !store
            .confirm_totp(&read, &TotpUse { secret, step: Step::at(now) }, Some(&codes), &mail, &[], now)
            .await
            .unwrap()
    );
    back_in(&app).await;
}

#[tokio::test]
async fn undoing_a_change_keeps_the_owners_app_and_removes_new_recovery_codes() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, OLD).await;
    let left =
        async |session: &SignedIn<'_>| session.get("/user/factors").await.json()["recovery_codes"]["left"].clone();
    app.clock.advance(8 * DAY);
    // Somebody who was let sign in once.
    let thief = ada.sign_in().await;
    let back = moved(&app, &thief, OLD, NEW).await;
    assert_eq!(undo(&app, &back).await.status, 200);
    assert_eq!(app.choose_password(OLD, PASSWORD).await.status, 200);
    let session = ada.sign_in().await;
    assert_eq!(left(&session).await, 10);

    app.clock.advance(DAY);
    let thief = ada.sign_in().await;
    let back = moved(&app, &thief, OLD, NEW).await;
    let renewed = factor::renew(&thief, &json!({ "recovery_code": ada.recovery[0] })).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let codes = renewed.json()["recovery_codes"].clone();
    assert_eq!(undo(&app, &back).await.status, 200);
    assert_eq!(app.choose_password(OLD, PASSWORD).await.status, 200);
    let refused = ada.verify(&ada.challenge().await, &json!({ "recovery_code": codes[0] })).await;
    assert_eq!(refused.code(), "invalid_code");
    let session = ada.sign_in().await;
    assert_eq!(left(&session).await, 0);
    let removed = factor::remove(&session, &json!({ "code": ada.fresh_code() })).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
}

#[tokio::test]
async fn undoing_a_change_ends_the_trust_in_the_thiefs_device() {
    let app = TestApp::start().await;
    app.confirmed(OLD).await;
    let signed_in = app.login(OLD, PASSWORD).await.json();
    let thief = app.session_of(OLD, &signed_in);
    let back = moved(&app, &thief, OLD, NEW).await;
    assert_eq!(undo(&app, &back).await.status, 200);
    for _ in 0..6 {
        assert_eq!(app.login(OLD, "not the password").await.code(), "invalid_credentials");
    }
    let body = json!({ "email": OLD, "password": PASSWORD, "device_token": signed_in["device_token"] });
    assert_eq!(app.post("/auth/login", &body).await.code(), "too_many_attempts");
}

#[tokio::test]
async fn a_thiefs_pending_change_ends_when_the_owner_resets_the_password() {
    let app = TestApp::start().await;
    let thief = app.signed_in(OLD).await;
    let token = asked(&app, &thief, "thief@example.net").await;
    app.post("/auth/password/forgot", &json!({ "email": OLD })).await;
    let reset = app.mailed_token(OLD, "/auth/password/reset").await;
    let body = json!({ "token": reset, "password": "quiet lantern harbour" });
    assert_eq!(app.post("/auth/password/reset", &body).await.status, 200);
    assert_eq!(confirm(&app, &token).await.code(), "link_used");
    assert_eq!(app.login(OLD, "quiet lantern harbour").await.json()["user"].get("pending_email"), None);
}

#[tokio::test]
async fn an_email_change_ends_a_reset_link_sent_to_the_old_address() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    app.post("/auth/password/forgot", &json!({ "email": OLD })).await;
    let reset = app.mailed_token(OLD, "/auth/password/reset").await;
    moved(&app, &ada, OLD, NEW).await;
    let body = json!({ "token": reset, "password": "quiet lantern harbour" });
    assert_eq!(app.post("/auth/password/reset", &body).await.code(), "link_used");
    let mails = subjects(&app, OLD).await.len();
    app.clock.advance(MINUTE);
    app.post("/auth/password/forgot", &json!({ "email": OLD })).await;
    assert_eq!(subjects(&app, OLD).await.len(), mails, "nor does it get another");
    assert_eq!(app.sign_in(NEW).await.id, ada.id);
}

#[tokio::test]
async fn an_address_may_be_changed_back_and_forth_by_its_owner() {
    let app = TestApp::start().await;
    let ada = app.signed_in(OLD).await;
    let first_back = moved(&app, &ada, OLD, NEW).await;
    app.clock.advance(MINUTE);
    let token = asked(&app, &ada, OLD).await;
    assert_eq!(confirm(&app, &token).await.status, 200);
    assert_eq!(ada.get("/user").await.json()["email"], OLD);
    assert_eq!(undo(&app, &first_back).await.code(), "link_used", "it has the address already");
    assert_eq!(app.login(NEW, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.sign_in(OLD).await.id, ada.id);
}
