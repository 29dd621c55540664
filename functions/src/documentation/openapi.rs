//! The OpenAPI document, made from the handlers' own types and from the codes that each route says it fails with.

use std::collections::BTreeMap;

use serde_json::json;
use shared::domain::password::MinLength;
use shared::error::{Code, FieldError};
use shared::http::BASE_PATH;
use shared::http::answer::Problem;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, ObjectBuilder, OneOf, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContactBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response,
    ResponseBuilder, ServerBuilder,
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
    modifiers(&Security, &Failures, &Proofs),
    tags(
        (name = "auth", description = "Registering, confirming, signing in and out"),
        (name = "user", description = "Accounts"),
        (name = "factor", description = "Passkeys, and the second factor: an authenticator app and recovery codes"),
        (name = "picture", description = "Profile pictures"),
        (name = "service", description = "The service itself"),
    )
)]
struct Api;

/// The document, titled with the product's name; new passwords are as long as they have to be here.
#[must_use]
pub fn document(product: &str, shortest: MinLength) -> Document {
    let mut document = Api::openapi();
    for password in new_passwords(&mut document) {
        password.min_length = Some(shortest.characters());
    }
    document.info = InfoBuilder::new()
        .title(product)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("User management: register, confirm by email, sign in, manage accounts. Every error is an RFC 9457 problem with a stable `code`."))
        .contact(Some(ContactBuilder::new().name(Some(product)).build()))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url(BASE_PATH).build()]);
    document
}

/// The fields with a new password. Where an old one is asked for nothing is said of its length.
fn new_passwords(document: &mut Document) -> impl Iterator<Item = &mut Object> {
    let schemas = document.components.as_mut().into_iter().flat_map(|components| components.schemas.values_mut());
    let objects = schemas.filter_map(|schema| match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    });
    let fields = objects.flat_map(|object| object.properties.values_mut());
    fields.filter_map(|field| match field {
        RefOr::T(Schema::Object(field)) if is_new_password(field) => Some(field),
        _ => None,
    })
}

fn is_new_password(field: &Object) -> bool {
    let password = SchemaFormat::Custom("password".into());
    field.format.as_ref() == Some(&password) && field.min_length.is_some()
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
        // An operation without a scheme needs none, which an empty list says.
        for operation in document.paths.paths.values_mut().flat_map(operations).map(|(_, operation)| operation) {
            operation.security.get_or_insert_default();
        }
    }
}

/// The fields of which a body with a proof of who is asking has exactly one.
const PROOFS: [&str; 4] = ["code", "recovery_code", "passkey", "password"];

/// Bodies with a proof become a choice of bodies, each with one, which the types of the handlers cannot say.
struct Proofs;

impl Modify for Proofs {
    fn modify(&self, document: &mut Document) {
        let schemas = &mut document.components.get_or_insert_default().schemas;
        let mut choices = Vec::new();
        for (name, schema) in schemas {
            if let RefOr::T(Schema::Object(body)) = schema
                && let Some(choice) = choice_of_proofs(body)
            {
                *schema = RefOr::T(Schema::OneOf(choice));
                choices.push(Ref::from_schema_name(name).ref_location);
            }
        }
        let operations = document.paths.paths.values_mut().flat_map(operations).map(|(_, operation)| operation);
        let bodies = operations.filter_map(|operation| operation.request_body.as_mut());
        let contents = bodies.filter_map(|body| match body {
            RefOr::T(body) => Some(body.content.values_mut()),
            RefOr::Ref(_) => None,
        });
        for content in contents.flatten() {
            let RefOr::T(Content { schema: Some(schema), .. }) = content else { continue };
            if let Some(body) = optional(schema) {
                let takes_nothing = matches!(&body, RefOr::Ref(body) if choices.contains(&body.ref_location));
                *schema = if takes_nothing { or_nothing(body) } else { body };
            }
        }
    }
}

fn choice_of_proofs(body: &Object) -> Option<OneOf> {
    let proofs = PROOFS.into_iter().filter(|proof| body.properties.contains_key(*proof));
    // An answer that asks for a proof names none of them.
    body.properties.get("recovery_code")?;
    let bodies = proofs.map(|proof| {
        let mut body = body.clone();
        body.properties.retain(|name, _| name == proof || !PROOFS.contains(&name.as_str()));
        body.required.push(proof.to_owned());
        if let Some(field) = body.properties.get_mut(proof) {
            *field = present(field.clone());
        }
        body.title = Some(proof.to_owned());
        body
    });
    let choice = bodies.fold(OneOfBuilder::new(), OneOfBuilder::item);
    Some(choice.description(Some("Exactly one proof.")).build())
}

/// The schema of a field that may be null, for where it is not.
fn present(field: RefOr<Schema>) -> RefOr<Schema> {
    if let Some(field) = optional(&field) {
        return field;
    }
    let RefOr::T(Schema::Object(mut field)) = field else { return field };
    if let SchemaType::Array(types) = &mut field.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = &types[..] {
            field.schema_type = SchemaType::Type(only.clone());
        }
    }
    field.into()
}

/// The other schema of a choice between it and null.
fn optional(schema: &RefOr<Schema>) -> Option<RefOr<Schema>> {
    let RefOr::T(Schema::OneOf(choice)) = schema else { return None };
    match &choice.items[..] {
        [null, other] | [other, null] if is_null(null) => Some(other.clone()),
        _ => None,
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(Object { schema_type: SchemaType::Type(Type::Null), .. })))
}

/// Where the account has no second factor, or it was proved a moment ago, the body may be empty.
fn or_nothing(body: RefOr<Schema>) -> RefOr<Schema> {
    let nothing = ObjectBuilder::new().title(Some("nothing")).max_properties(Some(0));
    let nothing = nothing.description(Some("Where no proof is needed."));
    Schema::OneOf(OneOfBuilder::new().item(body).item(nothing).build()).into()
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
    // Who opened a mailed link in a browser reads on a page what went wrong with it.
    let pages = route.is_some_and(|route| route.errors.contains(&Code::LinkInvalid));
    for (status, codes) in by_status {
        let mut problem = problem(status, &codes);
        if pages && ![405, 413, 415].contains(&status) {
            let page = Content::new(Some(Object::with_type(Type::String)));
            problem.content.insert(String::from("text/html"), page.into());
        }
        operation.responses.responses.insert(status.to_string(), RefOr::T(problem));
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
