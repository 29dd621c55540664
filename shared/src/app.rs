//! What a function holds while it runs: configuration, clock and clients, made once at cold start.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_types::SdkConfig;
use secrecy::ExposeSecret;

use crate::clock::Clock;
use crate::config::{Aws, Config};
use crate::error::Causes;
use crate::hashing::Hasher;
use crate::store::{KeyStore, RetryConflicts, Store};
use crate::tokens::keys::Keys;

/// How long one attempt at a call to AWS may take until the answer begins; the SDK tries again after that.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(3);

/// The certificate authorities of <https://www.amazontrust.com/repository/>, which every endpoint of AWS is certified by.
/// Amazon announces a new one years before it is needed.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    pub config: Config,
    pub clock: Clock,
    pub store: Store,
    pub keys: Keys,
    pub hasher: Hasher,
    aws: SdkConfig,
    firehose: OnceLock<aws_sdk_firehose::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    ses: OnceLock<aws_sdk_sesv2::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// # Errors
    /// When argon2 does not take the configured cost.
    pub fn new(config: Config, clock: Clock) -> Result<Self, argon2::Error> {
        let aws = sdk_config(&config.aws);
        let db = dynamodb(&at(&aws, config.aws.endpoints.dynamodb.as_ref()));
        let store = Store::new(db.clone(), config.tables.main.clone());
        let private = KeyStore::new(db, config.tables.keys.clone());
        Ok(Self(Arc::new(Inner {
            keys: Keys::new(store.clone(), private, config.tokens.algorithm),
            hasher: Hasher::new(&config.password_hash)?,
            store,
            clock,
            config,
            aws,
            firehose: OnceLock::new(),
            s3: OnceLock::new(),
            ses: OnceLock::new(),
            sqs: OnceLock::new(),
        })))
    }
}

/// Each client is made when it is first asked for, so a function carries only the clients that it uses.
impl Inner {
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.store.client()
    }

    pub fn firehose(&self) -> &aws_sdk_firehose::Client {
        self.firehose
            .get_or_init(|| aws_sdk_firehose::Client::new(&at(&self.aws, self.config.aws.endpoints.firehose.as_ref())))
    }

    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let endpoint = self.config.aws.endpoints.s3.as_ref();
            // Buckets become host names on AWS only; another endpoint has no such names.
            let config = aws_sdk_s3::config::Builder::from(&at(&self.aws, endpoint))
                .force_path_style(endpoint.is_some())
                // A checksum that the SDK would add to a presigned upload is one that no browser sends.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    pub fn ses(&self) -> &aws_sdk_sesv2::Client {
        self.ses.get_or_init(|| aws_sdk_sesv2::Client::new(&at(&self.aws, self.config.aws.endpoints.ses.as_ref())))
    }

    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| {
            // A route tells the emailer after its work is done and answers either way: it does not wait long.
            let timeout = TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build();
            let config = aws_sdk_sqs::config::Builder::from(&at(&self.aws, self.config.aws.endpoints.sqs.as_ref()))
                .timeout_config(timeout)
                .retry_config(RetryConfig::standard().with_max_attempts(2));
            aws_sdk_sqs::Client::from_conf(config.build())
        })
    }
}

/// Tries again as AWS recommends for `DynamoDB`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>): soon and often, as what it
/// refuses passes within milliseconds. Seven waits of up to 25, 50, 100, ... ms are 1.6 seconds on average; where attempts
/// time out instead of failing, there are three.
fn dynamodb(aws: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard().with_max_attempts(8).with_initial_backoff(Duration::from_millis(25));
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(3 * ATTEMPT).build();
    let config = aws_sdk_dynamodb::config::Builder::from(aws)
        .retry_config(retries)
        .retry_classifier(RetryConflicts)
        // The SDK rations retries by partition, and all clients of a process share one unless they say otherwise.
        .retry_partition(RetryPartition::custom("dynamodb").build())
        .timeout_config(timeout);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

fn at(aws: &SdkConfig, endpoint: Option<&String>) -> SdkConfig {
    let mut aws = aws.to_builder();
    aws.set_endpoint_url(endpoint.cloned());
    aws.build()
}

/// What all clients have in common: one HTTP client, so one pool of connections. Credentials are those in the environment, which last as long as a Lambda environment does.
fn sdk_config(aws: &Aws) -> SdkConfig {
    let endpoints = &aws.endpoints;
    let all = [&endpoints.dynamodb, &endpoints.firehose, &endpoints.s3, &endpoints.ses, &endpoints.sqs];
    let plain = all.iter().all(|endpoint| endpoint.as_ref().is_some_and(|url| url.starts_with("http://")));
    let http_client = if plain {
        HttpClient::new().build_http()
    } else {
        let tls = HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        tls.tls_context(trust(&all)).build_https()
    };
    let credentials = Credentials::new(
        &aws.access_key_id,
        aws.secret_access_key.expose_secret(),
        aws.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        None,
        "environment",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client)
        // A connection that died while the function was frozen must not hold a request until the gateway gives up on it.
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
        .build()
}

/// Whom a TLS server has to be certified by. AWS needs Amazon's own authorities alone: no other can vouch for it then, and
/// a cold start does not read and parse the hundred and more that a machine trusts. Another server's certificate
/// may come from anywhere, so an `https` endpoint of one brings the machine's authorities back.
fn trust(endpoints: &[&Option<String>]) -> TlsContext {
    let elsewhere = endpoints.iter().any(|endpoint| endpoint.as_ref().is_some_and(|url| url.starts_with("https://")));
    let store = if elsewhere { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) };
    TlsContext::builder().with_trust_store(store).build().expect("nothing that could fail")
}

impl App {
    /// Reads the public keys, so that the first request finds the connection open and the keys there. A failure is
    /// left for the first request to meet.
    pub async fn warm(&self) {
        if let Err(error) = self.keys.verifying("", self.clock.now()).await {
            tracing::warn!(error.message = %Causes(&error), "the first read failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// The fingerprints that <https://www.amazontrust.com/repository/> shows.
    const PUBLISHED: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    #[test]
    fn amazons_authorities_are_those_that_it_publishes() {
        let certificates = AMAZON_ROOTS.split("-----BEGIN CERTIFICATE-----").skip(1);
        let fingerprints: Vec<_> = certificates
            .map(|text| {
                let (body, _) = text.split_once("-----END CERTIFICATE-----").unwrap();
                let der = STANDARD.decode(body.replace('\n', "")).unwrap();
                digest(&SHA256, &der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
            })
            .collect();
        assert_eq!(fingerprints, PUBLISHED);
    }
}
