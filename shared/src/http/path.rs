//! What a path names.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::{HandlerArgument, Needs};
use crate::error::{Error, Result};

/// The variable `{id}` of a path; `None` if it is not an ID, and so names nothing.
#[derive(Debug)]
pub struct PathId<T>(pub Option<T>);

impl<T> HandlerArgument for PathId<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(text.ok().and_then(|Path(text)| text.parse().ok())))
    }
}

/// Whether a path is one of a route's: `{id}` takes one segment, `{*rest}` all that are left.
#[must_use]
pub fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        match segments.next() {
            Some(segment) if part.starts_with("{*") => return !segment.is_empty(),
            Some(segment) if segment == part || (part.starts_with('{') && !segment.is_empty()) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_when_its_segments_do() {
        for (pattern, path, expected) in [
            ("/user", "/user", true),
            ("/user", "/users", false),
            ("/user", "/user/", false),
            ("/user", "/user/picture", false),
            ("/auth/sessions/{id}", "/auth/sessions/0198", true),
            ("/auth/sessions/{id}", "/auth/sessions/", false),
            ("/auth/sessions/{id}", "/auth/sessions", false),
            ("/auth/sessions/{id}", "/auth/sessions/0198/more", false),
            ("/apidocs/{*asset}", "/apidocs/a", true),
            ("/apidocs/{*asset}", "/apidocs/a/b", true),
            ("/apidocs/{*asset}", "/apidocs/", false),
            ("/apidocs/{*asset}", "/apidocs", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{path} for {pattern}");
        }
    }
}
