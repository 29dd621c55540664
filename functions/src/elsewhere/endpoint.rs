//! Asks the team's own endpoint to verify a password, for former systems that do not export hashes.
//!
//! A POST of `{"username": ..., "password": ...}`, with `Authorization: Bearer` and a JWT signed by this service
//! ([`shared::tokens::request`]): the endpoint verifies it with the published keys, so no shared secret is needed. It responds with
//! 200 and `{"verifies": true}` or `{"verifies": false}`. 400, 401, 403, 404 and 422 mean wrong, too. Anything else is not an
//! answer: a page that is returned for every request must not let anyone in.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use outbound::{Client, Limits, Outcome, Targets, WebhookUrl};
use serde::Deserialize;
use serde_json::json;
use shared::domain::password::Password;
use shared::tokens::request;
use shared::{App, Error, Result};

use super::Answer;

const LIMITS: Limits = Limits { total: Duration::from_secs(5), body: 1024 };
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("user-service/", env!("CARGO_PKG_VERSION")));

#[derive(Deserialize)]
struct Verdict {
    verifies: bool,
}

/// What an answer says of the password; `None` when that is nothing.
fn said(status: u16, body: &str) -> Option<Answer> {
    match status {
        200 => {
            let Verdict { verifies } = serde_json::from_str(body).ok()?;
            Some(if verifies { Answer::Right } else { Answer::Wrong })
        }
        400 | 401 | 403 | 404 | 422 => Some(Answer::Wrong),
        _ => None,
    }
}

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
        Outcome::Answered { status, body, .. } => said(status, &body).ok_or_else(|| {
            Error::TemporarilyUnavailable(
                format!("the former system's endpoint responded with {status} or an invalid body").into(),
            )
        }),
        Outcome::Failed { reason } => {
            Err(Error::TemporarilyUnavailable(format!("the former system's endpoint: {}", reason.as_str()).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_the_protocol_say_something_of_a_password() {
        for (status, body, answer) in [
            (200, r#"{"verifies": true}"#, Some(Answer::Right)),
            (200, r#"{"verifies": true, "name": "Ada"}"#, Some(Answer::Right)),
            (200, r#"{"verifies": false}"#, Some(Answer::Wrong)),
            (401, "", Some(Answer::Wrong)),
            (422, "{}", Some(Answer::Wrong)),
            (200, "<html>We are moving</html>", None),
            (200, "", None),
            (200, "true", None),
            (200, r#"{"verifies": 1}"#, None),
            (204, "", None),
            (302, "", None),
            (500, "", None),
        ] {
            assert_eq!(said(status, body), answer, "{status} {body}");
        }
    }
}
