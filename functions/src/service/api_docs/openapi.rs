//! The OpenAPI document, generated from the types of the handlers and the error codes of each route.

use std::collections::BTreeMap;

use serde_json::json;
use shared::domain::password::MinLength;
use shared::error::{Code, FieldError};
use shared::http::answer::Problem;
use shared::http::{BASE_PATH, IDEMPOTENCY_CODES};
use utoipa::OpenApi;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, OneOf, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContactBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi as Document, PathItem, Ref, RefOr, Required,
    Response, ResponseBuilder, ServerBuilder,
};

use crate::{DOCUMENTS, Documented, TAGS};

#[derive(OpenApi)]
#[openapi(components(schemas(Problem, FieldError, Code)))]
struct Common;

/// The document, titled with the product's name; new passwords are as long as they have to be here.
#[must_use]
pub fn document(product: &str, shortest: MinLength) -> Document {
    let mut document = DOCUMENTS.iter().fold(Common::openapi(), |mut document, documented| {
        document.merge(documented.alone());
        document
    });
    let tags = TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build());
    document.tags = Some(tags.into());
    add_security_schemes(&mut document);
    choose_proofs(&mut document);
    for password in new_passwords(&mut document) {
        password.min_length = Some(shortest.characters());
    }
    document.info = InfoBuilder::new()
        .title(product)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("User management: registration, email confirmation, sign-in and account management. Every error is an RFC 9457 problem with a stable `code`."))
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

fn add_security_schemes(document: &mut Document) {
    let bearer = |format: &str, description: &str| {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(description));
        SecurityScheme::Http(scheme.build())
    };
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("access_token", bearer("JWT", "The access token from a sign-in or refresh."));
    components.add_security_scheme("refresh_token", bearer("opaque", "The refresh token from a sign-in or refresh."));
    let client = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The ID and secret of a client that is allowed to introspect tokens."));
    components.add_security_scheme("introspection_client", SecurityScheme::Http(client.build()));
}

impl Documented {
    /// A document of this operation alone, with what its route's file and its arguments say.
    fn alone(&self) -> Document {
        let mut document = (self.document)();
        for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
            operation.tags = Some(vec![self.area.to_owned()]);
            // The handler of a route with one operation has the route's name for its id.
            if operation.operation_id.as_deref() == Some("handler") {
                operation.operation_id = Some(self.route.to_owned());
            }
            // An operation without a scheme needs none, which an empty list says.
            let scheme = self.arguments.iter().find_map(|argument| argument.credentials);
            operation.security =
                Some(scheme.into_iter().map(|scheme| SecurityRequirement::new(scheme, [""; 0])).collect());
            self.add_failures(operation);
        }
        document
    }
}

/// The fields of which a body with a proof of who is asking has exactly one.
const PROOFS: [&str; 4] = ["code", "recovery_code", "passkey", "password"];

/// Bodies with a proof become a choice of bodies, each with one, which the types of the handlers cannot say.
fn choose_proofs(document: &mut Document) {
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
    let nothing = nothing.description(Some("If no proof is required."));
    Schema::OneOf(OneOfBuilder::new().item(body).item(nothing).build()).into()
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

impl Documented {
    /// Adds the failures of an operation: its route's own, those of its arguments, and those that all have.
    fn add_failures(&self, operation: &mut Operation) {
        let mut codes = vec![Code::Internal, Code::MethodNotAllowed, Code::PayloadTooLarge];
        if operation.request_body.is_some() {
            codes.extend([Code::InvalidRequest, Code::UnsupportedMediaType]);
        } else if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
            codes.push(Code::InvalidRequest);
        }
        codes.extend(self.arguments.iter().flat_map(|argument| argument.errors).chain(self.errors));
        if self.refuses_impersonation {
            codes.push(Code::Impersonating);
        }
        if self.takes_idempotency_key {
            codes.extend(IDEMPOTENCY_CODES);
            operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
        codes.sort_unstable();
        codes.dedup();
        if self.uses_table {
            codes.push(Code::TemporarilyUnavailable);
        }
        if self.limited {
            codes.push(Code::RateLimited);
        }

        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in codes {
            by_status.entry(code.status().as_u16()).or_default().push(code);
        }
        // A browser that opened an emailed link gets errors as a page.
        let pages = self.errors.contains(&Code::LinkInvalid);
        for (status, codes) in by_status {
            let mut problem = problem(status, &codes);
            if pages && ![405, 413, 415].contains(&status) {
                let page = Content::new(Some(Object::with_type(Type::String)));
                problem.content.insert(String::from("text/html"), page.into());
            }
            operation.responses.responses.insert(status.to_string(), RefOr::T(problem));
        }
        if self.limited {
            add_limits(operation);
        }
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    let text = text.pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Visible ASCII, such as a UUID. Within 24 hours, repeating the same request with the same key has no second effect and \
             returns the same response with `Idempotency-Replayed: true`. Responses with tokens or secrets are not stored.",
        ))
        .schema(Some(text.build()))
        .build()
}

/// Adds the rate limit headers to all responses to counted requests.
fn add_limits(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let counted = status.starts_with('2') || ["401", "403", "429"].contains(&status.as_str());
        if let RefOr::T(response) = response
            && counted
        {
            let names = [
                ("RateLimit-Policy", "Allowed requests, and the window in seconds: `\"login\";q=30;w=300`"),
                ("RateLimit", "Remaining requests, and seconds until the window ends: `\"login\";r=29;t=212`"),
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
        401 => response.header("WWW-Authenticate", header("The challenge (RFC 6750, RFC 9470)")),
        405 => response.header("Allow", header("The methods that the path supports")),
        429 | 503 => response.header("Retry-After", header("Seconds to wait before retrying")),
        _ => response,
    }
    .build()
}
