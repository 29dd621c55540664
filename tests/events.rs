//! The stored events, as AWS sends them: each is replayed through its function as Lambda's runtime would.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use functions::pictures::resize_picture;
use functions::workers::{emailer, sweeper};
use functions::{FALLBACK, route, routes};
use lambda_http::{Context, LambdaEvent};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use shared::http::Route;
use shared::http::path::fits;
use tests::TestApp;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn event(name: &str) -> String {
    let path = folder().join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parsed(name: &str) -> Value {
    serde_json::from_str(&event(name)).unwrap()
}

/// A function's answer to an event, through what its `main` calls: status, request id and body.
async fn answer(app: &TestApp, route: &Route, event: Value) -> (u16, String, String) {
    let event = LambdaEvent::new(event, Context::default());
    let answer = shared::http::event::answer(route.service(app.app().clone()), event).await;
    let answer = serde_json::to_value(&answer).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = text(&answer["body"]);
    let body = if answer["isBase64Encoded"] == true { STANDARD.decode(body).unwrap() } else { body.into_bytes() };
    let status = answer["statusCode"].as_u64().and_then(|status| status.try_into().ok()).unwrap();
    (status, text(&answer["headers"]["x-request-id"]), String::from_utf8_lossy(&body).into_owned())
}

/// A function's answer to its stored event.
async fn replay(app: &TestApp, route: &Route) -> (u16, String) {
    let (status, request_id, body) = answer(app, route, parsed(route.name)).await;
    assert_eq!(request_id, parsed(route.name)["requestContext"]["requestId"], "{}", route.name);
    (status, body)
}

#[tokio::test]
async fn every_route_answers_its_event() {
    let app = TestApp::start().await;
    // Of the others the stored event has an access token of no service.
    let expected = [
        ("register", 202, "confirmation_required"),
        ("resend_confirmation", 202, "confirmation_required"),
        ("confirm_registration", 400, "link_invalid"),
        ("login", 401, "invalid_credentials"),
        ("verify_login", 401, "invalid_challenge"),
        ("refresh", 401, "invalid_refresh_token"),
        ("introspect", 401, "invalid_client"),
        ("forgot_password", 202, "reset_requested"),
        ("reset_password", 400, "link_invalid"),
        ("confirm_email_change", 400, "link_invalid"),
        ("undo_email_change", 400, "link_invalid"),
        ("accept_invitation", 400, "link_invalid"),
        ("start_passkey_login", 200, "\"challenge\""),
        ("passkey_login", 401, "invalid_challenge"),
        ("health", 200, "ok"),
        ("change_password_redirect", 302, ""),
        ("api_docs", 200, ".swagger-ui"),
        ("jwks", 200, "\"kty\""),
        ("discovery", 200, "\"issuer\""),
        ("not_found", 405, "method_not_allowed"),
    ];
    for route in routes().chain([&FALLBACK]) {
        // Signing in comes before the account that the event of registering makes, which is no account of this test.
        let app = if route.name == "login" { &TestApp::start().await } else { &app };
        let expected = expected.iter().find(|(name, ..)| *name == route.name);
        let signed_in = route.operations.iter().any(|operation| operation.credentials() == Some("access_token"));
        assert_ne!(expected.is_some(), signed_in, "{}", route.name);
        let (_, status, word) = expected.unwrap_or(&("", 401, "invalid_token"));
        let (answered, body) = replay(app, route).await;
        assert_eq!(answered, *status, "{}: {body}", route.name);
        assert!(body.contains(word), "{}: {body}", route.name);
    }
}

/// Texts that break URLs, headers and bodies, and any others.
fn odd_text() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "/",
        "//",
        "*",
        "/api/v1/health",
        "/api/v1/x/../health",
        "/a b?c#d",
        "/%",
        "/%zz",
        "/%FF",
        "\\",
        "[",
        "<>\"|{}^`",
        "x.execute-api.127.0.0.1",
        "[::1",
        "a:b:c",
        "user@host",
        "http",
        "javascript",
        "\0",
        "a\r\nb: c",
        "\u{e4}\u{1f600}",
        "\u{fffd}",
        "a=%&b=+%20&&=",
        "GET",
        "get",
        "G T",
        "{}",
        "bm90IGpzb24",
        "!",
    ];
    prop_oneof![proptest::sample::select(odd.to_vec()).prop_map(ToOwned::to_owned), any::<String>()]
}

/// A member's value: mostly text, now and then something else.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => odd_text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => proptest::sample::select(vec![json!(1), json!(true), json!([]), json!(["a=b", 1]), json!({ "a": [] })]),
    ]
}

/// Reported by users of aws-lambda-rust-runtime (issue 515) and hono (issue 2156).
#[test]
fn whatever_is_in_an_event_every_function_answers_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(TestApp::start());
    let headers = proptest::collection::btree_map(
        prop_oneof![
            proptest::sample::select(vec!["host", "x-forwarded-proto", "content-type", "accept"]).prop_map(Into::into),
            odd_text()
        ],
        odd_value(),
        0..4,
    );
    let event = (
        (odd_value(), odd_value(), headers, odd_value(), odd_value()),
        (
            prop_oneof![3 => proptest::sample::select(vec!["GET", "POST", "PUT", "DELETE"]).prop_map(Value::from), 1 => odd_value()],
            odd_value(),
            odd_value(),
            any::<bool>(),
        ),
    );
    let event = event.prop_map(|((path, query, headers, cookies, body), (method, domain, stage, base64))| {
        json!({
            "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers, "cookies": cookies, "body": body,
            "isBase64Encoded": base64,
            "requestContext": {
                "domainName": domain, "stage": stage, "requestId": "r1", "http": { "method": method, "path": path },
            },
        })
    });
    let routes: Vec<&Route> = routes().chain([&FALLBACK]).collect();
    let config = Config { failure_persistence: None, ..Config::with_cases(512) };
    let outcome = TestRunner::new(config).run(&(0..routes.len(), event), |(route, event)| {
        let (status, request_id, body) = runtime.block_on(answer(&app, routes[route], event));
        prop_assert!((200..500).contains(&status), "{}: {status} {body}", routes[route].name);
        prop_assert_eq!(request_id, "r1");
        if status >= 400 && !body.contains("<!doctype html>") {
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            prop_assert!(problem["code"].is_string(), "{}: {status} {body}", routes[route].name);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn an_event_without_anything_is_answered_and_so_is_none() {
    let app = TestApp::start().await;
    for event in [json!({}), json!(null), json!([]), json!("event"), json!({ "requestContext": { "http": {} } })] {
        let (status, _, body) = answer(&app, route("health").unwrap(), event.clone()).await;
        assert_eq!(status, 400, "{event}");
        assert!(body.contains("\"code\":\"invalid_request\""), "{event}: {body}");
    }
}

#[tokio::test]
async fn a_path_whose_own_method_led_to_no_function_is_not_found() {
    let app = TestApp::start().await;
    for (method, status) in [("GET", 404), ("POST", 405)] {
        let http = json!({ "method": method, "path": "/api/v1/health" });
        let event = json!({ "rawPath": "/api/v1/health", "requestContext": { "requestId": "r1", "http": http } });
        assert_eq!(answer(&app, &FALLBACK, event).await.0, status, "{method}");
    }
}

#[tokio::test]
async fn the_events_of_an_account_work_together() {
    let app = TestApp::start().await;
    let (status, _) = replay(&app, route("register").unwrap()).await;
    assert_eq!(status, 202);
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    let (status, body) = replay(&app, route("login").unwrap()).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn the_functions_behind_queues_and_schedules_take_their_events() {
    let app = TestApp::start().await;
    let sqs = |name: &str| serde_json::from_str::<SqsEvent>(&event(name)).unwrap();
    let outcome = emailer::handler(app.app().clone(), sqs("emailer")).await.unwrap();
    assert!(outcome.batch_item_failures.is_empty(), "{outcome:?}");
    let outcome = resize_picture::handler(app.app().clone(), sqs("resize_picture")).await.unwrap();
    assert!(outcome.batch_item_failures.is_empty(), "{outcome:?}");
    let scheduled: EventBridgeEvent<Value> = serde_json::from_str(&event("sweeper")).unwrap();
    sweeper::handler(app.app().clone(), scheduled).await.unwrap();
}

#[tokio::test]
async fn a_failed_message_of_a_batch_is_reported_alone() {
    let app = TestApp::start().await;
    let mut batch = parsed("emailer");
    let mut poison = batch["Records"][0].clone();
    poison["messageId"] = json!("poison");
    poison["body"] = json!("{");
    batch["Records"].as_array_mut().unwrap().insert(0, poison);
    let outcome = emailer::handler(app.app().clone(), serde_json::from_value(batch).unwrap()).await.unwrap();
    let failed: Vec<&str> =
        outcome.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    assert_eq!(failed, ["poison"]);
}

#[test]
fn every_function_has_its_event_and_no_event_is_left_over() {
    let stored: BTreeSet<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let functions =
        routes().chain([&FALLBACK]).map(|route| route.name).chain(functions::workers().map(|worker| worker.name));
    let expected: BTreeSet<String> = functions.map(|name| format!("{name}.json")).collect();
    assert_eq!(stored, expected);
}

#[test]
fn the_events_of_routes_are_requests_for_those_routes() {
    for route in routes() {
        let event = parsed(route.name);
        let (method, path) = (event["requestContext"]["http"]["method"].as_str(), event["rawPath"].as_str().unwrap());
        let served = route.endpoints().any(|(takes, pattern)| method == Some(takes) && fits(&pattern, path));
        assert!(served, "{}: {method:?} {path}", route.name);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["requestContext"]["accountId"], "123456789012", "{}: an account that is nobody's", route.name);
    }
}
