//! The API's `CorsConfiguration` of the template, as API Gateway carries it out
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>): it answers preflights by itself, adds its
//! headers to every other answer, and passes none of a function's own on.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use embedded::Origins;

const METHODS: HeaderValue = HeaderValue::from_static("GET,POST,PUT,PATCH,DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization,content-type,idempotency-key");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "idempotency-replayed,ratelimit,ratelimit-policy,retry-after,www-authenticate,x-request-id",
);
/// Seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// The answer to a preflight, if the request is one. Without an allowed origin it has no headers that allow anything.
pub fn preflight(origins: &Origins, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let origin = headers.get(ORIGIN)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allows(origins, origin) {
        let allowed = response.headers_mut();
        allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        allowed.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    add_headers(origins, Some(origin), response.headers_mut());
    Some(response)
}

/// Lets a page read an answer, if its origin is allowed. An answer to no page is left as the function gave it.
pub fn add_headers(origins: &Origins, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
    let Some(origin) = origin else { return };
    for own in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS] {
        answer.remove(own);
    }
    answer.append(VARY, HeaderValue::from_static("origin"));
    if allows(origins, origin) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

fn allows(origins: &Origins, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| origins.allow(origin))
}
