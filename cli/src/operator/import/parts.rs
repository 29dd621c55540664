//! A file in parts: each is put into the bucket, a message tells the function of it, and its report says what came of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectError;
use formats::Row;
use shared::App;
use shared::domain::id::UserId;
use transfer::import::Line;
use transfer::parts::{PART, Part};

use crate::failure::{Failure, Result};

/// Between two looks at a report that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A part is imported within seconds. One that failed is delivered again after the queue's twelve minutes, and after five times it
/// is among the dead letters.
const PATIENCE: Duration = Duration::from_mins(70);
/// Octets of a part, but for its last row: the function has all of it in memory.
const LARGEST: usize = 4 * 1024 * 1024;
/// Parts that are on their way at once: more rows of a file are not in memory or in the bucket.
const UNDER_WAY: usize = 64;

pub struct Sender<'a> {
    app: &'a App,
    import: String,
    number: u32,
    rows: Vec<u64>,
    /// What the reader left out of rows that are under way.
    notes: HashMap<u64, Vec<String>>,
    body: Vec<u8>,
    waiting: VecDeque<Part>,
    /// The last row that was read.
    read: u64,
}

impl<'a> Sender<'a> {
    pub fn new(app: &'a App) -> Self {
        let import = UserId::new(app.clock.now()).to_string();
        Self {
            app,
            import,
            number: 0,
            rows: Vec::new(),
            notes: HashMap::new(),
            body: Vec::new(),
            waiting: VecDeque::new(),
            read: 0,
        }
    }

    /// Takes a row; returns what is known of it and of others by now.
    pub async fn send(&mut self, row: Row) -> Result<Vec<Line>> {
        self.read = row.number;
        let record = match row.record {
            Ok(record) => record,
            Err(problem) => {
                return Ok(vec![Line::refused(row.number, vec![problem.to_string()], row.notes)]);
            }
        };
        serde_json::to_writer(&mut self.body, &record).map_err(|error| Failure::Failed(error.to_string()))?;
        self.body.push(b'\n');
        self.rows.push(row.number);
        if !row.notes.is_empty() {
            self.notes.insert(row.number, row.notes);
        }
        if self.rows.len() < PART && self.body.len() < LARGEST {
            return Ok(Vec::new());
        }
        self.send_rest().await?;
        if self.waiting.len() < UNDER_WAY { Ok(Vec::new()) } else { self.reports().await }
    }

    /// Sends what is not a whole part.
    pub async fn send_rest(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let part = Part { import: self.import.clone(), number: self.number, rows };
        self.number += 1;
        let body = std::mem::take(&mut self.body);
        let bucket = self.app.config.transfer.bucket()?;
        let put = self.app.s3().put_object().bucket(bucket).key(part.key()).body(body.into());
        put.send().await.map_err(shared::Error::from)?;
        let message = serde_json::to_string(&part).map_err(|error| Failure::Failed(error.to_string()))?;
        let queue = self.app.config.transfer.import_queue_url.as_deref().unwrap_or_default();
        let send = self.app.sqs().send_message().queue_url(queue).message_body(message);
        send.send().await.map_err(shared::Error::from)?;
        self.waiting.push_back(part);
        Ok(())
    }

    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The last row of which all before it are reported, too.
    pub fn done_up_to(&self) -> u64 {
        let first = self.waiting.front().map_or(self.rows.first(), |part| part.rows.first());
        first.map_or(self.read, |first| first - 1)
    }

    /// The report of the oldest part that is under way.
    pub async fn reports(&mut self) -> Result<Vec<Line>> {
        let Some(part) = self.waiting.front().cloned() else { return Ok(Vec::new()) };
        let waited = tokio::time::timeout(PATIENCE, self.report(&part)).await;
        if let Ok(Ok(mut lines)) = waited {
            self.waiting.pop_front();
            for line in &mut lines {
                let mut notes = self.notes.remove(&line.row).unwrap_or_default();
                notes.append(&mut line.notes);
                line.notes = notes;
            }
            return Ok(lines);
        }
        waited.unwrap_or_else(|_| {
            let (first, last) = (part.rows.first(), part.rows.last());
            let rows = first.zip(last).map_or_else(String::new, |(first, last)| format!("rows {first} to {last} "));
            Err(Failure::Failed(format!(
                "{rows}were not imported in time: check the function import_users and its dead-letter queue"
            )))
        })
    }

    async fn report(&self, part: &Part) -> Result<Vec<Line>> {
        let bucket = self.app.config.transfer.bucket()?;
        loop {
            let found = self.app.s3().get_object().bucket(bucket).key(part.report_key()).send().await;
            let object = match found {
                Ok(object) => object,
                Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Err(error) => return Err(shared::Error::from(error).into()),
            };
            let body = object.body.collect().await.map_err(|error| Failure::Failed(error.to_string()))?.to_vec();
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let lines =
                lines.map(|line| serde_json::from_slice(line).map_err(|error| Failure::Failed(error.to_string())));
            return lines.collect();
        }
    }
}
