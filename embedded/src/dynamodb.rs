//! DynamoDB, by `dynoxide` on `SQLite`.
//!
//! Its streams are not served as an API, but to consumers in the process ([`changes`]). Exports to S3 are added in front of it
//! ([`export`]).
//!
//! The engine is `dynoxide`'s, the server is ours: its own answers any web page, and cannot be put behind anything but another
//! port. Unlike AWS: nothing is throttled, transactions never conflict because there is one writer (but for
//! [`Outage::Conflict`]), an index is never behind its table, items past their time to live go when the data is opened
//! again, and a request whose JSON has members of the wrong type, which no SDK sends, is refused in other words.

pub(crate) mod changes;
mod conflict;
mod export;

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::{Router, middleware};
use dynoxide::Database;
use dynoxide::errors::DynoxideError;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::outage::Outage;
use crate::s3::Store;
use crate::{StartError, machine, server};

use changes::Tables;
use export::Exports;

/// `DynamoDB` takes bodies of up to 16 MB.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Operations after which there may be changes to read.
const WRITES: [&str; 6] =
    ["BatchWriteItem", "DeleteItem", "ExecuteStatement", "PutItem", "TransactWriteItems", "UpdateItem"];

/// Open the database in a folder, or one in memory.
pub(crate) fn open(folder: Option<&Path>) -> Result<Tables, StartError> {
    let Some(folder) = folder else {
        // Under a name of its own, so that there can be a second connection to it.
        let name = format!("file:embedded-{}?mode=memory&cache=shared", machine::new_id());
        return Tables::open(&name, None).map_err(StartError::DynamoDb);
    };
    let path = folder.join("dynamodb.sqlite");
    let open = || Tables::open(path.to_str().ok_or("its name is not UTF-8")?, Some(folder));
    let tables = open().map_err(|reason| StartError::Unreadable { path: path.clone(), reason })?;
    tables.load_positions()?;
    Ok(tables)
}

/// `store` is where exports go.
pub(crate) fn router(tables: Arc<Tables>, store: Arc<Store>, outage: watch::Receiver<Outage>) -> Router {
    let exports = Arc::new(Exports::new(Arc::clone(&tables), store));
    let conflicts = conflict::Conflicts::new(outage);
    Router::new()
        .fallback(handle)
        .layer(middleware::from_fn_with_state(conflicts, conflict::refuse))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(DynamoDb { tables, exports })
}

#[derive(Clone)]
struct DynamoDb {
    tables: Arc<Tables>,
    exports: Arc<Exports>,
}

async fn handle(State(dynamodb): State<DynamoDb>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = server::operation(&headers);
    let mut response = match dynamodb.exports.answer(operation, &body).await {
        Some(response) => response,
        None => answer(&dynamodb.tables, operation, &body),
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

/// The answer to an operation of `dynoxide`'s.
fn answer(tables: &Tables, operation: &str, body: &[u8]) -> Response {
    let outcome = {
        let (database, _access) = tables.database();
        run(database, operation, body)
    };
    if outcome.is_ok() && WRITES.contains(&operation) {
        tables.wrote();
    }
    let (status, json) = match outcome {
        Ok(json) => (StatusCode::OK, json),
        Err(error) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, error.to_json())
        }
    };
    server::with_request_id(status, json.into())
}

/// Does an operation, from the JSON of its request to that of its answer.
fn run(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    macro_rules! operations {
        ($($name:literal $method:ident,)*) => {
            match operation {
                $($name => write(&database.$method(read(body)?)?),)*
                _ => Err(DynoxideError::SerializationException(format!("{operation:?} is not served here."))),
            }
        };
    }
    operations! {
        "BatchGetItem" batch_get_item,
        "BatchWriteItem" batch_write_item,
        "CreateTable" create_table,
        "DeleteItem" delete_item,
        "DeleteTable" delete_table,
        "DescribeTable" describe_table,
        "DescribeTimeToLive" describe_time_to_live,
        "ExecuteStatement" execute_statement,
        "GetItem" get_item,
        "ListTables" list_tables,
        "PutItem" put_item,
        "Query" query,
        "Scan" scan,
        "TransactGetItems" transact_get_items,
        "TransactWriteItems" transact_write_items,
        "UpdateItem" update_item,
        "UpdateTable" update_table,
        "UpdateTimeToLive" update_time_to_live,
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        // `dynoxide` marks what DynamoDB has words of its own for, and what it finds invalid rather than unreadable.
        let marked = ["VALIDATION_REQUEST:", "VALIDATION:"].iter().find_map(|mark| text.strip_prefix(mark));
        let said = marked.or_else(|| text.strip_prefix("SERIALIZATION:")).unwrap_or(&text);
        let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said).to_owned();
        let invalid = ["missing field", "unknown variant", "invalid type: null", "AttributeValue"];
        if marked.is_some() || invalid.iter().any(|words| said.contains(words)) {
            DynoxideError::ValidationException(said)
        } else {
            DynoxideError::SerializationException(said)
        }
    })
}

fn write<T: Serialize>(answer: &T) -> Result<String, DynoxideError> {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
