//! The service to be measured, and a user who is signed in to it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use local::{Options, Stack};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::domain::password::{NewPassword, Password};

use crate::events::INTROSPECTION_CLIENTS;
use crate::samples::Samples;

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";
/// What a function counts as in production here, and never too many.
const LIMITS: [&str; 8] = [
    "LIMIT_FORGOT_PER_IP",
    "LIMIT_LOGIN_PER_IP",
    "LIMIT_PASSKEY_OPTIONS_PER_IP",
    "LIMIT_PASSKEY_PER_IP",
    "LIMIT_REFRESH_PER_IP",
    "LIMIT_REGISTER_PER_IP",
    "LIMIT_SECOND_FACTOR_PER_IP",
    "LIMIT_SEND_PER_IP",
];

pub struct Running {
    pub stack: Stack,
    pub http: Client,
}

impl Running {
    /// In memory, with the default cost of passwords and without limits: they would answer instead of the service.
    pub async fn start() -> Self {
        Self::start_with(HashMap::from([("LIMITS", "off".to_owned())])).await
    }

    /// The same, without the functions that read the table's stream: on AWS they run separately from the one that is measured, and
    /// here on its processors.
    pub async fn start_without_publishers() -> Self {
        Self::start_as(HashMap::from([("LIMITS", "off".to_owned())]), false).await
    }

    /// In memory, with these variables.
    pub async fn start_with(variables: HashMap<&'static str, String>) -> Self {
        Self::start_as(variables, true).await
    }

    async fn start_as(variables: HashMap<&'static str, String>, publishing: bool) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let options = Options { port: 0, variables, publishing, ..Options::default() };
        let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        Self { stack, http: Client::new() }
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let url = format!("{}/api/v1{path}", self.stack.url());
        self.http.post(url).json(body).send().await.expect("an answer")
    }

    /// Registers and confirms.
    pub async fn confirmed(&self, email: &str) {
        let body = json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD });
        assert_eq!(self.post("/auth/register", &body).await.status(), 202);
        let token = self.mailed_token(email).await;
        assert_eq!(self.post("/auth/confirm", &json!({ "token": token })).await.status(), 200);
    }

    /// Moves an account from one address to another: the first is reserved for it then.
    pub async fn moved(&self, from: &str, to: &str) {
        let access_token = self.access_token(from).await;
        let change = self.http.put(format!("{}/api/v1/user", self.stack.url())).bearer_auth(access_token);
        assert_eq!(change.json(&json!({ "email": to })).send().await.expect("an answer").status(), 200);
        let token = self.mailed_token(to).await;
        assert_eq!(self.post("/auth/email/confirm", &json!({ "token": token })).await.status(), 200);
    }

    /// The token of the link in the newest mail to an address, once there is one.
    async fn mailed_token(&self, email: &str) -> String {
        loop {
            let mails = self.http.get(format!("{}/_local/mail", self.stack.url())).send().await.expect("an answer");
            let mails: Value = mails.json().await.expect("JSON");
            let mail = mails.as_array().into_iter().flatten().find(|mail| mail["to"] == email);
            let link = mail
                .and_then(|mail| mail["links"].as_array()?.iter().find_map(|link| link.as_str()?.split_once("token=")));
            if let Some((_, token)) = link {
                return token.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// An access token.
    pub async fn signed_in(&self) -> String {
        self.confirmed(EMAIL).await;
        self.access_token(EMAIL).await
    }

    async fn access_token(&self, email: &str) -> String {
        let answer = self.post("/auth/login", &json!({ "email": email, "password": PASSWORD })).await;
        let answer: Value = answer.json().await.expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// The environment of a function that works on this stack's data, and finds DynamoDB at `dynamodb`. SES stays at
    /// Amazon's address, so that the client for TLS is built as on AWS.
    pub fn function_environment(&self, dynamodb: &str) -> HashMap<&'static str, String> {
        let config = &self.stack.app.config;
        let endpoint = |url: &Option<String>| url.clone().expect("an endpoint");
        let mut environment = HashMap::from([
            ("AWS_REGION", config.aws.region.clone()),
            ("AWS_ACCESS_KEY_ID", config.aws.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", config.aws.secret_access_key.expose_secret().to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.to_owned()),
            ("AWS_ENDPOINT_URL_FIREHOSE", endpoint(&config.aws.endpoints.firehose)),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", endpoint(&config.aws.endpoints.eventbridge)),
            ("AWS_ENDPOINT_URL_S3", endpoint(&config.aws.endpoints.s3)),
            ("AWS_ENDPOINT_URL_SQS", endpoint(&config.aws.endpoints.sqs)),
            ("TABLE_NAME", config.tables.main.clone()),
            ("KEYS_TABLE_NAME", config.tables.keys.clone()),
            ("UPLOADS_BUCKET", config.pictures.uploads_bucket.clone()),
            ("PICTURES_BUCKET", config.pictures.pictures_bucket.clone()),
            ("PICTURES_URL", config.pictures.base_url.clone().expect("the local stack shows pictures")),
            ("PUBLIC_URL", self.stack.url()),
            ("MAIL_QUEUE_URL", config.mail.queue_url.clone()),
            ("EVENT_BUS", config.events.bus.clone()),
            ("WEBHOOK_QUEUE_URL", config.events.webhook_queue_url.clone()),
            ("MAIL_FROM", config.mail.from.to_string()),
            ("PRODUCT_NAME", config.mail.product_name.clone()),
            ("LOG_STREAM", "logs".to_owned()),
            ("INTROSPECTION_CLIENTS", INTROSPECTION_CLIENTS.to_owned()),
        ]);
        environment.extend(LIMITS.map(|variable| (variable, "1000000/1h".to_owned())));
        environment
    }

    /// One argon2 verification at the default cost, alone: what signing in is compared with.
    pub async fn verification(&self) -> Duration {
        const ROUNDS: usize = 20;
        let hasher = &self.stack.app.hasher;
        let password = Password::new(&PASSWORD.into());
        let hash = hasher.hash(&NewPassword::known(password.clone())).await.expect("a hash");
        let mut samples = Samples::default();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            hasher.verify_blocking(&password, &hash).expect("a verdict");
            samples.push(began.elapsed());
        }
        samples.median()
    }
}
