//! The way out: every answer gets its request id and its headers here, every error its body, and every failure of
//! ours its line in the log. A panic becomes an answer like any other failure.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, USER_AGENT, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use lambda_http::request::RequestContext;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, field};
use utoipa::ToSchema;

use super::body::MAX_BODY;
use super::caller::RequestInfo;
use super::limit::{Gate, seconds};
use crate::App;
use crate::domain::limit::Limit;
use crate::error::{Causes, Code, Error, FieldError};

const X_FRONT_SECRET: HeaderName = HeaderName::from_static("x-front-secret");
/// Set by the front over whatever the client sent, and believed only together with the front's secret.
const X_VIEWER_ADDRESS: HeaderName = HeaderName::from_static("x-viewer-address");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error response (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// URI that identifies the problem type.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "urn:problem:invalid_request")]
    pub kind: String,
    #[schema(example = "Invalid request")]
    pub title: &'static str,
    #[schema(example = 400)]
    pub status: u16,
    #[schema(example = "Some fields are invalid; see `errors`.")]
    pub detail: String,
    /// Stable, machine-readable code.
    pub code: Code,
    #[schema(example = "JKJaXmPLvHcESHA=")]
    pub request_id: String,
    /// The invalid fields; empty if the error is not about fields.
    pub errors: Vec<FieldError>,
}

/// An error on its way out; [`finish`] gives it its body.
#[derive(Clone)]
struct Failed(Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.code().status().into_response();
        for (name, value) in self.headers() {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(Failed(Arc::new(self)));
        response
    }
}

impl Error {
    /// Headers that go with an error: challenges after RFC 6750 and RFC 9470, waits in seconds.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let challenge = |text: &'static str| vec![(WWW_AUTHENTICATE, HeaderValue::from_static(text))];
        match self {
            Self::Unauthenticated | Self::InvalidCredentials | Self::InvalidChallenge => challenge("Bearer"),
            Self::InvalidToken | Self::InvalidRefreshToken => challenge("Bearer error=\"invalid_token\""),
            Self::InvalidClient => challenge("Basic realm=\"introspection\", charset=\"UTF-8\""),
            Self::ReauthenticationRequired { max_age } => {
                let text =
                    format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{}\"", max_age.as_secs());
                HeaderValue::from_str(&text).map(|value| (WWW_AUTHENTICATE, value)).into_iter().collect()
            }
            Self::TooManyAttempts { retry_after } | Self::RateLimited { retry_after } => {
                vec![(RETRY_AFTER, HeaderValue::from(seconds(*retry_after)))]
            }
            Self::TemporarilyUnavailable(_) | Self::OutcomeUnknown(_) | Self::RequestInProgress => {
                vec![(RETRY_AFTER, HeaderValue::from(seconds(Duration::from_secs(1))))]
            }
            Self::MethodNotAllowed { allow } => {
                HeaderValue::from_str(allow).map(|value| (ALLOW, value)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Wraps a function's routes with everything that all answers have in common.
pub fn finish(router: Router<App>, name: &'static str, methods: &[&str], limit: Option<Limit>, app: App) -> Router {
    let takes_any = methods.is_empty();
    let allow: Arc<str> = methods.join(", ").into();
    let not_allowed = move || Error::MethodNotAllowed { allow: allow.to_string() };
    let head_not_allowed = not_allowed.clone();
    router
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(move || std::future::ready(not_allowed()))
        .with_state(app.clone())
        // Axum answers HEAD with GET's handler, and HEAD must never change anything.
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let refusal = if request.method() == Method::HEAD && !takes_any {
                Some(head_not_allowed())
            } else if content_length(&request).is_some_and(|length| length > MAX_BODY) {
                Some(Error::PayloadTooLarge)
            } else {
                None
            };
            async move {
                match refusal {
                    Some(error) => error.into_response(),
                    None => next.run(request).await,
                }
            }
        }))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state((app, name, limit), conclude))
}

fn content_length(request: &Request) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!("panicked: {}", message.unwrap_or("without a message"))).into_response()
}

async fn conclude(
    State((app, function, limit)): State<(App, &'static str, Option<Limit>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut info = request_info(&request);
    let came_through = app.config.front.as_ref().is_none_or(|front| {
        let sent = request.headers().get(X_FRONT_SECRET).is_some_and(|secret| front.sends(secret.as_bytes()));
        if sent {
            info.source_ip = viewer_address(request.headers());
        }
        sent
    });
    let span = tracing::info_span!(
        "request",
        "faas.name" = function,
        "trace.id" = info.request_id,
        "http.request.method" = %request.method(),
        "url.path" = request.uri().path(),
        "source.ip" = info.source_ip.map(field::display),
        "user_agent.original" = info.user_agent,
        "user.id" = field::Empty,
        "user.effective.id" = field::Empty,
    );
    let request_id = info.request_id.clone();
    request.extensions_mut().insert(info);
    let gate = limit.map(|limit| Gate::open(limit, &mut request));
    async move {
        let began = app.clock.now();
        let mut response = if came_through { next.run(request).await } else { Error::NotFound.into_response() };
        if let Some(Failed(error)) = response.extensions_mut().remove::<Failed>() {
            log_failure(&error);
            give_body(&mut response, &error, &request_id);
        }
        tracing::info!(
            "http.response.status_code" = response.status().as_u16(),
            "event.duration_ms" = u64::try_from(app.clock.now().since(began).as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        add_headers(response.headers_mut(), &request_id);
        if let Some(gate) = gate {
            gate.describe_to(response.headers_mut());
        }
        response
    }
    .instrument(span)
    .await
}

/// The client's address as the front says it.
fn viewer_address(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(X_VIEWER_ADDRESS)?.to_str().ok()?.parse().ok()
}

fn request_info(request: &Request) -> RequestInfo {
    let (request_id, source_ip) = match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => (context.request_id.clone(), context.http.source_ip.clone()),
        _ => (None, None),
    };
    let user_agent = request
        .headers()
        .get(USER_AGENT)
        .map(|agent| String::from_utf8_lossy(agent.as_bytes()).chars().take(200).collect());
    RequestInfo {
        request_id: request_id.unwrap_or_default(),
        source_ip: source_ip.and_then(|ip| ip.parse().ok()),
        user_agent,
    }
}

fn log_failure(error: &Error) {
    match error {
        Error::Internal(cause) | Error::TemporarilyUnavailable(cause) | Error::OutcomeUnknown(cause) => {
            tracing::error!(error.code = %error.code(), error.message = %Causes(cause.as_ref()), "the request failed");
        }
        other => tracing::info!(error.code = %other.code(), "the request was refused"),
    }
}

fn give_body(response: &mut Response, error: &Error, request_id: &str) {
    let errors = match error {
        Error::InvalidRequest { errors, .. } => errors.clone(),
        _ => Vec::new(),
    };
    Problem::new(error.code(), error.to_string(), errors, request_id).write_to(response);
}

/// The whole answer of a gateway that gives a request to no function; `detail` says more than the code's title.
#[must_use]
pub fn refusal(code: Code, detail: Option<String>, request_id: &str) -> Response {
    let mut response = code.status().into_response();
    let detail = detail.unwrap_or_else(|| code.title().to_owned());
    Problem::new(code, detail, Vec::new(), request_id).write_to(&mut response);
    add_headers(response.headers_mut(), request_id);
    response
}

impl Problem {
    fn new(code: Code, detail: String, errors: Vec<FieldError>, request_id: &str) -> Self {
        Self {
            kind: format!("urn:problem:{code}"),
            title: code.title(),
            status: code.status().as_u16(),
            detail,
            code,
            request_id: request_id.to_owned(),
            errors,
        }
    }

    fn write_to(&self, response: &mut Response) {
        *response.body_mut() = serde_json::to_vec(self).map(Body::from).unwrap_or_default();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    }
}

/// OWASP's list for APIs (<https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html>); a handler
/// that set one of them knows better.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

fn add_headers(headers: &mut HeaderMap, request_id: &str) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// A JSON response. Its content type names the charset.
#[derive(Debug)]
pub struct JsonResponse<T>(pub StatusCode, pub T);

impl<T> JsonResponse<T> {
    pub const fn ok(body: T) -> Self {
        Self(StatusCode::OK, body)
    }
}

impl<T: Serialize> IntoResponse for JsonResponse<T> {
    fn into_response(self) -> Response {
        const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
        match serde_json::to_vec(&self.1) {
            Ok(body) => (self.0, [(CONTENT_TYPE, JSON)], body).into_response(),
            Err(error) => Error::internal(error).into_response(),
        }
    }
}
