//! The stream of a table's changes, as Lambda's event source mapping reads it.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html>
//!
//! Each consumer has its own position, which is stored next to the data: it gets every change at least once, over restarts
//! too. Unlike AWS: a stream has one shard, so all changes of a table are in one order; a write that changes nothing is a change
//! all the same; sizes are those of the JSON, and times have no fractions of seconds.
//!
//! `dynoxide` records changes and never removes one, and the time of each of its writes grows with their number. So there is a
//! second connection to its database, which adds an index for its queries and trims: what all consumers have passed, and what is
//! older than a day, as on AWS. A table's newest record stays, because `dynoxide` counts on from it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use dynoxide::Database;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::{GetShardIteratorRequest, decode_shard_iterator};
use dynoxide::errors::DynoxideError;
use dynoxide::storage::Storage;
use dynoxide::streams::{shard_id, stream_arn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::server::Stop;
use crate::{ACCOUNT, REGION, StartError, folder, machine};

/// How long a change can be read, as on AWS. In seconds.
const RETENTION: i64 = 24 * 60 * 60;
/// Requests that write between two trims.
const TRIM_AFTER: u64 = 100;
/// Before a database that could not be read is read again.
const PAUSE: Duration = Duration::from_secs(1);

/// In the order that `dynoxide` asks for.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS embedded_stream_order
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";
const TRIM_PASSED: &str = "DELETE FROM _stream_records
    WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
    AND id < (SELECT MAX(id) FROM _stream_records WHERE table_name = ?1)";
const TRIM_OLD: &str = "DELETE FROM _stream_records
    WHERE created_at < ?1 AND id NOT IN (SELECT MAX(id) FROM _stream_records GROUP BY table_name)";

/// A change of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// 21 digits; those of a later change are greater, as text too.
    pub sequence_number: String,
    /// The record in the form that Lambda gives a function
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>): `eventName`, `eventSourceARN`, and `dynamodb` with `Keys`
    /// and `NewImage` in `DynamoDB`'s JSON.
    pub record: Value,
}

/// Where a consumer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    table: String,
    /// The sequence number of the last change that is done; without one it begins with the oldest change there is.
    after: Option<String>,
}

/// The database, and who reads its changes.
pub(crate) struct Tables {
    database: Database,
    /// Held by requests together, and alone by what uses the second connection: two connections to one database in memory
    /// refuse each other where those to a file wait. Also held alone by what reads a whole table at one instant.
    access: RwLock<()>,
    trimmer: Mutex<Storage>,
    /// How many requests have written.
    written: watch::Sender<u64>,
    positions: Mutex<BTreeMap<String, Position>>,
    folder: Option<PathBuf>,
}

impl Tables {
    /// `name` is what `SQLite` opens, and `folder` where positions are kept.
    pub(super) fn open(name: &str, folder: Option<&Path>) -> Result<Self, String> {
        let text = |error: DynoxideError| error.to_string();
        let database = Database::new(name).map_err(text)?;
        // Sets `synchronous = NORMAL`: with the write-ahead log a crash of the process loses nothing,
        // and a write does not wait for the disk.
        database.disable_bulk_loading().map_err(text)?;
        database.sweep_ttl().map_err(text)?;
        let trimmer = Storage::new(name).map_err(text)?;
        trimmer.disable_bulk_loading().map_err(text)?;
        trimmer.conn().execute(INDEX, ()).map_err(|error| error.to_string())?;
        let tables = Self {
            database,
            access: RwLock::default(),
            trimmer: Mutex::new(trimmer),
            written: watch::Sender::new(0),
            positions: Mutex::default(),
            folder: folder.map(Path::to_owned),
        };
        tables.trim();
        Ok(tables)
    }

    /// Read the consumers' positions.
    pub(super) fn load_positions(&self) -> Result<(), StartError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let failed = |source| StartError::Folder { path: folder.clone(), source };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(consumer) = name.strip_prefix("stream-").and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            let text = fs::read(&path).map_err(failed)?;
            let position = serde_json::from_slice(&text)
                .map_err(|error| StartError::Unreadable { path: path.clone(), reason: error.to_string() })?;
            self.positions().insert(consumer.to_owned(), position);
        }
        Ok(())
    }

    /// The database, for a request.
    pub(super) fn database(&self) -> (&Database, RwLockReadGuard<'_, ()>) {
        (&self.database, self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The database, for a reader between whose reads no request may write.
    pub(super) fn database_alone(&self) -> (&Database, RwLockWriteGuard<'_, ()>) {
        (&self.database, self.access.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tell the consumers that a request has written.
    pub(super) fn wrote(&self) {
        let mut count = 0;
        self.written.send_modify(|written| {
            *written += 1;
            count = *written;
        });
        if count % TRIM_AFTER == 0 {
            self.trim();
        }
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes after a position, at most `limit`, oldest first; none while the table has no stream.
    fn read(&self, position: &Position, limit: usize) -> Result<Vec<Change>, DynoxideError> {
        let read = || {
            let (database, _access) = self.database();
            let iterator = shard_iterator(database, position)?;
            let records =
                database.get_records(GetRecordsRequest { shard_iterator: iterator, limit: Some(limit) })?.records;
            let table = database.get_table_metadata(&position.table)?;
            let label = table.and_then(|table| table.stream_label).unwrap_or_default();
            Ok(records.into_iter().map(|record| change(record, &position.table, &label)).collect())
        };
        match read() {
            Err(DynoxideError::ResourceNotFoundException(_)) => Ok(Vec::new()),
            outcome => outcome,
        }
    }

    /// Remove changes that every consumer has read. A failure is reported in the log; the next trim makes up for it.
    fn trim(&self) {
        let passed = self.passed();
        let _alone = self.access.write().unwrap_or_else(PoisonError::into_inner);
        let storage = self.trimmer.lock().unwrap_or_else(PoisonError::into_inner);
        let trim = || {
            for (table, number) in passed {
                storage.conn().execute(TRIM_PASSED, (table, number))?;
            }
            storage.conn().execute(TRIM_OLD, (machine::now_ms() / 1000 - RETENTION,))
        };
        if let Err(error) = trim() {
            tracing::error!(%error, "cannot trim the stream of changes");
        }
    }

    /// The tables with consumers, and the last record that all of them are done with, by the number that `dynoxide` stores.
    fn passed(&self) -> BTreeMap<String, i64> {
        let mut passed = BTreeMap::new();
        let (database, _access) = self.database();
        for position in self.positions().values() {
            let iterator = position.after.as_ref().and_then(|_| shard_iterator(database, position).ok());
            let number =
                iterator.and_then(|iterator| decode_shard_iterator(&iterator)).map_or(0, |(.., number)| number);
            passed
                .entry(position.table.clone())
                .and_modify(|least: &mut i64| *least = number.min(*least))
                .or_insert(number);
        }
        passed
    }

    /// # Errors
    /// When the position cannot be kept for the next run.
    fn commit(&self, consumer: &str, position: Position) -> io::Result<()> {
        let json = serde_json::to_vec(&position)?;
        self.positions().insert(consumer.to_owned(), position);
        match &self.folder {
            Some(folder) => folder::replace(&folder.join(format!("stream-{consumer}.json")), &json),
            None => Ok(()),
        }
    }

    /// The position of a consumer: at first, before the oldest change.
    fn position(&self, consumer: &str, table: &str) -> Position {
        let known = self.positions().get(consumer).filter(|position| position.table == table).cloned();
        known.unwrap_or_else(|| Position { table: table.to_owned(), after: None })
    }

    /// From now on nothing is trimmed that this consumer has not passed.
    fn register(&self, consumer: &str, table: &str) {
        let position = self.position(consumer, table);
        self.positions().insert(consumer.to_owned(), position);
    }

    /// Whether a consumer is done with all changes.
    pub(crate) fn has_read_all(&self, table: &str, consumer: &str) -> bool {
        self.read(&self.position(consumer, table), 1).is_ok_and(|changes| changes.is_empty())
    }
}

fn shard_iterator(database: &Database, Position { table, after }: &Position) -> Result<String, DynoxideError> {
    let kind = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
    let request = GetShardIteratorRequest {
        stream_arn: stream_arn(table, ""),
        shard_id: shard_id(table),
        shard_iterator_type: kind.to_owned(),
        sequence_number: after.clone(),
    };
    Ok(database.get_shard_iterator(request)?.shard_iterator.unwrap_or_default())
}

/// A record with what `dynoxide` has of its own replaced, and what Lambda adds.
fn change(record: Record, table: &str, label: &str) -> Change {
    let mut json = serde_json::to_value(&record).unwrap_or_default();
    json["awsRegion"] = REGION.into();
    json["eventSourceARN"] = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{}", date(label)).into();
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction")]
    let created = record.dynamodb.approximate_creation_date_time as i64;
    json["dynamodb"]["ApproximateCreationDateTime"] = created.into();
    Change { sequence_number: record.dynamodb.sequence_number, record: json }
}

/// A stream's label as AWS writes it, `2026-01-31T09:30:00.120`; `dynoxide` writes `seconds.nanoseconds`.
fn date(label: &str) -> String {
    let seconds = label.split_once('.').and_then(|(seconds, nanoseconds)| {
        let seconds = OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok()?;
        seconds.replace_nanosecond(nanoseconds.parse().ok()?).ok()
    });
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]");
    seconds.and_then(|time| time.format(format).ok()).unwrap_or_else(|| label.to_owned())
}

/// A consumer of a table's changes. There is one for each name at a time.
pub struct Changes {
    tables: Arc<Tables>,
    table: String,
    consumer: String,
    written: watch::Receiver<u64>,
    stop: Stop,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("table", &self.table).field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

impl Changes {
    pub(crate) fn new(tables: Arc<Tables>, table: &str, consumer: &str, stop: Stop) -> Self {
        tables.register(consumer, table);
        let written = tables.written.subscribe();
        Self { tables, table: table.to_owned(), consumer: consumer.to_owned(), written, stop }
    }

    /// The changes after the last one that was committed, oldest first: as soon as there is one, and at most `limit` or 1000.
    /// Until they are committed the same ones come again. None come once the servers stop.
    pub async fn next(&mut self, limit: usize) -> Vec<Change> {
        while !self.stop.is_requested() {
            self.written.mark_unchanged();
            let pause = match self.tables.read(&self.tables.position(&self.consumer, &self.table), limit) {
                Ok(changes) if !changes.is_empty() => return changes,
                Ok(_) => None,
                Err(error) => {
                    tracing::error!(%error, table = self.table, "cannot read the stream of changes");
                    Some(PAUSE)
                }
            };
            tokio::select! {
                () = self.stop.clone().requested() => {}
                _ = self.written.changed(), if pause.is_none() => {}
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
        Vec::new()
    }

    /// All changes up to this one are done.
    ///
    /// # Errors
    /// When this cannot be kept for the next run, which then begins earlier. For this run it holds all the same.
    pub fn commit(&mut self, sequence_number: &str) -> io::Result<()> {
        let position = Position { table: self.table.clone(), after: Some(sequence_number.to_owned()) };
        self.tables.commit(&self.consumer, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tables() -> Arc<Tables> {
        let tables = super::super::open(None).unwrap();
        run(
            &tables,
            "CreateTable",
            &json!({
                "TableName": "users",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
                "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
                "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            }),
        );
        Arc::new(tables)
    }

    fn run(tables: &Tables, operation: &str, request: &Value) {
        let (database, _access) = tables.database();
        super::super::run(database, operation, request.to_string().as_bytes()).unwrap();
    }

    fn put(tables: &Tables, keys: std::ops::Range<usize>) {
        for key in keys {
            run(tables, "PutItem", &json!({ "TableName": "users", "Item": { "pk": { "S": key.to_string() } } }));
        }
    }

    fn recorded(tables: &Tables) -> i64 {
        let storage = tables.trimmer.lock().unwrap();
        storage.conn().query_row("SELECT COUNT(*) FROM _stream_records", (), |row| row.get(0)).unwrap()
    }

    fn age(tables: &Tables, by: i64) {
        let storage = tables.trimmer.lock().unwrap();
        storage.conn().execute("UPDATE _stream_records SET created_at = created_at - ?1", (by,)).unwrap();
    }

    fn read(tables: &Tables, consumer: &str) -> Vec<String> {
        let changes = tables.read(&tables.position(consumer, "users"), 1000).unwrap();
        changes.into_iter().map(|change| change.sequence_number).collect()
    }

    fn commit(tables: &Tables, consumer: &str, sequence_number: &str) {
        let position = Position { table: "users".to_owned(), after: Some(sequence_number.to_owned()) };
        tables.commit(consumer, position).unwrap();
    }

    #[test]
    fn what_all_consumers_have_passed_is_trimmed() {
        let tables = tables();
        put(&tables, 0..5);
        let numbers = read(&tables, "one");
        for consumer in ["one", "other"] {
            tables.register(consumer, "users");
        }
        assert!(numbers.is_sorted_by(|a, b| a < b && a.len() == b.len()));

        commit(&tables, "one", &numbers[4]);
        tables.trim();
        assert_eq!(recorded(&tables), 5);
        commit(&tables, "other", &numbers[1]);
        tables.trim();
        assert_eq!(recorded(&tables), 3);
        assert_eq!(read(&tables, "other"), numbers[2..]);

        commit(&tables, "other", &numbers[4]);
        tables.trim();
        // The newest stays, so that the next one's number is greater.
        assert_eq!(recorded(&tables), 1);
        put(&tables, 5..6);
        assert!(read(&tables, "one")[0] > numbers[4]);
    }

    #[test]
    fn records_older_than_a_day_are_trimmed_even_if_unread() {
        let tables = tables();
        put(&tables, 0..2);
        age(&tables, RETENTION - 60);
        tables.trim();
        assert_eq!(recorded(&tables), 2);
        age(&tables, 61);
        put(&tables, 2..3);
        tables.trim();
        assert_eq!(recorded(&tables), 1);
        assert_eq!(read(&tables, "one").len(), 1);
    }

    #[test]
    fn a_number_of_writes_trims() {
        let tables = tables();
        put(&tables, 0..3);
        let numbers = read(&tables, "one");
        commit(&tables, "one", &numbers[2]);
        for _ in 1..TRIM_AFTER {
            tables.wrote();
        }
        assert_eq!(recorded(&tables), 3);
        tables.wrote();
        assert_eq!(recorded(&tables), 1);
    }

    #[test]
    fn the_index_serves_the_queries_of_dynoxide() {
        let tables = tables();
        let storage = tables.trimmer.lock().unwrap();
        for query in [
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = 'a'",
            "SELECT event_name FROM _stream_records WHERE table_name = 'a' AND shard_id = 'b'
             AND CAST(sequence_number AS INTEGER) > 1 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 2",
        ] {
            let explained = storage.conn().query_row(&format!("EXPLAIN QUERY PLAN {query}"), (), |row| row.get(3));
            let plan: String = explained.unwrap();
            assert!(plan.contains("INDEX embedded_stream_order"), "{plan}");
        }
    }

    #[test]
    fn a_streams_label_is_a_date() {
        for (label, shown) in [("1700000000.123456789", "2023-11-14T22:13:20.123"), ("", ""), ("x.y", "x.y")] {
            assert_eq!(date(label), shown);
        }
    }
}
