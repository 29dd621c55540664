//! Guessing and floods: each test is an attack, or somebody who must not suffer from one.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Bytes;
use axum::http::HeaderMap;
use functions::accounts::{register, resend_confirmation};
use functions::routes;
use functions::sessions::login;
use futures_util::future::join_all;
use http_body_util::BodyExt;
use lambda_http::tower::ServiceExt;
use serde_json::{Value, json};
use shared::App;
use shared::domain::limit::{Limit, Rate};
use shared::http::Route;
use tests::{Answer, PASSWORD, TestApp, text};

const WRONG: &str = "not the password";
const ADA: &str = "ada@example.com";

/// A request from an address of our choice: the route's stored event with another source and body, given to the function
/// as Lambda's runtime would.
async fn from(app: &App, route: &Route, source: &str, body: &Value) -> Answer {
    with_headers(app, route, source, body, &json!({})).await
}

async fn with_headers(app: &App, route: &Route, source: &str, body: &Value, headers: &Value) -> Answer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../events/{}.json", route.name));
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    event["requestContext"]["http"]["sourceIp"] = json!(source);
    event["body"] = json!(body.to_string());
    for (name, value) in headers.as_object().unwrap() {
        event["headers"][name] = value.clone();
    }
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let answer = route.service(app.clone()).oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

async fn guess_from(app: &App, source: &str, email: &str) -> Answer {
    from(app, &login::ROUTE, source, &json!({ "email": email, "password": WRONG })).await
}

/// A request that a limited route takes, the same for everyone but for the address.
fn body(route: &Route, email: &str) -> Value {
    match route.name {
        "register" => json!({ "name": "Eve", "email": email, "password": PASSWORD }),
        "login" => json!({ "email": email, "password": WRONG }),
        "verify_login" => json!({ "challenge_token": "not a token", "code": "123456" }),
        "passkey_login" => {
            let response = json!({ "clientDataJSON": "", "authenticatorData": "", "signature": "" });
            let credential = json!({ "id": "", "rawId": "", "type": "public-key", "response": response });
            json!({ "challenge_token": "0198c0de-0000-7000-8000-000000000001", "credential": credential })
        }
        "refresh" => json!({ "refresh_token": "not a token" }),
        _ => json!({ "email": email }),
    }
}

fn limited_routes() -> impl Iterator<Item = &'static Route> {
    routes().filter(|route| route.limit.is_some())
}

/// Every limit at the same rate.
async fn limited_to(rate: &str) -> TestApp {
    let variables: Vec<_> = Limit::ALL.iter().map(|limit| (limit.variable(), rate)).collect();
    TestApp::start_with(&variables).await
}

async fn sign_in(app: &TestApp, email: &str, password: &str, device_token: &str) -> Answer {
    app.post("/auth/login", &json!({ "email": email, "password": password, "device_token": device_token })).await
}

/// Signs in, and keeps the device token as a browser does.
async fn device_token(app: &TestApp, email: &str) -> String {
    let answer = app.login(email, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    text(&answer.json()["device_token"])
}

/// Fails until the next attempt has to wait for 32 seconds: longer than any machine takes for it.
async fn fail_until_locked(app: &TestApp, mut attempt: impl AsyncFnMut() -> Answer) {
    for seconds in [0, 0, 0, 0, 0, 0, 2, 4, 8, 16] {
        app.clock.advance(Duration::from_secs(seconds));
        let answer = attempt().await;
        assert_eq!(answer.code(), "invalid_credentials");
    }
}

async fn lock_out(app: &TestApp, email: &str) {
    fail_until_locked(app, async || app.login(email, WRONG).await).await;
    assert_eq!(app.login(email, PASSWORD).await.code(), "too_many_attempts");
}

fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text);
    answer.header("retry-after").parse().unwrap()
}

// ---- Limits by origin

/// `printf first | sha256sum`, `printf second | sha256sum`
const FRONT: &str = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e,\
                     16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";

#[tokio::test]
async fn a_request_that_went_around_the_front_is_refused() {
    let app = TestApp::start_with(&[("FRONT_SECRET_SHA256", FRONT)]).await;
    let guess = json!({ "email": ADA, "password": WRONG });
    for headers in [json!({}), json!({ "x-front-secret": "third" }), json!({ "x-front-secret": "first,second" })] {
        let answer = with_headers(app.app(), &login::ROUTE, "203.0.113.9", &guess, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{headers}");
    }
    for secret in ["first", "second"] {
        let headers = json!({ "x-front-secret": secret, "x-viewer-address": "198.51.100.7" });
        let answer = with_headers(app.app(), &login::ROUTE, "203.0.113.9", &guess, &headers).await;
        assert_eq!(answer.code(), "invalid_credentials", "{secret}");
    }
}

#[tokio::test]
async fn behind_a_front_limits_go_by_the_address_it_names() {
    let variables = [("FRONT_SECRET_SHA256", FRONT), ("LIMIT_LOGIN_PER_IP", "1/1d")];
    let app = TestApp::start_with(&variables).await;
    let guess = json!({ "email": ADA, "password": WRONG });
    let guess_from = async |viewer: &str| {
        let headers = json!({ "x-front-secret": "first", "x-viewer-address": viewer });
        with_headers(app.app(), &login::ROUTE, "203.0.113.9", &guess, &headers).await.code()
    };
    assert_eq!(guess_from("198.51.100.7").await, "invalid_credentials");
    assert_eq!(guess_from("198.51.100.7").await, "rate_limited");
    assert_eq!(guess_from("2001:db8::7").await, "invalid_credentials", "a neighbour is not held up");
}

#[tokio::test]
async fn guessing_one_account_from_many_addresses_ends_as_soon_as_from_one() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let mut codes = Vec::new();
    for host in 0..12 {
        let source = if host % 2 == 0 { format!("198.51.100.{host}") } else { format!("2001:db8:{host}::1") };
        codes.push(guess_from(app.app(), &source, ADA).await.code());
    }
    assert_eq!(codes[..6], ["invalid_credentials"; 6]);
    // A slow machine may see the first lock, of two seconds, run out.
    let checked = codes[6..].iter().filter(|code| *code == "invalid_credentials").count();
    assert!(codes[6..].contains(&"too_many_attempts".to_owned()) && checked <= 2, "{codes:?}");
}

#[tokio::test]
async fn guessing_many_accounts_from_one_address_ends_at_its_limit() {
    let app = TestApp::start_with(&[("LIMIT_LOGIN_PER_IP", "10/1d")]).await;
    app.confirmed(ADA).await;
    for account in 0..10 {
        let answer = guess_from(app.app(), "198.51.100.7", &format!("user{account}@example.com")).await;
        assert_eq!(answer.code(), "invalid_credentials", "{account}");
    }
    // One too many is refused before its password is looked at, and whoever it asks about.
    for email in ["user10@example.com", ADA] {
        let refused = guess_from(app.app(), "198.51.100.7", email).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limited"));
    }
    assert_eq!(app.items_with("user10@example.com").await, Vec::<String>::new(), "no attempt was counted");
    let right = json!({ "email": ADA, "password": PASSWORD });
    assert_eq!(from(app.app(), &login::ROUTE, "198.51.100.7", &right).await.code(), "rate_limited");
    assert_eq!(from(app.app(), &login::ROUTE, "198.51.100.8", &right).await.status, 200, "a neighbour is not held up");
}

#[tokio::test]
async fn a_client_that_waits_as_told_is_let_in_again() {
    let app = limited_to("2/1h").await;
    for _ in 0..2 {
        guess_from(app.app(), "198.51.100.7", "eve@example.com").await;
    }
    let refused = guess_from(app.app(), "198.51.100.7", "eve@example.com").await;
    assert_eq!(refused.code(), "rate_limited");
    let wait = retry_after(&refused);
    assert!((1..=3600).contains(&wait), "{wait}");
    app.clock.advance(Duration::from_secs(wait));
    assert_eq!(guess_from(app.app(), "198.51.100.7", "eve@example.com").await.code(), "invalid_credentials");
}

#[tokio::test]
async fn every_limited_route_refuses_requests_over_its_limit_without_effect() {
    let app = limited_to("3/1d").await;
    let names: Vec<_> = limited_routes().map(|route| route.name).collect();
    for name in ["register", "resend_confirmation", "login", "refresh"] {
        assert!(names.contains(&name), "{name} has no limit");
    }
    for route in limited_routes() {
        let (policy, source) = (format!("\"{}\";q=3;w=86400", route.limit.unwrap()), "203.0.113.9");
        for remaining in [2, 1, 0] {
            let email = format!("{}{remaining}@example.com", route.name);
            let answer = from(app.app(), route, source, &body(route, &email)).await;
            assert!([200, 202, 401].contains(&answer.status.as_u16()), "{}: {}", route.name, answer.text);
            assert_eq!(answer.header("ratelimit-policy"), policy);
            let (state, reset) = answer.header("ratelimit").rsplit_once(";t=").unwrap();
            assert_eq!(state, format!("\"{}\";r={remaining}", route.limit.unwrap()));
            assert!((1..=86400).contains(&reset.parse::<u32>().unwrap()), "{reset}");
        }
        let email = format!("{}-refused@example.com", route.name);
        let refused = from(app.app(), route, source, &body(route, &email)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limited"), "{}", route.name);
        assert_eq!(refused.header("ratelimit-policy"), policy);
        let state = format!("\"{}\";r=0;t={}", route.limit.unwrap(), retry_after(&refused));
        assert_eq!(refused.header("ratelimit"), state);
        assert_eq!(app.items_with(&email).await, Vec::<String>::new(), "{}", route.name);
        // One route's limit is no other's, and another origin has its own.
        let elsewhere = from(app.app(), route, "203.0.113.10", &body(route, &email)).await;
        assert_ne!(elsewhere.status, 429, "{}", route.name);
    }
}

#[tokio::test]
async fn concurrent_requests_through_two_instances_do_not_exceed_the_limit() {
    let app = limited_to("5/1d").await;
    let (one, other) = (app.app().clone(), app.another_instance());
    for route in limited_routes() {
        let requests = (0..16).map(|at| {
            let (instance, route) = (if at % 2 == 0 { &one } else { &other }, &route);
            let body = body(route, &format!("{}-{at}@example.com", route.name));
            async move { from(instance, route, "203.0.113.9", &body).await }
        });
        let answers = join_all(requests).await;
        let passed = answers.iter().filter(|answer| answer.status != 429).count();
        assert_eq!(passed, 5, "{}", route.name);
        let mut remaining: Vec<_> = answers.iter().map(|answer| answer.header("ratelimit").to_owned()).collect();
        remaining.sort();
        assert!(remaining.iter().all(|state| state.contains(";r=")), "{remaining:?}");
    }
}

#[tokio::test]
async fn a_limit_exhausted_at_one_instance_is_exhausted_at_the_next() {
    let app = limited_to("3/1d").await;
    let other = app.another_instance();
    for _ in 0..3 {
        assert_eq!(guess_from(app.app(), "203.0.113.9", "eve@example.com").await.code(), "invalid_credentials");
    }
    assert_eq!(guess_from(&other, "203.0.113.9", "eve@example.com").await.code(), "rate_limited");
}

#[tokio::test]
async fn no_header_moves_a_client_to_another_address() {
    let app = limited_to("3/1d").await;
    for attempt in 0..9 {
        let claimed = format!("192.0.2.{attempt}");
        let headers = json!({
            "x-forwarded-for": claimed, "x-real-ip": claimed, "forwarded": format!("for={claimed}"),
            "x-client-ip": claimed, "cf-connecting-ip": claimed, "true-client-ip": claimed, "x-cluster-client-ip": claimed,
            "x-forwarded-host": claimed, "via": claimed,
        });
        let guess = json!({ "email": "eve@example.com", "password": WRONG });
        let answer = with_headers(app.app(), &login::ROUTE, "203.0.113.9", &guess, &headers).await;
        let expected = if attempt < 3 { "invalid_credentials" } else { "rate_limited" };
        assert_eq!(answer.code(), expected, "attempt {attempt}");
    }
    assert_eq!(app.items_with("192.0.2.").await, Vec::<String>::new());
}

#[tokio::test]
async fn all_addresses_of_one_ipv6_network_are_one_client() {
    let app = limited_to("3/1d").await;
    let accounts = AtomicU32::new(0);
    let code = async |source: &str| {
        let account = accounts.fetch_add(1, Ordering::Relaxed);
        guess_from(app.app(), source, &format!("user{account}@example.com")).await.code()
    };
    for host in ["2001:db8:7:7::1", "2001:db8:7:7:ffff:ffff:ffff:ffff", "2001:0db8:0007:0007:1::"] {
        assert_eq!(code(host).await, "invalid_credentials", "{host}");
    }
    assert_eq!(code("2001:db8:7:7:1234::9").await, "rate_limited");
    assert_eq!(code("2001:db8:7:8::1").await, "invalid_credentials", "the next network is another client");
    // One IPv4 client in three spellings.
    for source in ["203.0.113.50", "::ffff:203.0.113.50", "::ffff:cb00:7132"] {
        assert_eq!(code(source).await, "invalid_credentials", "{source}");
    }
    assert_eq!(code("203.0.113.50").await, "rate_limited");
    assert_eq!(code("::ffff:203.0.113.51").await, "invalid_credentials", "mapped addresses are not one network");
}

/// Makes the counter of everyone at 127.0.0.1 fail, and nothing else: a count that is no number cannot be added to.
async fn break_counter(app: &TestApp, limit: Limit, rate: &str) {
    let window = rate.parse::<Rate>().unwrap().window_at(app.clock.now());
    let put = app.app().dynamodb().put_item().table_name("users");
    let put = put.item("pk", AttributeValue::S(format!("LIMIT#{limit}#127.0.0.1")));
    let put = put.item("sk", AttributeValue::S(window.starts_at.seconds().to_string()));
    put.item("count", AttributeValue::S("many".into())).send().await.unwrap();
}

#[tokio::test]
async fn when_the_counter_fails_requests_pass_and_the_log_says_so() {
    let app = limited_to("1/1d").await;
    for limit in Limit::ALL {
        break_counter(&app, *limit, "1/1d").await;
    }
    for route in limited_routes() {
        for attempt in 0..3 {
            let path = route.operations.last().unwrap().path;
            let answer = app.post(path, &body(route, &format!("{}{attempt}@example.com", route.name))).await;
            assert!([200, 202, 401].contains(&answer.status.as_u16()), "{path}: {}", answer.text);
            assert_eq!(answer.header("ratelimit"), "", "{path}: nothing is known, so nothing is said");
        }
        let name = route.limit.unwrap().as_str();
        let events = app.events("request_not_counted").await;
        let events: Vec<_> = events.iter().filter(|event| event["event.reason"] == name).collect();
        assert_eq!(events.len(), 3, "{name}");
        assert_eq!(events[0]["source.ip"], "127.0.0.1");
        assert_eq!(events[0]["event.outcome"], "failure");
    }
    let errors = app.stack.logs().await.into_iter().filter(|line| line["log.level"] == "error").count();
    assert_eq!(errors, limited_routes().count() * 3, "each says why");
}

#[tokio::test]
async fn a_request_whose_source_the_gateway_does_not_name_passes_uncounted() {
    let app = limited_to("1/1d").await;
    for _ in 0..3 {
        let answer = guess_from(app.app(), "", "eve@example.com").await;
        assert_eq!(answer.code(), "invalid_credentials");
        assert_eq!(answer.header("ratelimit"), "");
    }
}

#[tokio::test]
async fn a_limit_that_is_off_counts_nothing_and_the_others_go_on() {
    let app = TestApp::start_with(&[("LIMIT_LOGIN_PER_IP", "off"), ("LIMIT_SEND_PER_IP", "1/1d")]).await;
    for account in 0..4 {
        let answer = app.login(&format!("user{account}@example.com"), WRONG).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (401, ""));
    }
    let send = async || app.post("/auth/send", &json!({ "email": ADA })).await.status.as_u16();
    assert_eq!((send().await, send().await), (202, 429));
}

#[tokio::test]
async fn without_limits_nothing_is_counted_at_all() {
    let app = TestApp::start_with(&[("LIMITS", "off"), ("LIMIT_LOGIN_PER_IP", "1/1d")]).await;
    for _ in 0..4 {
        let answer = app.login(ADA, WRONG).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit")), (401, ""));
    }
    assert_eq!(app.items_with("LIMIT#").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_flood_is_in_the_log_with_its_source() {
    let app = TestApp::start_with(&[("LIMIT_SEND_PER_IP", "1/1d")]).await;
    for _ in 0..3 {
        app.post("/auth/send", &json!({ "email": ADA })).await;
    }
    let events = app.events("rate_limited").await;
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["event.reason"], &events[0]["source.ip"]), (&json!("send"), &json!("127.0.0.1")));
    assert_eq!(events[0]["faas.name"], "resend_confirmation");
    assert!(!serde_json::to_string(&events).unwrap().contains(ADA));
}

#[tokio::test]
async fn the_state_of_a_limit_reveals_nothing_about_an_address() {
    let app = limited_to("3/1d").await;
    app.confirmed(ADA).await;
    app.register("bob@example.com").await;
    for route in [register::ROUTE, resend_confirmation::ROUTE, login::ROUTE] {
        let mut seen = Vec::new();
        for (at, email) in [ADA, "bob@example.com", "nobody@example.com"].into_iter().enumerate() {
            let mut answers = Vec::new();
            for _ in 0..4 {
                let answer = from(app.app(), &route, &format!("203.0.113.{at}"), &body(&route, email)).await;
                let (status, headers, text) = answer.essence();
                // Both count down the seconds of the day.
                let headers: Vec<_> = headers.into_iter().filter(|(name, _)| name != "retry-after").collect();
                let (remaining, _) = answer.header("ratelimit").split_once(";t=").unwrap();
                answers.push((status, headers, remaining.to_owned(), text.replace(email, "EMAIL")));
            }
            seen.push(answers);
        }
        assert_eq!(seen[0], seen[1], "{}", route.name);
        assert_eq!(seen[0], seen[2], "{}", route.name);
    }
}

// ---- What a stranger can tell

/// What a stranger hears of an address that was locked for as long as 32 seconds, before and after its owner did something.
async fn seen_by_a_stranger(app: &TestApp, email: &str, deed: impl AsyncFnOnce()) -> Vec<String> {
    fail_until_locked(app, async || app.login(email, WRONG).await).await;
    app.clock.advance(Duration::from_secs(33));
    deed().await;
    let mut seen = Vec::new();
    for wait in [0, 0, 65, 0] {
        app.clock.advance(Duration::from_secs(wait));
        seen.push(app.login(email, WRONG).await.code());
    }
    seen
}

#[tokio::test]
async fn a_stranger_hears_the_same_whatever_the_owner_does() {
    let app = TestApp::start().await;
    let unknown = seen_by_a_stranger(&app, "nobody@example.com", async || {}).await;
    assert_eq!(
        unknown,
        ["invalid_credentials", "too_many_attempts", "invalid_credentials", "too_many_attempts"],
        "a count goes on"
    );
    for deed in ["signs in", "changes the password", "resets it", "deletes the account", "is not confirmed"] {
        let email = format!("{}@example.com", deed.replace(' ', "-"));
        let owner = if deed == "is not confirmed" {
            app.register(&email).await;
            None
        } else {
            Some(app.signed_in(&email).await)
        };
        let seen = seen_by_a_stranger(&app, &email, async || match deed {
            "signs in" => assert_eq!(app.login(&email, PASSWORD).await.status, 200),
            "is not confirmed" => assert_eq!(app.login(&email, PASSWORD).await.code(), "email_not_confirmed"),
            "deletes the account" => assert_eq!(owner.unwrap().delete("/user").await.status, 204),
            "changes the password" => {
                let change = json!({ "current_password": PASSWORD, "new_password": "quiet lantern harbour" });
                assert_eq!(owner.unwrap().put("/user/password", &change).await.status, 204);
            }
            _ => {
                app.post("/auth/password/forgot", &json!({ "email": email })).await;
                let token = app.mailed_token(&email, "/auth/password/reset").await;
                let reset = json!({ "token": token, "password": "quiet lantern harbour" });
                assert_eq!(app.post("/auth/password/reset", &reset).await.status, 200);
            }
        });
        assert_eq!(seen.await, unknown, "the owner {deed}");
    }
}

#[tokio::test]
async fn a_guessing_stranger_does_not_block_a_password_change_or_notice_it() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    lock_out(&app, ADA).await;
    let change = async |current: &str| {
        let change = json!({ "current_password": current, "new_password": "quiet lantern harbour" });
        ada.put("/user/password", &change).await
    };
    for _ in 0..6 {
        assert_eq!(change(WRONG).await.code(), "wrong_password");
    }
    assert_eq!(change(PASSWORD).await.code(), "too_many_attempts", "but by failures of its own");
    app.clock.advance(Duration::from_secs(33));
    assert_eq!(change(PASSWORD).await.status, 204);
    assert_eq!(app.login(ADA, WRONG).await.code(), "invalid_credentials");
    assert_eq!(app.login(ADA, WRONG).await.code(), "too_many_attempts");
}

/// The service on the same tables, and the operations that it calls from then on, sorted.
async fn watched(app: &TestApp) -> (App, Arc<Mutex<Vec<String>>>) {
    let calls = Arc::<Mutex<Vec<String>>>::default();
    let (noted, http) = (Arc::clone(&calls), reqwest::Client::new());
    let mut config = app.app().config.clone();
    let behind = config.aws.endpoints.dynamodb.clone().unwrap();
    let pass_on = move |headers: HeaderMap, body: Bytes| async move {
        let operation = headers["x-amz-target"].to_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
        noted.lock().unwrap().push(operation);
        let answer = http.post(behind).headers(headers).body(body).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.aws.endpoints.dynamodb = Some(format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async { axum::serve(listener, axum::Router::new().fallback(pass_on)).await });
    (App::new(config, app.clock.clone()).unwrap(), calls)
}

#[tokio::test]
async fn registering_a_free_taken_or_reserved_address_makes_the_same_calls() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    assert_eq!(ada.put("/user", &json!({ "email": "ada@example.org" })).await.status, 200);
    let token = app.mailed_token("ada@example.org", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": token })).await.status, 200);
    app.idle().await;
    let (watched, calls) = watched(&app).await;
    for email in ["free@example.com", "ada@example.org", ADA] {
        let answer = from(&watched, &register::ROUTE, "203.0.113.9", &body(&register::ROUTE, email)).await;
        assert_eq!(answer.status, 202, "{email}: {}", answer.text);
        let mut calls = std::mem::take(&mut *calls.lock().unwrap());
        calls.sort();
        assert_eq!(calls, ["GetItem", "TransactWriteItems", "UpdateItem"], "{email}");
    }
    app.clock.advance(Duration::from_hours(8 * 24));
    let answer = from(&watched, &register::ROUTE, "203.0.113.9", &body(&register::ROUTE, ADA)).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        app.login(ADA, PASSWORD).await.code(),
        "email_not_confirmed",
        "after its week a reserved address is free"
    );
}

// ---- Device tokens

#[tokio::test]
async fn a_strangers_failures_do_not_lock_the_owners_browser_out() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let device = device_token(&app, ADA).await;
    lock_out(&app, ADA).await;
    let answer = sign_in(&app, " ADA@example.com", PASSWORD, &device).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // That forgave the owner's failures, not the stranger's.
    assert_eq!(app.login(ADA, WRONG).await.code(), "too_many_attempts");
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "too_many_attempts");
    let device = text(&answer.json()["device_token"]);
    assert_eq!(sign_in(&app, ADA, PASSWORD, &device).await.status, 200);
}

#[tokio::test]
async fn a_known_device_needs_the_password_and_only_its_failures_lock_it() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let (device, other) = (device_token(&app, ADA).await, device_token(&app, ADA).await);
    fail_until_locked(&app, async || sign_in(&app, ADA, WRONG, &device).await).await;
    for seconds in [32, 64, 128, 256, 512, 900] {
        let locked = sign_in(&app, ADA, PASSWORD, &device).await;
        assert_eq!(locked.code(), "too_many_attempts");
        let wait = retry_after(&locked);
        assert!(seconds / 2 < wait && wait <= seconds, "Retry-After {wait}, not about {seconds}");
        if seconds < 900 {
            app.clock.advance(Duration::from_secs(seconds));
            assert_eq!(sign_in(&app, ADA, WRONG, &device).await.code(), "invalid_credentials");
        }
    }
    // Neither everyone else nor another device has failed.
    assert_eq!(sign_in(&app, ADA, PASSWORD, &other).await.status, 200);
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    assert_eq!(sign_in(&app, ADA, PASSWORD, &device).await.code(), "too_many_attempts");
    app.clock.advance(Duration::from_mins(15));
    assert_eq!(sign_in(&app, ADA, PASSWORD, &device).await.status, 200);
    let locked = app.events("login_locked").await;
    assert_eq!(locked[0]["event.reason"], "device");
}

#[tokio::test]
async fn concurrent_guesses_from_a_known_device_do_not_bypass_its_lock() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let device = device_token(&app, ADA).await;
    fail_until_locked(&app, async || sign_in(&app, ADA, WRONG, &device).await).await;
    app.clock.advance(Duration::from_secs(32));
    let answers = join_all((0..16).map(|_| sign_in(&app, ADA, WRONG, &device))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 15);
}

#[tokio::test]
async fn a_device_that_signs_in_again_is_the_same_device() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let first = device_token(&app, ADA).await;
    let second = text(&sign_in(&app, ADA, PASSWORD, &first).await.json()["device_token"]);
    fail_until_locked(&app, async || sign_in(&app, ADA, WRONG, &first).await).await;
    assert_eq!(
        sign_in(&app, ADA, PASSWORD, &second).await.code(),
        "too_many_attempts",
        "no fresh tries for an old token"
    );
    assert_eq!(app.items_with("ATTEMPTS#").await.len(), 1);
}

/// While the address is locked, `token` gets the very answer that no token gets; and so it does otherwise.
async fn assert_ignored(app: &TestApp, token: &str, what: &str) {
    lock_out(app, ADA).await;
    let essence = |answer: &Answer| {
        let (status, mut headers, text) = answer.essence();
        headers.retain(|(name, _)| name != "retry-after");
        (status, headers, text)
    };
    let without = essence(&app.login(ADA, PASSWORD).await);
    assert_eq!(essence(&sign_in(app, ADA, PASSWORD, token).await), without, "{what}");
    app.clock.advance(Duration::from_hours(1));
    let without = essence(&app.login(ADA, WRONG).await);
    assert_eq!(essence(&sign_in(app, ADA, WRONG, token).await), without, "{what}");
    let answer = sign_in(app, ADA, PASSWORD, token).await;
    assert_eq!(answer.status, 200, "{what} harms nobody who knows the password: {}", answer.text);
    assert_eq!(app.items_with("ATTEMPTS#").await, Vec::<String>::new(), "{what} is no device");
    // The two wrong ones stay counted until it is quiet.
    app.clock.advance(Duration::from_hours(1));
}

#[tokio::test]
async fn a_forged_foreign_expired_or_revoked_device_token_is_ignored() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    app.confirmed("bob@example.com").await;
    let device = device_token(&app, ADA).await;
    for forged in ["", " ", "x", "ключ", &device[1..], &format!("{device}A"), &device.replace(&device[..8], "AAAAAAAA")]
    {
        assert_ignored(&app, forged, &format!("forged: {forged}")).await;
    }
    let mut altered = device.clone().into_bytes();
    let last = altered.len() - 2;
    altered[last] = if altered[last] == b'A' { b'B' } else { b'A' };
    assert_ignored(&app, &String::from_utf8(altered).unwrap(), "altered").await;
    assert_ignored(&app, &device_token(&app, "bob@example.com").await, "foreign").await;

    // Signing out here keeps the device; signing out everywhere ends the trust in all of them.
    let ada = app.sign_in(ADA).await;
    ada.logout().await;
    let ada = app.sign_in(ADA).await;
    lock_out(&app, ADA).await;
    assert_eq!(sign_in(&app, ADA, PASSWORD, &device).await.status, 200);
    assert_eq!(ada.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    app.clock.advance(Duration::from_hours(1));
    assert_ignored(&app, &device, "revoked").await;

    let device = device_token(&app, ADA).await;
    app.clock.advance(Duration::from_hours(180 * 24) - Duration::from_mins(30));
    lock_out(&app, ADA).await;
    assert_eq!(sign_in(&app, ADA, PASSWORD, &device).await.status, 200, "nearly half a year later");
    app.clock.advance(Duration::from_hours(1));
    assert_ignored(&app, &device, "expired").await;
}

#[tokio::test]
async fn the_device_token_of_another_installation_is_as_good_as_none() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    app.confirmed(ADA).await;
    other.confirmed(ADA).await;
    assert_ignored(&app, &device_token(&other, ADA).await, "another installation's").await;
}

#[tokio::test]
async fn a_deleted_accounts_devices_leave_nothing_behind() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let device = device_token(&app, ADA).await;
    sign_in(&app, ADA, WRONG, &device).await;
    assert_eq!(app.items_with("ATTEMPTS#").await.len(), 1);
    let ada = app.sign_in(ADA).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    app.idle().await;
    app.later(Duration::from_mins(2)).await;
    assert_eq!(app.items_with("ATTEMPTS").await, Vec::<String>::new());
    // Whoever registers the address next is somebody else.
    assert_eq!(app.register(ADA).await.status, 202);
    app.idle().await;
    let token = app.confirmation_token(ADA).await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    assert_ignored(&app, &device, "a former owner's").await;
}

#[tokio::test]
async fn no_device_token_is_in_the_log_or_in_the_table() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let device = device_token(&app, ADA).await;
    sign_in(&app, ADA, WRONG, &device).await;
    sign_in(&app, ADA, PASSWORD, &device).await;
    assert!(!serde_json::to_string(&app.stack.logs().await).unwrap().contains(&device));
    assert_eq!(app.items_with(&device).await, Vec::<String>::new());
}
