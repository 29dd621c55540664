//! Asks an endpoint of the team's own whether a password is right, for systems that give no hashes.
//!
//! A POST of `{"username": ..., "password": ...}`, with `Authorization: Bearer` and a JWT that this service signs
//! ([`shared::tokens::request`]): the endpoint checks it with the published keys, so there is no secret to keep in two places. 200 means
//! right; 401, 403 and 404 mean wrong; everything else is no answer.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use outbound::{Client, Limits, Outcome, Targets, WebhookUrl};
use serde_json::json;
use shared::domain::password::Password;
use shared::tokens::request;
use shared::{App, Error, Result};

use super::Answer;

const LIMITS: Limits = Limits { total: Duration::from_secs(5), body: 0 };
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("user-service/", env!("CARGO_PKG_VERSION")));

/// # Errors
/// [`Error::TemporarilyUnavailable`] when the endpoint does not answer in time, or answers neither yes nor no.
pub async fn ask(app: &App, url: &str, username: &str, password: &Password) -> Result<Answer> {
    let targets = if app.config.events.local_webhooks { Targets::AlsoThisMachine } else { Targets::Public };
    let client = Client::new(targets, USER_AGENT).map_err(Error::internal)?;
    let target = WebhookUrl::parse(url, targets).map_err(Error::internal)?;
    let body = json!({ "username": username, "password": password.typed() }).to_string();
    let token = request::sign(app, url, body.as_bytes(), app.clock.now()).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(Error::internal)?;
    bearer.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, bearer);
    match client.post(&target, headers, body.into(), LIMITS).await {
        Outcome::Answered { status: 200, .. } => Ok(Answer::Right),
        Outcome::Answered { status: 401 | 403 | 404, .. } => Ok(Answer::Wrong),
        Outcome::Answered { status, .. } => {
            Err(Error::TemporarilyUnavailable(format!("the old system's endpoint answered {status}").into()))
        }
        Outcome::Failed { reason } => {
            Err(Error::TemporarilyUnavailable(format!("the old system's endpoint: {}", reason.as_str()).into()))
        }
    }
}
