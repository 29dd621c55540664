//! Exports of a table to S3, and the point-in-time recovery that AWS asks for before one.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html>
//!
//! `dynoxide` has none of these operations, so they are answered before a request gets to it. The request
//! is answered once nothing can be written that the export would miss; the rest is done behind it, and a client asks for its end as
//! on AWS. Who asks gets an answer at the end, or after a second: a small export never looks as if it took long.
//!
//! Unlike AWS: a table has only its present, so an export time in the last five minutes is accepted and shows the present, and
//! an earlier one is refused; an export is full and in DynamoDB JSON, without a filter; a prefix is at most about 60 bytes long,
//! as the embedded S3 has shorter keys; exports are forgotten when the process ends, while their
//! objects stay; point-in-time recovery is always on; no outage of S3 touches an
//! export.

mod files;
mod record;
mod refusal;
mod request;
mod snapshot;

use std::pin::pin;
use std::sync::Arc;

use axum::response::Response;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::streams::table_arn;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use super::changes::Tables;
use crate::s3::Store;
use crate::{machine, server};

use files::{DataFile, Destination, compress};
use record::{Export, Failure, seconds};
use refusal::Refusal;
use request::{DescribeContinuousBackups, DescribeExport, ExportRequest, ListExports};
use snapshot::{Snapshot, Table};

/// How far an export time may be in the past. AWS can restore a table to any time but the last five minutes.
const RECOVERY: Duration = Duration::minutes(5);
/// How long a client token is remembered.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html>
const TOKEN_VALIDITY: Duration = Duration::hours(8);
/// The shortest recovery period that the API has, in days; what can be restored is shorter still.
const RECOVERY_PERIOD: u32 = 1;

/// How long a client that asks for the end of an export waits for it.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

type Begun = oneshot::Receiver<Result<(Table, OffsetDateTime), Refusal>>;

/// The exports of this run.
pub(super) struct Exports {
    tables: Arc<Tables>,
    store: Arc<Store>,
    made: Arc<Made>,
}

/// The exports, and who waits for their ends.
#[derive(Default)]
struct Made {
    /// Oldest first. Held while one starts, so that of two requests with one token the second finds the export of the first.
    exports: Mutex<Vec<Export>>,
    ended: Notify,
}

impl Exports {
    pub(super) fn new(tables: Arc<Tables>, store: Arc<Store>) -> Self {
        Self { tables, store, made: Arc::default() }
    }

    /// The answer to one of the operations above. `None` if the operation is another one.
    pub(super) async fn answer(&self, operation: &str, body: &[u8]) -> Option<Response> {
        let outcome = match operation {
            "DescribeContinuousBackups" => self.describe_continuous_backups(body),
            "DescribeExport" => self.describe(body).await,
            "ExportTableToPointInTime" => self.export(body).await,
            "ListExports" => self.list(body).await,
            _ => return None,
        };
        Some(match outcome {
            Ok(answer) => server::answer(StatusCode::OK, &answer),
            Err(refusal) => refusal.into_response(),
        })
    }

    async fn export(&self, body: &[u8]) -> Result<Value, Refusal> {
        let request: ExportRequest = read(body)?;
        request.check()?;
        let mut exports = self.made.exports.lock().await;
        let now = machine::now();
        if let Some(earlier) = with_token(&exports, &request, now) {
            let same = earlier.request == request;
            return if same { Ok(described(&earlier.description())) } else { Err(Refusal::ExportConflict) };
        }
        let table = table_name(&request.table_arn)?;
        let asked = request.time().transpose()?;
        asked.map_or(Ok(()), |time| check_time(time, now))?;

        let (files, begun) = self.snapshot(table);
        let (table, taken) = begun.await.map_err(Refusal::internal)??;
        let export = Export::start(request, table, asked.unwrap_or(taken), now);
        let started = export.in_progress();
        exports.push(export.clone());
        drop(exports);
        let (store, made) = (Arc::clone(&self.store), Arc::clone(&self.made));
        tokio::spawn(async move {
            let outcome = match files.await.map_err(|error| Failure::internal(&error)) {
                Ok(Ok(files)) => Destination::new(&store, &export).write(&export, files).await,
                Ok(Err(failure)) | Err(failure) => Err(failure),
            };
            let mut exports = made.exports.lock().await;
            if let Some(of_list) = exports.iter_mut().find(|of_list| of_list.arn == export.arn) {
                of_list.end(outcome, machine::now());
            }
            drop(exports);
            made.ended.notify_waiters();
        });
        Ok(described(&started))
    }

    /// The data files of a table, made on a thread that may block; and what is known once nothing can be written any more that they
    /// would have to have.
    fn snapshot(&self, table: &str) -> (JoinHandle<Result<Vec<DataFile>, Failure>>, Begun) {
        let (tables, name) = (Arc::clone(&self.tables), table.to_owned());
        let (sender, known) = oneshot::channel();
        let files = spawn_blocking(move || {
            let begin = |outcome: Result<(Table, OffsetDateTime), Refusal>| {
                // The receiver may have been dropped.
                let _ = sender.send(outcome);
            };
            let Some(snapshot) = Snapshot::take(&tables, &name, begin).map_err(|error| Failure::internal(&error))?
            else {
                return Err(Failure::internal(&"the table is gone"));
            };
            compress(&snapshot.key, &snapshot.items).map_err(|error| Failure::internal(&error))
        });
        (files, known)
    }

    async fn describe(&self, body: &[u8]) -> Result<Value, Refusal> {
        let DescribeExport { export_arn } = read(body)?;
        request::required("exportArn", &export_arn)?;
        let until = Instant::now() + LOOK;
        loop {
            let mut ended = pin!(self.made.ended.notified());
            ended.as_mut().enable();
            let exports = self.made.exports.lock().await;
            let Some(export) = exports.iter().find(|export| export.arn == export_arn) else {
                return Err(Refusal::ExportNotFound(export_arn));
            };
            let now = described(&export.description());
            let has_ended = export.has_ended();
            drop(exports);
            if has_ended || timeout_at(until, ended).await.is_err() {
                return Ok(now);
            }
        }
    }

    /// A page of the exports, newest first. The token of the next page is the last ARN of this one.
    async fn list(&self, body: &[u8]) -> Result<Value, Refusal> {
        let request: ListExports = read(body)?;
        let limit = request.limit()?;
        let exports = self.made.exports.lock().await;
        let mut left = after(&exports, request.next_token.as_deref())?
            .iter()
            .rev()
            .filter(|export| request.table_arn.as_ref().is_none_or(|arn| *arn == export.request.table_arn))
            .peekable();
        let page: Vec<_> = left.by_ref().take(limit).collect();
        let next = page.last().filter(|_| left.peek().is_some()).map(|export| &export.arn);
        let mut answer = json!({ "ExportSummaries": page.iter().map(|export| export.summary()).collect::<Vec<_>>() });
        if let Some(next) = next {
            answer["NextToken"] = next.as_str().into();
        }
        Ok(answer)
    }

    fn describe_continuous_backups(&self, body: &[u8]) -> Result<Value, Refusal> {
        let DescribeContinuousBackups { table_name: table } = read(body)?;
        request::required("tableName", &table)?;
        let name = if table.starts_with("arn:") { table_name(&table)? } else { &table };
        let (database, _access) = self.tables.database();
        database
            .describe_table(DescribeTableRequest { table_name: name.to_owned() })
            .map_err(|error| Refusal::of_table(error, name))?;
        let now = machine::now();
        Ok(json!({
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": {
                    "PointInTimeRecoveryStatus": "ENABLED",
                    "RecoveryPeriodInDays": RECOVERY_PERIOD,
                    "EarliestRestorableDateTime": seconds(now - RECOVERY),
                    "LatestRestorableDateTime": seconds(now),
                },
            },
        }))
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Serialization(error.to_string()))
}

fn described(description: &Value) -> Value {
    json!({ "ExportDescription": description })
}

/// The export that a token was used for, while the token is valid.
fn with_token<'a>(exports: &'a [Export], request: &ExportRequest, now: OffsetDateTime) -> Option<&'a Export> {
    let token = request.client_token.as_ref()?;
    let valid = |export: &&Export| now - export.started < TOKEN_VALIDITY;
    exports.iter().rev().filter(valid).find(|export| export.request.client_token.as_ref() == Some(token))
}

/// The exports that are older than the one a page ended with, or all.
fn after<'a>(exports: &'a [Export], token: Option<&str>) -> Result<&'a [Export], Refusal> {
    let Some(token) = token else { return Ok(exports) };
    let end = exports.iter().position(|export| export.arn == token);
    let older = end.and_then(|end| exports.get(..end));
    older.ok_or_else(|| Refusal::Validation("NextToken is not valid".to_owned()))
}

/// The name in an ARN as `DescribeTable` shows it.
fn table_name(arn: &str) -> Result<&str, Refusal> {
    request::required("tableArn", arn)?;
    if !arn.starts_with("arn:aws:dynamodb:") {
        return Err(Refusal::Validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}")));
    }
    // A table of another region or account is one that is not here.
    arn.strip_prefix(&table_arn("")).ok_or_else(|| Refusal::TableNotFound(arn.to_owned()))
}

fn check_time(time: OffsetDateTime, now: OffsetDateTime) -> Result<(), Refusal> {
    if time > now {
        return Err(Refusal::InvalidExportTime("Export Time is invalid: it is in the future".to_owned()));
    }
    if time < now - RECOVERY {
        let message =
            "Export Time is invalid: it is over 5 minutes ago, and the embedded DynamoDB keeps no past of a table";
        return Err(Refusal::InvalidExportTime(message.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_time_is_of_the_last_five_minutes() {
        let now = machine::now();
        for (offset, accepted) in [
            (Duration::ZERO, true),
            (-Duration::MILLISECOND, true),
            (-RECOVERY, true),
            (-RECOVERY - Duration::MILLISECOND, false),
            (Duration::MILLISECOND, false),
        ] {
            assert_eq!(check_time(now + offset, now).is_ok(), accepted, "{offset}");
        }
    }

    #[test]
    fn only_an_arn_of_this_database_names_a_table() {
        assert_eq!(table_name("arn:aws:dynamodb:dynoxide:000000000000:table/users").unwrap(), "users");
        for arn in ["", "users", "arn:aws:s3:::users"] {
            assert!(matches!(table_name(arn), Err(Refusal::Validation(_))), "{arn}");
        }
        for arn in ["arn:aws:dynamodb:eu-central-1:000000000000:table/users", "arn:aws:dynamodb:"] {
            assert!(matches!(table_name(arn), Err(Refusal::TableNotFound(_))), "{arn}");
        }
    }
}
