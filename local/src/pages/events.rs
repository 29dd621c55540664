//! What the buses accepted, as a page and as JSON, newest first.

use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use embedded::BusEvent;
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::http::answer::JsonResponse;
use shared::http::negotiation::WantsHtml;

use super::Local;

/// Which events to show: `?type=...&user=...`, both exactly.
#[derive(Default)]
struct Filter {
    kind: Option<String>,
    user: Option<String>,
}

impl Filter {
    fn asked_for(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "type" => filter.kind = Some(value.into_owned()),
                "user" => filter.user = Some(value.into_owned()),
                _ => {}
            }
        }
        filter
    }

    fn lets_through(&self, event: &BusEvent) -> bool {
        self.kind.as_ref().is_none_or(|wanted| kind(event) == wanted || event.detail_type == *wanted)
            && self.user.as_ref().is_none_or(|wanted| mentions(&event.detail, wanted))
    }
}

/// The type of a `CloudEvent`, or what `EventBridge` calls the type of its detail.
fn kind(event: &BusEvent) -> &str {
    event.detail["type"].as_str().unwrap_or(&event.detail_type)
}

/// Whether a text is anywhere in a value: a user's id or email address has different places in different events.
fn mentions(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| mentions(value, wanted)),
        Value::Object(members) => members.values().any(|value| mentions(value, wanted)),
        _ => false,
    }
}

pub async fn show(
    State(Local(local)): State<Local>,
    RawQuery(query): RawQuery,
    WantsHtml(html): WantsHtml,
) -> Response {
    if html {
        return Html(include_str!("events.html")).into_response();
    }
    let filter = Filter::asked_for(&query.unwrap_or_default());
    let events = local.received.events();
    let events = events.iter().filter(|event| filter.lets_through(event));
    JsonResponse::ok(events.map(shown).collect::<Vec<_>>()).into_response()
}

fn shown(event: &BusEvent) -> Value {
    json!({
        "id": event.id,
        "type": kind(event),
        "bus": event.bus,
        "source": event.source,
        "time": event.time,
        "received_at": Timestamp::from_millis(event.received_at).rfc3339(),
        "detail": event.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail_type: &str, detail: Value) -> BusEvent {
        BusEvent {
            id: "1".to_owned(),
            bus: "events".to_owned(),
            source: "users".to_owned(),
            detail_type: detail_type.to_owned(),
            time: "2026-01-31T09:30:00Z".to_owned(),
            resources: Vec::new(),
            detail,
            received_at: 0,
        }
    }

    #[test]
    fn events_are_found_by_type_and_by_whom_they_are_about() {
        let ours = event("user.registered", json!({ "type": "com.example.user.registered", "subject": "u1" }));
        let of_ses = event("Email Sent", json!({ "mail": { "destination": ["ada@example.com"], "n": 1 } }));
        for (query, ours_shown, ses_shown) in [
            ("", true, true),
            ("type=&user=", true, true),
            ("type=com.example.user.registered", true, false),
            ("type=user.registered", true, false),
            ("type=Email+Sent", false, true),
            ("type=user", false, false),
            ("user=u1", true, false),
            ("user=u", false, false),
            ("user=ada%40example.com", false, true),
            ("user=ada%40example.com&type=user.registered", false, false),
        ] {
            let filter = Filter::asked_for(query);
            assert_eq!((filter.lets_through(&ours), filter.lets_through(&of_ses)), (ours_shown, ses_shown), "{query}");
        }
    }
}
