//! Firehose: `PutRecord` and `PutRecordBatch`, with the limits and the partial failures of the real one.
//! <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>
//!
//! Unlike AWS: every delivery stream exists, and nothing is throttled or delivered any further.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::journal::Journal;
use crate::outage::Outage;
use crate::{machine, server};

const MAX_RECORDS: usize = 500;
const MAX_RECORD: usize = 1000 * 1024;
const MAX_BATCH: usize = 4 * 1024 * 1024;
/// A full batch in base64, with its envelope.
const MAX_BODY: usize = 2 * MAX_BATCH;
const NO_STREAM: &str = "A delivery stream's name has 1 to 64 letters, digits, underscores, hyphens or full stops.";
const REFUSED: &str = "ServiceUnavailableException";
const REFUSED_MESSAGE: &str = "Slow down.";

/// One record that Firehose took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// The delivery stream it was put into.
    pub stream: String,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// The record itself; a record that is not JSON is a string.
    pub data: Value,
}

#[derive(Clone)]
struct Firehose {
    logs: Arc<Journal<LogRecord>>,
    outage: watch::Receiver<Outage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecord {
    delivery_stream_name: String,
    record: Record,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordBatch {
    delivery_stream_name: String,
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: String,
}

pub(crate) fn router(logs: Arc<Journal<LogRecord>>, outage: watch::Receiver<Outage>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(Firehose { logs, outage })
}

async fn handle(State(firehose): State<Firehose>, headers: HeaderMap, body: Bytes) -> Response {
    let answered = match server::operation(&headers) {
        "PutRecord" => serde_json::from_slice(&body).map(|request| firehose.put_record(&request)),
        "PutRecordBatch" => serde_json::from_slice(&body).map(|request| firehose.put_batch(&request)),
        _ => return server::refusal(StatusCode::BAD_REQUEST, "UnknownOperationException", "Not served here."),
    };
    answered
        .unwrap_or_else(|error| server::refusal(StatusCode::BAD_REQUEST, "SerializationException", &error.to_string()))
}

impl Firehose {
    fn put_record(&self, request: &PutRecord) -> Response {
        if !is_stream(&request.delivery_stream_name) {
            return invalid(NO_STREAM);
        }
        if self.refuses(0) {
            return server::refusal(StatusCode::SERVICE_UNAVAILABLE, REFUSED, REFUSED_MESSAGE);
        }
        match decode(std::slice::from_ref(&request.record)) {
            Ok(records) => {
                self.keep(&request.delivery_stream_name, records.iter());
                server::answer(StatusCode::OK, &json!({ "RecordId": record_id(), "Encrypted": false }))
            }
            Err(message) => invalid(message),
        }
    }

    fn put_batch(&self, request: &PutRecordBatch) -> Response {
        if !is_stream(&request.delivery_stream_name) {
            return invalid(NO_STREAM);
        }
        let records = match decode(&request.records) {
            Ok(records) => records,
            Err(message) => return invalid(message),
        };
        let refused: Vec<bool> = (0..records.len()).map(|index| self.refuses(index)).collect();
        let taken = records.iter().zip(&refused).filter(|(_, refused)| !**refused);
        self.keep(&request.delivery_stream_name, taken.map(|(record, _)| record));
        let responses: Vec<Value> = refused.iter().map(|refused| outcome(*refused)).collect();
        let failed = refused.iter().filter(|refused| **refused).count();
        let answer = json!({ "FailedPutCount": failed, "Encrypted": false, "RequestResponses": responses });
        server::answer(StatusCode::OK, &answer)
    }

    fn refuses(&self, index: usize) -> bool {
        *self.outage.borrow() == Outage::PartialFailure && index.is_multiple_of(2)
    }

    fn keep<'a>(&self, stream: &str, records: impl Iterator<Item = &'a Vec<u8>>) {
        let received_at = machine::now_ms();
        let logs = records.map(|bytes| LogRecord { stream: stream.to_owned(), received_at, data: read(bytes) });
        self.logs.extend(logs.collect());
    }
}

fn is_stream(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn decode(records: &[Record]) -> Result<Vec<Vec<u8>>, &'static str> {
    if records.is_empty() || records.len() > MAX_RECORDS {
        return Err("A batch holds 1 to 500 records.");
    }
    let decoded: Result<Vec<_>, _> = records.iter().map(|record| BASE64_STANDARD.decode(&record.data)).collect();
    let decoded = decoded.map_err(|_| "A record's data is not base64.")?;
    if decoded.iter().any(|bytes| bytes.len() > MAX_RECORD) {
        return Err("A record is at most 1000 KiB.");
    }
    if decoded.iter().map(Vec::len).sum::<usize>() > MAX_BATCH {
        return Err("A batch is at most 4 MiB.");
    }
    Ok(decoded)
}

fn outcome(refused: bool) -> Value {
    if refused {
        json!({ "ErrorCode": REFUSED, "ErrorMessage": REFUSED_MESSAGE })
    } else {
        json!({ "RecordId": record_id() })
    }
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

fn record_id() -> String {
    machine::new_id()
}

fn invalid(message: &str) -> Response {
    server::refusal(StatusCode::BAD_REQUEST, "InvalidArgumentException", message)
}
