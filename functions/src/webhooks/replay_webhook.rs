//! Replays the deliveries of a webhook since a given time.
//!
//! `POST /webhooks/{id}/replay` with `since`, for administrators: for a receiver that lost data or was down. Deliveries of the last
//! 30 days are available, including those from the time in which the webhook was disabled.

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
    /// Events since this time are sent again with the same IDs.
    #[schema(required, value_type = String, format = "date-time", example = "2026-11-23T09:00:00Z")]
    since: Option<String>,
}

#[operation(
    POST, "/webhooks/{id}/replay", summary = "Replay deliveries",
    description = "For administrators. Enqueues all deliveries of the webhook since the given time again, with the same IDs and in order per account. Joins a replay that is in progress.",
    params(WebhookPath),
    responses((status = 202, description = "The deliveries are enqueued"))
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
        past.ok_or_else(|| Invalid::new("invalid_time", "This must be an RFC 3339 time in the past."))
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
    Err(Error::TemporarilyUnavailable("other replays of the webhook kept progressing".into()))
}
