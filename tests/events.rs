//! The stored events, as AWS sends them: each is replayed through its function as Lambda's runtime would.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use functions::{ROUTES, emailer, image, not_found, sweeper};
use http_body_util::BodyExt;
use lambda_http::tower::ServiceExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::http::Route;
use shared::http::path::fits;
use tests::TestApp;

/// Functions that are no routes.
const OTHERS: [&str; 4] = ["not_found", "emailer", "image", "sweeper"];

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

/// A function's answer to its stored event.
async fn replay(app: &TestApp, route: &Route) -> (StatusCode, String) {
    let request = lambda_http::request::from_str(&event(route.name)).unwrap();
    let answer = route.service(app.app().clone()).oneshot(request).await.unwrap();
    let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(request_id, parsed(route.name)["requestContext"]["requestId"], "{}", route.name);
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn every_route_answers_its_event() {
    let app = TestApp::start().await;
    let expected = [
        ("register", 202, "confirmation_required"),
        ("send", 202, "confirmation_required"),
        ("confirm", 400, "link_invalid"),
        ("login", 401, "invalid_credentials"),
        ("verify_login", 401, "invalid_challenge"),
        ("refresh", 401, "invalid_refresh_token"),
        ("logout", 401, "invalid_token"),
        ("list_sessions", 401, "invalid_token"),
        ("end_session", 401, "invalid_token"),
        ("introspect", 401, "invalid_client"),
        ("get_user", 401, "invalid_token"),
        ("update_user", 401, "invalid_token"),
        ("delete_user", 401, "invalid_token"),
        ("list_users", 401, "invalid_token"),
        ("upload_picture", 401, "invalid_token"),
        ("delete_picture", 401, "invalid_token"),
        ("change_password", 401, "invalid_token"),
        ("forgot_password", 202, "reset_requested"),
        ("reset_password", 400, "link_invalid"),
        ("confirm_email", 400, "link_invalid"),
        ("undo_email", 400, "link_invalid"),
        ("get_factors", 401, "invalid_token"),
        ("start_totp", 401, "invalid_token"),
        ("confirm_totp", 401, "invalid_token"),
        ("delete_totp", 401, "invalid_token"),
        ("renew_recovery_codes", 401, "invalid_token"),
        ("start_passkey_login", 200, "\"challenge\""),
        ("passkey_login", 401, "invalid_challenge"),
        ("step_up", 401, "invalid_token"),
        ("start_passkey", 401, "invalid_token"),
        ("add_passkey", 401, "invalid_token"),
        ("rename_passkey", 401, "invalid_token"),
        ("delete_passkey", 401, "invalid_token"),
        ("health", 200, "ok"),
        ("password_page", 302, ""),
        ("documentation", 200, ".swagger-ui"),
        ("keys", 200, "\"kty\""),
        ("not_found", 405, "method_not_allowed"),
    ];
    for route in ROUTES.iter().chain([&not_found::ROUTE]) {
        // Signing in comes before the account that the event of registering makes, which is no account of this test.
        let app = if route.name == "login" { &TestApp::start().await } else { &app };
        let (_, status, word) = expected.iter().find(|(name, ..)| *name == route.name).unwrap();
        let (answered, body) = replay(app, route).await;
        assert_eq!(answered.as_u16(), *status, "{}: {body}", route.name);
        assert!(body.contains(word), "{}: {body}", route.name);
    }
}

#[tokio::test]
async fn the_events_of_an_account_work_together() {
    let app = TestApp::start().await;
    let (status, _) = replay(&app, &functions::register::ROUTE).await;
    assert_eq!(status, 202);
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    let (status, body) = replay(&app, &functions::login::ROUTE).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn the_functions_behind_queues_and_schedules_take_their_events() {
    let app = TestApp::start().await;
    let sqs = |name: &str| serde_json::from_str::<SqsEvent>(&event(name)).unwrap();
    let outcome = emailer::handler(app.app().clone(), sqs("emailer")).await.unwrap();
    assert!(outcome.batch_item_failures.is_empty(), "{outcome:?}");
    let outcome = image::handler(app.app().clone(), sqs("image")).await.unwrap();
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
    let functions = ROUTES.iter().map(|route| route.name).chain(OTHERS);
    let expected: BTreeSet<String> = functions.map(|name| format!("{name}.json")).collect();
    assert_eq!(stored, expected);
}

#[test]
fn the_events_of_routes_are_requests_for_those_routes() {
    for route in ROUTES {
        let event = parsed(route.name);
        let (method, path) = (event["requestContext"]["http"]["method"].as_str(), event["rawPath"].as_str().unwrap());
        assert!(route.methods.contains(&method.unwrap()), "{}", route.name);
        assert!(route.full_paths().any(|pattern| fits(&pattern, path)), "{}: {path}", route.name);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["requestContext"]["accountId"], "123456789012", "{}: an account that is nobody's", route.name);
    }
}
