//! AWS: region, credentials, endpoints and tables.

use aws_credential_types::Credentials;
use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;

/// Where AWS is and who we are there. In Lambda all of it is set by the service.
#[derive(Debug, Clone)]
pub struct Aws {
    /// `AWS_REGION`
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: SecretString,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<SecretString>,
    pub endpoints: Endpoints,
}

impl Aws {
    /// They last as long as a Lambda environment does.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        Credentials::new(&self.access_key_id, self.secret_access_key.expose_secret(), token, None, "environment")
    }
}

/// Endpoints other than AWS's own, by the variables that every AWS SDK reads; `AWS_ENDPOINT_URL` sets all at once.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// `AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER`
    pub cognito: Option<String>,
    /// `AWS_ENDPOINT_URL_DYNAMODB`
    pub dynamodb: Option<String>,
    /// `AWS_ENDPOINT_URL_EVENTBRIDGE`
    pub eventbridge: Option<String>,
    /// `AWS_ENDPOINT_URL_FIREHOSE`
    pub firehose: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`
    pub s3: Option<String>,
    /// `AWS_ENDPOINT_URL_SESV2`
    pub ses: Option<String>,
    /// `AWS_ENDPOINT_URL_SQS`
    pub sqs: Option<String>,
}

impl Endpoints {
    /// Whether buckets are in the path of URLs. They are host names only on AWS; other endpoints do not have such names.
    #[must_use]
    pub const fn s3_path_style(&self) -> bool {
        self.s3.is_some()
    }
}

/// The two tables; `store/schema.rs` has their layout.
#[derive(Debug, Clone)]
pub struct Tables {
    /// `TABLE_NAME`: users, sessions, emails, links, counters and the public halves of signing keys.
    pub main: String,
    /// `KEYS_TABLE_NAME`: private signing keys and MAC keys.
    pub keys: String,
}

impl Aws {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let all = reader.optional("AWS_ENDPOINT_URL");
        let endpoint = |name| reader.optional(name).or_else(|| all.clone());
        let endpoints = Endpoints {
            cognito: endpoint("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"),
            dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            eventbridge: endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            firehose: endpoint("AWS_ENDPOINT_URL_FIREHOSE"),
            s3: endpoint("AWS_ENDPOINT_URL_S3"),
            ses: endpoint("AWS_ENDPOINT_URL_SESV2"),
            sqs: endpoint("AWS_ENDPOINT_URL_SQS"),
        };
        Self {
            region: reader.required("AWS_REGION"),
            access_key_id: reader.required("AWS_ACCESS_KEY_ID"),
            secret_access_key: reader.required("AWS_SECRET_ACCESS_KEY").into(),
            session_token: reader.optional("AWS_SESSION_TOKEN").map(Into::into),
            endpoints,
        }
    }
}

impl Tables {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { main: reader.required("TABLE_NAME"), keys: reader.required("KEYS_TABLE_NAME") }
    }
}
