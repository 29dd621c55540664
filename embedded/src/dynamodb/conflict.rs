//! Conflicts between transactions, which `dynoxide` never has: every write is refused a number of times before it is done,
//! with the answers of AWS while another transaction holds one of its items.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::MAX_BODY;
use crate::outage::Outage;
use crate::server;

#[derive(Clone)]
pub(super) struct Conflicts(Arc<Mutex<Refused>>);

struct Refused {
    outage: watch::Receiver<Outage>,
    /// How often each write was refused in this outage, by what it writes.
    counts: HashMap<String, u32>,
}

impl Conflicts {
    pub(super) fn new(outage: watch::Receiver<Outage>) -> Self {
        Self(Arc::new(Mutex::new(Refused { outage, counts: HashMap::new() })))
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often each write is to be refused. The count begins anew with each outage.
    fn times(&self) -> Option<u32> {
        let mut refused = self.refused();
        if refused.outage.has_changed().unwrap_or(false) {
            refused.counts.clear();
        }
        match *refused.outage.borrow_and_update() {
            Outage::Conflict { times } => Some(times),
            _ => None,
        }
    }

    /// The answer to a write that has not been refused often enough.
    fn refusal(&self, times: u32, operation: &str, body: &Bytes) -> Option<Response> {
        const MESSAGE: &str = "Transaction is ongoing for the item";
        let transaction = operation == "TransactWriteItems";
        if !transaction && !["PutItem", "UpdateItem", "DeleteItem"].contains(&operation) {
            return None;
        }
        let mut write: Value = serde_json::from_slice(body).ok()?;
        let items = write["TransactItems"].as_array().map_or(0, Vec::len);
        if let Some(write) = write.as_object_mut() {
            // The same write when it is tried again with another token.
            write.remove("ClientRequestToken");
        }
        if !self.count(times, write.to_string()) {
            return None;
        }
        if !transaction {
            return Some(server::refusal(StatusCode::BAD_REQUEST, "TransactionConflictException", MESSAGE));
        }
        let mut reasons = vec![json!({ "Code": "None" }); items];
        if let Some(first) = reasons.first_mut() {
            *first = json!({ "Code": "TransactionConflict", "Message": MESSAGE });
        }
        let codes: Vec<_> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
        let message = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        );
        let body =
            json!({ "__type": "TransactionCanceledException", "Message": message, "CancellationReasons": reasons });
        Some(server::answer(StatusCode::BAD_REQUEST, &body))
    }

    /// Whether it is to be refused once more.
    fn count(&self, times: u32, write: String) -> bool {
        let mut refused = self.refused();
        let count = refused.counts.entry(write).or_default();
        let again = *count < times;
        *count += u32::from(again);
        again
    }
}

/// Middleware in front of the database.
pub(super) async fn refuse(State(conflicts): State<Conflicts>, request: Request, next: Next) -> Response {
    let Some(times) = conflicts.times() else { return next.run(request).await };
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match conflicts.refusal(times, server::operation(&head.headers), &body) {
        Some(refusal) => refusal,
        None => next.run(Request::from_parts(head, Body::from(body))).await,
    }
}
