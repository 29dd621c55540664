//! A bucket's CORS rules for uploads and pictures in a browser: any origin, as suits a laptop.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Middleware: answers preflights itself, and lets scripts read the other answers.
pub(crate) async fn allow(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !headers.contains_key(header::ORIGIN) {
        return next.run(request).await;
    }
    let mut response = if request.method() == Method::OPTIONS {
        preflight(headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned())
    } else {
        next.run(request).await
    };
    let allowed = response.headers_mut();
    allowed.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    allowed.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    response
}

fn preflight(asked: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::OK.into_response();
    let allowed = response.headers_mut();
    allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    allowed.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3000"));
    if let Some(asked) = asked {
        allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
    response
}
