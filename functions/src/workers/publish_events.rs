//! Publishes domain events to the `EventBridge` bus.
//!
//! Triggered by the stream of the main table, which carries each event in the order of the table's writes. The stream goes on only
//! past what was published, so an event is lost neither with the bus nor with this function; it may be published twice, with the
//! same id. Of one subject no event overtakes another.

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

/// It has less than the minute after which an account's erasure is completed: what it writes of one that goes is erased then.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Stream { prefixes: &["EVENT#", "SESSION#"], description: "Publishes events to the bus" },
    30,
)
.may(grants![Store::RECORD_AFTERWARDS, PUBLISH]);

const PUBLISH: Grants = &[Grant::on(Resource::EventBus, &["events:PutEvents"])];

/// What rules match as the source of events.
pub const SOURCE: &str = "user-service";

/// Entries and bytes that the bus takes at once
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>), with room for what it adds to each.
const ENTRIES: usize = 10;
const BYTES: usize = 200_000;
/// Before an entry is tried again that the bus refused: it refuses single ones while it is throttled.
const AGAIN: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Publishes the events of a batch. The answer names the first record that was not, from which the stream goes on.
///
/// # Errors
/// Never: what fails is reported by record.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "publish_events"))]
pub async fn handler(app: App, event: StreamEvent) -> Result<DynamoDbEventResponse> {
    let mut response = DynamoDbEventResponse::default();
    if let Err(Unpublished { record, reason }) = publish_all(&app, event.records).await {
        tracing::error!(error.message = %Causes(&reason), "events were not published; they are tried again");
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(record);
        response.batch_item_failures.push(failure);
    }
    Ok(response)
}

/// From which record on nothing is known to be published, and why.
struct Unpublished {
    record: String,
    reason: Error,
}

/// An event, as it is published, with the sequence number of its record.
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
    // One that cannot be read is for a newer version: those before it are published, and it is tried again.
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
        return Err(Error::internal("a record of the stream has no sort key"));
    };
    event_of(sk, record.change.new_image)
}

/// How many of these can be published at once: as many as the bus takes, and of one subject one, as entries of one request may
/// fail each by itself.
fn chunk_of(events: &[Numbered]) -> usize {
    let (mut subjects, mut bytes) = (HashSet::new(), 0);
    let fits = |event: &&Numbered| {
        bytes += event.detail.len();
        subjects.insert(event.subject) && bytes <= BYTES
    };
    events.iter().take(ENTRIES).take_while(fits).count().max(1)
}

/// Publishes events of different subjects; those that are refused again and again are reported.
async fn publish(app: &App, events: &[Numbered]) -> Result<(), Unpublished> {
    let mut left: Vec<&Numbered> = events.iter().collect();
    let mut pauses = AGAIN.into_iter();
    loop {
        let reason = match put(app, &left).await {
            Ok(refused) if refused.is_empty() => return Ok(()),
            Ok(refused) => {
                left = refused;
                Error::internal("the bus refused events")
            }
            Err(error) => error,
        };
        let Some(pause) = pauses.next() else {
            return Err(Unpublished { record: left[0].record.clone(), reason });
        };
        tokio::time::sleep(pause).await;
    }
}

/// Sends events to the bus. Returns those that it refused, in their order.
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
