//! The API's own documentation: the OpenAPI document, and a page to read and try it.
//!
//! `GET /openapi.json`, `GET /apidocs`. The page is Swagger UI, served from here with all it needs.

use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::http::Route;
use shared::{App, Error, Result};

use crate::documentation::openapi::document;

pub mod openapi;

const PAGE: &str = "/apidocs";
const DOCUMENT: &str = "/openapi.json";

const PATHS: &[&str] = &[DOCUMENT, PAGE, "/apidocs/{*asset}"];

pub const ROUTE: Route =
    Route::new("documentation", &["GET"], PATHS, || get(either)).also_at_root(PATHS).without_table();

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
const START: &[u8] = include_bytes!("documentation/start.js");
const ASSETS: [Asset; 4] = [
    of_swagger_ui!("favicon-32x32.png", "image/png"),
    of_swagger_ui!("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    of_swagger_ui!("swagger-ui.css", "text/css; charset=utf-8"),
    ("start.js", HeaderValue::from_static("text/javascript; charset=utf-8"), START),
];

async fn either(OriginalUri(uri): OriginalUri, State(app): State<App>) -> Result<Response> {
    let path = uri.path();
    if path.ends_with(DOCUMENT) {
        return openapi_json(&app);
    }
    match path.split_once("/apidocs/") {
        Some((_, name)) => asset(name),
        None => Ok(page()),
    }
}

#[utoipa::path(
    get, path = "/openapi.json", tag = "service", operation_id = "openapi", summary = "This document",
    description = "OpenAPI 3.1, made from the code of the service.",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub fn openapi_json(app: &App) -> Result<Response> {
    let json =
        document(&app.config.mail.product_name, app.config.password_min_length).to_json().map_err(Error::internal)?;
    let json_type = HeaderValue::from_static("application/json; charset=utf-8");
    Ok(([(CONTENT_TYPE, json_type), (CACHE_CONTROL, CACHEABLE)], json).into_response())
}

#[utoipa::path(
    get, path = "/apidocs", tag = "service", operation_id = "apidocs", summary = "A page to try the API from",
    description = "Swagger UI for this document.",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
fn page() -> Response {
    (headers(HTML), include_str!("documentation/page.html")).into_response()
}

fn asset(name: &str) -> Result<Response> {
    let asset = ASSETS.into_iter().find(|(asset, ..)| *asset == name);
    let (_, content_type, content) = asset.ok_or(Error::NotFound)?;
    Ok((headers(content_type), content).into_response())
}

fn headers(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [(CONTENT_TYPE, content_type), (CACHE_CONTROL, CACHEABLE), (CONTENT_SECURITY_POLICY, POLICY)]
}
