//! Updates a webhook.
//!
//! `PATCH /webhooks/{id}` with the fields to change, for administrators after recent authentication. A webhook that is enabled
//! again, or gets another URL, starts afresh: its failures are reset.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::WebhookId;
use shared::domain::webhook::{Off, OffReason, Webhook};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{FIND, WebhookPath, WebhookView, found, parse_types, parse_url};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::WebhookNotFound]).may(grants![
    FIND,
    Store::REPLACE_WEBHOOK,
    App::NOTIFY_DELIVERER
]);

/// When the webhook was changed since it was read, it is read again.
const TRIES: usize = 5;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhook {
    #[schema(max_length = 2048, format = "uri", example = "https://hooks.example.com/users")]
    url: Option<String>,
    #[schema(max_items = 50, example = json!(["user.created"]))]
    types: Option<Vec<String>>,
    /// Nothing is delivered while this is false. A replay delivers the events missed in that time.
    enabled: Option<bool>,
}

#[operation(
    PATCH, "/webhooks/{id}", summary = "Update a webhook",
    description = "For administrators, after recent authentication. Changes only the given fields. A webhook that was disabled, by an administrator or after failing for three days, is enabled again with `enabled`.",
    params(WebhookPath),
    responses((status = 200, description = "The updated webhook", body = WebhookView))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    Json(body): Json<UpdateWebhook>,
) -> Result<JsonResponse<WebhookView>> {
    let mut fields = Fields::default();
    let url = fields.optional("url", body.url, |url| parse_url(&app, &url));
    let types = fields.optional("types", body.types, parse_types);
    fields.finish(Some(()))?;
    for _ in 0..TRIES {
        let (before, now) = (found(&app, id).await?, app.clock.now());
        let off = match body.enabled {
            None => before.off,
            Some(true) => None,
            Some(false) => before.off.or(Some(Off { since: now, reason: OffReason::SwitchedOff })),
        };
        let elsewhere = url.as_ref().is_some_and(|url| *url != before.url);
        let (failing_since, paused_until) = if elsewhere || (off.is_none() && before.off.is_some()) {
            (None, None)
        } else {
            (before.failing_since, before.paused_until)
        };
        let after = Webhook {
            failing_since,
            paused_until,
            url: url.clone().unwrap_or_else(|| before.url.clone()),
            types: types.clone().unwrap_or_else(|| before.types.clone()),
            off,
            updated_at: now.max(before.updated_at.plus(std::time::Duration::from_millis(1))),
            ..before.clone()
        };
        if (&after.url, &after.types, after.off) == (&before.url, &before.types, before.off) {
            return Ok(JsonResponse::ok(WebhookView::of(&before, now)));
        }
        let host = url.is_some().then(|| after.host());
        let kind = EventKind::WebhookUpdated { host, types: types.clone(), enabled: body.enabled };
        let event = DomainEvent::new(Subject::Webhook(before.id), &caller.staff(), kind, now);
        if app.store().replace_webhook(&before, &after, &[], &event).await? {
            if after.off.is_none() {
                app.notify_deliverer(after.id).await;
            }
            return Ok(JsonResponse::ok(WebhookView::of(&after, now)));
        }
    }
    Err(Error::TemporarilyUnavailable("the webhook kept changing concurrently".into()))
}
