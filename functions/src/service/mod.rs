//! The service itself: health, documentation, keys and metadata.

pub mod api_docs;
pub mod discovery;
pub mod health;
pub mod jwks;
pub mod not_found;

use axum::http::HeaderValue;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::http::Area;
use shared::http::answer::JsonResponse;

pub const AREA: Area = Area {
    name: "service",
    description: "The service itself",
    routes: &[health::ROUTE, api_docs::ROUTE, jwks::ROUTE, discovery::ROUTE],
    workers: &[],
};

/// Where the keys are that check access tokens.
const JWKS_PATH: &str = jwks::HANDLER.path;

/// A document that anyone may read, a page in a browser too, and that may be cached for five minutes: new keys are published a
/// day before they sign, so no cache is too old to know one; a revoked one is believed as long as a cache holds it.
pub struct Public<T>(JsonResponse<T>);

impl<T: Serialize> IntoResponse for Public<T> {
    fn into_response(self) -> Response {
        let headers = [
            (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        ];
        (headers, self.0).into_response()
    }
}
