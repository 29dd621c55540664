//! How fast events are published, against a bare loop of the same calls to the bus.

use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use functions::workers::publish_events;
use serde_json::{Value, json};
use shared::App;
use shared::clock::Timestamp;
use shared::cloudevent::cloud_event;
use shared::domain::event::{Actor, DomainEvent, EventKind, RecordedEvent, Subject};
use shared::domain::id::UserId;

use crate::report;
use crate::service::Running;

const EVENTS: usize = 10_000;
/// As Lambda hands them over, and as the bus takes them.
const BATCH: usize = 100;
const ENTRIES: usize = 10;
/// In turns, so that the machine's mood meets both.
const ROUNDS: usize = 5;

pub async fn run() {
    let service = Running::start_without_publishers().await;
    let app = service.stack.app.clone();
    let events = events();
    let records: Vec<Value> = events.iter().enumerate().map(|(number, event)| record(number, event)).collect();
    // As the runtime gets them.
    let batches: Vec<Vec<u8>> =
        records.chunks(BATCH).map(|batch| json!({ "Records": batch }).to_string().into_bytes()).collect();
    let details: Vec<(String, String)> = events.iter().map(|event| detail(event, &app)).collect();
    let (mut published, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for batch in &batches {
            let event: StreamEvent = serde_json::from_slice(batch).expect("an event");
            let answer = publish_events::handler(app.clone(), event).await.expect("an answer");
            assert!(answer.batch_item_failures.is_empty());
        }
        published.push(began.elapsed());
        let began = Instant::now();
        for entries in details.chunks(ENTRIES) {
            put(&app, entries).await;
        }
        bare.push(began.elapsed());
    }
    published.sort_unstable();
    bare.sort_unstable();
    let (published, bare) = (published[ROUNDS / 2], bare[ROUNDS / 2]);
    let ratio = bare.as_secs_f64() / published.as_secs_f64();
    let row = |what: &str, time: Duration, ratio: f64| {
        #[allow(clippy::cast_precision_loss, reason = "a count of events is small")]
        let rate = EVENTS as f64 / time.as_secs_f64();
        format!("| {what} | {:.2} s | {rate:.0} | {ratio:.2} |\n", time.as_secs_f64())
    };
    let table = format!(
        "| {EVENTS} events | time | events/s | against the bare loop |\n|---|---|---|---|\n{}{}",
        row("`publish_events`, batches of 100 records", published, ratio),
        row("`PutEvents` alone, 10 entries each", bare, 1.0)
    );
    let command = format!("`cargo run --release -p bench -- publishing`, medians of {ROUNDS} rounds");
    report::publish("publishing", "Publishing events", &command, &table).await;
    assert!(ratio >= 0.5, "less than half as fast");
    service.stack.stop().await;
}

/// Of a thousand users, each with ten.
fn events() -> Vec<DomainEvent> {
    let start = Timestamp::from_seconds(1_800_000_000);
    let users: Vec<UserId> = (0..1000).map(|_| UserId::new(start)).collect();
    let event = |number: usize| {
        let user = users[number * 7919 % users.len()];
        let at = start.plus(Duration::from_millis(u64::try_from(number).unwrap_or_default()));
        DomainEvent::new(Subject::User(user), &Actor::SYSTEM, EventKind::renamed("Ada King"), at)
    };
    (0..EVENTS).map(event).collect()
}

/// As the table's stream has it.
fn record(number: usize, event: &DomainEvent) -> Value {
    let keys = json!({ "pk": format!("USER#{}", event.user().expect("a user")), "sk": format!("EVENT#{}", event.id) });
    let mut image = serde_json::to_value(event).expect("JSON");
    let fields = image.as_object_mut().expect("an object");
    fields.extend(keys.as_object().expect("an object").clone());
    json!({
        "eventID": format!("{number:032x}"),
        "eventName": "INSERT",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "Keys": attribute(&keys)["M"],
            "NewImage": attribute(&image)["M"],
            "SequenceNumber": number.to_string(),
            "SizeBytes": 400,
        },
    })
}

fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(value) => json!({ "N": value.to_string() }),
        Value::String(value) => json!({ "S": value }),
        Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(values) => {
            let values: serde_json::Map<_, _> =
                values.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({ "M": values })
        }
    }
}

fn detail(event: &DomainEvent, app: &App) -> (String, String) {
    let event = RecordedEvent::try_from(event).expect("JSON");
    (event.name.clone(), cloud_event(&event, &app.config).to_string())
}

async fn put(app: &App, events: &[(String, String)]) {
    let entries = events.iter().map(|(name, detail)| {
        let entry = PutEventsRequestEntry::builder().event_bus_name(&app.config.events.bus).source("bare");
        entry.detail_type(name).detail(detail).build()
    });
    let answer = app.eventbridge().put_events().set_entries(Some(entries.collect())).send().await.expect("an answer");
    assert_eq!(answer.failed_entry_count, 0);
}
