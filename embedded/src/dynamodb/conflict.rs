//! Conflicts between transactions, which `dynoxide` never has: every write is refused a number of times before it is done,
//! with the answers of AWS while another transaction holds one of its items.
//!
//! The server that refuses stands in front of the working one, which is behind a port of its own for as long.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use dynoxide::Database;
use http::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::server::{self, Stop};

/// `DynamoDB` takes bodies of up to 16 MB.
const MAX_BODY: usize = 16 * 1024 * 1024;

struct Conflicts {
    times: u32,
    /// How often each write was refused, by what it writes.
    refused: Mutex<HashMap<String, u32>>,
    behind: Uri,
    client: Client<HttpConnector, Body>,
}

/// Serve until `turn` ends, refusing every write `times` times.
pub(super) async fn serve(
    listener: TcpListener,
    database: Database,
    times: u32,
    turn: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let bound = server::bind().map_err(io::Error::other)?;
    let conflicts = Conflicts {
        times,
        refused: Mutex::default(),
        behind: bound.endpoint.parse().map_err(io::Error::other)?,
        client: Client::builder(TokioExecutor::new()).build_http(),
    };
    let router = Router::new().fallback(answer).with_state(Arc::new(conflicts));
    let (stop, stopped) = Stop::new();
    let front = async {
        let served = axum::serve(listener, router).with_graceful_shutdown(turn).await;
        drop(stop);
        served
    };
    let behind = dynoxide::server::serve_with_shutdown(bound.listener, database, stopped.requested());
    let (front, behind) = tokio::join!(front, behind);
    front.and(behind.map_err(io::Error::other))
}

async fn answer(State(conflicts): State<Arc<Conflicts>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Some(refusal) = conflicts.refusal(server::operation(&head.headers), &body) {
        return refusal;
    }
    let mut request = Request::from_parts(head, Body::from(body));
    *request.uri_mut() = conflicts.behind.clone();
    match conflicts.client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

impl Conflicts {
    /// The answer to a write that has not been refused often enough.
    fn refusal(&self, operation: &str, body: &Bytes) -> Option<Response> {
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
        if !self.count(write.to_string()) {
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
    fn count(&self, write: String) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refused.entry(write).or_default();
        if *count < self.times {
            *count += 1;
            return true;
        }
        false
    }
}
