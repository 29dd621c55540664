//! Publishes domain events to the `EventBridge` bus.
//!
//! Triggered by the stream of the main table, which has each event in the order of the table's writes. The stream advances only
//! past published events, so an event is not lost if the bus or this function fails; it may be published twice, with the same ID.
//! Events of one subject are published in order.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use shared::clock::Timestamp;
use shared::cloudevent::cloud_event;
use shared::domain::event::{DomainEvent, RecordedEvent, Subject};
use shared::error::Causes;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::{NewEvent, Store, event_of};
use shared::{App, Error, Result};

/// Its timeout is less than the minute after which an erasure is completed, so anything it writes about a deleted account is
/// erased.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Stream { prefixes: &["EVENT#", "SESSION#"], description: "Publishes events to the bus" },
    30,
)
.may(grants![Store::RECORD_AFTERWARDS, PUBLISH]);

const PUBLISH: Grants = &[Grant::on(Resource::EventBus, &["events:PutEvents"])];

/// The source of events, for rules to match.
pub const SOURCE: &str = "user-service";

/// Maximum entries and bytes per request
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>), with room for the overhead of each entry.
const ENTRIES: usize = 10;
const BYTES: usize = 200_000;
/// Delays before retrying entries that the bus rejected: it rejects single ones while throttled.
const AGAIN: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Publishes the events of a batch. The response names the first unpublished record, from which the stream continues.
///
/// # Errors
/// Never: failures are reported per record.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "publish_events"))]
pub async fn handler(app: App, event: StreamEvent) -> Result<DynamoDbEventResponse> {
    let mut response = DynamoDbEventResponse::default();
    if let Err(Unpublished { record, reason }) = publish_all(&app, event.records).await {
        tracing::error!(error.message = %Causes(&reason), "failed to publish events; they will be retried");
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(record);
        response.batch_item_failures.push(failure);
    }
    Ok(response)
}

/// The first record that is not known to be published, and why.
struct Unpublished {
    record: String,
    reason: Error,
}

/// A published event with the sequence number of its record.
struct Numbered {
    record: String,
    subject: Subject,
    name: String,
    at: Timestamp,
    detail: String,
}

impl Numbered {
    fn new(app: &App, record: String, event: RecordedEvent) -> Self {
        let detail = cloud_event(&event, &app.config).to_string();
        Self { record, subject: event.subject, at: event.at, name: event.name, detail }
    }
}

async fn publish_all(app: &App, records: Vec<EventRecord>) -> Result<(), Unpublished> {
    let mut numbered = Vec::new();
    let mut sign_ins: Vec<DomainEvent> = Vec::new();
    // An unreadable record is for a newer version: those before it are published, and it is retried.
    let mut unread = Ok(());
    for record in records.into_iter().filter(|record| record.event_name == "INSERT") {
        let number = record.change.sequence_number.clone().unwrap_or_default();
        let event = read(record).and_then(|event| match event {
            None => Ok(None),
            Some(NewEvent::Recorded(event)) => Ok(Some(event)),
            Some(NewEvent::SignIn(event)) => {
                let recorded = RecordedEvent::try_from(event.as_ref()).map_err(Error::internal)?;
                sign_ins.push(*event);
                Ok(Some(recorded))
            }
        });
        match event {
            Ok(None) => {}
            Ok(Some(event)) => numbered.push(Numbered::new(app, number, event)),
            Err(reason) => {
                unread = Err(Unpublished { record: number, reason });
                break;
            }
        }
    }
    let mut left = numbered.as_slice();
    if let (Some(first), Err(reason)) = (left.first(), app.store().record_afterwards(&sign_ins).await) {
        return Err(Unpublished { record: first.record.clone(), reason });
    }
    while !left.is_empty() {
        let (chunk, rest) = left.split_at(chunk_of(left));
        publish(app, chunk).await?;
        left = rest;
    }
    unread
}

fn read(record: EventRecord) -> Result<Option<NewEvent>> {
    let keys = record.change.keys.into_inner();
    let Some(serde_dynamo::AttributeValue::S(sk)) = keys.get("sk") else {
        return Err(Error::internal("a stream record has no sort key"));
    };
    event_of(sk, record.change.new_image)
}

/// How many of these can be published in one request: up to the limits of the bus, and only one per subject, because entries of a
/// request can fail individually.
fn chunk_of(events: &[Numbered]) -> usize {
    let (mut subjects, mut bytes) = (HashSet::new(), 0);
    let fits = |event: &&Numbered| {
        bytes += event.detail.len();
        subjects.insert(event.subject) && bytes <= BYTES
    };
    events.iter().take(ENTRIES).take_while(fits).count().max(1)
}

/// Publishes events of different subjects; those that are rejected repeatedly are reported.
async fn publish(app: &App, events: &[Numbered]) -> Result<(), Unpublished> {
    let mut left: Vec<&Numbered> = events.iter().collect();
    let mut pauses = AGAIN.into_iter();
    loop {
        let reason = match put(app, &left).await {
            Ok(refused) if refused.is_empty() => return Ok(()),
            Ok(refused) => {
                left = refused;
                Error::internal("the event bus rejected events")
            }
            Err(error) => error,
        };
        let Some(pause) = pauses.next() else {
            return Err(Unpublished { record: left[0].record.clone(), reason });
        };
        tokio::time::sleep(pause).await;
    }
}

/// Sends events to the bus. Returns the rejected ones, in their order.
async fn put<'a>(app: &App, events: &[&'a Numbered]) -> Result<Vec<&'a Numbered>> {
    let entries = events.iter().map(|event| {
        PutEventsRequestEntry::builder()
            .event_bus_name(&app.config.events.bus)
            .source(SOURCE)
            .detail_type(&event.name)
            .time(DateTime::from_millis(event.at.millis()))
            .detail(&event.detail)
            .build()
    });
    let answer = app.eventbridge().put_events().set_entries(Some(entries.collect())).send().await?;
    let answers = answer.entries.unwrap_or_default();
    let refused = |at: usize| answers.get(at).is_none_or(|entry| entry.event_id.is_none());
    Ok(events.iter().enumerate().filter(|(at, _)| refused(*at)).map(|(_, event)| *event).collect())
}
