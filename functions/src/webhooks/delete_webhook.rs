//! Deletes a webhook and its pending deliveries.
//!
//! `DELETE /webhooks/{id}`, for administrators after recent authentication.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::WebhookId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::RecentAdmin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};

use super::{FIND, WebhookPath, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::WebhookNotFound])
    .may(grants![FIND, Store::DELETE_WEBHOOK])
    // Thousands of deliveries may go with it.
    .within(29);

#[operation(
    DELETE, "/webhooks/{id}", summary = "Delete a webhook",
    description = "For administrators, after recent authentication. Its deliveries are also deleted.",
    params(WebhookPath),
    responses((status = 204, description = "Deleted"))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Result<StatusCode> {
    let webhook = found(&app, id).await?;
    let kind = EventKind::WebhookDeleted { host: webhook.host() };
    let event = DomainEvent::new(Subject::Webhook(webhook.id), &caller.staff(), kind, app.clock.now());
    if app.store().delete_webhook(webhook.id, &event).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::WebhookNotFound)
    }
}
