//! Events on this machine: the stack's buses, queues and stream, and the pages that show them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType,
};
use aws_sdk_sqs::types::QueueAttributeName;
use local::{Options, Queue, Stack, SuppressionReason};
use reqwest::{Client, Response};
use serde_json::{Value, json};

async fn start(data: Option<&Path>) -> Stack {
    Stack::start(options(data)).await.unwrap()
}

fn options(data: Option<&Path>) -> Options {
    let variables = [("PASSWORD_HASH_MEMORY_KIB", "8"), ("PASSWORD_HASH_ITERATIONS", "1")];
    Options {
        port: 0,
        data: data.map(Path::to_owned),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        sweeping: false,
        ..Options::default()
    }
}

async fn get(stack: &Stack, path: &str, accept: &str) -> Response {
    let answer = Client::new().get(format!("{}{path}", stack.url())).header("accept", accept).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer
}

async fn json_of(stack: &Stack, path: &str) -> Value {
    get(stack, path, "application/json").await.json().await.unwrap()
}

async fn register(stack: &Stack, email: &str) {
    let body = json!({ "name": "Ada Lovelace", "email": email, "password": "correct horse battery" });
    let url = format!("{}/api/v1/auth/register", stack.url());
    assert_eq!(Client::new().post(url).json(&body).send().await.unwrap().status(), 202);
}

/// The types of the events, oldest first, once there are as many.
async fn reported(stack: &Stack, count: usize) -> Vec<String> {
    for _ in 0..1000 {
        let events = stack.bus_events().into_iter().filter(|event| event.source == "aws.ses");
        let mut types: Vec<_> = events.map(|event| event.detail_type).collect();
        if types.len() >= count {
            types.reverse();
            return types;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {count} events");
}

async fn queued(stack: &Stack, queue: Queue) -> String {
    let sqs = stack.app.sqs();
    let url = sqs.get_queue_url().queue_name(queue.name()).send().await.unwrap().queue_url.unwrap();
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let attributes = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    attributes.attributes.unwrap()[&name].clone()
}

#[tokio::test]
async fn what_ses_reports_about_an_email_goes_to_its_queue() {
    let stack = start(None).await;
    stack.suppress("gone@example.com", SuppressionReason::Bounce);
    register(&stack, "bounce+1@simulator.amazonses.com").await;
    assert_eq!(reported(&stack, 2).await, ["Email Sent", "Email Bounced"]);
    register(&stack, "gone@example.com").await;
    assert_eq!(reported(&stack, 4).await[2..], ["Email Sent", "Email Bounced"]);

    // A function takes them.
    for _ in 0..1000 {
        if queued(&stack, Queue::EmailEvents).await == "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(queued(&stack, Queue::EmailEvents).await, "0");
    stack.stop().await;
}

#[tokio::test]
async fn the_main_tables_stream_is_enabled_for_data_of_earlier_versions_too() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let stack = start(Some(folder.path())).await;
        let db = stack.app.dynamodb();
        let table = db.describe_table().table_name("users").send().await.unwrap().table.unwrap();
        let stream = table.stream_specification().unwrap();
        assert!(stream.stream_enabled());
        assert_eq!(stream.stream_view_type(), Some(&StreamViewType::NewImage));
        while !stack.has_read_all_changes() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // As an earlier version left it.
        let none = StreamSpecification::builder().stream_enabled(false).build().unwrap();
        db.update_table().table_name("users").stream_specification(none).send().await.unwrap();
        stack.stop().await;
    }
}

#[tokio::test]
async fn a_table_without_todays_list_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let stack = start(Some(folder.path())).await;
    let db = stack.app.dynamodb();
    db.delete_table().table_name("users").send().await.unwrap();
    let attribute = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    let table = db.create_table().table_name("users").attribute_definitions(attribute.build().unwrap()).key_schema(key);
    table.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    stack.stop().await;

    let refusal = Stack::start(options(Some(folder.path()))).await.err().unwrap().to_string();

    assert!(refusal.contains("earlier version") && refusal.contains("--fresh"), "{refusal}");
}

#[tokio::test]
async fn functions_are_told_where_events_go() {
    let folder = tempfile::tempdir().unwrap();
    let stack = start(Some(folder.path())).await;
    let file = std::fs::read_to_string(folder.path().join("functions.env")).unwrap();
    let value = |name: &str| {
        let line = file.lines().find_map(|line| line.strip_prefix(&format!("{name}=\""))).unwrap();
        line.trim_end_matches('"').to_owned()
    };
    assert!(value("AWS_ENDPOINT_URL_EVENTBRIDGE").starts_with("http://127.0.0.1:"));
    assert_eq!(value("EVENT_BUS"), "events");
    assert!(value("WEBHOOK_QUEUE_URL").ends_with("/000000000000/webhooks"));
    stack.stop().await;
}

#[tokio::test]
async fn the_events_page_is_html_for_browsers_and_json_for_programs() {
    let stack = start(None).await;
    register(&stack, "success+1@simulator.amazonses.com").await;
    reported(&stack, 2).await;
    for path in ["/_local/events", "/_local/receiver"] {
        let page = get(&stack, path, "text/html").await.text().await.unwrap();
        assert!(page.starts_with("<!doctype html>"), "{path}");
    }

    let events = json_of(&stack, "/_local/events").await;

    assert_eq!((&events[0]["type"], &events[1]["type"]), (&json!("Email Delivered"), &json!("Email Sent")));
    assert_eq!((&events[0]["source"], &events[0]["bus"]), (&json!("aws.ses"), &json!("default")));
    assert_eq!(events[0]["detail"]["eventType"], "Delivery");
    assert!(events[0]["received_at"].as_str().unwrap().ends_with('Z'));
    let sent = json_of(&stack, "/_local/events?type=Email%20Sent").await;
    assert_eq!(sent.as_array().unwrap().len(), 1);
    let user = json_of(&stack, "/_local/events?user=success%2B1%40simulator.amazonses.com").await;
    assert_eq!(user, events);
    assert_eq!(json_of(&stack, "/_local/events?user=ada").await, json!([]));
    stack.stop().await;
}

#[tokio::test]
async fn the_receiver_keeps_what_comes_and_answers_as_it_is_told() {
    let stack = start(None).await;
    let post = |path: &str, body: &'static str| {
        let request = Client::new().post(format!("{}/_local/receiver/{path}", stack.url()));
        request.header("content-type", "application/json").header("x-signature", "abc").body(body).send()
    };
    assert_eq!(post("mine", r#"{"n":1}"#).await.unwrap().status(), 200);
    assert_eq!(post("other?status=503&delay_ms=1", "not JSON").await.unwrap().status(), 503);
    assert_eq!(post("mine?status=1000", "").await.unwrap().status(), 400);

    let all = json_of(&stack, "/_local/receiver").await;

    let [second, first] = all.as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!((&first["name"], &first["json"], &first["status"]), (&json!("mine"), &json!({ "n": 1 }), &json!(200)));
    let headers = first["headers"].as_array().unwrap();
    assert!(headers.contains(&json!({ "name": "x-signature", "value": "abc" })));
    assert_eq!((&second["body"], &second["json"]), (&json!("not JSON"), &Value::Null));
    assert_eq!((&second["status"], &second["delay_ms"]), (&json!(503), &json!(1)));
    stack.stop().await;
}

#[tokio::test]
async fn a_sender_that_gives_up_has_been_received_all_the_same() {
    let stack = start(None).await;
    let url = format!("{}/_local/receiver/mine?delay_ms=5000", stack.url());
    let impatient = Client::builder().timeout(Duration::from_millis(100)).build().unwrap();
    assert!(impatient.post(url).body("x").send().await.unwrap_err().is_timeout());

    assert_eq!(json_of(&stack, "/_local/receiver").await[0]["body"], "x");
}
