//! Which state a request is about.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;

use super::{HandlerArgument, Needs};

/// `If-Match` (RFC 9110, 13.1.1): the states that a request may change. Without it, any.
#[derive(Debug)]
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Whether the request may change a state with this `ETag`, without quotation marks. A weak tag never matches.
    #[must_use]
    pub fn admits(&self, etag: &str) -> bool {
        let quoted = format!("\"{etag}\"");
        self.0.as_ref().is_none_or(|tags| tags.iter().any(|tag| tag == "*" || *tag == quoted))
    }
}

impl HandlerArgument for IfMatch {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let headers: Vec<_> = parts.headers.get_all(IF_MATCH).iter().collect();
        if headers.is_empty() {
            return Ok(Self(None));
        }
        // The tags are ours, and hold no comma. What cannot be read matches nothing.
        let tags = headers.iter().filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(','));
        Ok(Self(Some(tags.map(|tag| tag.trim().to_owned()).collect())))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[tokio::test]
    async fn a_state_is_admitted_when_one_of_the_tags_is_its_own() {
        for (headers, admitted) in [
            (&[][..], true),
            (&["\"one\""], true),
            (&["*"], true),
            (&["\"two\", \"one\""], true),
            (&["\"two\"", "\"one\""], true),
            (&["\"two\""], false),
            (&["W/\"one\""], false),
            (&["one"], false),
            (&[""], false),
        ] {
            let request = headers.iter().fold(Request::builder(), |request, tag| request.header(IF_MATCH, *tag));
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let Ok(tags) = IfMatch::from_request_parts(&mut parts, &()).await;
            assert_eq!(tags.admits("one"), admitted, "{headers:?}");
        }
    }
}
