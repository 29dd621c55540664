//! Request bodies. Invalid ones are rejected with the reason: type, size, syntax, field.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use super::{HandlerArgument, Needs};
use crate::error::{Error, FieldError, Result};

/// The maximum size of a request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A JSON body. Unknown fields, duplicates and wrong types are rejected.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// An optional JSON body.
#[derive(Debug)]
pub struct OptionalJson<T>(pub Option<T>);

/// A merge patch (RFC 7396). Unknown fields, duplicates and wrong types are rejected, as in other bodies.
#[derive(Debug)]
pub struct MergePatch<T>(pub T);

/// A member of a merge patch that can be removed. An absent member is not a null one: its field must have the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Member<T> {
    #[default]
    LeftOut,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(value)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> Member<T> {
    /// The patched value.
    #[must_use]
    pub fn applied_to(&self, before: Option<&T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::LeftOut => before.cloned(),
            Self::Null => None,
            Self::Value(value) => Some(value.clone()),
        }
    }
}

/// A JSON body, or the same fields from a page's form.
#[derive(Debug)]
pub struct JsonOrForm<T>(pub T);

/// A form, as in the OAuth RFCs. Unknown and repeated fields are rejected.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T> HandlerArgument for Form<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if media_type(&request).as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(Error::UnsupportedMediaType("application/x-www-form-urlencoded"));
        }
        let body = read(request).await?;
        deserialize(serde_urlencoded::Deserializer::new(form_urlencoded::parse(&body))).map(Self)
    }
}

impl<T> HandlerArgument for Json<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        if media_type(&request).as_deref() != Some("application/json") {
            return Err(Error::UnsupportedMediaType("application/json"));
        }
        parse_json(&read(request).await?).map(Self)
    }
}

impl<T> HandlerArgument for MergePatch<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MergePatch<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        match media_type(&request).as_deref() {
            Some("application/merge-patch+json" | "application/json") => parse_json(&read(request).await?).map(Self),
            _ => Err(Error::UnsupportedMediaType("application/merge-patch+json or application/json")),
        }
    }
}

impl<T> HandlerArgument for OptionalJson<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let json = media_type(&request).is_none_or(|media_type| media_type == "application/json");
        let body = read(request).await?;
        match (body.is_empty(), json) {
            (true, _) => Ok(Self(None)),
            (false, true) => parse_json(&body).map(|body| Self(Some(body))),
            (false, false) => Err(Error::UnsupportedMediaType("application/json")),
        }
    }
}

impl<T> HandlerArgument for JsonOrForm<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonOrForm<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        match media_type(&request).as_deref() {
            Some("application/json") => parse_json(&read(request).await?).map(Self),
            Some("application/x-www-form-urlencoded") => {
                let body = read(request).await?;
                serde_urlencoded::from_bytes(&body).map(Self).map_err(|error| Error::invalid(error.to_string()))
            }
            _ => Err(Error::UnsupportedMediaType("application/json or application/x-www-form-urlencoded")),
        }
    }
}

/// The media type without parameters, in lowercase.
fn media_type(request: &Request) -> Option<String> {
    let value = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

async fn read(request: Request) -> Result<axum::body::Bytes> {
    axum::body::to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| Error::PayloadTooLarge)
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    // Serde would also accept an array of the fields' values.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::invalid("The body must be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = deserialize(&mut json)?;
    json.end().map_err(|error| Error::invalid(format!("The body is not valid JSON: {error}.")))?;
    Ok(parsed)
}

/// An error names its field, if it is about one.
pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de, Error: std::fmt::Display>>(
    input: D,
) -> Result<T> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.inner().to_string());
        // A segment without a name: the JSON ends or breaks before it.
        if path == "." || path.contains('?') {
            Error::invalid(format!("Invalid request: {cause}."))
        } else {
            Error::fields(vec![field_error(path, &cause)])
        }
    })
}

/// Serde distinguishes unknown, repeated and mistyped fields only by the text of the error.
fn field_error(field: String, cause: &str) -> FieldError {
    let (code, detail) = if cause.starts_with("unknown field") {
        ("unknown_field", "Unknown field.".to_owned())
    } else if cause.starts_with("duplicate field") {
        ("repeated_field", "This field occurs more than once.".to_owned())
    } else {
        // The path already names the location in the JSON.
        let cause = cause.split(" at line ").next().unwrap_or(cause);
        ("invalid_type", format!("Invalid type: {cause}."))
    };
    FieldError { field, code, detail }
}
