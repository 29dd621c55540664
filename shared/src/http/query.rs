//! Query strings in, as strictly as bodies.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::body::deserialize;
use crate::error::{Error, Result};

/// The query string. Unknown and repeated parameters are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        deserialize(serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()))).map(Self)
    }
}
