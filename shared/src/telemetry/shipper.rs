//! Log lines on their way to Firehose: collected while requests run, sent in batches after the answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;

use crate::App;
use crate::clock::Timestamp;

/// Firehose takes at most this many records in one call, and at most 4 MiB
/// (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>).
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Lines that wait at most; the oldest go first when a flood outruns Firehose.
const WAITING: usize = 10_000;
/// What is not taken is tried again after these, each longer than the last, as a stream that is throttled needs a moment
/// (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>). They are short: the next invocation
/// waits for this one's lines.
const WAITS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900)];
/// What is kept of an invocation's time for a last batch.
const LAST_BATCH: Duration = Duration::from_millis(500);

/// Lines that wait to be sent. Clones share them.
#[derive(Clone, Default)]
pub struct Records(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    dropped: u64,
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.lock();
        if waiting.lines.len() == WAITING {
            waiting.lines.pop_front();
            waiting.dropped += 1;
        }
        waiting.lines.push_back(line);
    }

    /// All that wait, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<u8>> {
        self.lock().lines.drain(..).collect()
    }

    fn waiting(&self) -> usize {
        self.lock().lines.len()
    }

    fn take_batch(&self, at_most: usize) -> Vec<Vec<u8>> {
        let mut waiting = self.lock();
        let mut bytes = 0;
        let fits = waiting.lines.iter().take(at_most.min(BATCH_RECORDS)).take_while(|line| {
            bytes += line.len();
            bytes <= BATCH_BYTES
        });
        let count = fits.count();
        waiting.lines.drain(..count).collect()
    }

    fn add_dropped(&self, lines: usize) {
        self.lock().dropped += lines as u64;
    }

    fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }
}

/// Sends what waits to the stream that the configuration names.
#[derive(Clone)]
pub struct Shipper {
    app: App,
    records: Records,
    /// One batch is sent at a time: lines arrive in order, and all earlier lines are sent before.
    turn: Arc<tokio::sync::Mutex<()>>,
    waits: [Duration; 3],
}

impl Shipper {
    #[must_use]
    pub fn new(app: App, records: Records) -> Self {
        Self { app, records, turn: Arc::default(), waits: WAITS }
    }

    /// To a stream that throttles nothing, as that of the local stack.
    #[must_use]
    pub fn without_waits(self) -> Self {
        Self { waits: [Duration::ZERO; 3], ..self }
    }

    /// How long it is until shortly before `deadline_ms`, milliseconds since the epoch: time enough left for a batch.
    pub(super) fn until(&self, deadline_ms: u64) -> Duration {
        let deadline = Timestamp::from_millis(i64::try_from(deadline_ms).unwrap_or(i64::MAX));
        deadline.minus(LAST_BATCH).since(self.app.clock.now())
    }

    /// Sends all lines that are buffered at the start: lines about the sending itself, which exist if the SDK is logged, are left
    /// for the next call, otherwise it would never end. Rejected lines are retried while there is time `left`. Lines that are
    /// rejected to the end are dropped and counted: standard output, and so `CloudWatch`, has all lines, and a line with the number
    /// of dropped ones.
    pub async fn ship(&self, left: Duration) {
        let end = self.app.clock.now().plus(left);
        let Some(stream) = &self.app.config.log_stream else {
            let _ = self.records.take();
            return;
        };
        let _turn = self.turn.lock().await;
        let mut left = self.records.waiting();
        while left > 0 {
            let mut batch = self.records.take_batch(left);
            if batch.is_empty() {
                break;
            }
            left -= batch.len();
            batch = self.put(stream, batch).await;
            for wait in waits_within(self.waits, || end.since(self.app.clock.now())) {
                if batch.is_empty() {
                    break;
                }
                tokio::time::sleep(wait).await;
                batch = self.put(stream, batch).await;
            }
            self.records.add_dropped(batch.len());
        }
        let dropped = self.records.take_dropped();
        if dropped > 0 {
            tracing::warn!(log.dropped = dropped, "failed to deliver log lines to Firehose");
        }
    }

    /// One call; returns the lines that Firehose did not take.
    async fn put(&self, stream: &str, batch: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let records = batch.iter().filter_map(|line| Record::builder().data(Blob::new(line.clone())).build().ok());
        let put = self.app.firehose().put_record_batch().delivery_stream_name(stream);
        match put.set_records(Some(records.collect())).send().await {
            Ok(answer) if answer.failed_put_count() == 0 => Vec::new(),
            Ok(answer) => {
                let refused = answer.request_responses().iter().map(|response| response.error_code().is_some());
                batch.into_iter().zip(refused).filter_map(|(line, refused)| refused.then_some(line)).collect()
            }
            Err(_) => batch,
        }
    }
}

/// The waits, until one is longer than what is left then.
fn waits_within(waits: [Duration; 3], mut left: impl FnMut() -> Duration) -> impl Iterator<Item = Duration> {
    waits.into_iter().take_while(move |wait| *wait <= left())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_was_not_taken_waits_ever_longer_and_never_past_the_end() {
        for (left, tried) in [
            (0, vec![]),
            (99, vec![]),
            (100, vec![100]),
            (399, vec![100]),
            (400, vec![100, 300]),
            (1300, vec![100, 300, 900]),
            (60_000, vec![100, 300, 900]),
        ] {
            let left = Cell::new(Duration::from_millis(left));
            let waits = waits_within(WAITS, || left.get()).inspect(|wait| left.set(left.get().saturating_sub(*wait)));
            assert_eq!(waits.map(|wait| wait.as_millis()).collect::<Vec<_>>(), tried, "{left:?}");
        }
    }

    #[test]
    fn batches_keep_to_firehoses_limits() {
        let records = Records::default();
        for _ in 0..700 {
            records.push(vec![b'x'; 10_000]);
        }
        assert_eq!(records.take_batch(700).len(), BATCH_BYTES / 10_000);
        let records = Records::default();
        for _ in 0..700 {
            records.push(vec![b'x'; 10]);
        }
        assert_eq!((records.take_batch(600).len(), records.take_batch(100).len(), records.waiting()), (500, 100, 100));
    }

    #[test]
    fn a_flood_drops_the_oldest_and_counts_them() {
        let records = Records::default();
        for line in 0..=WAITING {
            records.push(line.to_string().into_bytes());
        }
        assert_eq!(records.take()[0], b"1");
        assert_eq!(records.take_dropped(), 1);
    }
}
