//! Who is answered at all: programs of this machine that know the credentials, and no web page.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use embedded::{Endpoints, Options, Outage, Service};
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::{Aws, options};

/// A request as the SDK makes it, but for what a test is about.
fn request(url: &str, key: Option<&str>) -> RequestBuilder {
    let request = reqwest::Client::new().post(url).header("content-type", "application/x-amz-json-1.0");
    let request = request.header("x-amz-target", "DynamoDB_20120810.ListTables").body("{}");
    match key {
        None => request,
        Some(key) => request.header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0"
            ),
        ),
    }
}

fn all(endpoints: &Endpoints) -> [&str; 6] {
    let Endpoints { dynamodb, s3, sqs, ses, firehose, events } = endpoints;
    [dynamodb, s3, sqs, ses, firehose, events]
}

#[tokio::test]
async fn no_server_answers_for_a_foreign_host_or_a_foreign_page() {
    let aws = Aws::start().await;
    let key = aws.embedded.credentials().access_key_id.clone();
    let send = async |url: &str, name: &str, value: &str| {
        let answer = request(url, Some(&key)).header(name, value).send().await.unwrap();
        (answer.status(), answer.headers().contains_key("access-control-allow-origin"), answer.text().await.unwrap())
    };
    for outage in [Outage::None, Outage::Unavailable, Outage::AnswerLost, Outage::Conflict { times: 1 }] {
        for service in
            [Service::DynamoDb, Service::S3, Service::Sqs, Service::Ses, Service::Firehose, Service::EventBridge]
        {
            aws.embedded.set_outage(service, outage);
        }
        for url in all(aws.embedded.endpoints()) {
            for (name, value) in [
                ("host", "evil.example"),
                ("host", "127.0.0.1.evil.example"),
                ("origin", "https://evil.example"),
                ("origin", "null"),
            ] {
                let (status, readable, text) = send(url, name, value).await;
                assert_eq!((status, readable), (StatusCode::FORBIDDEN, false), "{url} {name}: {value}");
                assert!(text.contains("are rejected"), "{url} {name}: {value}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn no_server_but_s3_answers_any_page_at_all() {
    let aws = Aws::start().await;
    let Endpoints { dynamodb, sqs, ses, firehose, events, .. } = aws.embedded.endpoints();
    let key = &aws.embedded.credentials().access_key_id;
    for url in [dynamodb, sqs, ses, firehose, events] {
        for (name, value) in [("origin", "http://localhost:3000"), ("sec-fetch-site", "cross-site")] {
            let answer = request(url, Some(key)).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{url} {name}: {value}");
        }
        let preflight = reqwest::Client::new().request(Method::OPTIONS, url).header("origin", "http://localhost:3000");
        let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
        assert_eq!(preflight.status(), StatusCode::FORBIDDEN, "{url}");
    }
}

/// What a page can send without asking first: a form's body, without a header of its own.
#[tokio::test]
async fn a_pages_form_puts_no_email_into_the_mailbox() {
    let aws = Aws::start().await;
    let url = format!("{}/v2/email/outbound-emails", aws.embedded.endpoints().ses);
    let mail = r#"{"FromEmailAddress":"a@example.com","Destination":{"ToAddresses":["b@example.com"]},
        "Content":{"Simple":{"Subject":{"Data":"x"},"Body":{"Text":{"Data":"x"}}}}}"#;
    for origin in [None, Some("https://evil.example"), Some("http://localhost:3000")] {
        let form = reqwest::Client::new().post(&url).header("content-type", "text/plain").body(mail);
        let form = origin.into_iter().fold(form, |form, origin| form.header("origin", origin));
        assert_eq!(form.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert!(aws.embedded.received().mails().is_empty());
}

#[tokio::test]
async fn no_server_answers_without_the_credentials_of_this_start() {
    let (aws, other) = (Aws::start().await, Aws::start().await);
    let (own, others) = (aws.embedded.credentials(), other.embedded.credentials());
    assert_ne!(own.access_key_id, others.access_key_id);
    assert_ne!(own.secret_access_key, others.secret_access_key);
    assert!(!format!("{own:?}").contains(&own.secret_access_key));

    let Endpoints { dynamodb, sqs, ses, firehose, events, .. } = aws.embedded.endpoints();
    for (url, status) in [(dynamodb, 400), (sqs, 403), (ses, 403), (firehose, 403), (events, 403)] {
        for (key, code) in [
            (None, "MissingAuthenticationTokenException"),
            (Some("EMBEDDED"), "UnrecognizedClientException"),
            (Some(""), "UnrecognizedClientException"),
            (Some(others.access_key_id.as_str()), "UnrecognizedClientException"),
        ] {
            let answer = request(url, key).send().await.unwrap();
            assert_eq!(answer.status(), status, "{url} {key:?}");
            assert_eq!(answer.headers()["x-amzn-errortype"], code, "{url} {key:?}");
        }
    }
    let config = aws.sqs.config().to_builder();
    let stranger = aws_credential_types::Credentials::from_keys(&others.access_key_id, "secret", None);
    let stranger = aws_sdk_sqs::Client::from_conf(config.credentials_provider(stranger).build());
    assert_eq!(stranger.list_queues().send().await.unwrap_err().code(), Some("UnrecognizedClientException"));
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_upload_and_no_others() {
    let origins = "https://app.example.com".parse().unwrap();
    let aws = Aws::of(embedded::Embedded::start(Options { origins, ..options(None) }).await.unwrap());
    for (origin, allowed) in [("https://app.example.com", true), ("http://localhost:3000", false)] {
        let preflight = reqwest::Client::new().request(Method::OPTIONS, &aws.embedded.endpoints().s3);
        let preflight = preflight.header("origin", origin).header("access-control-request-method", "PUT");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status().is_success(), allowed, "{origin}");
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn data_outlives_the_credentials_it_was_written_with() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    let id = aws.embedded.credentials().access_key_id.clone();
    aws.s3.create_bucket().bucket("uploads").send().await.unwrap();
    aws.s3.put_object().bucket("uploads").key("key").body(b"12345".to_vec().into()).send().await.unwrap();
    aws.embedded.stop().await;

    let aws = Aws::start_in(folder.path()).await;
    assert_ne!(aws.embedded.credentials().access_key_id, id);
    let object = aws.s3.get_object().bucket("uploads").key("key").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"12345");
}
