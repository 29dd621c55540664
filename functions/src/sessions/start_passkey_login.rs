//! Starts signing in with a passkey alone, or proving one.
//!
//! `POST /auth/passkey/options`. No email address is sent, so nothing can be revealed about one: the authenticator finds the
//! account.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use serde_json::Value;
use shared::domain::id::CeremonyId;
use shared::domain::limit::Limit;
use shared::domain::passkey::{CEREMONY_LIFE, Ceremony};
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::limit::Limited;
use shared::relying_party::RelyingParty;
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).may(grants![Store::BEGIN_OPEN_CEREMONY]).limited_by(Limit::PasskeyOptions);

#[derive(Serialize, ToSchema)]
pub struct PasskeyAsked {
    /// To be sent back with the authenticator's response; can be used once.
    #[schema(value_type = String, format = "uuid")]
    challenge_token: CeremonyId,
    /// Seconds until the challenge expires.
    #[schema(example = 300)]
    expires_in: u64,
    /// For `navigator.credentials.get()`, by `PublicKeyCredential.parseRequestOptionsFromJSON()`.
    #[schema(value_type = Object)]
    options: Value,
}

#[operation(
    POST, "/auth/passkey/options", summary = "Start signing in with a passkey",
    description = "Returns options for `navigator.credentials.get()`, to sign in with a passkey alone or to prove the second factor in another request. No email address is required: the authenticator knows the account.",
    responses((status = 200, description = "The options for the authenticator", body = PasskeyAsked))
)]
pub async fn handler(State(app): State<App>, limit: Limited) -> Result<JsonResponse<PasskeyAsked>> {
    limit.admit().await?;
    let (options, state) = RelyingParty::new(&app.config)?.begin_assertion(&[])?;
    let now = app.clock.now();
    let id = CeremonyId::new(now);
    app.store().begin_ceremony(None, id, &Ceremony::begin(state, now)).await?;
    Ok(JsonResponse::ok(PasskeyAsked { challenge_token: id, expires_in: CEREMONY_LIFE.as_secs(), options }))
}
