//! Signed requests of this service to others: a JWT (RFC 7519) that says who calls whom with which body, for the receiver to check
//! with the published keys. It lives for a minute, and is no access token: its type and its audience are others.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;
use serde::Serialize;
use uuid::Uuid;

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// The media type of these tokens, so that none is taken for another kind (RFC 8725, 3.11).
pub const TYP: &str = "request+jwt";
/// Seconds.
const LIFE: i64 = 60;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// SHA-256 of the body, in URL-safe base64 without padding.
    body_sha256: String,
}

/// # Errors
/// Only when the signing key cannot be read.
pub async fn sign(app: &App, url: &str, body: &[u8], now: Timestamp) -> Result<String> {
    let claims = Claims {
        iss: &app.config.tokens.issuer,
        aud: url,
        iat: now.seconds(),
        exp: now.seconds() + LIFE,
        jti: crate::random::uuid(now),
        body_sha256: URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, body)),
    };
    let key = app.keys().signing(now).await?;
    let mut header = Header::new(key.algorithm);
    header.typ = Some(TYP.to_owned());
    header.kid = Some(key.kid.clone());
    jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(Error::internal)
}
