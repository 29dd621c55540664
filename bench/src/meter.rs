//! A port before DynamoDB that passes every call on and adds up what it cost: calls, items, and the capacity units that
//! the server reports when it is asked to. The embedded one computes them by AWS's rules
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>). The function notices
//! nothing: what was added to its request is taken out of the answer again.
//!
//! A write whose condition does not hold costs units on AWS that no answer reports, so none are counted here either.

use std::net::Ipv4Addr;
use std::ops::{AddAssign, Sub};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::Value;
use tokio::net::TcpListener;

/// What calls came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub calls: u32,
    /// How often the function began to wait for DynamoDB: calls that are under way at the same time are one round trip.
    pub round_trips: u32,
    /// Read or written.
    pub items: usize,
    pub read_units: f64,
    pub write_units: f64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.round_trips += other.round_trips;
        self.items += other.items;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            round_trips: self.round_trips - earlier.round_trips,
            items: self.items - earlier.items,
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        }
    }
}

/// Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Meter {
    /// Where functions find it.
    pub endpoint: String,
    server: String,
    http: Client,
    latency: Duration,
    reading: Arc<Mutex<Reading>>,
}

#[derive(Default)]
struct Reading {
    total: Usage,
    under_way: u32,
}

impl Meter {
    /// Each answer is held back by `latency`, so that calls made at once overlap here as they do on AWS.
    pub async fn before(server: &str, latency: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let meter = Self { endpoint, server: server.to_owned(), http: Client::new(), latency, reading: Arc::default() };
        let router = Router::new().fallback(pass).with_state(meter.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        meter
    }

    /// Of all calls so far.
    pub fn usage(&self) -> Usage {
        self.reading.lock().expect("no panic").total
    }
}

async fn pass(State(meter): State<Meter>, mut headers: HeaderMap, body: Bytes) -> Response {
    {
        let mut reading = meter.reading.lock().expect("no panic");
        reading.total.calls += 1;
        reading.total.round_trips += u32::from(reading.under_way == 0);
        reading.under_way += 1;
    }
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let mut request: Value = serde_json::from_slice(&body).expect("a request in JSON");
    request["ReturnConsumedCapacity"] = "TOTAL".into();
    for name in [CONTENT_LENGTH, HOST] {
        headers.remove(name);
    }
    let answer = meter.http.post(&meter.server).headers(headers).body(request.to_string()).send().await;
    let answer = answer.expect("an answer of DynamoDB");
    let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let mut answer: Value = answer.json().await.expect("JSON");
    let usage = usage(&operation, &request, &mut answer);
    tokio::time::sleep(meter.latency).await;
    let mut reading = meter.reading.lock().expect("no panic");
    reading.total += usage;
    reading.under_way -= 1;
    let status = StatusCode::from_u16(status.as_u16()).expect("a status");
    let kind = kind.map(|kind| [(CONTENT_TYPE, kind)]);
    (status, kind, answer.to_string()).into_response()
}

/// What one call read or wrote; takes the capacity out of its answer.
fn usage(operation: &str, request: &Value, answer: &mut Value) -> Usage {
    let capacity = answer.as_object_mut().and_then(|answer| answer.remove("ConsumedCapacity")).unwrap_or_default();
    let units = match &capacity {
        Value::Array(tables) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
        table => table["CapacityUnits"].as_f64().unwrap_or_default(),
    };
    let length = |value: &Value| value.as_array().map_or(0, Vec::len);
    let lengths = |tables: &Value| tables.as_object().map_or(0, |tables| tables.values().map(length).sum());
    let (items, reads) = match operation {
        "GetItem" => (usize::from(answer.get("Item").is_some()), true),
        "Query" => (length(&answer["Items"]), true),
        "BatchGetItem" => (lengths(&answer["Responses"]), true),
        "BatchWriteItem" => (lengths(&request["RequestItems"]), false),
        "TransactWriteItems" => (length(&request["TransactItems"]), false),
        "PutItem" | "UpdateItem" | "DeleteItem" => (1, false),
        other => panic!("{other}, which no function calls"),
    };
    let (read_units, write_units) = if reads { (units, 0.0) } else { (0.0, units) };
    Usage { items, read_units, write_units, ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_costs_its_reported_capacity_which_the_function_does_not_see() {
        for (operation, request, mut answer, items, read_units, write_units) in [
            ("GetItem", json!({}), json!({ "ConsumedCapacity": { "CapacityUnits": 0.5 } }), 0, 0.5, 0.0),
            ("GetItem", json!({}), json!({ "Item": {}, "ConsumedCapacity": { "CapacityUnits": 1 } }), 1, 1.0, 0.0),
            ("Query", json!({}), json!({ "Items": [1, 2], "ConsumedCapacity": { "CapacityUnits": 2.5 } }), 2, 2.5, 0.0),
            (
                "BatchGetItem",
                json!({}),
                json!({ "Responses": { "a": [1], "b": [1, 2] },
                    "ConsumedCapacity": [{ "CapacityUnits": 1.0 }, { "CapacityUnits": 2.0 }] }),
                3,
                3.0,
                0.0,
            ),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [1, 2] }),
                json!({ "ConsumedCapacity": [{ "CapacityUnits": 4.0 }] }),
                2,
                0.0,
                4.0,
            ),
            ("PutItem", json!({}), json!({ "ConsumedCapacity": { "CapacityUnits": 1.0 } }), 1, 0.0, 1.0),
            ("PutItem", json!({}), json!({ "__type": "ConditionalCheckFailedException" }), 1, 0.0, 0.0),
        ] {
            let usage = usage(operation, &request, &mut answer);
            assert_eq!(usage, Usage { items, read_units, write_units, ..Usage::default() }, "{operation}");
            assert!(answer.get("ConsumedCapacity").is_none(), "{operation}");
        }
    }
}
