//! Health check.
//!
//! `GET /health`. It accesses nothing, so it is up whenever the function is.

use macros::operation;
use serde::Serialize;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]);

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

#[operation(
    GET, "/health", at_root, summary = "Check whether the service is up",
    description = "Responds as long as the function runs. It reads no data.",
    responses((status = 200, description = "It is", body = Health))
)]
pub async fn handler() -> JsonResponse<Health> {
    JsonResponse::ok(Health { status: "ok" })
}
