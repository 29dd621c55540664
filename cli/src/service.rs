//! Requests to the service and their answers, with what is tried again.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::config::BASE_PATH;

use crate::failure::{Failure, Problem, Result};

/// For one attempt: deleting an account may take 29 seconds.
const ATTEMPT: Duration = Duration::from_secs(35);
/// For the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a request is sent once more.
const RETRIES: u32 = 3;
/// Before the first retry; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait that the service can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long the key of a request that failed is held, and a little more.
const HELD: Duration = Duration::from_secs(65);

#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Below the base path, with its query.
    pub path: String,
    pub body: Option<Value>,
    /// The `etag` that a change is about.
    pub if_match: Option<String>,
    /// Whether it holds a proof that is good once, so that it is not sent twice.
    proves: bool,
}

impl Request {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, if_match: None, proves: false }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    #[must_use]
    pub fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    #[must_use]
    pub fn if_match(self, etag: &str) -> Self {
        Self { if_match: Some(format!("\"{etag}\"")), ..self }
    }

    #[must_use]
    pub fn proving(self) -> Self {
        Self { proves: true, ..self }
    }

    pub fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// Method and whole path.
    pub fn line(&self) -> String {
        format!("{} {BASE_PATH}{}", self.method, self.path)
    }

    /// As `--dry-run --json` prints it.
    pub fn document(&self) -> Value {
        let path = format!("{BASE_PATH}{}", self.path);
        let mut document = json!({ "dry_run": true, "method": self.method.as_str(), "path": path, "body": self.body });
        if let Some(etag) = &self.if_match {
            document["if_match"] = json!(etag);
        }
        document
    }

    fn content_type(&self) -> &'static str {
        if self.method == Method::PATCH { "application/merge-patch+json" } else { "application/json" }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// `null` where there is none, or it is no JSON.
    pub body: Value,
    retry_after: Option<Duration>,
}

impl Answer {
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str().filter(|_| !self.is_success())
    }

    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// # Errors
    /// The problem, where it is one.
    pub fn ok(self) -> Result<Value> {
        if self.is_success() {
            return Ok(self.body);
        }
        let retry_after = self.retry_after;
        let problem: Problem = serde_json::from_value(self.body).unwrap_or_default();
        let known = Problem { status: self.status, ..problem };
        let known = if known.code.is_empty() {
            Problem {
                code: self.status.to_string(),
                detail: "The response contains no problem details of the service.".into(),
                ..known
            }
        } else {
            known
        };
        Err(Failure::Refused(match retry_after.filter(|_| self.status == 429) {
            Some(wait) => {
                Problem { detail: format!("{}: {} s.", known.detail.trim_end_matches('.'), wait.as_secs()), ..known }
            }
            None => known,
        }))
    }

    /// The first attempt is still running, or failed with an unknown outcome.
    fn is_in_progress(&self) -> bool {
        self.code() == Some("request_in_progress")
    }

    /// How long to wait before the request is sent again; none where that would bring nothing else.
    fn wait(&self) -> Option<Duration> {
        self.retry_after.filter(|_| self.status == 503 || self.is_in_progress()).map(|wait| wait.min(LONGEST_WAIT))
    }
}

/// One service.
pub struct Service {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
}

impl Service {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// # Errors
    /// When the machine trusts no certificate authority.
    pub fn new(url: &str) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        // Which schemes are allowed is the business of the TLS around it.
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|error| Failure::Failed(format!("cannot read the certificate authorities: {error}")))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), url: url.to_owned() })
    }

    /// A request of the API, again where it may be. `key` is its idempotency key.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] when there is no answer.
    pub async fn send(&self, request: &Request, access: Option<&SecretString>, key: Option<&str>) -> Result<Answer> {
        let url = format!("{}{BASE_PATH}{}", self.url, request.path);
        let (mut retries, mut wait) = (0, FIRST_WAIT);
        // Why it was sent again. The service may hold the key of that attempt for a minute, and answers only that it does.
        let mut failed = None;
        let mut held = Duration::ZERO;
        loop {
            let outcome = self.attempt(&url, request, access, key).await;
            let in_progress = outcome.as_ref().is_ok_and(Answer::is_in_progress);
            let again = match &outcome {
                Ok(answer) => answer.wait(),
                Err(_) => Some(wait),
            };
            let more = if in_progress { held < HELD } else { retries < RETRIES };
            let Some(again) = again.filter(|_| more && !request.proves) else {
                return if in_progress { failed.unwrap_or(outcome) } else { outcome };
            };
            tokio::time::sleep(again).await;
            if in_progress {
                held += again;
            } else {
                failed = Some(outcome);
                retries += 1;
                wait *= 2;
            }
        }
    }

    /// A document of the service outside the API, without retries.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn document(&self, path: &str) -> Result<Answer> {
        self.attempt(&format!("{}{path}", self.url), &Request::get(path), None, None).await
    }

    async fn attempt(
        &self,
        url: &str,
        request: &Request,
        access: Option<&SecretString>,
        key: Option<&str>,
    ) -> Result<Answer> {
        let unreachable = |why: &dyn std::fmt::Display| Failure::Unreachable(format!("{} {why}", self.url));
        let request = build(url, request, access, key)?;
        let exchanged = async {
            let answer = self.client.request(request).await.map_err(|error| {
                let hint = if error.is_connect() { "; is the service running there?" } else { "" };
                causes(&error) + hint
            })?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| causes(&error))?.to_bytes();
            let seconds = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Ok::<_, String>(Answer {
                status: parts.status.as_u16(),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                retry_after: seconds.map(Duration::from_secs),
            })
        };
        match tokio::time::timeout(ATTEMPT, exchanged).await {
            Ok(outcome) => outcome.map_err(|why| unreachable(&format!("cannot be reached: {why}"))),
            Err(_) => Err(unreachable(&format!("did not respond within {} s", ATTEMPT.as_secs()))),
        }
    }
}

fn build(
    url: &str,
    request: &Request,
    access: Option<&SecretString>,
    key: Option<&str>,
) -> Result<http::Request<Full<Bytes>>> {
    let mut built = http::Request::builder()
        .method(request.method.clone())
        .uri(url)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("users/", env!("CARGO_PKG_VERSION")));
    if let Some(access) = access {
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", access.expose_secret())).map_err(|_| no_request())?;
        bearer.set_sensitive(true);
        built = built.header(AUTHORIZATION, bearer);
    }
    if let Some(etag) = &request.if_match {
        built = built.header(IF_MATCH, etag);
    }
    if let Some(key) = key {
        built = built.header("idempotency-key", key);
    }
    let body = match &request.body {
        Some(body) => {
            built = built.header(CONTENT_TYPE, request.content_type());
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    built.body(Full::new(body)).map_err(|_| no_request())
}

fn no_request() -> Failure {
    Failure::Failed("this cannot be encoded as an HTTP request".into())
}

/// An error with everything that caused it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    shared::error::Causes(error).to_string()
}

/// What `--url` takes: passwords go there, so it is https, or this machine.
///
/// # Errors
/// A sentence about what is wrong.
pub fn service_url(text: &str) -> std::result::Result<String, String> {
    let text = text.trim_end_matches('/');
    let text = text.strip_suffix(BASE_PATH).unwrap_or(text);
    let uri: Uri = text.parse().map_err(|_| "not a valid URL".to_owned())?;
    if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
        return Err(format!("the URL of the service must end before {BASE_PATH}"));
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(text.to_owned()),
        (Some("http"), Some(host)) if is_this_machine(host) => Ok(text.to_owned()),
        _ => Err("the URL must begin with https://, or with http:// on this machine".into()),
    }
}

pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_by_https_or_to_this_machine() {
        for (url, taken) in [
            ("http://127.0.0.1:9000", Some("http://127.0.0.1:9000")),
            ("http://localhost:9000/", Some("http://localhost:9000")),
            ("https://api.example.com/api/v1", Some("https://api.example.com")),
            ("http://api.example.com", None),
            ("https://api.example.com/users", None),
            ("api.example.com", None),
            ("", None),
        ] {
            assert_eq!(service_url(url).ok().as_deref(), taken, "{url}");
        }
    }

    #[test]
    fn what_passes_is_sent_again_and_what_was_refused_is_not() {
        let answer = |status, code: &str, seconds: Option<u64>| Answer {
            status,
            body: json!({ "code": code }),
            retry_after: seconds.map(Duration::from_secs),
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(answer(503, "temporarily_unavailable", Some(1)).wait(), second);
        assert_eq!(answer(409, "request_in_progress", Some(1)).wait(), second);
        assert_eq!(answer(503, "temporarily_unavailable", Some(900)).wait(), Some(LONGEST_WAIT));
        assert_eq!(answer(503, "temporarily_unavailable", None).wait(), None);
        assert_eq!(answer(429, "rate_limited", Some(1)).wait(), None);
        assert_eq!(answer(409, "own_account", None).wait(), None);
    }
}
