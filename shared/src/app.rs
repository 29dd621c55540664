//! What a function holds while it runs: configuration, clock and clients.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_connector::Trust;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use http_body_util::BodyExt;
use lambda_http::http::{Request, Response};

use crate::clock::Clock;
use crate::config::{Aws, Config, Endpoints};
use crate::domain::email::NormalizedEmail;
use crate::domain::imported::PasswordKind;
use crate::error::{Causes, Error, Result as Outcome};
use crate::hashing::Hasher;
use crate::population::PopulationCache;
use crate::store::{KeyStore, OPERATION, RetryConflicts, Store};
use crate::tokens::keys::Keys;

/// How long one attempt at a call to AWS may take, of a picture until it begins to come; the SDK tries again after that.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(3);
/// How long a picture may stop coming.
const STALLED: Duration = Duration::from_secs(5);

/// Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    pub config: Config,
    pub clock: Clock,
    pub hasher: Hasher,
    aws: SdkConfig,
    connector: SharedHttpConnector,
    population: PopulationCache,
    store: OnceLock<Store>,
    eventbridge: OnceLock<aws_sdk_eventbridge::Client>,
    keys: OnceLock<Keys>,
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

/// Why a function cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("invalid password hash parameters: {0}")]
    PasswordHash(argon2::Error),
    #[error("invalid certificate authorities: {0}")]
    Authorities(#[from] aws_connector::Error),
}

impl App {
    /// # Errors
    /// When argon2 does not take the configured cost, or TLS the certificate authorities.
    pub fn new(config: Config, clock: Clock) -> Result<Self, StartError> {
        let network = network(&config)?;
        Self::with_connector(config, clock, network)
    }

    /// Calls AWS through a connector of the caller's.
    ///
    /// # Errors
    /// When argon2 does not take the configured cost.
    pub fn with_connector(config: Config, clock: Clock, connector: SharedHttpConnector) -> Result<Self, StartError> {
        Ok(Self(Arc::new(Inner {
            hasher: Hasher::new(&config.password_hash).map_err(StartError::PasswordHash)?,
            aws: sdk_config(&config.aws, aws_connector::client(connector.clone())),
            connector,
            population: PopulationCache::default(),
            clock,
            config,
            store: OnceLock::new(),
            eventbridge: OnceLock::new(),
            keys: OnceLock::new(),
            firehose: OnceLock::new(),
            s3: OnceLock::new(),
            ses: OnceLock::new(),
            sqs: OnceLock::new(),
        })))
    }
}

/// Each is made when it is first asked for: a function starts only the clients that it uses, and of those that it does not use
/// it carries the table's alone.
impl Inner {
    pub fn store(&self) -> &Store {
        self.store.get_or_init(|| {
            let db = dynamodb(&at(&self.aws, self.config.aws.endpoints.dynamodb.as_ref()));
            Store::new(db, self.config.tables.main.clone(), self.config.events.activity_life)
        })
    }

    pub fn keys(&self) -> &Keys {
        self.keys.get_or_init(|| {
            let store = self.store();
            let private = KeyStore::new(store.client().clone(), self.config.tables.keys.clone());
            Keys::new(store.clone(), private, self.config.tokens.algorithm)
        })
    }

    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.store().client()
    }

    pub fn eventbridge(&self) -> &aws_sdk_eventbridge::Client {
        self.eventbridge.get_or_init(|| {
            aws_sdk_eventbridge::Client::new(&at(&self.aws, self.config.aws.endpoints.eventbridge.as_ref()))
        })
    }

    pub fn firehose(&self) -> &aws_sdk_firehose::Client {
        self.firehose
            .get_or_init(|| aws_sdk_firehose::Client::new(&at(&self.aws, self.config.aws.endpoints.firehose.as_ref())))
    }

    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let endpoints = &self.config.aws.endpoints;
            let config = aws_sdk_s3::config::Builder::from(&at(&self.aws, endpoints.s3.as_ref()))
                .force_path_style(endpoints.s3_path_style())
                .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALLED).build());
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    pub fn ses(&self) -> &aws_sdk_sesv2::Client {
        self.ses.get_or_init(|| aws_sdk_sesv2::Client::new(&at(&self.aws, self.config.aws.endpoints.ses.as_ref())))
    }

    /// Sends a request to AWS that is signed already, over the connections that the clients share.
    ///
    /// # Errors
    /// [`Error::TemporarilyUnavailable`] when no answer comes in time.
    pub async fn send(&self, request: Request<String>, timeout: Duration) -> Outcome<Response<Vec<u8>>> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).map_err(Error::internal)?;
        let exchange = async {
            let answer =
                self.connector.call(request).await.map_err(|error| Error::TemporarilyUnavailable(error.into()))?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(Error::TemporarilyUnavailable)?;
            Response::builder().status(status).body(body.to_bytes().to_vec()).map_err(Error::internal)
        };
        let late = |elapsed| Err(Error::TemporarilyUnavailable(Box::new(elapsed)));
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(late)
    }

    /// The kind of password that an address passes for if no account has it: drawn by what is counted here, which is read once a
    /// minute.
    ///
    /// # Errors
    /// When the counts cannot be read and never were, or the key of the draw cannot be.
    pub async fn passes_for(&self, address: &NormalizedEmail) -> Outcome<PasswordKind> {
        let population = self.population.get(self.store(), self.clock.now()).await?;
        if !population.has_imported() {
            return Ok(PasswordKind::Own);
        }
        let mac = self.keys().population_mac().await?.sign(address.as_str().as_bytes());
        let mut drawn = [0; 8];
        drawn.copy_from_slice(&mac[..8]);
        Ok(population.kind_for(drawn))
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
/// time out instead of failing, there are three. A transaction that is still under way has waits of its own, see
/// [`RetryConflicts`].
pub(crate) fn dynamodb(aws: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let retries = RetryConfig::standard().with_max_attempts(8).with_initial_backoff(Duration::from_millis(25));
    let timeout = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
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

/// What all clients have in common: one HTTP client, so one pool of connections.
fn sdk_config(aws: &Aws, http_client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(aws.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(aws.credentials()))
        .http_client(http_client)
        // A connection that died while the function was frozen must not hold a request until the gateway gives up on it.
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
        // That timeout holds for the whole answer, but for a picture, which comes as a stream.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// The connections over which AWS is called.
///
/// # Errors
/// When TLS does not take the certificate authorities.
pub fn network(config: &Config) -> Result<SharedHttpConnector, StartError> {
    Ok(aws_connector::connector(trust(&config.aws.endpoints))?)
}

/// Amazon's authorities, unless another server than AWS is called over TLS.
fn trust(endpoints: &Endpoints) -> Trust {
    let all = [
        &endpoints.cognito,
        &endpoints.dynamodb,
        &endpoints.eventbridge,
        &endpoints.firehose,
        &endpoints.s3,
        &endpoints.ses,
        &endpoints.sqs,
    ];
    let elsewhere = all.iter().any(|endpoint| endpoint.as_ref().is_some_and(|url| url.starts_with("https://")));
    if elsewhere { Trust::Machine } else { Trust::Amazon }
}

impl App {
    /// Reads the public keys, so that the first request finds the table's client made, its connection open and the keys
    /// there. A failure is left for the first request to meet.
    pub async fn warm(&self) {
        if let Err(error) = self.keys().verifying("", self.clock.now()).await {
            tracing::warn!(error.message = %Causes(&error), "the first read failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_alone_is_trusted_until_another_server_is_called_over_tls() {
        let (aws, plain, tls) = (None, Some("http://127.0.0.1:1".to_owned()), Some("https://127.0.0.1:1".to_owned()));
        for (s3, sqs, trusted) in [
            (&aws, &aws, Trust::Amazon),
            (&aws, &plain, Trust::Amazon),
            (&plain, &plain, Trust::Amazon),
            (&aws, &tls, Trust::Machine),
        ] {
            let endpoints = Endpoints { s3: s3.clone(), sqs: sqs.clone(), ..Endpoints::default() };
            assert_eq!(trust(&endpoints), trusted, "{endpoints:?}");
        }
    }
}
