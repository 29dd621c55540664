//! Says that the service is up.
//!
//! `GET /health`. It touches nothing, so it is up when the function is.

use axum::routing::get;
use serde::Serialize;
use shared::http::Route;
use shared::http::answer::Answer;
use utoipa::ToSchema;

const PATHS: &[&str] = &["/health"];

pub const ROUTE: Route = Route::new("health", &["GET"], PATHS, || get(handler)).also_at_root(PATHS).without_table();

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

#[utoipa::path(
    get, path = "/health", tag = "service", operation_id = "health", summary = "Is the service up?",
    description = "Answers as long as the function runs. It reads nothing.",
    responses((status = 200, description = "It is", body = Health))
)]
pub async fn handler() -> Answer<Health> {
    Answer::ok(Health { status: "ok" })
}
