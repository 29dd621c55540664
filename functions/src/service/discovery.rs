//! Metadata of the authorization server, for verifying its tokens.
//!
//! `GET /.well-known/oauth-authorization-server` (RFC 8414). It lists only what works as its standard requires. There is no
//! authorization endpoint, so this is not an `OpenID` provider, and the document of `OpenID` Connect Discovery, which requires one,
//! is not served.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::App;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use utoipa::ToSchema;

use super::{JWKS_PATH, Public};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]);

/// Authorization server metadata (RFC 8414, 2).
#[derive(Serialize, ToSchema)]
pub struct Metadata {
    issuer: String,
    jwks_uri: String,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
    /// Empty: there is no authorization endpoint. The field itself is required.
    #[schema(value_type = Vec<String>, max_items = 0)]
    response_types_supported: [&'static str; 0],
    /// Empty: there is no token endpoint. Omitting the field would mean `authorization_code` and `implicit`.
    #[schema(value_type = Vec<String>, max_items = 0)]
    grant_types_supported: [&'static str; 0],
    service_documentation: String,
}

// Clients look for the metadata of an issuer with a path between the host and the path (RFC 8414, 3.1).
#[operation(
    GET, "/.well-known/oauth-authorization-server",
    at_root, at_root["/.well-known/oauth-authorization-server/api/v1"],
    summary = "Authorization server metadata",
    description = "Metadata of the authorization server (RFC 8414). It lists only what works as its standard requires. Also served at the root, and at `/.well-known/oauth-authorization-server/api/v1`, where clients look for the metadata of an issuer with a path.",
    responses((status = 200, description = "The metadata", body = Metadata))
)]
pub async fn handler(State(app): State<App>) -> Public<Metadata> {
    let issuer = &app.config.tokens.issuer;
    Public(JsonResponse::ok(Metadata {
        jwks_uri: format!("{issuer}{JWKS_PATH}"),
        introspection_endpoint: format!("{issuer}/auth/introspect"),
        introspection_endpoint_auth_methods_supported: ["client_secret_basic"],
        response_types_supported: [],
        grant_types_supported: [],
        service_documentation: format!("{issuer}/apidocs"),
        issuer: issuer.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use shared::http::BASE_PATH;

    use super::*;

    #[test]
    fn the_metadata_of_the_issuer_is_between_host_and_path() {
        let expected = format!("{}{BASE_PATH}", HANDLER.path);
        assert!(HANDLER.root_paths.contains(&expected.as_str()));
    }
}
