//! Lists webhooks.
//!
//! `GET /webhooks`, for administrators after recent authentication: oldest first, without secrets.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::RecentAdmin;
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;

use super::WebhookView;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::WEBHOOKS]);

#[derive(Serialize, ToSchema)]
pub struct Webhooks {
    webhooks: Vec<WebhookView>,
}

#[operation(
    GET, "/webhooks", summary = "List webhooks",
    description = "For administrators, after recent authentication. Oldest first, without secrets.",
    responses((status = 200, description = "All webhooks", body = Webhooks))
)]
pub async fn handler(_: RecentAdmin, State(app): State<App>) -> Result<JsonResponse<Webhooks>> {
    let now = app.clock.now();
    let webhooks = app.store().webhooks().await?;
    Ok(JsonResponse::ok(Webhooks { webhooks: webhooks.iter().map(|webhook| WebhookView::of(webhook, now)).collect() }))
}
