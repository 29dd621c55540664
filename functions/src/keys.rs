//! The public signing keys and the service's metadata, for those who check its tokens.
//!
//! `GET /.well-known/jwks.json` (RFC 7517), `GET /.well-known/oauth-authorization-server` (RFC 8414). The metadata names only
//! what works as its standard says. There is no authorization endpoint, so this is no `OpenID` provider, and the document of
//! `OpenID` Connect Discovery, which requires one, is not served.

use axum::extract::{OriginalUri, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::{App, Error, Result};
use utoipa::ToSchema;

const JWKS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// Where clients look for the metadata of an issuer with a path: between the host and the path (RFC 8414, 3.1).
const METADATA_OF_ISSUER: &str = "/.well-known/oauth-authorization-server/api/v1";

pub const ROUTE: Route =
    Route::new("keys", &["GET"], &[JWKS, METADATA], || get(either)).also_at_root(&[JWKS, METADATA, METADATA_OF_ISSUER]);

/// New keys are published a day before they sign, so no cache is too old to know one; a revoked one is believed as long as
/// a cache holds it, so none holds it for longer than five minutes.
const CACHEABLE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// Anyone may read them, a page in a browser too.
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const HEADERS: [(HeaderName, HeaderValue); 2] = [(CACHE_CONTROL, CACHEABLE), (ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN)];

#[derive(Serialize, ToSchema)]
pub struct KeySet {
    /// Public keys as JWKs; `kid` is the RFC 7638 thumbprint.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// RFC 8414, 2.
#[derive(Serialize, ToSchema)]
pub struct Metadata {
    issuer: String,
    jwks_uri: String,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
    /// None: there is no authorization endpoint. The field itself is required.
    #[schema(value_type = Vec<String>, max_items = 0)]
    response_types_supported: [&'static str; 0],
    /// None: there is no token endpoint. Left out, it would mean `authorization_code` and `implicit`.
    #[schema(value_type = Vec<String>, max_items = 0)]
    grant_types_supported: [&'static str; 0],
    service_documentation: String,
}

async fn either(OriginalUri(uri): OriginalUri, State(app): State<App>) -> Result<Response> {
    if uri.path().ends_with(JWKS) {
        jwks(&app).await.map(IntoResponse::into_response)
    } else {
        Ok(metadata(&app).into_response())
    }
}

#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "service", operation_id = "jwks", summary = "The public signing keys",
    description = "To check access tokens with (RFC 7517). A key is published a day before it signs, and the set may be cached for five minutes.",
    responses((status = 200, description = "The keys", body = KeySet))
)]
pub async fn jwks(app: &App) -> Result<impl IntoResponse> {
    let keys = app.store().trusted_keys().await?;
    let keys =
        keys.iter().map(|key| serde_json::from_str(&key.jwk)).collect::<Result<_, _>>().map_err(Error::internal)?;
    Ok((HEADERS, Answer::ok(KeySet { keys })))
}

#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "service", operation_id = "metadata", summary = "The service's metadata",
    description = "Authorization server metadata (RFC 8414). It names what works as its standard says. Also at the root, and at `/.well-known/oauth-authorization-server/api/v1`, where clients look for the metadata of an issuer with a path.",
    responses((status = 200, description = "The metadata", body = Metadata))
)]
#[must_use]
pub fn metadata(app: &App) -> impl IntoResponse {
    let issuer = &app.config.tokens.issuer;
    let metadata = Metadata {
        jwks_uri: format!("{issuer}{JWKS}"),
        introspection_endpoint: format!("{issuer}/auth/introspect"),
        introspection_endpoint_auth_methods_supported: ["client_secret_basic"],
        response_types_supported: [],
        grant_types_supported: [],
        service_documentation: format!("{issuer}/apidocs"),
        issuer: issuer.clone(),
    };
    (HEADERS, Answer::ok(metadata))
}

#[cfg(test)]
mod tests {
    use shared::http::BASE_PATH;

    use super::*;

    #[test]
    fn the_metadata_of_the_issuer_lies_between_host_and_path() {
        assert_eq!(METADATA_OF_ISSUER, format!("{METADATA}{BASE_PATH}"));
    }
}
