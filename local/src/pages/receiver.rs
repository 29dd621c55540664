//! A receiver to try webhooks with: it keeps what is posted to it, and answers as the request's query says.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use shared::clock::Timestamp;
use shared::http::answer::JsonResponse;
use shared::http::negotiation::WantsHtml;

use super::Local;

/// How many requests are kept.
const KEPT: usize = 200;
/// Longer than any sender waits.
const MAX_DELAY: Duration = Duration::from_mins(2);

/// The newest requests, gone with the process.
#[derive(Default)]
pub struct Receiver(Mutex<VecDeque<Delivery>>);

#[derive(Clone, Serialize)]
struct Delivery {
    /// What the request's path ends with.
    name: String,
    received_at: String,
    /// A header that came several times is there as often.
    headers: Vec<Header>,
    /// The body as text; bytes that are none are replaced.
    body: String,
    /// The body, if it is JSON.
    json: Option<Value>,
    /// The status that it was answered with.
    status: u16,
    /// Milliseconds that the answer waited.
    delay_ms: u64,
}

#[derive(Clone, Serialize)]
struct Header {
    name: String,
    value: String,
}

/// How to answer: `?status=500&delay_ms=1000`, 200 at once unless told otherwise.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    delay: Duration,
}

impl Answer {
    /// `None` when the query asks for what cannot be answered.
    fn asked_for(query: &str) -> Option<Self> {
        let mut answer = Self { status: StatusCode::OK, delay: Duration::ZERO };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "status" => answer.status = status(&value)?,
                "delay_ms" => answer.delay = Duration::from_millis(value.parse().ok()?),
                _ => {}
            }
        }
        (answer.delay <= MAX_DELAY).then_some(answer)
    }
}

/// An informational status would be no answer.
fn status(value: &str) -> Option<StatusCode> {
    let status = value.parse().ok().filter(|status: &u16| (200..600).contains(status))?;
    StatusCode::from_u16(status).ok()
}

impl Receiver {
    fn received(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, delivery: Delivery) {
        let mut all = self.received();
        all.truncate(KEPT - 1);
        all.push_front(delivery);
    }
}

/// It is kept before the answer waits: a sender that gives up has been received all the same.
pub async fn receive(
    State(Local(local)): State<Local>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(Answer { status, delay }) = Answer::asked_for(&query.unwrap_or_default()) else {
        let message = "status must be 200 to 599, and delay_ms at most 120000\n";
        return (StatusCode::BAD_REQUEST, message).into_response();
    };
    local.receiver.keep(delivery(name, &headers, &body, local.app.clock.now(), status, delay));
    tokio::time::sleep(delay).await;
    status.into_response()
}

fn delivery(
    name: String,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
    status: StatusCode,
    delay: Duration,
) -> Delivery {
    let headers = headers.iter().map(|(name, value)| Header {
        name: name.to_string(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    });
    Delivery {
        name,
        received_at: now.rfc3339(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(body).into_owned(),
        json: serde_json::from_slice(body).ok(),
        status: status.as_u16(),
        delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
    }
}

pub async fn show(State(Local(local)): State<Local>, WantsHtml(html): WantsHtml) -> Response {
    if html {
        return Html(include_str!("receiver.html")).into_response();
    }
    let all: Vec<Delivery> = local.receiver.received().iter().cloned().collect();
    JsonResponse::ok(all).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_the_query_asks_for() {
        let answer = |status: u16, milliseconds| {
            Some(Answer { status: StatusCode::from_u16(status).unwrap(), delay: Duration::from_millis(milliseconds) })
        };
        for (query, expected) in [
            ("", answer(200, 0)),
            ("status=500", answer(500, 0)),
            ("delay_ms=30&status=204&else=1", answer(204, 30)),
            ("status=199", None),
            ("status=600", None),
            ("status=ok", None),
            ("delay_ms=120000", answer(200, 120_000)),
            ("delay_ms=120001", None),
            ("delay_ms=-1", None),
        ] {
            assert_eq!(Answer::asked_for(query), expected, "{query}");
        }
    }

    #[test]
    fn the_newest_are_kept_newest_first() {
        let receiver = Receiver::default();
        for number in 0..=KEPT {
            let now = Timestamp::from_millis(0);
            let kept = delivery(number.to_string(), &HeaderMap::new(), b"", now, StatusCode::OK, Duration::ZERO);
            receiver.keep(kept);
        }
        let all = receiver.received();
        assert_eq!((all.len(), all[0].name.as_str(), all[KEPT - 1].name.as_str()), (KEPT, "200", "1"));
    }
}
