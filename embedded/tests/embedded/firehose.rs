//! Firehose: records are kept, batches have limits and may fail in part.

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use embedded::{Outage, Service};
use serde_json::json;

use crate::Aws;

fn record(data: impl Into<Vec<u8>>) -> Record {
    Record::builder().data(Blob::new(data)).build().unwrap()
}

#[tokio::test]
async fn records_are_kept_newest_first() {
    let aws = Aws::start().await;
    let batch = aws.firehose.put_record_batch().delivery_stream_name("logs");
    let batch = batch.records(record(r#"{"n":1}"#)).records(record("{\"n\":2}\n"));
    assert_eq!(batch.send().await.unwrap().failed_put_count(), 0);
    let put = aws.firehose.put_record().delivery_stream_name("logs").record(record("not JSON"));
    put.send().await.unwrap();

    let logs = aws.embedded.received().logs();

    assert_eq!(
        logs.iter().map(|log| log.data.clone()).collect::<Vec<_>>(),
        [json!("not JSON"), json!({ "n": 2 }), json!({ "n": 1 })]
    );
    assert!(logs.iter().all(|log| log.stream == "logs"));
}

#[tokio::test]
async fn a_partial_failure_names_the_refused_records_and_keeps_the_others() {
    let aws = Aws::start().await;
    aws.embedded.set_outage(Service::Firehose, Outage::PartialFailure);

    let records = (0..3).map(|number| record(number.to_string())).collect();
    let batch = aws.firehose.put_record_batch().delivery_stream_name("logs").set_records(Some(records));
    let answer = batch.send().await.unwrap();

    assert_eq!(answer.failed_put_count(), 2);
    let codes: Vec<_> = answer.request_responses().iter().map(|response| response.error_code()).collect();
    assert_eq!(codes, [Some("ServiceUnavailableException"), None, Some("ServiceUnavailableException")]);
    assert_eq!(aws.embedded.received().logs().len(), 1);
    let put = aws.firehose.put_record().delivery_stream_name("logs").record(record("x")).send().await;
    assert!(put.unwrap_err().into_service_error().is_service_unavailable_exception());
}

#[tokio::test]
async fn a_batch_beyond_the_limits_is_refused_whole() {
    let aws = Aws::start().await;
    for (case, records) in [
        ("no records", vec![]),
        ("501 records", vec![record("x"); 501]),
        ("a record over 1000 KiB", vec![record(vec![b'x'; 1000 * 1024 + 1])]),
        ("more than 4 MiB", vec![record(vec![b'x'; 1000 * 1024]); 5]),
    ] {
        let batch = aws.firehose.put_record_batch().delivery_stream_name("logs").set_records(Some(records));
        let error = batch.send().await.unwrap_err().into_service_error();
        assert!(error.is_invalid_argument_exception(), "{case}: {error:?}");
    }
    for stream in ["", "logs/1", &"s".repeat(65)] {
        let put = aws.firehose.put_record().delivery_stream_name(stream).record(record("x")).send().await;
        assert!(put.unwrap_err().into_service_error().is_invalid_argument_exception(), "{stream}");
    }
    assert!(aws.embedded.received().logs().is_empty());
}

#[tokio::test]
async fn records_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    let put = aws.firehose.put_record().delivery_stream_name("logs").record(record(r#"{"n":1}"#));
    put.send().await.unwrap();
    let before = aws.embedded.received().logs();
    aws.embedded.stop().await;

    assert_eq!(Aws::start_in(folder.path()).await.embedded.received().logs(), before);
}
