//! Query strings, parsed as strictly as bodies, except for emailed links, to which others add parameters.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::body::deserialize;
use super::fields::Fields;
use super::{HandlerArgument, Needs};
use crate::error::{Error, Result};

/// The query string. Unknown and repeated parameters are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T> HandlerArgument for Query<T> {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        deserialize(serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()))).map(Self)
    }
}

/// The token of an emailed link as it was opened. Programs for email and front ends add parameters of their own to links, and
/// some take a character after the link for a part of it; both are ignored. `None` where there is no token, or more than one.
#[derive(Debug)]
pub struct MailedToken(Option<String>);

impl MailedToken {
    /// For a page, which tells a missing token as it tells a wrong one.
    ///
    /// # Errors
    /// [`Error::LinkInvalid`] without a token.
    pub fn or_invalid(self) -> Result<String> {
        self.0.ok_or(Error::LinkInvalid)
    }

    /// For a program.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] without a token.
    pub fn required(self) -> Result<String> {
        let mut fields = Fields::default();
        let token = fields.required("token", self.0, Ok);
        fields.finish(token)
    }
}

impl HandlerArgument for MailedToken {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync> FromRequestParts<S> for MailedToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "token");
        let token = tokens.next().filter(|_| tokens.next().is_none()).map(|(_, token)| {
            token.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').to_owned()
        });
        Ok(Self(token))
    }
}
