//! A function's response on its way out: payload format 2.0 as HTTP.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// What a function returns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionResponse {
    status_code: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    multi_value_headers: HashMap<String, Vec<String>>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl FunctionResponse {
    /// `None` when it is no HTTP response.
    pub fn into_http(self) -> Option<Response<Body>> {
        let body = match self.body.unwrap_or_default() {
            body if self.is_base64_encoded => STANDARD.decode(body).ok()?,
            body => body.into_bytes(),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status_code).ok()?;
        let single = self.headers.into_iter();
        let many = self
            .multi_value_headers
            .into_iter()
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
        let mut headers = HeaderMap::new();
        for (name, value) in single.chain(many) {
            let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
            // The length and the framing of this answer are this server's to say.
            if name != CONTENT_LENGTH && name != TRANSFER_ENCODING && headers.get(&name) != Some(&value) {
                headers.append(name, value);
            }
        }
        for cookie in self.cookies {
            headers.append(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
        }
        *response.headers_mut() = headers;
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_functions_cookies_become_headers() {
        let answer =
            json!({ "statusCode": 200, "headers": { "a": "b" }, "cookies": ["c=1; Secure", "d=2"], "body": "" });
        let response = serde_json::from_value::<FunctionResponse>(answer).unwrap().into_http().unwrap();
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["c=1; Secure", "d=2"]);
    }
}
