//! `EventBridge`: `PutEvents`, a journal of what the buses accepted, and rules that send events to queues.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
//!
//! Unlike AWS: every bus exists, a rule matches by source alone and only has a queue as its target, an event reaches its targets
//! at once and in order, a detail is nested at most 128 levels deep, and nothing is throttled.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use crate::journal::Journal;
use crate::outage::Outage;
use crate::sqs::{self, Sqs};
use crate::{ACCOUNT, REGION, machine, server};

const MAX_ENTRIES: usize = 10;
/// Bytes of all entries of a request together. It was 256 KB until January 2026
/// (<https://aws.amazon.com/about-aws/whats-new/2026/01/amazon-eventbridge-increases-event-payload-size-256-kb-1-mb/>).
const MAX_SIZE: usize = 1_048_576;
/// A full request whose details are all quotation marks to escape, with its envelope.
const MAX_BODY: usize = 3 * MAX_SIZE;
/// What a timestamp counts towards the size.
const TIME_SIZE: usize = 14;
const DEFAULT_BUS: &str = "default";
/// Sources that only AWS itself may use.
const RESERVED: &str = "aws.";

/// An event that a bus accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusEvent {
    /// What `PutEvents` answered; unique over runs.
    pub id: String,
    /// The name of the bus, never its ARN.
    pub bus: String,
    /// Who sent it, as `com.example.users` or `aws.ses`.
    pub source: String,
    /// What it is about.
    pub detail_type: String,
    /// RFC 3339 in UTC, to the second: the time that the sender gave, or that of its acceptance.
    pub time: String,
    /// ARNs of what it concerns.
    pub resources: Vec<String>,
    /// A JSON object.
    pub detail: Value,
    /// Milliseconds since the epoch.
    pub received_at: i64,
}

impl BusEvent {
    /// An event that is accepted now.
    pub(crate) fn new(bus: &str, source: &str, detail_type: &str, detail: Value) -> Self {
        Self {
            id: machine::new_id(),
            bus: bus.to_owned(),
            source: source.to_owned(),
            detail_type: detail_type.to_owned(),
            time: to_the_second(machine::now()),
            resources: Vec::new(),
            detail,
            received_at: machine::now_ms(),
        }
    }

    /// As a rule's target gets it
    /// (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>).
    fn envelope(&self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": ACCOUNT,
            "time": self.time,
            "region": REGION,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

/// Which events of a bus go to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The bus's name.
    pub bus: String,
    /// The sources that match, each exactly.
    pub sources: Vec<String>,
    /// The queue's name. Events wait for the queue to be created.
    pub queue: String,
}

impl Rule {
    fn matches(&self, event: &BusEvent) -> bool {
        self.bus == event.bus && self.sources.contains(&event.source)
    }
}

/// The buses and where their events go.
pub(crate) struct Events {
    journal: Arc<Journal<BusEvent>>,
    rules: Vec<Rule>,
    sqs: Arc<Sqs>,
}

impl Events {
    pub(crate) fn new(journal: Arc<Journal<BusEvent>>, rules: Vec<Rule>, sqs: Arc<Sqs>) -> Self {
        Self { journal, rules, sqs }
    }

    /// Keep events and send them to the targets of the rules that match.
    pub(crate) fn publish(&self, events: Vec<BusEvent>) {
        for event in &events {
            for rule in self.rules.iter().filter(|rule| rule.matches(event)) {
                let body = event.envelope().to_string();
                // A full event is too large for a queue once it is in its envelope. AWS drops it there, silently.
                if body.len() > sqs::MAX_SIZE {
                    tracing::warn!(event = event.id, queue = rule.queue, "an event is too large for its target");
                } else {
                    self.sqs.deliver(&rule.queue, body);
                }
            }
        }
        self.journal.extend(events);
    }
}

#[derive(Clone)]
struct EventBridge {
    events: Arc<Events>,
    outage: watch::Receiver<Outage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    source: String,
    detail_type: String,
    detail: String,
    event_bus_name: Option<String>,
    resources: Vec<String>,
    /// Seconds since the epoch.
    time: Option<f64>,
}

/// Why an entry failed: `ErrorCode` and `ErrorMessage`.
struct Refusal(&'static str, String);

pub(crate) fn router(events: Arc<Events>, outage: watch::Receiver<Outage>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(EventBridge { events, outage })
}

async fn handle(State(bridge): State<EventBridge>, headers: HeaderMap, body: Bytes) -> Response {
    if server::operation(&headers) != "PutEvents" {
        return server::refusal(StatusCode::BAD_REQUEST, "UnknownOperationException", "Not served here.");
    }
    match serde_json::from_slice(&body) {
        Ok(request) => bridge.put_events(request),
        Err(error) => server::refusal(StatusCode::BAD_REQUEST, "SerializationException", &error.to_string()),
    }
}

impl EventBridge {
    fn put_events(&self, PutEvents { entries }: PutEvents) -> Response {
        let invalid = |message: &str| server::refusal(StatusCode::BAD_REQUEST, "ValidationException", message);
        match entries.len() {
            0 => return invalid("Value at 'entries' must have length greater than or equal to 1"),
            1..=MAX_ENTRIES => {}
            _ => return invalid("Value at 'entries' must have length less than or equal to 10"),
        }
        if entries.iter().map(Entry::size).sum::<usize>() > MAX_SIZE {
            return invalid("Total size of the entries in the request is over the limit.");
        }
        let outcomes = entries.into_iter().enumerate().map(|(index, entry)| match self.failure(index) {
            Some(failure) => Err(failure),
            None => entry.accept(),
        });
        let outcomes: Vec<Result<BusEvent, Refusal>> = outcomes.collect();
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        let shown: Vec<Value> = outcomes.iter().map(outcome).collect();
        self.events.publish(outcomes.into_iter().filter_map(Result::ok).collect());
        server::answer(StatusCode::OK, &json!({ "FailedEntryCount": failed, "Entries": shown }))
    }

    /// The failure that an outage gives an entry: one of the two that may be retried.
    /// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
    fn failure(&self, index: usize) -> Option<Refusal> {
        match index % 4 {
            _ if *self.outage.borrow() != Outage::PartialFailure => None,
            1 => Some(Refusal("InternalFailure", "The request processing has failed.".to_owned())),
            3 => Some(Refusal("ThrottlingException", "The request was denied due to throttling.".to_owned())),
            _ => None,
        }
    }
}

impl Entry {
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
    fn size(&self) -> usize {
        let resources: usize = self.resources.iter().map(String::len).sum();
        let time = if self.time.is_some() { TIME_SIZE } else { 0 };
        self.source.len() + self.detail_type.len() + self.detail.len() + resources + time
    }

    fn accept(self) -> Result<BusEvent, Refusal> {
        let required = [("Source", &self.source), ("DetailType", &self.detail_type), ("Detail", &self.detail)];
        if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            return Err(Refusal("InvalidArgument", message));
        }
        if self.source.starts_with(RESERVED) {
            return Err(Refusal("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        let detail = serde_json::from_str(&self.detail).ok().filter(Value::is_object);
        let detail = detail.ok_or_else(|| Refusal("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let bus = self.event_bus_name.as_deref().map_or(DEFAULT_BUS, bus_name);
        let event = BusEvent::new(bus, &self.source, &self.detail_type, detail);
        let time = self.time.and_then(from_seconds).map_or_else(|| event.time.clone(), to_the_second);
        Ok(BusEvent { resources: self.resources, time, ..event })
    }
}

/// A bus is given by its name or by its ARN.
fn bus_name(name: &str) -> &str {
    name.rsplit_once(":event-bus/").map_or(name, |(_, name)| name)
}

fn outcome(outcome: &Result<BusEvent, Refusal>) -> Value {
    match outcome {
        Ok(event) => json!({ "EventId": event.id }),
        Err(Refusal(code, message)) => json!({ "ErrorCode": code, "ErrorMessage": message }),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "fractions are cut off, and no year has more digits than an i64")]
fn from_seconds(seconds: f64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds as i64).ok()
}

fn to_the_second(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
