//! `POST /auth/login`

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::json;
use shared::domain::email::EmailAddress;
use tests::{Answer, PASSWORD, TestApp, text};

const WRONG: &str = "not the password";

async fn stored_hash(app: &TestApp, id: &str) -> String {
    let get = app.app().dynamodb().get_item().table_name("users");
    let get = get.key("pk", AttributeValue::S(format!("USER#{id}"))).key("sk", AttributeValue::S("PROFILE".into()));
    let item = get.consistent_read(true).send().await.unwrap().item.unwrap();
    item["password_hash"].as_s().unwrap().clone()
}

/// Whether a sign-in with the address computes with what its account's hash was made with, before it has read that.
async fn foreseen(app: &TestApp, email: &str) -> bool {
    let store = app.app().store();
    let address = EmailAddress::parse(email).unwrap().normalized();
    let before = store.before_sign_in(&address, None).await.unwrap();
    let user = store.user(before.owner.unwrap()).await.unwrap().unwrap();
    before.parameters == user.password_hash.parameters()
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(outcome(answer), refused(429, "too_many_attempts"));
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("no Retry-After: {:?}", answer.headers))
}

/// Fails as often as nothing happens, and once more: the address is locked now, for two seconds.
async fn fail_six_times(app: &TestApp, email: &str) {
    for attempt in 1..=6 {
        assert_eq!(outcome(&app.login(email, WRONG).await), refused(401, "invalid_credentials"), "attempt {attempt}");
    }
}

/// Fails until the address is locked for 32 seconds: longer than any machine takes for the next request.
async fn lock(app: &TestApp, email: &str) {
    fail_six_times(app, email).await;
    for seconds in [2, 4, 8, 16] {
        app.clock.advance(Duration::from_secs(seconds));
        assert_eq!(outcome(&app.login(email, WRONG).await), refused(401, "invalid_credentials"));
    }
}

#[tokio::test]
async fn the_answer_is_a_token_pair_and_the_user() {
    let app = TestApp::start().await;
    app.confirmed("Ada@example.com").await;
    let answer = app.login(" ADA@EXAMPLE.COM", PASSWORD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    let mut fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected =
        ["access_token", "device_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type", "user"];
    assert_eq!(fields, expected);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));
    let month = 30 * 24 * 3600;
    assert!((month - 60..=month).contains(&body["refresh_expires_in"].as_u64().unwrap()), "{body}");
    let user = &body["user"];
    assert_eq!((&user["name"], &user["email"]), (&json!("Ada Lovelace"), &json!("Ada@example.com")));
    assert_eq!((&user["email_confirmed"], &user["roles"]), (&json!(true), &json!(["user"])));
    assert_eq!(user["picture"], json!({ "status": "none" }));
    assert!(!answer.text.contains("argon2"), "{}", answer.text);
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/user").await.json(), *user);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_cannot_be_told_apart() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    app.register("bob@example.com").await;
    let id = text(&app.login("ada@example.com", PASSWORD).await.json()["user"]["id"]);
    let unknown = app.login("eve@example.com", WRONG).await;
    assert_eq!(outcome(&unknown), refused(401, "invalid_credentials"));
    assert_eq!(unknown.header("www-authenticate"), "Bearer");
    // Confirmed, waiting, disabled: nothing about an account is told without its password.
    assert_eq!(app.login("ada@example.com", WRONG).await.essence(), unknown.essence());
    assert_eq!(app.login("bob@example.com", WRONG).await.essence(), unknown.essence());
    app.set_disabled(&id).await;
    assert_eq!(app.login("ada@example.com", WRONG).await.essence(), unknown.essence());
}

#[tokio::test]
async fn an_unconfirmed_address_is_reported_only_with_the_right_password() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    assert_eq!(outcome(&app.login("ada@example.com", PASSWORD).await), refused(403, "email_not_confirmed"));
    assert_eq!(outcome(&app.login("ada@example.com", WRONG).await), refused(401, "invalid_credentials"));
}

#[tokio::test]
async fn a_disabled_account_is_reported_only_with_the_right_password() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.set_disabled(&ada.id).await;
    assert_eq!(outcome(&app.login("ada@example.com", PASSWORD).await), refused(403, "account_disabled"));
    assert_eq!(outcome(&app.login("ada@example.com", WRONG).await), refused(401, "invalid_credentials"));
    assert_eq!(outcome(&ada.get("/user").await), refused(401, "invalid_token"));
    assert_eq!(outcome(&app.refresh(&ada.refresh_token).await), refused(401, "invalid_refresh_token"));
}

#[tokio::test]
async fn a_password_matches_in_any_unicode_form_but_is_otherwise_exact() {
    let app = TestApp::start().await;
    let typed = "Crème brûlée";
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": typed });
    assert_eq!(app.post("/auth/register", &body).await.status, 202);
    let token = app.confirmation_token("ada@example.com").await;
    app.post("/auth/confirm", &json!({ "token": token })).await;
    for (password, status) in [
        (typed, 200),
        ("Cre\u{300}me bru\u{302}le\u{301}e", 200),
        ("crème brûlée", 401),
        (" Crème brûlée", 401),
        ("Crème brûlée ", 401),
        ("Creme brulee", 401),
        ("", 401),
    ] {
        assert_eq!(app.login("ada@example.com", password).await.status, status, "{password:?}");
    }
}

#[tokio::test]
async fn only_the_first_128_characters_of_a_long_guess_are_not_enough() {
    let app = TestApp::start().await;
    let longest = "x".repeat(128);
    let body = json!({ "name": "Ada", "email": "ada@example.com", "password": longest });
    assert_eq!(app.post("/auth/register", &body).await.status, 202);
    let token = app.confirmation_token("ada@example.com").await;
    app.post("/auth/confirm", &json!({ "token": token })).await;
    assert_eq!(app.login("ada@example.com", &format!("{longest}x")).await.status, 401);
    assert_eq!(app.login("ada@example.com", &longest).await.status, 200);
    let answer = app.login("ada@example.com", &"x".repeat(65 * 1024)).await;
    assert_eq!(outcome(&answer), refused(413, "payload_too_large"));
}

#[tokio::test]
async fn what_is_missing_or_of_the_wrong_type_is_named() {
    let app = TestApp::start().await;
    for (body, expected) in [
        (json!({}), &[("email", "required"), ("password", "required")][..]),
        (json!({ "email": "nobody", "password": "x" }), &[("email", "invalid_email")]),
        (json!({ "email": "ada@example.com", "password": 5 }), &[("password", "invalid_type")]),
        (json!({ "email": { "S": "ada@example.com" }, "password": "x" }), &[("email", "invalid_type")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect();
        assert_eq!(app.post("/auth/login", &body).await.fields(), expected, "{body}");
    }
    let body = json!({ "email": "ada@example.com", "password": PASSWORD, "remember": true });
    assert_eq!(app.post("/auth/login", &body).await.code(), "invalid_request");
}

#[tokio::test]
async fn failures_double_the_wait_whether_or_not_the_address_has_an_account() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        lock(&app, email).await;
        for seconds in [32, 64, 128, 256, 512, 900] {
            // The right password is as locked out as any other, so the lock tells nobody that a guess was right.
            let locked = app.login(email, PASSWORD).await;
            let wait = retry_after(&locked);
            assert!(seconds / 2 < wait && wait <= seconds, "{email}: Retry-After {wait}, not about {seconds}");
            assert_eq!(app.login(email, WRONG).await.text.len(), locked.text.len());
            if seconds < 900 {
                app.clock.advance(Duration::from_secs(seconds));
                assert_eq!(outcome(&app.login(email, WRONG).await), refused(401, "invalid_credentials"), "{email}");
            }
        }
    }
}

#[tokio::test]
async fn the_lock_of_an_unknown_address_looks_like_any_other() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "eve@example.com"] {
        lock(&app, email).await;
        let (status, headers, text) = app.login(email, WRONG).await.essence();
        answers.push((status, headers.into_iter().filter(|(name, _)| name != "retry-after").collect::<Vec<_>>(), text));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn attempts_during_a_lock_do_not_prolong_it() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    lock(&app, "ada@example.com").await;
    let wait = retry_after(&app.login("ADA@example.com", PASSWORD).await);
    for _ in 0..3 {
        retry_after(&app.login("ada@example.com", WRONG).await);
    }
    app.clock.advance(Duration::from_secs(wait));
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_right_password_resets_all_failures_of_a_known_device() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let device = text(&app.login("ada@example.com", PASSWORD).await.json()["device_token"]);
    let login = async |password| {
        let body = json!({ "email": "ada@example.com", "password": password, "device_token": device });
        app.post("/auth/login", &body).await.status
    };
    for _ in 0..3 {
        for _ in 0..5 {
            assert_eq!(login(WRONG).await, 401);
        }
        assert_eq!(login(PASSWORD).await, 200);
    }
}

#[tokio::test]
async fn right_passwords_alone_never_lock() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    for _ in 0..4 {
        let answers = join_all((0..4).map(|_| app.login("ada@example.com", PASSWORD))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    }
    assert_eq!(app.items_with("ATTEMPTS").await, [""; 0]);
    fail_six_times(&app, "ada@example.com").await;
}

#[tokio::test]
async fn failures_expire_after_an_hour_without_attempts() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        fail_six_times(&app, "eve@example.com").await;
        app.clock.advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn one_address_does_not_lock_another() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    lock(&app, "eve@example.com").await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn another_spelling_of_an_address_is_no_way_round_its_lock() {
    let app = TestApp::start().await;
    lock(&app, "ada@example.com").await;
    for spelled in ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com", "ada@ｅxample.com"] {
        retry_after(&app.login(spelled, WRONG).await);
    }
}

#[tokio::test]
async fn concurrent_guesses_do_not_bypass_the_lock() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    let began = app.clock.now();
    let answers = join_all((0..20).map(|_| app.login("ada@example.com", WRONG))).await;
    // Six, and one more for each lock that a slow machine lets run out meanwhile.
    let (mut allowed, mut opens) = (6, 2);
    while app.clock.now().since(began) >= Duration::from_secs(opens) {
        (allowed, opens) = (allowed + 1, opens * 2 + 2);
    }
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((6..=allowed).contains(&checked), "{checked} were checked, {allowed} may be");
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 20 - checked);
}

#[tokio::test]
async fn one_of_many_concurrent_guesses_is_checked_when_a_lock_expires() {
    let app = TestApp::start().await;
    lock(&app, "ada@example.com").await;
    app.clock.advance(Duration::from_secs(32));
    let answers = join_all((0..20).map(|_| app.login("ada@example.com", WRONG))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 19);
}

#[tokio::test]
async fn without_limits_nothing_locks() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    app.confirmed("ada@example.com").await;
    for _ in 0..12 {
        assert_eq!(outcome(&app.login("ada@example.com", WRONG).await), refused(401, "invalid_credentials"));
    }
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_at_the_next_login() {
    let data = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(data.path()), &[("PASSWORD_HASH_ITERATIONS", "1")]).await;
    let id = app.signed_in("ada@example.com").await.id;
    let cheap = stored_hash(&app, &id).await;
    assert!(cheap.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{cheap}");
    app.login("ada@example.com", PASSWORD).await;
    assert_eq!(stored_hash(&app, &id).await, cheap, "a hash of today's cost stays");
    app.stack.stop().await;

    let app = TestApp::start_in(Some(data.path()), &[("PASSWORD_HASH_ITERATIONS", "2")]).await;
    assert_eq!(app.login("ada@example.com", WRONG).await.status, 401);
    assert_eq!(stored_hash(&app, &id).await, cheap, "a wrong password replaces nothing");
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
    let dear = stored_hash(&app, &id).await;
    assert!(dear.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{dear}");
    assert!(foreseen(&app, "ada@example.com").await);
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
    assert_eq!(app.login("ada@example.com", WRONG).await.status, 401);
    assert_eq!(stored_hash(&app, &id).await, dear);
    app.stack.stop().await;
}

#[tokio::test]
async fn every_password_or_email_change_stores_hash_parameters_for_sign_in() {
    let app = TestApp::start().await;
    let mut ada = app.signed_in("ada@example.com").await;
    assert!(foreseen(&app, "ada@example.com").await, "registered");

    let change = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
    assert_eq!(ada.put("/user/password", &change).await.status, 204);
    assert!(foreseen(&app, "ada@example.com").await, "changed");

    assert_eq!(app.post("/auth/password/forgot", &json!({ "email": "ada@example.com" })).await.status, 202);
    app.idle().await;
    let token = app.mailed_token("ada@example.com", "/auth/password/reset").await;
    let reset = json!({ "token": token, "password": PASSWORD });
    assert_eq!(app.post("/auth/password/reset", &reset).await.status, 200);
    assert!(foreseen(&app, "ada@example.com").await, "reset");

    ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.put("/user", &json!({ "email": "lovelace@example.com" })).await.status, 200);
    let token = app.mailed_token("lovelace@example.com", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": token })).await.status, 200);
    assert!(foreseen(&app, "lovelace@example.com").await, "moved");

    let token = app.mailed_token("ada@example.com", "/auth/email/undo").await;
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": token })).await.status, 200);
    assert!(foreseen(&app, "ada@example.com").await, "moved back");
}

/// Changes what lies beside an address for a sign-in to compute with.
async fn set_parameters(app: &TestApp, email: &str, parameters: Option<&str>) {
    let update = app.app().dynamodb().update_item().table_name("users");
    let update = update.key("pk", AttributeValue::S(format!("EMAIL#{email}")));
    let update = update.key("sk", AttributeValue::S("OWNER".into()));
    let update = match parameters {
        Some(parameters) => update
            .update_expression("SET hash_parameters = :parameters")
            .expression_attribute_values(":parameters", AttributeValue::S(parameters.into())),
        None => update.update_expression("REMOVE hash_parameters"),
    };
    update.send().await.unwrap();
    assert!(!foreseen(app, email).await);
}

/// Of another hash, of none as an earlier version left it, and of what nobody can compute with.
const OTHER_PARAMETERS: [Option<&str>; 3] =
    [Some("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA"), None, Some("nonsense")];

#[tokio::test]
async fn stored_hash_parameters_never_decide_and_a_right_password_corrects_them() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let device = app.login("ada@example.com", PASSWORD).await.json()["device_token"].clone();
    for parameters in OTHER_PARAMETERS {
        set_parameters(&app, "ada@example.com", parameters).await;
        assert_eq!(outcome(&app.login("ada@example.com", WRONG).await), refused(401, "invalid_credentials"));
        assert!(!foreseen(&app, "ada@example.com").await, "{parameters:?}");
        assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200, "{parameters:?}");
        assert!(foreseen(&app, "ada@example.com").await, "{parameters:?}");

        set_parameters(&app, "ada@example.com", parameters).await;
        let body = json!({ "email": "ada@example.com", "password": PASSWORD, "device_token": device });
        assert_eq!(app.post("/auth/login", &body).await.status, 200, "{parameters:?}");
        assert!(foreseen(&app, "ada@example.com").await, "{parameters:?}, from a known device");
    }
    let mended = stored_hash(&app, &ada.id).await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
    assert_eq!(stored_hash(&app, &ada.id).await, mended);
    app.set_disabled(&ada.id).await;
    set_parameters(&app, "ada@example.com", None).await;
    assert_eq!(outcome(&app.login("ada@example.com", PASSWORD).await), refused(403, "account_disabled"));
    assert!(!foreseen(&app, "ada@example.com").await, "a sign-in that begins no session writes nothing");
}

#[tokio::test]
async fn sign_in_attempts_are_logged_without_password_or_token() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.login("ada@example.com", WRONG).await;
    app.login("eve@example.com", WRONG).await;
    assert_eq!(app.events("login_succeeded").await[0]["user.id"], json!(ada.id));
    let failed = app.events("login_failed").await;
    let reasons: Vec<_> = failed.iter().map(|event| event["event.reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["unknown_address", "wrong_password"]);
    let log = serde_json::to_string(&app.stack.logs().await).unwrap();
    for secret in [PASSWORD, WRONG, &ada.access_token, &ada.refresh_token, "argon2id"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
