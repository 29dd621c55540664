//! The API's own documentation: the OpenAPI document, and a page to read and try it.
//!
//! `GET /openapi.json`, `GET /apidocs`. The page is Swagger UI, served from here with all it needs.

use std::sync::{Arc, LazyLock};

use axum::extract::{OriginalUri, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::http::{BASE_PATH, Route};
use shared::{App, Error, Result};
use utoipa_swagger_ui::Config;

use crate::documentation::openapi::document;

pub mod openapi;

const PAGE: &str = "/apidocs";
const DOCUMENT: &str = "/openapi.json";

pub const ROUTE: Route = Route::new("documentation", &["GET"], &[DOCUMENT, PAGE, "/apidocs/{*asset}"], || get(either))
    .also_at_root()
    .without_table();

/// Swagger UI styles its elements in place and shows images from data URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
);
const CACHEABLE: HeaderValue = HeaderValue::from_static("public, max-age=300");

static UI: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from(format!("{BASE_PATH}{DOCUMENT}")).persist_authorization(false).try_it_out_enabled(true);
    Arc::new(config)
});

async fn either(OriginalUri(uri): OriginalUri, State(app): State<App>) -> Result<Response> {
    let path = uri.path();
    if path.ends_with(DOCUMENT) {
        return openapi_json(&app);
    }
    match path.split_once("/apidocs/") {
        Some((_, asset)) => asset_of_page(asset),
        None => page(),
    }
}

#[utoipa::path(
    get, path = "/openapi.json", tag = "service", operation_id = "openapi", summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub fn openapi_json(app: &App) -> Result<Response> {
    let json = document(&app.config.mail.product_name).to_json().map_err(Error::internal)?;
    let json_type = HeaderValue::from_static("application/json; charset=utf-8");
    Ok(([(CONTENT_TYPE, json_type), (CACHE_CONTROL, CACHEABLE)], json).into_response())
}

#[utoipa::path(
    get, path = "/apidocs", tag = "service", operation_id = "apidocs", summary = "A page to try the API from",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
fn page() -> Result<Response> {
    let (content_type, html) = file("index.html")?;
    // The page's own links are relative to the path with a slash at its end.
    let html = String::from_utf8_lossy(&html).replacen("<head>", "<head><base href=\"apidocs/\">", 1);
    Ok((headers(content_type), html).into_response())
}

fn asset_of_page(asset: &str) -> Result<Response> {
    let (content_type, bytes) = file(asset)?;
    Ok((headers(content_type), bytes).into_response())
}

fn file(name: &str) -> Result<(HeaderValue, Vec<u8>)> {
    let file = utoipa_swagger_ui::serve(name, Arc::clone(&UI)).map_err(|error| Error::internal(error.to_string()))?;
    let file = file.ok_or(Error::NotFound)?;
    let content_type = HeaderValue::from_str(&file.content_type).map_err(Error::internal)?;
    Ok((content_type, file.bytes.into_owned()))
}

fn headers(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [(CONTENT_TYPE, content_type), (CACHE_CONTROL, CACHEABLE), (CONTENT_SECURITY_POLICY, POLICY)]
}
