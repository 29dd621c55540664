//! Retries a delivery.
//!
//! `POST /webhooks/{id}/deliveries/{delivery_id}/retry`, for administrators: immediately, whatever its state is, and then with
//! growing waits.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::id::{EventId, WebhookId};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::Admin;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::IntoParams;

use super::{FIND, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::WebhookNotFound, Code::DeliveryNotFound, Code::WebhookDisabled])
    .may(grants![FIND, Store::DELIVERY, Store::WITHOUT_ERASED, Store::UPDATE_DELIVERY, App::NOTIFY_DELIVERER]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryPath {
    /// ID of the webhook.
    #[param(value_type = uuid::Uuid)]
    id: String,
    /// ID of the delivery, which is the ID of its event.
    #[param(value_type = uuid::Uuid)]
    delivery_id: String,
}

#[operation(
    POST, "/webhooks/{id}/deliveries/{delivery_id}/retry", summary = "Retry a delivery",
    description = "For administrators. The request has the same `webhook-id`, so that receivers can recognize duplicates. `attempts` restarts. If the endpoint has just failed, the retry waits for up to a minute.",
    params(DeliveryPath),
    responses((status = 202, description = "The delivery is enqueued"))
)]
pub async fn handler(_: Admin, State(app): State<App>, Path(path): Path<DeliveryPath>) -> Result<StatusCode> {
    let webhook = found(&app, path.id.parse::<WebhookId>().ok()).await?;
    if webhook.off.is_some() {
        return Err(Error::WebhookDisabled);
    }
    let id: EventId = path.delivery_id.parse().map_err(|_| Error::DeliveryNotFound)?;
    let before = app.store().delivery(webhook.id, id).await?.ok_or(Error::DeliveryNotFound)?;
    let before = app.store().without_erased(vec![before]).await?.pop().ok_or(Error::DeliveryNotFound)?;
    // If an attempt changed it concurrently, it was just tried, as requested.
    app.store().update_delivery(&before, &before.clone().again(app.clock.now())).await?;
    app.notify_deliverer(webhook.id).await;
    Ok(StatusCode::ACCEPTED)
}
