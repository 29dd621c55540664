//! The consumers of the main table's stream, invoked as Lambda's event source mapping does: batches in order, one at a time.
//! A batch that fails is tried again until it is done, from the first change that a function reports as failed
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>), and what comes after it waits.
//!
//! Unlike AWS: nothing is given up after a day or a number of attempts.

use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use embedded::{Change, Changes};
use futures_util::future::BoxFuture;
use serde_json::json;
use shared::App;
use shared::error::Causes;
use tokio::sync::watch;
use tracing::instrument::WithSubscriber;

/// Changes in a batch, at most.
const BATCH: usize = 100;
/// From a batch that was not full to the next: under load changes are read together, where each alone would cost more than the
/// request that made it. AWS looks for changes every 250 ms (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>).
const INTERVAL: Duration = Duration::from_millis(50);
/// After a failure; it doubles with each one that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A function that reads the stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamConsumer {
    /// The function's name. Its position in the stream is kept under it.
    pub name: &'static str,
    /// Which changes it is invoked with, as the `FilterCriteria` of its event source.
    pub filter: fn(&Change) -> bool,
    pub handler: fn(App, Event) -> BoxFuture<'static, shared::Result<DynamoDbEventResponse>>,
}

/// The functions that read the main table's stream.
pub const STREAM_CONSUMERS: &[StreamConsumer] = &[
    StreamConsumer {
        name: "publish_events",
        filter: is_event,
        handler: |app, event| Box::pin(functions::workers::publish_events::handler(app, event)),
    },
    StreamConsumer {
        name: "dispatch_webhooks",
        filter: is_event,
        handler: |app, event| Box::pin(functions::webhooks::dispatch_webhooks::handler(app, event)),
    },
];

/// A filter: what the functions' triggers let through.
fn is_event(change: &Change) -> bool {
    let sk = change.record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap_or_default();
    is_insert(change) && ["EVENT#", "SESSION#"].iter().any(|prefix| sk.starts_with(prefix))
}

/// A filter: items that are new.
#[must_use]
pub fn is_insert(change: &Change) -> bool {
    change.record["eventName"] == "INSERT"
}

/// Invokes a function with the changes that pass its filter, until told to stop.
pub async fn consume<F>(
    mut changes: Changes,
    filter: impl Fn(&Change) -> bool,
    function: impl Fn(Event) -> F,
    mut stopping: watch::Receiver<bool>,
) where
    F: Future<Output = shared::Result<DynamoDbEventResponse>> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let batch = tokio::select! {
            batch = changes.next(BATCH) => batch,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        if batch.is_empty() {
            return;
        }
        let began = Instant::now();
        let done = invoke(&batch, &filter, &function).await;
        if let Some(last) = batch.iter().take(done).next_back()
            && let Err(error) = changes.commit(&last.sequence_number)
        {
            tracing::error!(error.message = %error, "failed to store the position in the stream");
        }
        if done > 0 {
            pause = FIRST_PAUSE;
        }
        let rest = if done < batch.len() {
            let longer = LONGEST_PAUSE.min(pause * 2);
            std::mem::replace(&mut pause, longer)
        } else if batch.len() < BATCH {
            INTERVAL.saturating_sub(began.elapsed())
        } else {
            Duration::ZERO
        };
        if tokio::time::timeout(rest, stopping.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// How many of a batch's changes are done, counted from its first.
async fn invoke<F>(batch: &[Change], filter: impl Fn(&Change) -> bool, function: impl Fn(Event) -> F) -> usize
where
    F: Future<Output = shared::Result<DynamoDbEventResponse>> + Send + 'static,
{
    let records: Vec<_> = batch.iter().filter(|change| filter(change)).map(|change| &change.record).collect();
    if records.is_empty() {
        return batch.len();
    }
    let event = match serde_json::from_value(json!({ "Records": records })) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(error.message = %error, "the changes are not a valid event");
            return 0;
        }
    };
    // A panic is a failure like any other.
    match tokio::spawn(function(event).with_current_subscriber()).await {
        Ok(Ok(response)) => done(batch, &response),
        Ok(Err(error)) => {
            tracing::error!(error.message = %Causes(&error), "an invocation for changes failed");
            0
        }
        Err(_) => {
            tracing::error!("an invocation for changes panicked");
            0
        }
    }
}

/// All before the first that is reported as failed. A report that names no change of the batch fails all of it.
fn done(batch: &[Change], response: &DynamoDbEventResponse) -> usize {
    let failed = response.batch_item_failures.iter().map(|failure| {
        let number = failure.item_identifier.as_deref()?;
        batch.iter().position(|change| change.sequence_number == number)
    });
    failed.map(Option::unwrap_or_default).min().unwrap_or(batch.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use embedded::{Embedded, Options};
    use serde_json::Value;
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::*;

    const TABLE: &str = "users";

    async fn start(data: Option<&Path>) -> Embedded {
        let options = Options { data: data.map(Path::to_owned), ..Options::default() };
        let embedded = Embedded::start(options).await.unwrap();
        // After a restart it is there already.
        let table = json!({
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
        });
        request(&embedded, "CreateTable", &table).await;
        embedded
    }

    async fn request(embedded: &Embedded, operation: &str, body: &Value) {
        let key = &embedded.credentials().access_key_id;
        let request = reqwest::Client::new().post(&embedded.endpoints().dynamodb).json(body);
        let request = request.header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let signature = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request");
        request.header("authorization", signature).send().await.unwrap();
    }

    async fn put(embedded: &Embedded, keys: std::ops::Range<usize>) {
        for key in keys {
            let item = json!({ "TableName": TABLE, "Item": { "pk": { "S": key.to_string() } } });
            request(embedded, "PutItem", &item).await;
        }
    }

    /// The keys and the sequence numbers of an event's records.
    fn read(event: &Event) -> Vec<(usize, String)> {
        let event = serde_json::to_value(event).unwrap();
        let records = event["Records"].as_array().unwrap().iter().map(|record| &record["dynamodb"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        records
            .map(|change| (text(&change["Keys"]["pk"]["S"]).parse().unwrap(), text(&change["SequenceNumber"])))
            .collect()
    }

    type Answer = shared::Result<DynamoDbEventResponse>;

    /// A consumer under test: what it is invoked with, and how it is stopped.
    struct Consumer {
        invocations: mpsc::UnboundedReceiver<Vec<usize>>,
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
    }

    impl Consumer {
        /// `answer` is given the number of the invocation and the sequence numbers of its records.
        fn start(embedded: &Embedded, answer: fn(usize, &[String]) -> Answer) -> Self {
            let (sender, invocations) = mpsc::unbounded_channel();
            let (stop, stopping) = watch::channel(false);
            let count = AtomicUsize::new(0);
            let function = move |event: Event| {
                let (sender, number) = (sender.clone(), count.fetch_add(1, Ordering::Relaxed));
                async move {
                    let (keys, numbers): (Vec<_>, Vec<_>) = read(&event).into_iter().unzip();
                    sender.send(keys).unwrap();
                    answer(number, &numbers)
                }
            };
            let changes = embedded.changes(TABLE, "publisher");
            let task = tokio::spawn(consume(changes, is_insert, function, stopping));
            Self { invocations, stop, task }
        }

        async fn next(&mut self) -> Vec<usize> {
            tokio::time::timeout(Duration::from_secs(10), self.invocations.recv()).await.unwrap().unwrap()
        }

        /// Everything that it is invoked with until it has read all there is.
        async fn all(&mut self, embedded: &Embedded) -> Vec<usize> {
            let mut keys = Vec::new();
            while !embedded.has_read_all(TABLE, "publisher") {
                keys.extend(self.next().await);
            }
            keys
        }

        async fn stop(self) {
            self.stop.send(true).unwrap();
            tokio::time::timeout(Duration::from_secs(1), self.task).await.unwrap().unwrap();
        }
    }

    /// A report with these changes, or none.
    fn failed(numbers: &[&str]) -> DynamoDbEventResponse {
        let failures: Vec<_> = numbers.iter().map(|number| json!({ "itemIdentifier": number })).collect();
        serde_json::from_value(json!({ "batchItemFailures": failures })).unwrap()
    }

    #[tokio::test]
    async fn batches_come_in_order_and_hold_a_hundred_at_most() {
        let embedded = start(None).await;
        put(&embedded, 0..230).await;
        let mut consumer = Consumer::start(&embedded, |_, _| Ok(failed(&[])));

        let batches = [consumer.next().await, consumer.next().await, consumer.next().await];

        assert_eq!(batches.each_ref().map(Vec::len), [100, 100, 30]);
        assert_eq!(batches.concat(), (0..230).collect::<Vec<_>>());
        put(&embedded, 230..231).await;
        assert_eq!(consumer.next().await, [230]);
        consumer.stop().await;
    }

    #[tokio::test]
    async fn changes_that_the_filter_refuses_are_passed_without_an_invocation() {
        let embedded = start(None).await;
        put(&embedded, 0..2).await;
        put(&embedded, 0..2).await;
        let mut consumer = Consumer::start(&embedded, |_, _| Ok(failed(&[])));
        assert_eq!(consumer.next().await, [0, 1]);
        put(&embedded, 0..2).await;
        put(&embedded, 2..3).await;
        assert_eq!(consumer.next().await, [2]);
        consumer.stop().await;
    }

    #[tokio::test]
    async fn a_consumer_goes_on_after_a_restart_and_repeats_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let embedded = start(Some(folder.path())).await;
        put(&embedded, 0..3).await;
        let mut consumer = Consumer::start(&embedded, |_, _| Ok(failed(&[])));
        assert_eq!(consumer.all(&embedded).await, [0, 1, 2]);
        consumer.stop().await;
        put(&embedded, 3..5).await;
        embedded.stop().await;

        let embedded = start(Some(folder.path())).await;
        let mut consumer = Consumer::start(&embedded, |_, _| Ok(failed(&[])));
        assert_eq!(consumer.next().await, [3, 4]);
        consumer.stop().await;
    }

    #[tokio::test]
    async fn a_partial_failure_is_resumed_at_the_first_change_that_failed() {
        let embedded = start(None).await;
        put(&embedded, 0..5).await;
        // Changes that pass no filter, between those that do.
        put(&embedded, 0..5).await;
        put(&embedded, 5..6).await;
        let mut consumer = Consumer::start(&embedded, |invocation, numbers| match invocation {
            0 => Ok(failed(&[&numbers[4], &numbers[2], &numbers[3]])),
            1 => Ok(failed(&[&numbers[3]])),
            _ => Ok(failed(&[])),
        });
        assert_eq!(consumer.next().await, [0, 1, 2, 3, 4, 5]);
        assert_eq!(consumer.next().await, [2, 3, 4, 5]);
        assert_eq!(consumer.next().await, [5]);
        consumer.stop().await;
    }

    #[tokio::test]
    async fn an_invocation_that_fails_as_a_whole_is_repeated_as_a_whole() {
        let embedded = start(None).await;
        put(&embedded, 0..2).await;
        let mut consumer = Consumer::start(&embedded, |invocation, _| match invocation {
            0 => panic!("on purpose"),
            1 => Err(shared::Error::internal("on purpose")),
            2 => Ok(failed(&["no number of the batch"])),
            _ => Ok(failed(&[])),
        });
        for _ in 0..4 {
            assert_eq!(consumer.next().await, [0, 1]);
        }
        put(&embedded, 2..3).await;
        assert_eq!(consumer.next().await, [2]);
        consumer.stop().await;
    }

    #[tokio::test]
    async fn a_consumer_that_keeps_failing_stops_when_told() {
        let embedded = start(None).await;
        put(&embedded, 0..1).await;
        let mut consumer = Consumer::start(&embedded, |_, _| Err(shared::Error::internal("on purpose")));
        assert_eq!(consumer.next().await, [0]);
        consumer.stop().await;
        assert!(!embedded.has_read_all(TABLE, "publisher"));
    }

    #[test]
    fn what_is_done_ends_before_the_first_failure() {
        let change = |number: &str| Change { sequence_number: number.to_owned(), record: Value::Null };
        let batch = ["1", "2", "3"].map(change);
        for (failures, count) in [
            (json!([]), 3),
            (json!([{ "itemIdentifier": "3" }]), 2),
            (json!([{ "itemIdentifier": "3" }, { "itemIdentifier": "2" }]), 1),
            (json!([{ "itemIdentifier": "1" }]), 0),
            (json!([{ "itemIdentifier": "3" }, { "itemIdentifier": "4" }]), 0),
            (json!([{ "itemIdentifier": "" }]), 0),
            (json!([{ "itemIdentifier": null }]), 0),
            (json!([{}]), 0),
        ] {
            let response = serde_json::from_value(json!({ "batchItemFailures": failures })).unwrap();
            assert_eq!(done(&batch, &response), count, "{failures}");
        }
    }
}
