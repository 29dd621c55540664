//! S3: signatures, what comes back of an object, uploads from a browser, and events.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::{Aws, UPLOADED, UPLOADS};

/// Of a front end on this machine.
const SITE: &str = "http://localhost:3000";

async fn with_bucket() -> Aws {
    let aws = Aws::start().await;
    aws.s3.create_bucket().bucket(UPLOADS).send().await.unwrap();
    aws.sqs.create_queue().queue_name(UPLOADED).send().await.unwrap();
    aws
}

async fn presigned(aws: &Aws, key: &str, config: PresigningConfig) -> PresignedRequest {
    let put = aws.s3.put_object().bucket(UPLOADS).key(key).content_type("image/png").content_length(5);
    put.presigned(config).await.unwrap()
}

async fn for_a_minute(aws: &Aws, key: &str) -> PresignedRequest {
    presigned(aws, key, PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await
}

async fn upload(to: &PresignedRequest, content_type: &str, body: &'static [u8]) -> Response {
    let put = reqwest::Client::new().put(to.uri()).header("content-type", content_type).header("origin", SITE);
    put.body(body).send().await.unwrap()
}

/// The events in the queue; they are taken out.
async fn events(aws: &Aws) -> Vec<Value> {
    let url = aws.sqs.get_queue_url().queue_name(UPLOADED).send().await.unwrap().queue_url.unwrap();
    let mut events = Vec::new();
    loop {
        let received = aws.sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
        if received.messages().is_empty() {
            return events;
        }
        events.extend(received.messages().iter().map(|message| serde_json::from_str(message.body().unwrap()).unwrap()));
    }
}

#[tokio::test]
async fn a_presigned_upload_is_stored_and_told_to_the_queue() {
    let aws = with_bucket().await;

    let answer = upload(&for_a_minute(&aws, "a b/ü.png").await, "image/png", b"12345").await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], SITE);
    let told = events(&aws).await;
    assert_eq!(told.len(), 1);
    let record = &told[0]["Records"][0];
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["s3"]["bucket"]["name"], UPLOADS);
    assert_eq!(record["s3"]["object"]["key"], "a+b/%C3%BC.png");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["s3"]["object"]["eTag"], "827ccb0eea8a706c4c34a16891f84e7b");
    let object = aws.s3.get_object().bucket(UPLOADS).key("a b/ü.png").send().await.unwrap();
    assert_eq!(object.content_type(), Some("image/png"));
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"12345");
}

#[tokio::test]
async fn an_upload_that_was_not_signed_for_is_refused_and_not_stored() {
    let aws = with_bucket().await;
    let signed = for_a_minute(&aws, "key").await;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(480_000);
    let expired = PresigningConfig::builder().start_time(long_ago).expires_in(Duration::from_mins(1)).build().unwrap();
    let expired = presigned(&aws, "key", expired).await;

    for (case, to, content_type, body) in [
        ("another type", &signed, "text/html", b"12345".as_slice()),
        ("more bytes", &signed, "image/png", b"123456"),
        ("fewer bytes", &signed, "image/png", b"1234"),
        ("too late", &expired, "image/png", b"12345"),
    ] {
        assert_eq!(upload(to, content_type, body).await.status(), 403, "{case}");
    }

    assert!(aws.s3.list_objects_v2().bucket(UPLOADS).send().await.unwrap().contents().is_empty());
    assert!(events(&aws).await.is_empty());
}

#[tokio::test]
async fn an_object_that_may_not_be_there_yet_is_put_once() {
    let aws = with_bucket().await;
    let put = || aws.s3.put_object().bucket(UPLOADS).key("key").if_none_match("*").body(vec![7; 1 << 20].into()).send();

    let answers = (0..10).map(|_| put()).collect::<tokio::task::JoinSet<_>>().join_all().await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = answers.into_iter().filter_map(Result::err);
    assert!(refused.into_iter().all(|error| error.code() == Some("PreconditionFailed")));
    assert_eq!(events(&aws).await.len(), 1);
    aws.s3.delete_object().bucket(UPLOADS).key("key").send().await.unwrap();
    put().await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_and_no_signature_are_refused() {
    let aws = with_bucket().await;
    let config = aws.s3.config().to_builder();
    let id = &aws.embedded.credentials().access_key_id;
    let stranger = aws_credential_types::Credentials::from_keys(id, "another-secret", None);
    let stranger = aws_sdk_s3::Client::from_conf(config.credentials_provider(stranger).build());

    let error = stranger.list_objects_v2().bucket(UPLOADS).send().await.unwrap_err();
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
    let url = format!("{}/{UPLOADS}/key", aws.embedded.endpoints().s3);
    assert_eq!(reqwest::get(url).await.unwrap().status(), 403);
}

async fn preflight(aws: &Aws, origin: &str, method: &str, headers: &str) -> Response {
    let preflight = reqwest::Client::new()
        .request(Method::OPTIONS, for_a_minute(aws, "key").await.uri())
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    preflight.send().await.unwrap()
}

#[tokio::test]
async fn a_browser_may_upload_from_a_page_of_this_machine() {
    let aws = with_bucket().await;

    let answer = preflight(&aws, SITE, "PUT", "content-type, if-none-match").await;

    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("access-control-allow-origin", SITE),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "content-type, if-none-match"),
        ("access-control-max-age", "3600"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    for (case, origin, method, headers) in [
        ("another site", "https://evil.example", "PUT", "content-type"),
        ("a sandboxed page", "null", "PUT", "content-type"),
        ("another method", SITE, "DELETE", "content-type"),
        ("another header", SITE, "PUT", "content-type, x-amz-acl"),
    ] {
        let answer = preflight(&aws, origin, method, headers).await;
        assert_eq!(answer.status(), 403, "{case}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{case}");
    }
}

/// The tests of its kind that other makers have met: a URL that was signed for one thing was used for another (rustfs 7425).
#[tokio::test]
async fn a_header_that_was_not_signed_is_refused_and_named() {
    let aws = with_bucket().await;
    let signed = for_a_minute(&aws, "key").await;
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-meta-owner", "eve"),
        ("X-Amz-Storage-Class", "GLACIER"),
        ("x-amz-copy-source", "/uploads/other"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
    ] {
        let put = reqwest::Client::new().put(signed.uri()).header("content-type", "image/png").header(name, value);
        let answer = put.body("12345").send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
        let error = answer.text().await.unwrap();
        assert!(error.contains("<Code>AccessDenied</Code>"), "{error}");
        assert!(error.contains(&format!("<HeadersNotSigned>{}<", name.to_lowercase())), "{error}");
    }
    assert!(aws.s3.list_objects_v2().bucket(UPLOADS).send().await.unwrap().contents().is_empty());

    let put = aws.s3.put_object().bucket(UPLOADS).key("key").metadata("owner", "ada");
    let signed = put.presigned(PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await.unwrap();
    let put = reqwest::Client::new().put(signed.uri()).header("x-amz-meta-owner", "ada").body("12345");
    assert_eq!(put.send().await.unwrap().status(), 200, "what was signed is taken");
}

#[tokio::test]
async fn an_object_comes_back_with_its_type_and_caching() {
    let aws = with_bucket().await;
    let put = aws.s3.put_object().bucket(UPLOADS).key("a/1").content_type("image/jpeg").cache_control("max-age=60");
    put.metadata("upload", "7").body(b"picture".to_vec().into()).send().await.unwrap();

    let got = aws.s3.get_object().bucket(UPLOADS).key("a/1").send().await.unwrap();
    let head = aws.s3.head_object().bucket(UPLOADS).key("a/1").send().await.unwrap();

    assert_eq!((got.content_type(), got.cache_control()), (Some("image/jpeg"), Some("max-age=60")));
    assert_eq!((head.content_type(), head.cache_control()), (Some("image/jpeg"), Some("max-age=60")));
    assert_eq!(head.content_length(), Some(7));
    assert_eq!(head.metadata().unwrap()["upload"], "7");
    assert_eq!(head.e_tag(), got.e_tag());
}

#[tokio::test]
async fn the_sdks_own_checksum_is_verified() {
    let aws = with_bucket().await;
    let config = aws.s3.config().to_builder().request_checksum_calculation(RequestChecksumCalculation::WhenSupported);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());

    s3.put_object().bucket(UPLOADS).key("key").body(b"x".to_vec().into()).send().await.unwrap();
    let wrong = s3.put_object().bucket(UPLOADS).key("key").body(b"x".to_vec().into()).checksum_crc32("AAAAAA==");

    assert_eq!(wrong.send().await.unwrap_err().code(), Some("BadDigest"));
}

#[tokio::test]
async fn objects_are_listed_by_prefix_and_deleted() {
    let aws = with_bucket().await;
    for key in ["user/1/a", "user/1/b", "user/10/a"] {
        aws.s3.put_object().bucket(UPLOADS).key(key).body(b"x".to_vec().into()).send().await.unwrap();
    }

    let listed = aws.s3.list_objects_v2().bucket(UPLOADS).prefix("user/1/").send().await.unwrap();
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["user/1/a", "user/1/b"]);

    for key in ["user/1/a", "user/1/b", "user/10/a", "user/10/a"] {
        aws.s3.delete_object().bucket(UPLOADS).key(key).send().await.unwrap();
    }
    assert!(aws.s3.list_objects_v2().bucket(UPLOADS).send().await.unwrap().contents().is_empty());
}

#[tokio::test]
async fn what_does_not_exist_is_said_by_its_name() {
    let aws = with_bucket().await;
    aws.s3.put_object().bucket(UPLOADS).key("folder/key").body(b"x".to_vec().into()).send().await.unwrap();

    for key in ["missing", "folder"] {
        let error = aws.s3.get_object().bucket(UPLOADS).key(key).send().await.unwrap_err();
        assert!(error.into_service_error().is_no_such_key(), "{key}");
        let error = aws.s3.head_object().bucket(UPLOADS).key(key).send().await.unwrap_err();
        assert!(error.into_service_error().is_not_found(), "{key}");
    }
    let error = aws.s3.get_object().bucket("nowhere").key("key").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
    let error = aws.s3.put_object().bucket("nowhere").key("key").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
    let error = aws.s3.delete_object().bucket("nowhere").key("key").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn an_event_waits_for_its_queue() {
    let aws = Aws::start().await;
    aws.s3.create_bucket().bucket(UPLOADS).send().await.unwrap();
    upload(&for_a_minute(&aws, "key").await, "image/png", b"12345").await;

    aws.sqs.create_queue().queue_name(UPLOADED).send().await.unwrap();

    assert_eq!(events(&aws).await.len(), 1);
}

#[tokio::test]
async fn later_events_have_greater_sequencers() {
    let aws = with_bucket().await;
    for _ in 0..3 {
        aws.s3.put_object().bucket(UPLOADS).key("key").body(b"x".to_vec().into()).send().await.unwrap();
    }

    let events = events(&aws).await;
    let sequencers = events.iter().map(|event| event["Records"][0]["s3"]["object"]["sequencer"].as_str().unwrap());

    assert!(sequencers.is_sorted_by(|earlier, later| earlier < later));
}

#[tokio::test]
async fn objects_left_from_an_earlier_run_are_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    aws.s3.create_bucket().bucket(UPLOADS).send().await.unwrap();
    aws.s3.put_object().bucket(UPLOADS).key("left").body(b"x".to_vec().into()).send().await.unwrap();
    aws.embedded.stop().await;

    let aws = Aws::start_in(folder.path()).await;
    aws.embedded.send_test_events();
    aws.embedded.resend_notifications().await;
    aws.sqs.create_queue().queue_name(UPLOADED).send().await.unwrap();

    let told = events(&aws).await;
    assert_eq!(told[0]["Event"], "s3:TestEvent");
    assert_eq!(told[1]["Records"][0]["s3"]["object"]["key"], "left");
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn a_browser_is_let_see_an_outage() {
    use embedded::{Outage, Service};
    let aws = with_bucket().await;
    let signed = for_a_minute(&aws, "key").await;
    aws.embedded.set_outage(Service::S3, Outage::Unavailable);

    let answer = upload(&signed, "image/png", b"12345").await;

    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["access-control-allow-origin"], SITE);
    let error = aws.s3.list_objects_v2().bucket(UPLOADS).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ServiceUnavailable"));
}
