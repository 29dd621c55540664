//! The OpenAPI document, made from the handlers' own types and from the codes that each route says it fails with.

use std::collections::BTreeMap;

use serde_json::json;
use shared::error::{Code, FieldError};
use shared::http::BASE_PATH;
use shared::http::answer::Problem;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder,
    ServerBuilder,
};
use utoipa::{Modify, OpenApi};

use crate::{
    OUTLINES, Outline, add_passkey, change_password, confirm, confirm_email, confirm_totp, delete_passkey,
    delete_picture, delete_totp, delete_user, documentation, end_session, forgot_password, get_factors, get_user,
    health, introspect, keys, list_sessions, list_users, login, logout, passkey_login, password_page, refresh,
    register, rename_passkey, renew_recovery_codes, reset_password, send, start_passkey, start_passkey_login,
    start_totp, step_up, undo_email, update_user, upload_picture, verify_login,
};

#[derive(OpenApi)]
#[openapi(
    paths(
        register::handler, send::handler, confirm::open, confirm::handler, login::handler, verify_login::handler,
        start_passkey_login::handler, passkey_login::handler, step_up::handler,
        refresh::with_bearer, refresh::handler, logout::handler, change_password::handler, forgot_password::handler,
        reset_password::open, reset_password::handler, confirm_email::open, confirm_email::handler, undo_email::open,
        undo_email::handler, password_page::handler, list_sessions::handler, end_session::handler,
        introspect::handler, get_user::handler, update_user::handler, delete_user::handler,
        list_users::handler, upload_picture::handler, delete_picture::handler, get_factors::handler,
        start_totp::handler, confirm_totp::handler, delete_totp::handler, renew_recovery_codes::handler,
        start_passkey::handler, add_passkey::handler, rename_passkey::handler, delete_passkey::handler, health::handler,
        documentation::openapi_json, documentation::page, keys::jwks, keys::metadata,
    ),
    components(schemas(Problem, FieldError, Code)),
    modifiers(&Security, &Failures),
    tags(
        (name = "auth", description = "Registering, confirming, signing in and out"),
        (name = "user", description = "Accounts"),
        (name = "factor", description = "Passkeys, and the second factor: an authenticator app and recovery codes"),
        (name = "picture", description = "Profile pictures"),
        (name = "service", description = "The service itself"),
    )
)]
struct Api;

/// The document, titled with the product's name.
#[must_use]
pub fn document(product: &str) -> Document {
    let mut document = Api::openapi();
    document.info = InfoBuilder::new()
        .title(product)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("User management: register, confirm by mail, sign in, manage accounts. Every error is an RFC 9457 problem with a stable `code`."))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url(BASE_PATH).build()]);
    document
}

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let bearer = |format: &str, description: &str| {
            let scheme =
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(description));
            SecurityScheme::Http(scheme.build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("access_token", bearer("JWT", "The access token of a sign-in or a refresh."));
        components
            .add_security_scheme("refresh_token", bearer("opaque", "The refresh token of a sign-in or a refresh."));
        let client = HttpBuilder::new()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("The id and secret of a service that may ask about tokens."));
        components.add_security_scheme("introspection_client", SecurityScheme::Http(client.build()));
    }
}

/// Adds the failures of every operation: its route's own and those that all have.
struct Failures;

impl Modify for Failures {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                let route = OUTLINES
                    .iter()
                    .find(|route| route.paths.contains(&path.as_str()) && route.methods.contains(&method));
                add_failures(operation, route);
            }
        }
    }
}

/// The operations of a path with their methods.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, delete, .. } = item;
    [("GET", get), ("POST", post), ("PUT", put), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn add_failures(operation: &mut Operation, route: Option<&Outline>) {
    let mut codes = vec![Code::InternalError, Code::MethodNotAllowed, Code::PayloadTooLarge];
    if operation.request_body.is_some() {
        codes.extend([Code::InvalidRequest, Code::UnsupportedMediaType]);
    } else if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        codes.push(Code::InvalidRequest);
    }
    codes.extend(route.map_or(&[][..], |route| route.errors));
    if route.is_some_and(|route| route.uses_table) {
        codes.push(Code::TemporarilyUnavailable);
    }
    let limited = route.is_some_and(|route| route.limited);
    if limited {
        codes.push(Code::RateLimited);
    }

    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        operation.responses.responses.insert(status.to_string(), RefOr::T(problem(status, &codes)));
    }
    if limited {
        add_limits(operation);
    }
}

/// Where the client stands, on all answers to a request that was counted.
fn add_limits(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let counted = status.starts_with('2') || ["401", "403", "429"].contains(&status.as_str());
        if let RefOr::T(response) = response
            && counted
        {
            let names = [
                ("RateLimit-Policy", "Requests and seconds of the window: `\"login\";q=30;w=300`"),
                ("RateLimit", "Requests that remain, and seconds until the window ends: `\"login\";r=29;t=212`"),
            ];
            let headers = names.map(|(name, description)| (name.to_owned(), RefOr::T(header(description))));
            response.headers.extend(headers);
        }
    }
}

fn header(description: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(Type::String))).description(Some(description)).build()
}

fn problem(status: u16, codes: &[Code]) -> Response {
    let examples = codes.iter().map(|code| {
        let example = json!({
            "type": format!("urn:problem:{code}"), "title": code.title(), "status": status,
            "detail": code.title(), "code": code, "request_id": "JKJaXmPLvHcESHA=", "errors": [],
        });
        (code.as_str().to_owned(), utoipa::openapi::example::ExampleBuilder::new().value(Some(example)).build())
    });
    let mut content = Content::new(Some(Ref::from_schema_name("Problem")));
    content.examples = examples.map(|(name, example)| (name, RefOr::T(example))).collect();
    let names: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let response = ResponseBuilder::new().description(names.join(", ")).content("application/problem+json", content);
    match status {
        401 => response.header("WWW-Authenticate", header("The challenge, after RFC 6750 and RFC 9470")),
        405 => response.header("Allow", header("The methods that the path takes")),
        429 | 503 => response.header("Retry-After", header("Seconds to wait")),
        _ => response,
    }
    .build()
}
