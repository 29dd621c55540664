//! Sends a test event to a webhook.
//!
//! `POST /webhooks/{id}/test`, for administrators: an event of type `webhook.test`, delivered and listed like any other.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Serialize;
use serde_json::{Map, json};
use shared::cloudevent::cloud_event;
use shared::domain::event::{RecordedEvent, Subject};
use shared::domain::id::{EventId, WebhookId};
use shared::domain::webhook::{Delivery, TEST};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{FIND, WebhookPath, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::WebhookNotFound, Code::WebhookDisabled])
    .may(grants![FIND, Store::ADD_DELIVERY, App::NOTIFY_DELIVERER]);

#[derive(Serialize, ToSchema)]
pub struct TestSent {
    /// ID of the delivery, to look up its result.
    delivery_id: Uuid,
}

#[operation(
    POST, "/webhooks/{id}/test", summary = "Send a test event to a webhook",
    description = "For administrators. Sends an event of type `webhook.test`, whichever types the webhook has.",
    params(WebhookPath),
    responses((status = 202, description = "The event is enqueued", body = TestSent))
)]
pub async fn handler(
    Admin(caller): Admin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Result<JsonResponse<TestSent>> {
    let webhook = found(&app, id).await?;
    if webhook.off.is_some() {
        return Err(Error::WebhookDisabled);
    }
    let now = app.clock.now();
    let event = RecordedEvent {
        id: EventId::new(now),
        subject: Subject::Webhook(webhook.id),
        at: now,
        actor: caller.staff(),
        name: TEST.to_owned(),
        data: Some(Map::from_iter([("message".to_owned(), json!("This is a test."))])),
    };
    let body = cloud_event(&event, &app.config).to_string();
    app.store().add_delivery(&Delivery::new(&webhook, &event, body, now)).await?;
    app.notify_deliverer(webhook.id).await;
    Ok(JsonResponse(StatusCode::ACCEPTED, TestSent { delivery_id: event.id.into() }))
}
