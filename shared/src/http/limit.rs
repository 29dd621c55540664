//! Limits by client network: a route that has one says so in its `ROUTE`, and its handler takes [`Limited`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::caller::RequestInfo;
use super::{HandlerArgument, Needs};
use crate::App;
use crate::app::ATTEMPT;
use crate::domain::limit::{Limit, Standing};
use crate::domain::network::ClientNetwork;
use crate::error::{Causes, Error, Result};
use crate::telemetry::audit::Event;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The limit of a request's route, and the count of its client network once that is known.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    limit: Limit,
    standing: Arc<OnceLock<Standing>>,
}

impl Gate {
    /// Lets the handler know of its route's limit.
    pub fn open(limit: Limit, request: &mut Request) -> Self {
        let gate = Self { limit, standing: Arc::default() };
        request.extensions_mut().insert(gate.clone());
        gate
    }

    /// Adds the rate limit headers, in the syntax of draft-ietf-httpapi-ratelimit-headers-10: the policy's quota and window, the
    /// remaining requests, and the seconds until the window resets. A request that was not counted has none.
    pub fn describe_to(&self, headers: &mut HeaderMap) {
        let Some(standing) = self.standing.get() else {
            return;
        };
        let Standing { limit, rate, resets_in, .. } = standing;
        let policy = format!("\"{limit}\";q={};w={}", rate.requests, rate.window.as_secs());
        let state = format!("\"{limit}\";r={};t={}", standing.remaining(), seconds(*resets_in));
        for (name, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// A wait in whole seconds, rounded up: a client that waits this long finds it over.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

/// A request that counts against its route's limit. The handler counts it before it does anything that lasts, and at
/// the same time as its first read where it has one.
#[derive(Clone)]
pub struct Limited {
    app: App,
    gate: Gate,
    network: Option<ClientNetwork>,
}

impl HandlerArgument for Limited {
    const NEEDS: Needs = Needs::NOTHING;
}

impl FromRequestParts<App> for Limited {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let gate = parts.extensions.get::<Gate>().cloned().ok_or_else(|| Error::internal("the route has no limit"))?;
        let info = parts.extensions.get::<RequestInfo>();
        let network = info.and_then(|info| info.source_ip).map(ClientNetwork::of);
        Ok(Self { app: app.clone(), gate, network })
    }
}

impl Limited {
    /// Counts the request. One that cannot be counted passes, and the log says so: a counter that fails must not close
    /// the door to everyone.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when it is one too many.
    pub async fn admit(&self) -> Result<()> {
        let limit = self.gate.limit;
        let Some(rate) = self.app.config.limits.rate(limit) else {
            return Ok(());
        };
        let now = self.app.clock.now();
        let window = rate.window_at(now);
        let counting = async {
            let network = self.network.ok_or_else(|| Error::internal("the gateway sent no source IP address"))?;
            self.app.store().count_request(limit, network, window).await
        };
        // A counter that takes longer than one attempt counts as failed: it must not hold up what it protects.
        let counted = tokio::time::timeout(ATTEMPT, counting).await;
        let used = match counted.unwrap_or_else(|_| Err(Error::internal("the request counter timed out"))) {
            Ok(used) => used,
            Err(error) => {
                Event::RequestNotCounted { limit: limit.as_str() }.record();
                tracing::error!(error.message = %Causes(&error), "a request was allowed without being counted");
                return Ok(());
            }
        };
        let standing = Standing { limit, rate, used, resets_in: window.ends_at.since(now) };
        let standing = self.gate.standing.get_or_init(|| standing);
        if standing.is_exceeded() {
            Event::RateLimited { limit: limit.as_str() }.record();
            return Err(Error::RateLimited { retry_after: standing.resets_in });
        }
        Ok(())
    }

    /// Counts the request while `read` runs: together they take one round trip. Being one too many comes before all that
    /// the read may have found.
    ///
    /// # Errors
    /// As [`Self::admit`], or those of `read`.
    pub async fn admit_during<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        // Not `try_join!`: a read that fails at once would take the count down with it. Boxed, as each holds a whole call
        // of the SDK, and they would be copied from future to future.
        let (admitted, read) = tokio::join!(Box::pin(self.admit()), Box::pin(read));
        admitted?;
        read
    }
}
