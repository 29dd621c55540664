//! The uploads bucket's CORS rule of the template: its origins may PUT with the headers of a presigned upload.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>
//!
//! Unlike AWS: pages of other origins do not get as far as this, and every bucket has the rule.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::refusal;

const METHOD: &str = "PUT";
const HEADERS: [&str; 2] = ["content-type", "if-none-match"];
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("content-type, if-none-match");
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// Middleware: answers preflights itself, and lets scripts read the other answers.
pub(crate) async fn allow(request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return next.run(request).await };
    let preflight = request.method() == Method::OPTIONS;
    let allowed = if preflight { allows_preflight(request.headers()) } else { request.method().as_str() == METHOD };
    let mut response = match (preflight, allowed) {
        (true, true) => StatusCode::OK.into_response(),
        (true, false) => {
            let message = "CORSResponse: This CORS request is not allowed. The bucket's rule does not have its method or one of its headers.";
            return refusal(StatusCode::FORBIDDEN, "AccessForbidden", message, "");
        }
        (false, _) => next.run(request).await,
    };
    if allowed {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHOD));
        headers.append(
            VARY,
            HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
        );
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
    response
}

fn allows_preflight(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|names| names.to_str().ok());
    let mut names = asked.flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty());
    headers.get(ACCESS_CONTROL_REQUEST_METHOD).is_some_and(|method| method == METHOD)
        && names.all(|name| HEADERS.iter().any(|allowed| name.eq_ignore_ascii_case(allowed)))
}
