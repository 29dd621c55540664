//! The public signing keys and the service's metadata, for those who check its tokens.
//!
//! `GET /.well-known/jwks.json` (RFC 7517), `GET /.well-known/openid-configuration` (`OpenID` Connect Discovery 1.0).

use axum::extract::{OriginalUri, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use shared::domain::keys::Algorithm;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::{App, Error, Result};
use utoipa::ToSchema;

const JWKS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/openid-configuration";

pub const ROUTE: Route = Route::new("keys", &["GET"], &[JWKS, METADATA], || get(either)).also_at_root();

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

#[derive(Serialize, ToSchema)]
pub struct Metadata {
    issuer: String,
    jwks_uri: String,
    token_endpoint: String,
    registration_endpoint: String,
    end_session_endpoint: String,
    userinfo_endpoint: String,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    /// The algorithms of the published keys.
    id_token_signing_alg_values_supported: Vec<Algorithm>,
    service_documentation: String,
}

async fn either(uri: OriginalUri, app: State<App>) -> Result<Response> {
    if uri.path().ends_with(JWKS) {
        jwks(app).await.map(IntoResponse::into_response)
    } else {
        metadata(app).await.map(IntoResponse::into_response)
    }
}

#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "service", operation_id = "jwks", summary = "The public signing keys",
    responses((status = 200, description = "The keys", body = KeySet))
)]
pub async fn jwks(State(app): State<App>) -> Result<impl IntoResponse> {
    let keys = app.store().trusted_keys().await?;
    let keys =
        keys.iter().map(|key| serde_json::from_str(&key.jwk)).collect::<Result<_, _>>().map_err(Error::internal)?;
    Ok((HEADERS, Answer::ok(KeySet { keys })))
}

#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "service", operation_id = "metadata", summary = "The service's metadata",
    responses((status = 200, description = "The metadata", body = Metadata))
)]
pub async fn metadata(State(app): State<App>) -> Result<impl IntoResponse> {
    let mut algorithms: Vec<Algorithm> = app.store().trusted_keys().await?.iter().map(|key| key.algorithm).collect();
    algorithms.dedup();
    let issuer = &app.config.tokens.issuer;
    let metadata = Metadata {
        jwks_uri: format!("{issuer}{JWKS}"),
        token_endpoint: format!("{issuer}/auth/login"),
        registration_endpoint: format!("{issuer}/auth/register"),
        end_session_endpoint: format!("{issuer}/auth/logout"),
        userinfo_endpoint: format!("{issuer}/user"),
        introspection_endpoint: format!("{issuer}/auth/introspect"),
        introspection_endpoint_auth_methods_supported: ["client_secret_basic"],
        response_types_supported: ["token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms,
        service_documentation: format!("{issuer}/apidocs"),
        issuer: issuer.clone(),
    };
    Ok((HEADERS, Answer::ok(metadata)))
}
