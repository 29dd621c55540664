//! DynamoDB: what the service's store relies on.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    KeysAndAttributes, Projection, ProjectionType, Put, ReturnValuesOnConditionCheckFailure, ScalarAttributeType,
    TransactWriteItem, Update,
};

use crate::Aws;

const TABLE: &str = "users";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

/// A table with `pk` and `sk`, and an index `by_shard` by `shard` and `sk`.
async fn create_table(dynamodb: &Client) {
    let attribute = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("by_shard")
        .key_schema(key("shard", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .unwrap();
    let table = dynamodb.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let table = table.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    let attributes = ["pk", "sk", "shard"].map(attribute).to_vec();
    table.set_attribute_definitions(Some(attributes)).global_secondary_indexes(index).send().await.unwrap();
}

async fn put(dynamodb: &Client, pk: &str, sk: &str, shard: &str) {
    let put = dynamodb.put_item().table_name(TABLE).item("pk", text(pk)).item("sk", text(sk));
    put.item("shard", text(shard)).item("version", number(1)).send().await.unwrap();
}

fn put_if_absent(pk: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .item("pk", text(pk))
        .item("sk", text("PROFILE"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build();
    TransactWriteItem::builder().put(put.unwrap()).build()
}

#[tokio::test]
async fn a_transaction_with_a_failed_condition_changes_nothing_and_names_the_item() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    put(&aws.dynamodb, "EMAIL#ada", "PROFILE", "0").await;

    let items = vec![put_if_absent("USER#1"), put_if_absent("EMAIL#ada")];
    let error = aws.dynamodb.transact_write_items().set_transact_items(Some(items)).send().await.unwrap_err();
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error.into_service_error() else {
        panic!("the transaction is cancelled")
    };

    let reasons = canceled.cancellation_reasons();
    assert_eq!(
        reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
        [Some("None"), Some("ConditionalCheckFailed")]
    );
    assert_eq!(reasons[1].item().unwrap()["pk"], text("EMAIL#ada"));
    let user = aws.dynamodb.get_item().table_name(TABLE).key("pk", text("USER#1")).key("sk", text("PROFILE"));
    assert!(user.send().await.unwrap().item().is_none());
}

#[tokio::test]
async fn a_repeated_transaction_with_the_same_token_is_done_once() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    put(&aws.dynamodb, "USER#1", "PROFILE", "0").await;
    let update = Update::builder()
        .table_name(TABLE)
        .key("pk", text("USER#1"))
        .key("sk", text("PROFILE"))
        .update_expression("ADD version :one")
        .expression_attribute_values(":one", number(1))
        .build()
        .unwrap();

    for _ in 0..2 {
        let item = TransactWriteItem::builder().update(update.clone()).build();
        let write = aws.dynamodb.transact_write_items().transact_items(item).client_request_token("token");
        write.send().await.unwrap();
    }

    let get = aws.dynamodb.get_item().table_name(TABLE).key("pk", text("USER#1")).key("sk", text("PROFILE"));
    assert_eq!(get.send().await.unwrap().item().unwrap()["version"], number(2));
}

#[tokio::test]
async fn an_update_under_a_stale_version_is_refused() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    put(&aws.dynamodb, "USER#1", "PROFILE", "0").await;
    let update = || {
        let update = aws.dynamodb.update_item().table_name(TABLE).key("pk", text("USER#1")).key("sk", text("PROFILE"));
        let update = update.update_expression("SET version = version + :one").condition_expression("version = :seen");
        update.expression_attribute_values(":one", number(1)).expression_attribute_values(":seen", number(1)).send()
    };

    update().await.unwrap();
    let error = update().await.unwrap_err();

    assert!(error.into_service_error().is_conditional_check_failed_exception());
}

#[tokio::test]
async fn a_batch_get_reads_several_items_at_once() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    put(&aws.dynamodb, "USER#1", "PROFILE", "0").await;
    put(&aws.dynamodb, "USER#1", "SESSION#1", "0").await;

    let wanted = ["PROFILE", "SESSION#1", "SESSION#2"]
        .map(|sk| HashMap::from([("pk".to_owned(), text("USER#1")), ("sk".to_owned(), text(sk))]));
    let keys = KeysAndAttributes::builder().set_keys(Some(wanted.to_vec())).consistent_read(true).build().unwrap();
    let found = aws.dynamodb.batch_get_item().request_items(TABLE, keys).send().await.unwrap();

    assert_eq!(found.responses().unwrap()[TABLE].len(), 2);
    assert!(found.unprocessed_keys().is_none_or(HashMap::is_empty));
}

#[tokio::test]
async fn an_index_is_read_newest_first_page_by_page() {
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    for (user, shard) in [("1", "a"), ("2", "a"), ("3", "b"), ("4", "a")] {
        put(&aws.dynamodb, user, user, shard).await;
    }

    let mut seen = Vec::new();
    let mut from = None;
    loop {
        let query = aws.dynamodb.query().table_name(TABLE).index_name("by_shard").limit(2).scan_index_forward(false);
        let query = query
            .key_condition_expression("#shard = :shard")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", text("a"));
        let page = query.set_exclusive_start_key(from.take()).send().await.unwrap();
        seen.extend(page.items().iter().map(|item| item["pk"].as_s().unwrap().clone()));
        from = page.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }

    assert_eq!(seen, ["4", "2", "1"]);
}

#[tokio::test]
async fn items_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    create_table(&aws.dynamodb).await;
    put(&aws.dynamodb, "USER#1", "PROFILE", "0").await;
    aws.embedded.stop().await;

    let aws = Aws::start_in(folder.path()).await;
    let get = aws.dynamodb.get_item().table_name(TABLE).key("pk", text("USER#1")).key("sk", text("PROFILE"));

    assert!(get.send().await.unwrap().item().is_some());
}

#[tokio::test]
async fn writes_conflict_as_often_as_configured_and_then_succeed() {
    use embedded::{Outage, Service};
    let aws = Aws::start().await;
    create_table(&aws.dynamodb).await;
    aws.embedded.set_outage(Service::DynamoDb, Outage::Conflict { times: 2 });
    let put = || aws.dynamodb.put_item().table_name(TABLE).item("pk", text("1")).item("sk", text("a"));
    let get = || aws.dynamodb.get_item().table_name(TABLE).key("pk", text("1")).key("sk", text("a"));
    for _ in 0..2 {
        assert_eq!(put().send().await.unwrap_err().code(), Some("TransactionConflictException"));
        assert!(get().send().await.unwrap().item().is_none(), "it was done all the same");
    }
    put().send().await.unwrap();
    assert!(get().send().await.unwrap().item().is_some());

    let item = |sk: &str| [("pk".to_owned(), text("1")), ("sk".to_owned(), text(sk))].into();
    let write = |sk| {
        let put = Put::builder().table_name(TABLE).set_item(Some(item(sk))).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    let transaction = || aws.dynamodb.transact_write_items().transact_items(write("b")).transact_items(write("c"));
    for _ in 0..2 {
        // Each time with another token: it is the same transaction all the same.
        let error = transaction().send().await.unwrap_err().into_service_error();
        let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
            panic!("{error}");
        };
        let codes: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        assert_eq!(codes, ["TransactionConflict", "None"]);
    }
    transaction().send().await.unwrap();
    aws.embedded.set_outage(Service::DynamoDb, Outage::None);
    put().send().await.unwrap();
}

#[tokio::test]
async fn an_outage_starts_and_ends_at_once() {
    use embedded::{Outage, Service};
    let aws = Aws::start().await;
    let tables = || aws.dynamodb.list_tables().send();

    for _ in 0..20 {
        tables().await.unwrap();
        aws.embedded.set_outage(Service::DynamoDb, Outage::Unavailable);
        let error = tables().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
        assert_eq!(error.code(), Some("ServiceUnavailable"));
        aws.embedded.set_outage(Service::DynamoDb, Outage::None);
    }
}
