//! An internal Lambda extension that ships the logs after each answer: Lambda freezes a function when its handler has
//! answered and all its extensions have asked for the next event, so an extension can work without anybody waiting
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).
//!
//! It makes two requests of that API, with the client that the runtime itself has. The crate for extensions would bring the
//! server for Lambda's telemetry, which nothing here listens to, into every function.

use std::convert::Infallible;

use axum::body::Bytes;
use http_body_util::BodyExt;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{HeaderValue, Method, request};
use lambda_http::{Context, Error};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use serde::Deserialize;
use tokio::sync::watch;

use super::Shipper;
use crate::error::Causes;

const NAME: (&str, &str) = ("lambda-extension-name", "logs");
const IDENTIFIER: &str = "lambda-extension-identifier";

/// Tells the extension which invocation has ended: Lambda sends an environment one at a time.
#[derive(Clone)]
pub struct Invocations(watch::Sender<Option<String>>);

/// Dropped when an invocation ends, in any way: the extension waits for it. Without the signal the function would hang until
/// shortly before its timeout.
pub struct Finished {
    request_id: String,
    finished: watch::Sender<Option<String>>,
}

impl Default for Invocations {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Invocations {
    #[must_use]
    pub fn begin(&self, context: &Context) -> Finished {
        Finished { request_id: context.request_id.clone(), finished: self.0.clone() }
    }

    /// Waits for the end of an invocation, and forgets it: a second try of an event has the id of the first.
    async fn finished(&self, request_id: &str) {
        let ended = |finished: &Option<String>| finished.as_deref() == Some(request_id);
        // It fails only without a sender, and this is one.
        if self.0.subscribe().wait_for(ended).await.is_ok() {
            self.0.send_replace(None);
        }
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.finished.send_replace(Some(std::mem::take(&mut self.request_id)));
    }
}

/// The extension, registered: before Lambda takes an invocation for over, it waits for this to ask for the next.
pub struct Extension {
    api: PooledClient,
    identifier: HeaderValue,
}

/// What the extension is told of an invocation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    request_id: String,
    /// Since the epoch.
    deadline_ms: u64,
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
        let identifier = identifier.ok_or("the extension registration returned no identifier")?;
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
            let Invocation { request_id, deadline_ms } = serde_json::from_slice(&event)?;
            // An invocation that never reached the handler signals nothing; it must not cost the whole timeout.
            let _ = tokio::time::timeout(shipper.until(deadline_ms), invocations.finished(&request_id)).await;
            shipper.ship(shipper.until(deadline_ms)).await;
        }
    }
}

/// The answer's identifier, if it has one, and its body.
async fn call(
    api: &PooledClient,
    request: request::Builder,
    body: Body,
) -> Result<(Option<HeaderValue>, Bytes), Error> {
    let sent = api.call(request.body(body)?).await;
    let answer = sent.map_err(|error| format!("Lambda did not respond to its extension: {}", Causes(&*error)))?;
    let (status, identifier) = (answer.status(), answer.headers().get(IDENTIFIER).cloned());
    let body = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(
            format!("Lambda responded to its extension with {status}: {}", String::from_utf8_lossy(&body)).into()
        );
    }
    Ok((identifier, body))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn context(request_id: &str) -> Context {
        let mut context = Context::default();
        context.request_id = request_id.into();
        context
    }

    #[test]
    fn the_end_of_an_invocation_counts_for_that_one_and_once() {
        let invocations = Invocations::default();
        let late = invocations.begin(&context("1"));
        assert!(invocations.finished("1").now_or_never().is_none(), "it runs");
        drop(late);
        assert!(invocations.finished("2").now_or_never().is_none(), "another ended");
        drop(invocations.begin(&context("2")));
        assert!(invocations.finished("2").now_or_never().is_some());
        assert!(invocations.finished("2").now_or_never().is_none(), "it is tried again");
    }
}
