//! The public signing keys, for verifying access tokens.
//!
//! `GET /.well-known/jwks.json` (RFC 7517).

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use serde_json::Value;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::Public;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::TRUSTED_KEYS]);

#[derive(Serialize, ToSchema)]
pub struct KeySet {
    /// Public keys as JWKs; `kid` is the RFC 7638 thumbprint.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

#[operation(
    GET, "/.well-known/jwks.json", at_root, summary = "Public signing keys",
    description = "For verifying access tokens (RFC 7517). A key is published one day before it signs, and the set may be cached for five minutes.",
    responses((status = 200, description = "The keys", body = KeySet))
)]
pub async fn handler(State(app): State<App>) -> Result<Public<KeySet>> {
    let keys = app.store().trusted_keys().await?;
    let keys =
        keys.iter().map(|key| serde_json::from_str(&key.jwk)).collect::<Result<_, _>>().map_err(Error::internal)?;
    Ok(Public(JsonResponse::ok(KeySet { keys })))
}
