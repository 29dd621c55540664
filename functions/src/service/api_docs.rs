//! API documentation: the OpenAPI document, and a page to read and try it.
//!
//! `GET /openapi.json`, `GET /apidocs`. The page is Swagger UI, served from here with all its assets.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use macros::operation;
use shared::http::Route;
use shared::{App, Error, Result};

use crate::service::api_docs::openapi::document;

pub mod openapi;

pub const ROUTE: Route = Route::new(module_path!(), &[OPENAPI_JSON, PAGE, ASSET]);

/// Swagger UI styles its elements in place and shows images from data URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
);
const CACHEABLE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A name under the page, its type and its content.
type Asset = (&'static str, HeaderValue, &'static [u8]);

macro_rules! of_swagger_ui {
    ($name:literal, $content_type:literal) => {
        ($name, HeaderValue::from_static($content_type), include_bytes!(concat!(env!("OUT_DIR"), "/", $name)))
    };
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const START: &[u8] = include_bytes!("api_docs/start.js");
const ASSETS: [Asset; 4] = [
    of_swagger_ui!("favicon-32x32.png", "image/png"),
    of_swagger_ui!("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    of_swagger_ui!("swagger-ui.css", "text/css; charset=utf-8"),
    ("start.js", HeaderValue::from_static("text/javascript; charset=utf-8"), START),
];

#[operation(
    GET, "/openapi.json", at_root, operation_id = "openapi",
    summary = "OpenAPI document",
    description = "OpenAPI 3.1, generated from the code of the service.",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub async fn openapi_json(State(app): State<App>) -> Result<Response> {
    let json =
        document(&app.config.mail.product_name, app.config.password_min_length).to_json().map_err(Error::internal)?;
    let json_type = HeaderValue::from_static("application/json; charset=utf-8");
    Ok(([(CONTENT_TYPE, json_type), (CACHE_CONTROL, CACHEABLE)], json).into_response())
}

#[operation(
    GET, "/apidocs", at_root, operation_id = "apidocs",
    summary = "API documentation page",
    description = "Swagger UI for this document.",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
pub async fn page() -> Response {
    (headers(HTML), include_str!("api_docs/page.html")).into_response()
}

#[operation(GET, "/apidocs/{*asset}", at_root, undocumented)]
pub async fn asset(Path(name): Path<String>) -> Result<Response> {
    let asset = ASSETS.into_iter().find(|(asset, ..)| *asset == name);
    let (_, content_type, content) = asset.ok_or(Error::NotFound)?;
    Ok((headers(content_type), content).into_response())
}

fn headers(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [(CONTENT_TYPE, content_type), (CACHE_CONTROL, CACHEABLE), (CONTENT_SECURITY_POLICY, POLICY)]
}
