//! For axum: who is calling, as an argument of a handler.
//!
//! ```
//! use axum::Router;
//! use axum::routing::get;
//! use verify::Verifier;
//! use verify::axum::Caller;
//!
//! async fn orders(Caller(claims): Caller) -> String {
//!     format!("the orders of {}", claims.sub)
//! }
//!
//! fn router(verifier: Verifier) -> Router {
//!     Router::new().route("/orders", get(orders)).with_state(verifier)
//! }
//! ```
//!
//! With a state of its own, a service implements `FromRef<State>` for [`Verifier`].

use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::{Claims, Error, Verifier};

/// The caller: holds a valid access token as Bearer credential (RFC 6750).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub Claims);

/// Why there is no [`Caller`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum Rejection {
    #[error("there is no access token")]
    Missing,
    #[error(transparent)]
    Refused(#[from] Error),
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Verifier: FromRef<S>,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let token = bearer(&parts.headers)?;
        Ok(Self(Verifier::from_ref(state).verify(token).await?))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Of two credentials, it is unknown which one a proxy in front checked.
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Rejection::Missing);
    };
    let credential = value.to_str().ok().and_then(|value| value.split_once(' '));
    match credential {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
        _ => Err(Rejection::Missing),
    }
}

impl IntoResponse for Rejection {
    /// 401 with the challenge of RFC 6750, 3, or 503 when it is not the caller's fault; the body is an RFC 9457 problem.
    fn into_response(self) -> Response {
        let (status, code, header) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, "unauthenticated", (WWW_AUTHENTICATE, "Bearer")),
            Self::Refused(Error::KeysUnavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", (RETRY_AFTER, "10"))
            }
            Self::Refused(_) => {
                (StatusCode::UNAUTHORIZED, "invalid_token", (WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""))
            }
        };
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            r#"{{"type":"urn:problem:{code}","title":"{title}","status":{},"code":"{code}"}}"#,
            status.as_u16()
        );
        let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store"), header];
        (status, headers, body).into_response()
    }
}
