//! The embedded servers as the AWS SDK and a browser see them.
#![allow(clippy::unwrap_used, reason = "what a test sets up fails as loudly as the test itself")]

use std::path::Path;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation};
use embedded::{Embedded, Notification, Options, Rule};

mod callers;
mod changes;
mod dynamodb;
mod events;
mod export;
mod feedback;
mod firehose;
mod run;
mod s3;
mod ses;
mod sqs;

const UPLOADS: &str = "uploads";
const UPLOADED: &str = "uploaded";
/// What gets the events of `com.example.users` on the bus `events`.
const PUBLISHED: &str = "published";

/// Running servers and a client of each.
struct Aws {
    embedded: Embedded,
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    ses: aws_sdk_sesv2::Client,
    firehose: aws_sdk_firehose::Client,
    events: aws_sdk_eventbridge::Client,
}

impl Aws {
    async fn start() -> Self {
        Self::of(Embedded::start(options(None)).await.unwrap())
    }

    async fn start_in(data: &Path) -> Self {
        Self::of(Embedded::start(options(Some(data))).await.unwrap())
    }

    fn of(embedded: Embedded) -> Self {
        let at = embedded.endpoints();
        let credentials = embedded.credentials();
        let credentials = Credentials::from_keys(&credentials.access_key_id, &credentials.secret_access_key, None);
        let http = aws_connector::client(aws_connector::connector(aws_connector::Trust::Amazon).unwrap());
        // The clients are of different types with the same builder.
        macro_rules! client {
            ($sdk:ident, $endpoint:expr $(, $set:ident($value:expr))*) => {{
                let config = $sdk::Config::builder()
                    .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                    .region(Region::new("eu-central-1"))
                    .credentials_provider(credentials.clone())
                    .retry_config($sdk::config::retry::RetryConfig::disabled())
                    .http_client(http.clone())
                    .endpoint_url($endpoint)
                    $(.$set($value))*;
                $sdk::Client::from_conf(config.build())
            }};
        }
        Self {
            dynamodb: client!(aws_sdk_dynamodb, &at.dynamodb),
            s3: client!(
                aws_sdk_s3,
                &at.s3,
                force_path_style(true),
                request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            ),
            sqs: client!(aws_sdk_sqs, &at.sqs),
            ses: client!(aws_sdk_sesv2, &at.ses),
            firehose: client!(aws_sdk_firehose, &at.firehose),
            events: client!(aws_sdk_eventbridge, &at.events),
            embedded,
        }
    }
}

fn options(data: Option<&Path>) -> Options {
    Options {
        data: data.map(Path::to_owned),
        notifications: vec![Notification { bucket: UPLOADS.to_owned(), queue: UPLOADED.to_owned() }],
        rules: vec![Rule {
            bus: "events".to_owned(),
            sources: vec!["com.example.users".to_owned()],
            queue: PUBLISHED.to_owned(),
        }],
        ..Options::default()
    }
}
