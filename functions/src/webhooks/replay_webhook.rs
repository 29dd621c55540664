//! Sends a webhook's deliveries again from a time on.
//!
//! `POST /webhooks/{id}/replay` with `since`, for administrators: for a receiver that lost what it had, or was off. Deliveries of
//! the last 30 days are there, also of the time in which the webhook was switched off.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::WebhookId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::Admin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{FIND, WebhookPath, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::WebhookNotFound, Code::WebhookDisabled])
    .may(grants![FIND, Store::REPLAY_WEBHOOK, App::NOTIFY_DELIVERER]);

/// When another replay began, went on or ended since the webhook was read, it is read again.
const TRIES: usize = 8;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Events from this time on are sent again, each with the id that it had.
    #[schema(required, value_type = String, format = "date-time", example = "2026-11-23T09:00:00Z")]
    since: Option<String>,
}

#[operation(
    POST, "/webhooks/{id}/replay", summary = "Send deliveries again from a time on",
    description = "For administrators. Queues the deliveries of the webhook since then again, those of one account in their order, with the ids that they had. It joins a replay that is going on.",
    params(WebhookPath),
    responses((status = 202, description = "They are on their way"))
)]
pub async fn handler(
    Admin(caller): Admin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    Json(body): Json<Replay>,
) -> Result<StatusCode> {
    let mut fields = Fields::default();
    let since = fields.required("since", body.since, |text| {
        let past = Timestamp::parse(&text).filter(|since| *since <= app.clock.now());
        past.ok_or_else(|| Invalid::new("invalid_time", "This is no time after RFC 3339, or it is still to come."))
    });
    let since = fields.finish(since)?;
    for _ in 0..TRIES {
        let webhook = found(&app, id).await?;
        if webhook.off.is_some() {
            return Err(Error::WebhookDisabled);
        }
        let kind = EventKind::WebhookReplayed { since: since.rfc3339() };
        let event = DomainEvent::new(Subject::Webhook(webhook.id), &caller.staff(), kind, app.clock.now());
        if app.store().replay_webhook(&webhook, since, &event).await? {
            app.notify_deliverer(webhook.id).await;
            return Ok(StatusCode::ACCEPTED);
        }
    }
    Err(Error::TemporarilyUnavailable("another replay of the webhook went on again and again".into()))
}
