//! Lists the deliveries of a webhook.
//!
//! `GET /webhooks/{id}/deliveries?limit=&cursor=`, for administrators: newest first, of the last 30 days. Of the response of the
//! endpoint only the status is shown.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::id::{EventId, WebhookId};
use shared::domain::webhook::{Attempt, Delivery};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::http::query::Query;
use shared::store::Store;
use shared::tokens::cursor;
use shared::tokens::keys::Keys;
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{FIND, WebhookPath, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::WebhookNotFound]).may(grants![
    FIND,
    Store::DELIVERIES,
    Keys::CURSOR_MAC
]);

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryPage {
    /// Maximum number of deliveries per page, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    deliveries: Vec<DeliveryView>,
    /// Cursor for the next page; null on the last page.
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The ID of the event, which is also the `webhook-id` of the request.
    id: Uuid,
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "user.created")]
    name: String,
    /// `pending`, `delivered`, `dead` (all attempts of three days failed) or `skipped` (the webhook was disabled).
    #[schema(example = "delivered")]
    status: String,
    attempts: u32,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:05:00.000Z", format = "date-time")]
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<AttemptView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptView {
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    at: String,
    /// The response status of the endpoint, if it responded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 500)]
    status: Option<u16>,
    /// Why there was no response: `address_refused`, `dns_failed`, `connect_failed`, `tls_failed`, `timed_out`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let attempt = |Attempt { at, status, reason, took_ms }| AttemptView {
            at: Timestamp::rfc3339(at),
            status,
            reason,
            took_ms,
        };
        Self {
            id: delivery.id.into(),
            name: delivery.name,
            status: delivery.status.as_str().to_owned(),
            attempts: delivery.attempts,
            created_at: delivery.created_at.rfc3339(),
            next_attempt_at: delivery.due_at.map(Timestamp::rfc3339),
            last_attempt: delivery.last.map(attempt),
        }
    }
}

#[operation(
    GET, "/webhooks/{id}/deliveries", summary = "List the deliveries of a webhook, newest first",
    description = "For administrators. The deliveries of the last 30 days, with the result of the last attempt.",
    params(WebhookPath, DeliveryPage),
    responses((status = 200, description = "A page of deliveries", body = Deliveries))
)]
pub async fn handler(
    _: Admin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    Query(page): Query<DeliveryPage>,
) -> Result<JsonResponse<Deliveries>> {
    let id = found(&app, id).await?.id;
    let (mac, list) = (app.keys().cursor_mac().await?, format!("deliveries of {id}"));
    let mut fields = Fields::default();
    let limit = fields.optional("limit", page.limit, |limit| match limit.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(Invalid::new("out_of_range", format!("The limit must be a number from 1 to {MAX_LIMIT}."))),
    });
    let before = fields.optional("cursor", page.cursor, |text| {
        let id = cursor::decode(&text, &list, mac).map(EventId::from_bytes);
        id.ok_or_else(|| Invalid::new("invalid_cursor", "This cursor is not valid for this list."))
    });
    fields.finish(Some(()))?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let mut deliveries = app.store().deliveries(id, before, limit + 1, app.clock.now()).await?;
    let more = deliveries.len() > limit;
    deliveries.truncate(limit);
    let next_cursor = deliveries.last().filter(|_| more).map(|last| cursor::encode(last.id.as_bytes(), &list, mac));
    Ok(JsonResponse::ok(Deliveries { deliveries: deliveries.into_iter().map(Into::into).collect(), next_cursor }))
}
