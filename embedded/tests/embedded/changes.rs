//! The stream of a table's changes: order, waiting, positions over restarts, and the form of a record.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, Delete, KeySchemaElement, KeyType, Put, ScalarAttributeType,
    StreamSpecification, StreamViewType, TransactWriteItem,
};
use embedded::{Change, Changes};
use serde_json::json;
use tokio::time::timeout;

use crate::Aws;

const TABLE: &str = "users";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn stream() -> StreamSpecification {
    StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage).build().unwrap()
}

async fn create_table(dynamodb: &Client, stream: Option<StreamSpecification>) {
    let attribute = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash);
    let table = dynamodb.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(attribute.build().unwrap()).key_schema(key.build().unwrap());
    table.set_stream_specification(stream).send().await.unwrap();
}

async fn put(dynamodb: &Client, pk: &str) {
    dynamodb.put_item().table_name(TABLE).item("pk", text(pk)).item("n", text("1")).send().await.unwrap();
}

/// What a change was about: its kind and its key.
fn about(changes: &[Change]) -> Vec<(&str, &str)> {
    fn named(Change { record, .. }: &Change) -> (&str, &str) {
        (record["eventName"].as_str().unwrap(), record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap())
    }
    changes.iter().map(named).collect()
}

async fn nothing(changes: &mut Changes) {
    assert!(timeout(Duration::from_millis(30), changes.next(100)).await.is_err());
}

#[tokio::test]
async fn all_kinds_of_writes_are_read_in_their_order() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb, Some(stream())).await;
    put(&aws.dynamodb, "1").await;
    put(&aws.dynamodb, "1").await;
    let update = aws.dynamodb.update_item().table_name(TABLE).key("pk", text("2")).update_expression("SET n = :n");
    update.expression_attribute_values(":n", text("2")).send().await.unwrap();
    let new = Put::builder().table_name(TABLE).item("pk", text("3")).build().unwrap();
    let old = Delete::builder().table_name(TABLE).key("pk", text("1")).build().unwrap();
    let items = [TransactWriteItem::builder().put(new).build(), TransactWriteItem::builder().delete(old).build()];
    aws.dynamodb.transact_write_items().set_transact_items(Some(items.to_vec())).send().await.unwrap();
    aws.dynamodb.delete_item().table_name(TABLE).key("pk", text("2")).send().await.unwrap();

    let mut changes = aws.embedded.changes(TABLE, "publisher");
    let all = changes.next(100).await;

    assert_eq!(
        about(&all),
        [("INSERT", "1"), ("MODIFY", "1"), ("INSERT", "2"), ("INSERT", "3"), ("REMOVE", "1"), ("REMOVE", "2")]
    );
    assert!(all.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
    assert_eq!(changes.next(2).await, all[..2]);
}

#[tokio::test]
async fn a_record_has_the_form_that_lambda_gives_a_function() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb, Some(stream())).await;
    put(&aws.dynamodb, "1").await;

    let change = aws.embedded.changes(TABLE, "publisher").next(100).await.remove(0);

    let mut record = change.record;
    let (id, source) = (record["eventID"].take(), record["eventSourceARN"].take());
    assert_eq!(id.as_str().unwrap().len(), 32);
    let label = source.as_str().unwrap().strip_prefix("arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/");
    assert_eq!(label.unwrap().len(), "2026-01-31T09:30:00.120".len());
    let created = record["dynamodb"]["ApproximateCreationDateTime"].take();
    assert!(created.as_i64().unwrap() > 1_700_000_000);
    assert!(record["dynamodb"]["SizeBytes"].take().as_i64().unwrap() > 0);
    assert_eq!(
        record,
        json!({
            "eventID": null,
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "eventSourceARN": null,
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": null,
                "Keys": { "pk": { "S": "1" } },
                "NewImage": { "pk": { "S": "1" }, "n": { "S": "1" } },
                "SequenceNumber": change.sequence_number,
                "SizeBytes": null,
                "StreamViewType": "NEW_IMAGE",
            },
        })
    );
}

#[tokio::test]
async fn a_waiting_consumer_is_woken_by_a_write() {
    let aws = Aws::start().await;
    // Before there is a table, and before it has a stream.
    let mut changes = aws.embedded.changes(TABLE, "publisher");
    nothing(&mut changes).await;
    create_table(&aws.dynamodb, None).await;
    put(&aws.dynamodb, "1").await;
    nothing(&mut changes).await;
    aws.dynamodb.update_table().table_name(TABLE).stream_specification(stream()).send().await.unwrap();

    let waiting = tokio::spawn(async move { changes.next(100).await });
    put(&aws.dynamodb, "2").await;

    assert_eq!(about(&timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap()), [("INSERT", "2")]);
}

#[tokio::test]
async fn changes_come_again_until_they_are_committed() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb, Some(stream())).await;
    for pk in ["1", "2", "3"] {
        put(&aws.dynamodb, pk).await;
    }
    let mut changes = aws.embedded.changes(TABLE, "publisher");
    let all = changes.next(100).await;
    assert_eq!(changes.next(100).await, all);
    assert!(!aws.embedded.has_read_all(TABLE, "publisher"));

    changes.commit(&all[0].sequence_number).unwrap();
    assert_eq!(changes.next(100).await, all[1..]);
    changes.commit(&all[2].sequence_number).unwrap();

    assert!(aws.embedded.has_read_all(TABLE, "publisher"));
    nothing(&mut changes).await;
    assert_eq!(aws.embedded.changes(TABLE, "other").next(100).await, all);
}

#[tokio::test]
async fn a_consumer_goes_on_after_a_restart_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    create_table(&aws.dynamodb, Some(stream())).await;
    for pk in ["1", "2"] {
        put(&aws.dynamodb, pk).await;
    }
    let mut changes = aws.embedded.changes(TABLE, "publisher");
    let first = changes.next(1).await;
    changes.commit(&first[0].sequence_number).unwrap();
    drop(changes);
    aws.embedded.stop().await;

    let aws = Aws::start_in(folder.path()).await;
    put(&aws.dynamodb, "3").await;
    let left = aws.embedded.changes(TABLE, "publisher").next(100).await;

    assert_eq!(about(&left), [("INSERT", "2"), ("INSERT", "3")]);
    assert!(left[0].sequence_number > first[0].sequence_number);
}

#[tokio::test]
async fn a_waiting_consumer_ends_when_the_servers_stop() {
    let aws = Aws::start().await;
    let mut changes = aws.embedded.changes(TABLE, "publisher");
    let waiting = tokio::spawn(async move { changes.next(100).await });
    tokio::task::yield_now().await;
    aws.embedded.stop().await;

    assert!(timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap().is_empty());
}
