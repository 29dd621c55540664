//! `PUT /user/password`, `POST /auth/password/forgot`, `GET` and `POST /auth/password/reset`,
//! `GET /.well-known/change-password`

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use functions::passwords::change_password;
use futures_util::future::{BoxFuture, join_all};
use local::{Outage, Service};
use reqwest::Method;
use serde_json::json;
use shared::domain::password::{NewPassword, Password};
use shared::domain::session::Session;
use shared::http::body::Json;
use shared::http::caller::{CurrentUser, RequestInfo};
use shared::http::pages::CONTENT_SECURITY_POLICY;
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

const ADA: &str = "ada@example.com";
const NEW: &str = "quiet lantern harbour";
const MINUTE: Duration = Duration::from_mins(1);
const LIFE: Duration = Duration::from_mins(30);
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const CHOOSE: &str = "Choose a new password for Example";
const CHANGED: &str = "Your password for Example was changed";

async fn change(session: &SignedIn<'_>, current: &str, new: &str) -> Answer {
    session.put("/user/password", &json!({ "current_password": current, "new_password": new })).await
}

async fn forgot(app: &TestApp, email: &str) -> Answer {
    let answer = app.post("/auth/password/forgot", &json!({ "email": email })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    app.idle().await;
    answer
}

/// Asks for a link; its token.
async fn link(app: &TestApp, email: &str) -> String {
    forgot(app, email).await;
    app.mailed_token(email, "/auth/password/reset").await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.post("/auth/password/reset", &json!({ "token": token, "password": password })).await
}

async fn submit(app: &TestApp, token: &str, password: &str) -> Answer {
    let form = [("token", token), ("password", password)];
    Answer::of(app.request(Method::POST, "/auth/password/reset").header("accept", BROWSER).form(&form)).await
}

async fn subjects(app: &TestApp, email: &str) -> Vec<String> {
    app.idle().await;
    app.mails(email).await.iter().map(|mail| text(&mail["subject"])).collect()
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session_and_this_one_goes_on() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in(ADA).await;
    let thief = app.sign_in(ADA).await;
    let answer = change(&ada, PASSWORD, NEW).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(thief.get("/user").await.code(), "invalid_token");
    assert_eq!(app.refresh(&thief.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(ada.get("/user").await.status, 200);
    ada.refresh().await;
    assert_eq!(ada.get("/user").await.status, 200);
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.login(ADA, NEW).await.status, 200);
    assert_eq!(subjects(&app, ADA).await[0], CHANGED);
    let event = &app.events("password_changed").await[0];
    assert_eq!((&event["user.id"], &event["event.outcome"]), (&json!(ada.id), &json!("success")));
}

#[tokio::test]
async fn guessing_with_a_stolen_session_locks_like_guessing_at_the_door() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    for _ in 0..6 {
        let answer = change(&ada, "not the password", NEW).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "wrong_password"));
    }
    let answer = change(&ada, PASSWORD, NEW).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "too_many_attempts"));
    assert_ne!(answer.header("retry-after"), "");
    let stolen = app.sign_in(ADA).await;
    assert_eq!(change(&stolen, PASSWORD, NEW).await.code(), "too_many_attempts", "the count is one for all sessions");
    app.clock.advance(Duration::from_secs(3));
    assert_eq!(change(&ada, PASSWORD, NEW).await.status, 204);
    assert_eq!(change(&ada, "not the password", NEW).await.code(), "wrong_password", "a right password forgives");
    assert_eq!(app.events("password_change_failed").await.len(), 7);
    assert_eq!(app.events("password_change_failed").await[0]["event.outcome"], "failure");
}

#[tokio::test]
async fn concurrent_guesses_with_a_stolen_session_do_not_bypass_the_lock() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let answers = join_all((0..16).map(|guess| change(&ada, ["a guess", "b guess"][guess % 2], NEW))).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 403).count();
    assert!(looked_at <= 6, "{looked_at}");
    assert!(answers.iter().all(|answer| [403, 429].contains(&answer.status.as_u16())), "{answers:?}");
}

#[tokio::test]
async fn one_of_many_concurrent_changes_wins() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let passwords: Vec<String> = (0..16).map(|number| format!("quiet lantern number {number}")).collect();
    let answers = join_all(passwords.iter().map(|new| change(&ada, PASSWORD, new))).await;
    let won: Vec<usize> = (0..16).filter(|at| answers[*at].status == 204).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 204 || answer.code() == "wrong_password"));
    assert_eq!(app.login(ADA, &passwords[won[0]]).await.status, 200);
    assert_eq!(ada.get("/user").await.status, 200);
    assert_eq!(subjects(&app, ADA).await.iter().filter(|subject| *subject == CHANGED).count(), 1);
}

/// A request of the newest session to change the password that was let in, and is about to compare.
async fn let_in(app: &TestApp, session: &SignedIn<'_>) -> BoxFuture<'static, Result<StatusCode, String>> {
    let store = app.app().store();
    let user = store.user(session.id.parse().unwrap()).await.unwrap().unwrap();
    let session = store.sessions(user.id).await.unwrap().remove(0);
    let caller = CurrentUser { user, session, signed_in_at: app.app().clock.now(), request: RequestInfo::default() };
    let body = serde_json::from_value(json!({ "current_password": PASSWORD, "new_password": NEW })).unwrap();
    let changing = change_password::handler(caller, State(app.app().clone()), Json(body));
    Box::pin(async { changing.await.map_err(|error| error.code().as_str().to_owned()) })
}

#[tokio::test]
async fn a_password_change_succeeds_during_an_email_change() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let changing = let_in(&app, &ada).await;
    assert_eq!(ada.put("/user", &json!({ "email": "lovelace@example.com" })).await.status, 200);
    let token = app.mailed_token("lovelace@example.com", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": token })).await.status, 200);

    assert_eq!(changing.await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(app.login("lovelace@example.com", NEW).await.status, 200);
    assert_eq!(subjects(&app, "lovelace@example.com").await.iter().filter(|subject| *subject == CHANGED).count(), 1);
}

#[tokio::test]
async fn a_password_change_succeeds_while_a_sign_in_replaces_the_hash() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let changing = let_in(&app, &ada).await;
    let user = app.app().store().user(ada.id.parse().unwrap()).await.unwrap().unwrap();
    let fresh = app.app().hasher.hash(&NewPassword::known(Password::new(&PASSWORD.into()))).await.unwrap();
    let session = Session::begin(&user, None, None, app.clock.now());
    assert!(app.app().store().begin_session_with_hash(&user, &session, None, None, &fresh).await.unwrap());

    assert_eq!(changing.await, Ok(StatusCode::NO_CONTENT));
    assert_eq!(app.login(ADA, NEW).await.status, 200);
}

#[tokio::test]
async fn a_session_that_ends_while_it_changes_the_password_changes_nothing() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    for everywhere in [false, true] {
        let elsewhere = app.sign_in(ADA).await;
        app.clock.advance(MINUTE);
        let ada = app.sign_in(ADA).await;
        let changing = let_in(&app, &ada).await;
        let ending = if everywhere { elsewhere } else { ada };
        assert_eq!(ending.post("/auth/logout", &json!({ "everywhere": everywhere })).await.status, 204);
        assert_eq!(changing.await, Err("invalid_token".into()), "everywhere: {everywhere}");
        assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn passwords_that_cannot_be_taken_change_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("Ada.Byron@example.com").await;
    let token = link(&app, "Ada.Byron@example.com").await;
    for (password, code) in [
        ("1234567", "too_short"),
        (&"x".repeat(129), "too_long"),
        ("Password1", "too_common"),
        ("wykliuk123", "too_common"),
        ("ada.byron@EXAMPLE.com", "too_similar"),
        ("ADA.BYRON", "too_similar"),
        ("AdaByron1815", "too_similar"),
        ("ada lovelace", "too_similar"),
        ("\u{ff21}da Lovelace!", "too_similar"),
        ("Example2026!", "too_similar"),
    ] {
        let answer = change(&ada, PASSWORD, password).await;
        assert_eq!(answer.fields(), [("new_password".to_owned(), code.to_owned())], "{password}");
        let answer = reset(&app, &token, password).await;
        assert_eq!(answer.fields(), [("password".to_owned(), code.to_owned())], "{password}");
    }
    for body in [json!({}), json!({ "current_password": PASSWORD }), json!({ "new_password": NEW })] {
        assert_eq!(ada.put("/user/password", &body).await.fields()[0].1, "required", "{body}");
    }
    assert_eq!(app.login("ada.byron@example.com", PASSWORD).await.status, 200);
    assert_eq!(reset(&app, &token, NEW).await.status, 200, "what was refused used nothing");
}

#[tokio::test]
async fn another_account_is_reached_by_no_id() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in(ADA).await, app.signed_in("bob@example.com").await);
    let mut body = json!({ "current_password": PASSWORD, "new_password": NEW });
    let answer = ada.put(&format!("/user/password?id={}", bob.id), &body).await;
    assert_eq!(answer.status, 204, "the query is not looked at: it is Ada's own password");
    body["id"] = json!(bob.id);
    assert_eq!(ada.put("/user/password", &body).await.code(), "invalid_request");
    assert_eq!(app.login("bob@example.com", PASSWORD).await.status, 200);
    assert_eq!(bob.get("/user").await.status, 200);
}

#[tokio::test]
async fn unknown_confirmed_and_unconfirmed_addresses_get_the_same_answer() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.register("bob@example.com").await;
    let unknown = forgot(&app, "eve@example.com").await;
    assert_eq!(unknown.json(), json!({ "status": "reset_requested", "email": "eve@example.com" }));
    for known in [ADA, "bob@example.com"] {
        let (status, headers, text) = forgot(&app, known).await.essence();
        assert_eq!((status, headers, text.replace(known, "eve@example.com")), unknown.essence(), "{known}");
        assert_eq!(subjects(&app, known).await[0], CHOOSE);
    }
    assert_eq!(app.mails("eve@example.com").await.len(), 0);
    assert_eq!(app.events("password_reset_requested").await.len(), 3);
}

#[tokio::test]
async fn a_reset_ends_every_session_and_starts_none() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let thief = app.sign_in(ADA).await;
    for _ in 0..7 {
        app.login(ADA, "not the password").await;
    }
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "too_many_attempts");
    forgot(&app, " ADA@Example.com").await;
    let token = app.mailed_token(ADA, "/auth/password/reset").await;
    let answer = reset(&app, &token, NEW).await;
    assert_eq!(answer.status, 200);
    let factors = json!({ "totp": false, "passkeys": 0 });
    let body = answer.json();
    assert_eq!((&body["status"], &body["factors"]), (&json!("password_reset"), &factors));
    assert!(body.get("access_token").is_none() && body.get("refresh_token").is_none(), "{body}");
    assert_eq!(answer.header("set-cookie"), "");
    for session in [&ada, &thief] {
        assert_eq!(session.get("/user").await.code(), "invalid_token");
        assert_eq!(app.refresh(&session.refresh_token).await.code(), "invalid_refresh_token");
    }
    // A stranger whose failures the lock is made of would see it go.
    assert_eq!(app.login(ADA, NEW).await.code(), "too_many_attempts");
    app.clock.advance(Duration::from_secs(4));
    assert_eq!(app.login(ADA, NEW).await.status, 200);
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "invalid_credentials");
    let told = subjects(&app, ADA).await;
    assert_eq!(told[..3], ["New sign-in to your account with Example", CHANGED, CHOOSE]);
    assert_eq!(app.events("password_reset").await[0]["user.id"], ada.id);
}

#[tokio::test]
async fn a_link_that_was_used_is_not_used_again() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let token = link(&app, ADA).await;
    assert_eq!(reset(&app, &token, NEW).await.status, 200);
    for password in [NEW, "the thief's own password"] {
        let answer = reset(&app, &token, password).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_used"));
    }
    assert_eq!(app.login(ADA, NEW).await.status, 200);
    let event = &app.events("link_refused").await[0];
    assert_eq!((&event["link.purpose"], &event["event.reason"]), (&json!("reset_password"), &json!("used")));
    assert_eq!(event["event.outcome"], "failure");
}

#[tokio::test]
async fn concurrent_uses_of_a_link_set_the_password_once() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let token = link(&app, ADA).await;
    let passwords: Vec<String> = (0..16).map(|number| format!("quiet lantern number {number}")).collect();
    let answers = join_all(passwords.iter().map(|password| reset(&app, &token, password))).await;
    let won: Vec<usize> = (0..16).filter(|at| answers[*at].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.code() == "link_used"), "{answers:?}");
    assert_eq!(app.login(ADA, &passwords[won[0]]).await.status, 200);
    assert_eq!(app.events("password_reset").await.len(), 1);
}

#[tokio::test]
async fn a_link_works_for_half_an_hour() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let token = link(&app, ADA).await;
    app.clock.advance(LIFE);
    let answer = reset(&app, &token, NEW).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_expired"));
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    let token = link(&app, ADA).await;
    app.clock.advance(LIFE - MINUTE);
    assert_eq!(reset(&app, &token, NEW).await.status, 200);
}

#[tokio::test]
async fn what_ends_sessions_ends_links_emailed_before() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = app.signed_in(ADA).await;
    let (first, second) = (link(&app, ADA).await, link(&app, ADA).await);
    assert_eq!(reset(&app, &second, NEW).await.status, 200);
    assert_eq!(reset(&app, &first, PASSWORD).await.code(), "link_used", "another link was used");
    assert_eq!(ada.get("/user").await.code(), "invalid_token");

    let third = link(&app, ADA).await;
    let answer = app.login(ADA, NEW).await.json();
    let body = json!({ "current_password": NEW, "new_password": PASSWORD });
    let request = app.request(Method::PUT, "/user/password").bearer_auth(text(&answer["access_token"])).json(&body);
    assert_eq!(Answer::of(request).await.status, 204);
    assert_eq!(reset(&app, &third, NEW).await.code(), "link_used", "the password was changed");
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_account_gets_one_link_a_minute_which_no_registration_uses_up() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    for count in 1..4 {
        // A stranger who registers with the address has a mail sent to its owner, which must not use up this turn.
        app.register(ADA).await;
        for _ in 0..3 {
            forgot(&app, ADA).await;
        }
        let sent = subjects(&app, ADA).await.iter().filter(|subject| *subject == CHOOSE).count();
        assert_eq!(sent, count);
        app.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_disabled_account_gets_no_link() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    app.set_disabled(&ada.id).await;
    forgot(&app, ADA).await;
    assert_eq!(app.mails(ADA).await.len(), 1, "the confirmation alone");
    assert_eq!(app.events("mail_dropped").await[0]["event.reason"], "account_disabled");
}

/// Sudhodanan and Paverd, "Pre-hijacked accounts" (USENIX Security 2022): the classic attack.
#[tokio::test]
async fn the_mailboxs_reader_displaces_a_stranger_who_registered_first() {
    for way in ["forgot", "register again"] {
        let app = TestApp::start().await;
        let stranger = json!({ "name": "Mallory", "email": ADA, "password": "the stranger's password" });
        app.post("/auth/register", &stranger).await;
        app.idle().await;
        if way == "forgot" {
            forgot(&app, ADA).await;
        } else {
            app.register(ADA).await;
        }
        let token = app.mailed_token(ADA, "/auth/password/reset").await;
        assert_eq!(reset(&app, &token, NEW).await.status, 200, "{way}");
        assert_eq!(app.login(ADA, "the stranger's password").await.code(), "invalid_credentials", "{way}");
        let answer = app.login(ADA, NEW).await;
        assert_eq!(answer.status, 200, "{way}: {}", answer.text);
        assert_eq!(answer.json()["user"]["email_confirmed"], true);
    }
}

#[tokio::test]
async fn the_configured_administrator_who_confirms_by_a_reset_is_one() {
    let app = TestApp::start().await;
    app.register("admin@example.com").await;
    let token = link(&app, "admin@example.com").await;
    assert_eq!(reset(&app, &token, NEW).await.status, 200);
    assert_eq!(app.login("admin@example.com", NEW).await.json()["user"]["roles"], json!(["user", "admin"]));
}

#[tokio::test]
async fn a_reset_gives_back_no_role_that_was_taken_away() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let s = aws_sdk_dynamodb::types::AttributeValue::S;
    let roles = aws_sdk_dynamodb::types::AttributeValue::L(vec![s("user".into())]);
    let update = app.app().dynamodb().update_item().table_name("users");
    let update = update.key("pk", s(format!("USER#{}", admin.id))).key("sk", s("PROFILE".into()));
    let update = update.update_expression("SET #roles = :roles").expression_attribute_names("#roles", "roles");
    update.expression_attribute_values(":roles", roles).send().await.unwrap();
    let token = link(&app, "admin@example.com").await;
    assert_eq!(reset(&app, &token, NEW).await.status, 200);
    assert_eq!(app.login("admin@example.com", NEW).await.json()["user"]["roles"], json!(["user"]));
}

#[tokio::test]
async fn opening_the_link_is_a_page_with_a_form_and_uses_nothing() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let token = link(&app, ADA).await;
    for accept in [BROWSER, "*/*", "application/json"] {
        let request = app.request(Method::GET, &format!("/auth/password/reset?token={token}"));
        let page = Answer::of(request.header("accept", accept)).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert_eq!(page.header("content-security-policy"), CONTENT_SECURITY_POLICY);
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.text.contains("type=\"password\""), "{}", page.text);
        // For password managers (reported by users of fxa-content-server, issue 3977).
        let username = page.text.lines().find(|line| line.contains("autocomplete=\"username\"")).unwrap();
        assert!(username.contains(&format!("value=\"{ADA}\"")) && username.contains("readonly"), "{username}");
        assert!(!username.contains(" name="), "the form posts what it always did: {username}");
    }
    let unknown = app.get("/auth/password/reset?token=%22%3E%3Cscript%3E").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.contains("This link does not work") && !unknown.text.contains("<script"), "{}", unknown.text);

    let again = submit(&app, &token, "password1").await;
    assert_eq!(again.status, 400);
    assert!(again.text.contains("too common") && again.text.contains(&token), "{}", again.text);
    let done = submit(&app, &token, NEW).await;
    assert_eq!(done.status, 200, "a password that was refused used nothing");
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    assert!(!done.text.contains(&token) && !done.text.contains(NEW));
    assert_eq!(app.login(ADA, NEW).await.status, 200);

    let used = submit(&app, &token, NEW).await;
    let invalid = submit(&app, "<script>", NEW).await;
    app.clock.advance(MINUTE);
    let late = link(&app, ADA).await;
    app.clock.advance(LIFE);
    let expired = submit(&app, &late, NEW).await;
    for (page, status, says) in [
        (used, 410, "This link has already been used"),
        (invalid, 400, "This link does not work"),
        (expired, 410, "This link has expired"),
    ] {
        assert_eq!(page.status, status, "{says}");
        assert!(page.text.contains(says) && !page.text.contains("<script"), "{says}: {}", page.text);
        assert_eq!(page.header("content-security-policy"), CONTENT_SECURITY_POLICY, "{says}");
    }
}

#[tokio::test]
async fn an_emailed_link_never_takes_its_host_from_a_request() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let request = app.request(Method::POST, "/auth/password/forgot").json(&json!({ "email": ADA }));
    let request = request
        // A foreign one does not get past the local gateway.
        .header("host", "evil.localhost")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .header("origin", "http://evil.localhost")
        .header("referer", "https://evil.example/");
    assert_eq!(Answer::of(request).await.status, 202);
    app.mailed_token(ADA, "/auth/password/reset").await;
    let mails = app.mails(ADA).await;
    assert!(!json!(mails).to_string().contains("evil"), "{}", mails[0]);
    let start = format!("{}/api/v1/auth/password/reset?token=", app.stack.url());
    assert!(text(&mails[0]["links"][0]).starts_with(&start), "{}", mails[0]);
}

#[tokio::test]
async fn no_line_of_the_log_holds_what_resets_a_password() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let token = link(&app, ADA).await;
    app.get(&format!("/auth/password/reset?token={token}")).await;
    change(&ada, "a password that is wrong", NEW).await;
    reset(&app, &token, NEW).await;
    reset(&app, &token, "another lantern").await;
    app.idle().await;
    for line in app.stack.logs().await {
        let line = line.to_string();
        for secret in [token.as_str(), &token[24..], NEW, "a password that is wrong", "another lantern", ADA] {
            assert!(!line.contains(secret), "{secret} is in {line}");
        }
    }
    assert_eq!(app.items_with(&token[24..]).await, [""; 0], "and the table holds no link");
    assert_eq!(app.items_with(NEW).await, [""; 0]);
}

/// Every token of this service at every door for mailed links but its own.
#[tokio::test]
async fn what_is_no_link_of_ours_resets_nothing() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.confirmed("eve@example.com").await;
    let (ada, eve) = (link(&app, ADA).await, link(&app, "eve@example.com").await);
    // Whom a token leads to stands before its secret: 22 characters, of which the last holds bits of both.
    let swapped = format!("{}{}", &ada[..20], &eve[20..]);
    for token in ["", "x", &ada[1..], &swapped, &format!("{ada}A"), &"A".repeat(64)] {
        assert_eq!(reset(&app, token, NEW).await.code(), "link_invalid", "{token:?}");
    }
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    assert_eq!(reset(&app, &ada, NEW).await.status, 200);
}

#[tokio::test]
async fn a_deleted_accounts_link_does_not_reset_its_successors_password() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    let token = link(&app, ADA).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    app.confirmed(ADA).await;
    assert_eq!(reset(&app, &token, NEW).await.code(), "link_invalid");
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_owner_is_notified_of_a_change_although_the_queue_was_down() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    assert_eq!(change(&ada, PASSWORD, NEW).await.status, 204);
    app.outage(Service::Sqs, Outage::None).await;
    app.later(2 * MINUTE).await;
    assert_eq!(text(&app.mails_to(ADA, 2).await[0]["subject"]), CHANGED);
}

#[tokio::test]
async fn password_managers_are_led_to_where_the_password_is_changed() {
    for (variables, there) in [
        (vec![("HOME_URL", "https://app.example.com")], "https://app.example.com"),
        (vec![("CHANGE_PASSWORD_URL", "https://app.example.com/password")], "https://app.example.com/password"),
    ] {
        let app = TestApp::start_with(&variables).await;
        for path in [app.local("/.well-known/change-password"), app.url("/.well-known/change-password")] {
            let answer = app.get(&path).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (302, there), "{path}");
        }
    }
}

/// NIST SP 800-63B-4, 3.1.1.2, asks for 15 characters where the password is the only factor.
#[tokio::test]
async fn new_passwords_are_as_long_as_configured_and_shorter_old_ones_work() {
    const SHORT: &str = "wobblyfig";
    let data = tempfile::tempdir().unwrap();
    let before = TestApp::start_in(Some(data.path()), &[]).await;
    before.confirmed(ADA).await;
    assert_eq!(change(&before.sign_in(ADA).await, PASSWORD, SHORT).await.status, 204);
    before.stack.stop().await;

    let app = TestApp::start_in(Some(data.path()), &[("PASSWORD_MIN_LENGTH", "15")]).await;
    let answer = app.login(ADA, SHORT).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let ada = app.session_of(ADA, &answer.json());

    let (too_short, enough) = ("f".repeat(14), "wobbly fig tree");
    let token = link(&app, ADA).await;
    let refused = [
        ("new_password", change(&ada, SHORT, &too_short).await),
        ("password", reset(&app, &token, &too_short).await),
        (
            "password",
            app.post("/auth/register", &json!({ "name": "Bob", "email": "bob@example.com", "password": too_short }))
                .await,
        ),
    ];
    for (field, answer) in refused {
        assert_eq!(answer.fields(), [(field.to_owned(), "too_short".to_owned())]);
        assert!(answer.text.contains("at least 15 characters"), "{}", answer.text);
    }
    let page = submit(&app, &token, &too_short).await;
    assert!(page.text.contains("minlength=\"15\"") && page.text.contains("at least 15 characters"), "{}", page.text);
    let schemas = &app.get("/openapi.json").await.json()["components"]["schemas"];
    for (schema, field) in [("Register", "password"), ("ResetPassword", "password"), ("ChangePassword", "new_password")]
    {
        assert_eq!(schemas[schema]["properties"][field]["minLength"], 15, "{schema}");
    }
    for (schema, field) in [("Login", "password"), ("ChangePassword", "current_password")] {
        assert!(schemas[schema]["properties"][field]["minLength"].is_null(), "{schema}");
    }
    assert_eq!(reset(&app, &token, enough).await.status, 200);
    assert_eq!(app.login(ADA, enough).await.status, 200);
}
