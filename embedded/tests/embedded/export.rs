//! Exports of a table to S3: what they hold, how they are asked for, and what is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::export_table_to_point_in_time::builders::ExportTableToPointInTimeFluentBuilder;
use aws_sdk_dynamodb::primitives::{Blob, DateTime};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ContinuousBackupsStatus, ExportDescription, ExportFormat,
    ExportStatus, ExportType, KeySchemaElement, KeyType, PointInTimeRecoveryStatus, Put, PutRequest, S3SseAlgorithm,
    ScalarAttributeType, TransactWriteItem, WriteRequest,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::{Aws, UPLOADED, UPLOADS};

const TABLE: &str = "users";
const BUCKET: &str = "exports";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u32) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Running servers with a bucket and a table with `pk` and `sk`.
async fn with_table() -> Aws {
    let aws = Aws::start().await;
    aws.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let attribute =
        |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    aws.dynamodb
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .send()
        .await
        .unwrap();
    aws
}

fn item(pk: &str, sk: u32) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), number(sk))])
}

async fn put_all(dynamodb: &Client, items: impl IntoIterator<Item = HashMap<String, AttributeValue>>) {
    let put = |item| PutRequest::builder().set_item(Some(item)).build().unwrap();
    let writes = items.into_iter().map(|item| WriteRequest::builder().put_request(put(item)).build());
    for batch in writes.collect::<Vec<_>>().chunks(25) {
        dynamodb.batch_write_item().request_items(TABLE, batch.to_vec()).send().await.unwrap();
    }
}

async fn arn(dynamodb: &Client) -> String {
    let table = dynamodb.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    table.table_arn.unwrap()
}

async fn request(aws: &Aws) -> ExportTableToPointInTimeFluentBuilder {
    aws.dynamodb.export_table_to_point_in_time().table_arn(arn(&aws.dynamodb).await).s3_bucket(BUCKET)
}

async fn describe(aws: &Aws, arn: &str) -> ExportDescription {
    aws.dynamodb.describe_export().export_arn(arn).send().await.unwrap().export_description.unwrap()
}

/// An export from its start to its end.
async fn export(aws: &Aws, request: ExportTableToPointInTimeFluentBuilder) -> ExportDescription {
    let started = request.send().await.unwrap().export_description.unwrap();
    describe(aws, started.export_arn().unwrap()).await
}

async fn object(aws: &Aws, key: &str) -> Vec<u8> {
    let object = aws.s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

fn md5(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(bytes))
}

/// The lines of `manifest-files.json`, as a reader of an export finds them.
async fn data_files(aws: &Aws, export: &ExportDescription) -> Vec<Value> {
    let summary: Value = serde_json::from_slice(&object(aws, export.export_manifest().unwrap()).await).unwrap();
    let files = object(aws, summary["manifestFilesS3Key"].as_str().unwrap()).await;
    String::from_utf8(files).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn items_in(aws: &Aws, file: &Value) -> Vec<Value> {
    let bytes = object(aws, file["dataFileS3Key"].as_str().unwrap()).await;
    let lines = io::read_to_string(GzDecoder::new(&*bytes)).unwrap();
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["Item"].take()).collect()
}

async fn items(aws: &Aws, export: &ExportDescription) -> Vec<Value> {
    let mut items = Vec::new();
    for file in data_files(aws, export).await {
        items.extend(items_in(aws, &file).await);
    }
    items
}

fn code<E: ProvideErrorMetadata, R>(outcome: Result<impl Sized, SdkError<E, R>>) -> String {
    let Err(error) = outcome else { panic!("it is refused") };
    error.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_type_of_attribute_survives_an_export() {
    let aws = with_table().await;
    let long = "1234567890123456789012345678901234567.8";
    let bytes = |bytes: &[u8]| Blob::new(bytes);
    let nested = HashMap::from([("ü".to_owned(), AttributeValue::L(vec![text(""), AttributeValue::Bool(false)]))]);
    aws.dynamodb
        .put_item()
        .table_name(TABLE)
        .set_item(Some(item("1", 1)))
        .item("text", text("line\n\"quoted\" \u{1f600}"))
        .item("number", AttributeValue::N(long.to_owned()))
        .item("binary", AttributeValue::B(bytes(&[0, 255, 16])))
        .item("bool", AttributeValue::Bool(true))
        .item("null", AttributeValue::Null(true))
        .item("texts", AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()]))
        .item("numbers", AttributeValue::Ns(vec!["1".to_owned(), "2.5".to_owned()]))
        .item("binaries", AttributeValue::Bs(vec![bytes(&[1]), bytes(&[2])]))
        .item("list", AttributeValue::L(vec![]))
        .item("map", AttributeValue::M(nested))
        .send()
        .await
        .unwrap();

    let export = export(&aws, request(&aws).await).await;

    assert_eq!(
        items(&aws, &export).await,
        [json!({
            "pk": { "S": "1" },
            "sk": { "N": "1" },
            "text": { "S": "line\n\"quoted\" \u{1f600}" },
            "number": { "N": long },
            "binary": { "B": "AP8Q" },
            "bool": { "BOOL": true },
            "null": { "NULL": true },
            "texts": { "SS": ["a", "b"] },
            "numbers": { "NS": ["1", "2.5"] },
            "binaries": { "BS": ["AQ==", "Ag=="] },
            "list": { "L": [] },
            "map": { "M": { "ü": { "L": [{ "S": "" }, { "BOOL": false }] } } },
        })]
    );
}

#[tokio::test]
async fn all_items_of_many_pages_are_exported_once() {
    let aws = with_table().await;
    put_all(&aws.dynamodb, (0..2100).map(|sk| item("1", sk))).await;

    let export = export(&aws, request(&aws).await).await;

    assert_eq!(export.item_count(), Some(2100));
    let items = items(&aws, &export).await;
    let keys: BTreeSet<&str> = items.iter().map(|item| item["sk"]["N"].as_str().unwrap()).collect();
    assert_eq!((items.len(), keys.len()), (2100, 2100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_each_concurrent_transaction_whole_or_not_at_all() {
    const FILL: usize = 3000;
    const VERSIONED: usize = 8;
    let aws = with_table().await;
    // Several pages, in which the items of each transaction are spread by the hashes of their keys.
    put_all(&aws.dynamodb, (0..FILL).map(|number| item(&format!("fill {number}"), 0))).await;
    let ended = AtomicBool::new(false);
    let write = async {
        let mut version = 0;
        while !ended.load(Ordering::Relaxed) {
            version += 1;
            let mut items = vec![item(&format!("log {version}"), 0)];
            items.extend((0..VERSIONED).map(|number| {
                let mut item = item(&format!("versioned {number}"), 0);
                item.insert("version".to_owned(), AttributeValue::N(version.to_string()));
                item
            }));
            let put = |item| Put::builder().table_name(TABLE).set_item(Some(item)).build().unwrap();
            let writes = items.into_iter().map(|item| TransactWriteItem::builder().put(put(item)).build()).collect();
            aws.dynamodb.transact_write_items().set_transact_items(Some(writes)).send().await.unwrap();
        }
        version
    };
    let read = async {
        let mut exports = Vec::new();
        for _ in 0..8 {
            exports.push(export(&aws, request(&aws).await).await);
        }
        ended.store(true, Ordering::Relaxed);
        exports
    };

    let (written, exports) = tokio::join!(write, read);

    assert!(written > exports.len(), "too few transactions at the same time: {written}");
    for export in exports {
        let items = items(&aws, &export).await;
        let logged = items.iter().filter(|item| item["pk"]["S"].as_str().unwrap().starts_with("log ")).count();
        let versions: Vec<_> = items.iter().filter_map(|item| item["version"]["N"].as_str()).collect();
        let versioned = if logged == 0 { 0 } else { VERSIONED };
        assert_eq!(versions, vec![logged.to_string(); versioned]);
        assert_eq!(items.len(), FILL + logged + versioned);
        assert_eq!(usize::try_from(export.item_count().unwrap()).unwrap(), items.len());
    }
}

#[tokio::test]
async fn an_export_starts_in_progress_and_is_complete_once_described() {
    let aws = with_table().await;
    put_all(&aws.dynamodb, (0..10).map(|sk| item("1", sk))).await;
    let request = request(&aws).await.s3_prefix("nightly/2026").client_token("token");

    let started = request.send().await.unwrap().export_description.unwrap();
    let ended = describe(&aws, started.export_arn().unwrap()).await;

    let table = arn(&aws.dynamodb).await;
    let (of, id) = started.export_arn().unwrap().split_once("/export/").unwrap();
    assert_eq!(of, table);
    let (time, drawn) = id.split_once('-').unwrap();
    assert!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert!(drawn.len() == 8 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(started.export_status(), Some(&ExportStatus::InProgress));
    assert!(started.end_time().is_none() && started.export_manifest().is_none() && started.item_count().is_none());
    assert_eq!(ended.export_status(), Some(&ExportStatus::Completed));
    assert_eq!(ended.item_count(), Some(10));
    assert!(ended.billed_size_bytes().unwrap() > 0);
    let manifest = format!("nightly/2026/AWSDynamoDB/{id}/manifest-summary.json");
    assert_eq!(ended.export_manifest(), Some(&*manifest));
    for description in [&started, &ended] {
        assert_eq!(description.table_arn(), Some(&*table));
        assert_eq!(description.client_token(), Some("token"));
        assert_eq!((description.s3_bucket(), description.s3_prefix()), (Some(BUCKET), Some("nightly/2026")));
        assert_eq!(description.s3_sse_algorithm(), Some(&S3SseAlgorithm::Aes256));
        assert_eq!(description.export_format(), Some(&ExportFormat::DynamodbJson));
        assert_eq!(description.export_type(), Some(&ExportType::FullExport));
        assert!(description.export_time() >= description.start_time());
    }
}

#[tokio::test]
async fn the_digests_and_counts_of_the_manifests_are_those_of_the_objects() {
    let aws = with_table().await;
    put_all(&aws.dynamodb, (0..100).map(|sk| item("1", sk))).await;

    let export = export(&aws, request(&aws).await.s3_prefix("a/").s3_sse_algorithm(S3SseAlgorithm::Kms)).await;

    let folder = export.export_manifest().unwrap().strip_suffix("manifest-summary.json").unwrap();
    for manifest in ["manifest-files", "manifest-summary"] {
        let digest = object(&aws, &format!("{folder}{manifest}.md5")).await;
        assert_eq!(digest, md5(&object(&aws, &format!("{folder}{manifest}.json")).await).into_bytes());
    }
    let files = data_files(&aws, &export).await;
    assert_eq!(files.len(), 4);
    for file in &files {
        let key = file["dataFileS3Key"].as_str().unwrap();
        assert!(key.starts_with(&format!("{folder}data/")) && key.ends_with(".json.gz"), "{key}");
        assert_eq!(file["md5Checksum"], md5(&object(&aws, key).await));
        let head = aws.s3.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(head.e_tag().unwrap().trim_matches('"'), file["etag"]);
        assert_eq!(file["itemCount"], items_in(&aws, file).await.len());
    }

    let mut summary: Value =
        serde_json::from_slice(&object(&aws, &format!("{folder}manifest-summary.json")).await).unwrap();
    let times = ["startTime", "exportTime", "endTime"].map(|name| summary[name].take());
    let times = times.each_ref().map(|time| time.as_str().unwrap());
    assert!(times.is_sorted() && times.iter().all(|time| time.len() == "2026-01-31T09:30:00.120Z".len()), "{times:?}");
    assert_eq!(
        summary,
        json!({
            "version": "2020-06-30",
            "exportArn": export.export_arn(),
            "startTime": null,
            "endTime": null,
            "tableArn": export.table_arn(),
            "tableId": export.table_id(),
            "exportTime": null,
            "s3Bucket": BUCKET,
            "s3Prefix": "a/",
            "s3SseAlgorithm": "KMS",
            "s3SseKmsKeyId": null,
            "manifestFilesS3Key": format!("{folder}manifest-files.json"),
            "billedSizeBytes": export.billed_size_bytes(),
            "itemCount": 100,
            "outputFormat": "DYNAMODB_JSON",
            "exportType": "FULL_EXPORT",
        })
    );
}

#[tokio::test]
async fn the_summary_is_written_after_all_that_it_is_about() {
    let aws = with_table().await;
    aws.s3.create_bucket().bucket(UPLOADS).send().await.unwrap();
    aws.sqs.create_queue().queue_name(UPLOADED).send().await.unwrap();

    export(&aws, request(&aws).await.s3_bucket(UPLOADS)).await;

    let url = aws.sqs.get_queue_url().queue_name(UPLOADED).send().await.unwrap().queue_url.unwrap();
    let mut written = BTreeMap::new();
    for _ in 0..9 {
        let received = aws.sqs.receive_message().queue_url(&url).send().await.unwrap();
        let event: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
        let object = &event["Records"][0]["s3"]["object"];
        let key = object["key"].as_str().unwrap().rsplit_once('/').unwrap().1;
        let name = if key.ends_with(".json.gz") { "data" } else { key };
        written.insert(object["sequencer"].as_str().unwrap().to_owned(), name.to_owned());
    }
    let manifests = ["manifest-files.json", "manifest-files.md5", "manifest-summary.json", "manifest-summary.md5"];
    let expected = ["_started", "data", "data", "data", "data"].into_iter().chain(manifests);
    assert_eq!(written.into_values().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_repeated_client_token_names_the_same_export() {
    let aws = with_table().await;
    let request = request(&aws).await.client_token("token");

    let (one, other) = tokio::join!(request.clone().send(), request.clone().send());
    let started = [one, other].map(|answer| answer.unwrap().export_description.unwrap().export_arn.unwrap());

    assert_eq!(started[0], started[1]);
    assert_eq!(aws.dynamodb.list_exports().send().await.unwrap().export_summaries().len(), 1);
    let time = describe(&aws, &started[0]).await.start_time.unwrap();
    for changed in [
        request.clone().s3_prefix("other"),
        request.clone().s3_bucket("other"),
        request.clone().s3_bucket_owner("000000000000"),
        request.clone().s3_sse_algorithm(S3SseAlgorithm::Aes256),
        request.clone().export_time(time),
    ] {
        assert_eq!(code(changed.send().await), "ExportConflictException");
    }
    let third = request.client_token("another").send().await.unwrap().export_description.unwrap();
    assert_ne!(third.export_arn(), Some(&*started[0]));
}

#[tokio::test]
async fn an_export_that_cannot_be_made_is_refused() {
    let aws = with_table().await;
    let now = export(&aws, request(&aws).await).await.start_time.unwrap();
    let other = arn(&aws.dynamodb).await.replace(TABLE, "other");
    let elsewhere = "arn:aws:dynamodb:eu-central-1:123456789012:table/users";

    for (refused, expected) in [
        (request(&aws).await.table_arn(other), "TableNotFoundException"),
        (request(&aws).await.table_arn(elsewhere), "TableNotFoundException"),
        (request(&aws).await.table_arn("users"), "ValidationException"),
        (request(&aws).await.s3_bucket(""), "ValidationException"),
        (request(&aws).await.export_format(ExportFormat::Ion), "ValidationException"),
        (request(&aws).await.export_type(ExportType::IncrementalExport), "ValidationException"),
        (request(&aws).await.export_time(DateTime::from_secs(now.secs() + 600)), "InvalidExportTimeException"),
        (request(&aws).await.export_time(DateTime::from_secs(now.secs() - 301)), "InvalidExportTimeException"),
    ] {
        let asked = format!("{:?}", refused.as_input());
        assert_eq!(code(refused.send().await), expected, "{asked}");
    }
    assert_eq!(aws.dynamodb.list_exports().send().await.unwrap().export_summaries().len(), 1);

    let recent = DateTime::from_secs(now.secs() - 200);
    let export = export(&aws, request(&aws).await.export_time(recent)).await;
    assert_eq!(export.export_time(), Some(&recent));
}

#[tokio::test]
async fn an_export_to_a_bucket_that_is_missing_fails() {
    let aws = with_table().await;

    let export = export(&aws, request(&aws).await.s3_bucket("missing")).await;

    assert_eq!(export.export_status(), Some(&ExportStatus::Failed));
    assert_eq!(export.failure_code(), Some("S3NoSuchBucket"));
    assert!(export.failure_message().is_some_and(|message| !message.is_empty()));
    assert!(export.end_time().is_some() && export.export_manifest().is_none());
}

#[tokio::test]
async fn an_export_whose_keys_s3_cannot_store_fails() {
    let aws = with_table().await;

    let export = export(&aws, request(&aws).await.s3_prefix("a".repeat(200))).await;

    assert_eq!(export.export_status(), Some(&ExportStatus::Failed));
    assert_eq!(export.failure_code(), Some("S3InternalError"));
}

#[tokio::test]
async fn an_unknown_export_is_not_found() {
    let aws = with_table().await;
    let unknown = format!("{}/export/01700000000000-0123abcd", arn(&aws.dynamodb).await);

    assert_eq!(code(aws.dynamodb.describe_export().export_arn(unknown).send().await), "ExportNotFoundException");
}

#[tokio::test]
async fn exports_are_listed_page_by_page_newest_first() {
    let aws = with_table().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, export(&aws, request(&aws).await).await.export_arn.unwrap());
    }

    let mut listed = Vec::new();
    let mut pages = 0;
    let mut from = None;
    loop {
        let page = aws.dynamodb.list_exports().table_arn(arn(&aws.dynamodb).await).max_results(2);
        let page = page.set_next_token(from.take()).send().await.unwrap();
        listed.extend(page.export_summaries().iter().map(|export| export.export_arn().unwrap().to_owned()));
        pages += 1;
        from = page.next_token;
        if from.is_none() {
            break;
        }
    }

    assert_eq!((pages, listed), (3, expected));
    let of_another = aws.dynamodb.list_exports().table_arn("arn:aws:dynamodb:dynoxide:000000000000:table/other");
    assert!(of_another.send().await.unwrap().export_summaries().is_empty());
    assert_eq!(code(aws.dynamodb.list_exports().max_results(26).send().await), "ValidationException");
    assert_eq!(code(aws.dynamodb.list_exports().next_token("none").send().await), "ValidationException");
}

#[tokio::test]
async fn point_in_time_recovery_is_enabled_for_every_table() {
    let aws = with_table().await;

    for name in [TABLE.to_owned(), arn(&aws.dynamodb).await] {
        let described = aws.dynamodb.describe_continuous_backups().table_name(name).send().await.unwrap();
        let backups = described.continuous_backups_description.unwrap();
        assert_eq!(backups.continuous_backups_status(), &ContinuousBackupsStatus::Enabled);
        let recovery = backups.point_in_time_recovery_description().unwrap();
        assert_eq!(recovery.point_in_time_recovery_status(), Some(&PointInTimeRecoveryStatus::Enabled));
        assert!(recovery.earliest_restorable_date_time() < recovery.latest_restorable_date_time());
    }
    let missing = aws.dynamodb.describe_continuous_backups().table_name("missing").send().await;
    assert_eq!(code(missing), "TableNotFoundException");
}

#[tokio::test]
async fn a_refusal_has_the_form_of_dynamodb() {
    let aws = with_table().await;
    let key = &aws.embedded.credentials().access_key_id;
    let authorization = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request");
    // What the SDK does not send.
    for (operation, body, expected) in [
        ("ExportTableToPointInTime", "{}", "com.amazon.coral.validate#ValidationException"),
        ("ExportTableToPointInTime", "[", "com.amazon.coral.service#SerializationException"),
        ("ExportTableToPointInTime", r#"{"TableArn": 1}"#, "com.amazon.coral.service#SerializationException"),
        ("DescribeExport", "{}", "com.amazon.coral.validate#ValidationException"),
        ("DescribeExport", r#"{"ExportArn": "none"}"#, "com.amazonaws.dynamodb.v20120810#ExportNotFoundException"),
        ("DescribeContinuousBackups", "{}", "com.amazon.coral.validate#ValidationException"),
        (
            "DescribeContinuousBackups",
            r#"{"TableName": "none"}"#,
            "com.amazonaws.dynamodb.v20120810#TableNotFoundException",
        ),
    ] {
        let request = reqwest::Client::new().post(&aws.embedded.endpoints().dynamodb).body(body);
        let request = request.header("authorization", &authorization);
        let answer = request.header("x-amz-target", format!("DynamoDB_20120810.{operation}")).send().await.unwrap();

        assert_eq!(answer.status(), 400, "{operation} {body}");
        assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.0");
        let refusal: Value = answer.json().await.unwrap();
        assert_eq!(refusal["__type"], expected, "{operation} {body}");
        assert!(!refusal["message"].as_str().unwrap().is_empty());
    }
}
