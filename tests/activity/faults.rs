//! Ten thousand events, and everything that may go wrong on their way from the table's stream to the bus.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use functions::workers::publish_events;
use local::{BusEvent, Outage, Service};
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::id::UserId;
use tests::{TestApp, text};

const USERS: usize = 100;
const EVENTS: usize = 10_000;
const BATCH: usize = 100;
/// Records after which the journal of the bus, which keeps so many, is read.
const PART: usize = 500;

/// What happens to an invocation. The stream goes on behind what it reports as done, and nowhere where it does not report.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// The bus refuses, or does its work and the answer is lost, for as many milliseconds; then it works.
    Outage(Outage, u64),
    /// The same, and the function's time is over before.
    TimesOut(Outage),
    /// The function ends between two of its steps.
    Killed {
        polls: usize,
    },
    /// The stream goes back behind the batch, and so an earlier one comes after it.
    Again,
}

fn fault_of(invocation: usize) -> Fault {
    match invocation % 8 {
        0 => Fault::Outage(Outage::Unavailable, 20),
        1 => Fault::TimesOut(Outage::AnswerLost),
        2 | 4 => Fault::Killed { polls: 1 + invocation * 5 % 149 },
        3 => Fault::Again,
        5 => Fault::Outage(Outage::AnswerLost, 20),
        // So far behind the one that comes again that nothing else would bring what is lost here.
        7 => Fault::Outage(Outage::PartialFailure, 60),
        _ => Fault::None,
    }
}

/// As the stream has it.
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

fn record(number: usize, event: &DomainEvent) -> Value {
    let keys = json!({ "pk": format!("USER#{}", event.user().unwrap()), "sk": format!("EVENT#{}", event.id) });
    let mut image = serde_json::to_value(event).unwrap();
    image.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
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

/// The result of a function unless it ended after so many steps.
async fn killed_after<T>(polls: usize, function: impl Future<Output = T>) -> Option<T> {
    let (mut function, mut left) = (pin!(function), polls);
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        function.as_mut().poll(context).map(Some)
    })
    .await
}

/// How many of these records are done.
async fn invoke(app: &TestApp, records: &[Value], fault: Fault) -> usize {
    let event: StreamEvent = serde_json::from_value(json!({ "Records": records })).unwrap();
    let function = Box::pin(publish_events::handler(app.app().clone(), event));
    let answer = match fault {
        Fault::None | Fault::Again => Some(function.await),
        Fault::Killed { polls } => killed_after(polls, function).await,
        Fault::Outage(outage, milliseconds) => {
            app.outage(Service::EventBridge, outage).await;
            let ends = async {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                app.outage(Service::EventBridge, Outage::None).await;
            };
            Some(futures_util::join!(function, ends).0)
        }
        Fault::TimesOut(outage) => {
            app.outage(Service::EventBridge, outage).await;
            let answer = tokio::time::timeout(Duration::from_millis(30), function).await;
            app.outage(Service::EventBridge, Outage::None).await;
            answer.ok()
        }
    };
    let Some(answer) = answer else { return 0 };
    let failed = answer.unwrap().batch_item_failures;
    let first = failed.iter().map(|failure| failure.item_identifier.clone().unwrap()).min();
    let number = |record: &Value| text(&record["dynamodb"]["SequenceNumber"]);
    first.map_or(records.len(), |first| records.iter().position(|record| number(record) == first).unwrap())
}

#[tokio::test]
async fn none_of_ten_thousand_events_is_lost_whatever_fails() {
    let app = TestApp::start().await;
    let start = Timestamp::from_seconds(1_800_000_000);
    let users: Vec<UserId> = (0..USERS).map(|_| UserId::new(start)).collect();
    let mut events = Vec::new();
    for number in 0..EVENTS {
        // As users come: some often, some never twice in a row.
        let user = users[number * number % 8191 % USERS];
        let at = start.plus(Duration::from_millis(u64::try_from(number).unwrap()));
        events.push(DomainEvent::new(Subject::User(user), &Actor::SYSTEM, EventKind::renamed(&number), at));
    }
    let records: Vec<Value> = events.iter().enumerate().map(|(number, event)| record(number, event)).collect();

    let mut published: Vec<BusEvent> = Vec::new();
    let mut seen = HashSet::new();
    let mut read = |app: &TestApp, published: &mut Vec<BusEvent>| {
        let mut new = app.stack.bus_events();
        new.retain(|event| seen.insert(event.id.clone()));
        published.extend(new.into_iter().rev());
    };
    let (mut position, mut furthest, mut invocations, mut repeated) = (0, 0, 0, 0);
    while position < EVENTS {
        let fault = fault_of(invocations);
        invocations += 1;
        let batch = &records[position..(position + BATCH).min(EVENTS)];
        position += Box::pin(invoke(&app, batch, fault)).await;
        if position / PART > furthest / PART || position == EVENTS {
            read(&app, &mut published);
        }
        if matches!(fault, Fault::Again) && position > furthest && position < EVENTS {
            repeated += 1;
            furthest = position;
            position = position.saturating_sub(2 * BATCH);
        }
    }
    assert!(repeated > 5, "earlier batches came again");
    assert!(published.len() > EVENTS, "there are duplicates");

    // What a consumer does: each id once.
    let mut first: HashMap<String, Value> = HashMap::new();
    let mut order: HashMap<String, Vec<String>> = HashMap::new();
    for BusEvent { detail, .. } in published {
        let (id, subject) = (text(&detail["id"]), text(&detail["subject"]));
        match first.get(&id) {
            Some(known) => assert_eq!(*known, detail, "a duplicate is the same event"),
            None => {
                order.entry(subject).or_default().push(id.clone());
                first.insert(id, detail);
            }
        }
    }
    let lost: Vec<_> = events.iter().filter(|event| !first.contains_key(&event.id.to_string())).collect();
    assert!(lost.is_empty(), "{} of {EVENTS} are lost", lost.len());
    assert_eq!(first.len(), EVENTS, "and none is made up");
    for user in users {
        let happened = events.iter().filter(|event| event.user() == Some(user)).map(|event| event.id.to_string());
        let told = order.remove(&user.to_string()).unwrap_or_default();
        assert!(told == happened.collect::<Vec<_>>(), "one overtakes another of {user}");
    }
}
