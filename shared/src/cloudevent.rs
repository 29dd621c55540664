//! Domain events as `CloudEvents` 1.0 (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>), in structured JSON.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::domain::event::{RecordedEvent, Subject};

/// What `EVENT_ADDRESSES=off` leaves out, wherever in the data it is.
const PERSONAL: [&str; 11] = [
    "name",
    "email",
    "from",
    "to",
    "pending_email",
    "source_ip",
    "user_agent",
    "diagnostic",
    "profile",
    "app",
    "external_id",
];
/// Types whose reason is in the words of staff.
const IN_WORDS: [&str; 2] = ["user.disabled", "user.impersonated"];

/// With the extension `sequence`: text by which the events of one subject sort, with gaps
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md>).
#[must_use]
pub fn cloud_event(event: &RecordedEvent, config: &Config) -> Value {
    let subject = match event.subject {
        Subject::User(user) => user.to_string(),
        Subject::Webhook(webhook) => webhook.to_string(),
        Subject::Invitation(invitation) => invitation.to_string(),
        Subject::Export(export) => export.to_string(),
    };
    let mut data = event.data.clone().unwrap_or_default();
    data.insert("actor".to_owned(), json!(event.actor));
    if !config.events.addresses {
        data = without_personal(data);
        if IN_WORDS.contains(&event.name.as_str()) {
            data.remove("reason");
        }
    }
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": config.tokens.issuer,
        "type": event.name,
        "subject": subject,
        "time": event.at.rfc3339(),
        "datacontenttype": "application/json",
        "sequence": event.id.to_string(),
        "data": data,
    })
}

fn without_personal(data: Map<String, Value>) -> Map<String, Value> {
    let kept = data.into_iter().filter(|(name, _)| !PERSONAL.contains(&name.as_str()));
    let inside = kept.map(|(name, value)| match value {
        Value::Object(inside) => (name, Value::Object(without_personal(inside))),
        value => (name, value),
    });
    inside.collect()
}
