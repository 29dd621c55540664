//! An internal Lambda extension that ships the logs after each answer: Lambda freezes a function when its handler has
//! answered and all its extensions have asked for the next event, so an extension can work without anybody waiting
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).
//!
//! It makes two requests of that API, with the client that the runtime itself has. The crate for extensions would bring the
//! server for Lambda's telemetry, which nothing here listens to, into every function.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::BodyExt;
use lambda_http::Error;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{HeaderValue, Method, request};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Shipper;

const NAME: (&str, &str) = ("lambda-extension-name", "logs");
const IDENTIFIER: &str = "lambda-extension-identifier";

/// Tells the extension when an invocation is over.
#[derive(Clone)]
pub struct Invocations(Arc<Semaphore>);

/// Dropped when an invocation is over, however it ends: the extension waits for it. Were it not signalled on some
/// path, the function would hang until its timeout.
pub struct Finished(Arc<Semaphore>);

impl Default for Invocations {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Invocations {
    #[must_use]
    pub fn begin(&self) -> Finished {
        Finished(Arc::clone(&self.0))
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// The extension, registered: before Lambda takes an invocation for over, it waits for this to ask for the next.
pub struct Extension {
    api: PooledClient,
    identifier: HeaderValue,
}

/// What the extension is told of an invocation.
#[derive(Deserialize)]
struct Invocation {
    /// Milliseconds since the epoch.
    #[serde(rename = "deadlineMs")]
    deadline: u64,
}

impl Extension {
    /// # Errors
    /// When Lambda does not take the registration.
    pub async fn register() -> Result<Self, Error> {
        let api = PooledClient::builder().build();
        let request = build_request()
            .method(Method::POST)
            .uri("/2020-01-01/extension/register")
            .header(NAME.0, NAME.1)
            .header(CONTENT_TYPE, "application/json");
        // An internal extension is told of invocations only; it ends with the process.
        let (identifier, _) = call(&api, request, Body::from(r#"{"events":["INVOKE"]}"#)).await?;
        let identifier = identifier.ok_or("the registration of the extension has no identifier")?;
        Ok(Self { api, identifier })
    }

    /// Ships after each answer, for as long as the process lives.
    ///
    /// # Errors
    /// When Lambda does not say what is next. The process has to end then: Lambda would wait for this extension in every
    /// invocation to come, until each has timed out.
    pub async fn run(self, invocations: Invocations, shipper: Shipper) -> Result<Infallible, Error> {
        loop {
            let request = build_request()
                .method(Method::GET)
                .uri("/2020-01-01/extension/event/next")
                .header(IDENTIFIER, &self.identifier);
            let (_, event) = call(&self.api, request, Body::empty()).await?;
            let Invocation { deadline } = serde_json::from_slice(&event)?;
            // An invocation that never reached the handler signals nothing; it must not cost the whole timeout.
            if let Ok(finished) = tokio::time::timeout(shipper.until(deadline), invocations.0.acquire()).await {
                finished?.forget();
            }
            shipper.ship().await;
        }
    }
}

/// The answer's identifier, if it has one, and its body.
async fn call(
    api: &PooledClient,
    request: request::Builder,
    body: Body,
) -> Result<(Option<HeaderValue>, Bytes), Error> {
    let answer = api.call(request.body(body)?).await?;
    let (status, identifier) = (answer.status(), answer.headers().get(IDENTIFIER).cloned());
    let body = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("Lambda answered its extension with {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok((identifier, body))
}
