//! Shows one's factors beside the password.
//!
//! `GET /user/factors`: what is enrolled, since when, and how many recovery codes are left. No secret, no key and no code. Of
//! passkeys also what a front end tells the browser, so that a password manager offers no passkey that was removed here
//! (`WebAuthn` level 3, 5.1.10).

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::CurrentUser;
use shared::relying_party::signal_ids;
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;

use super::PasskeyView;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::FACTORS, Store::PASSKEYS]);

#[derive(Serialize, ToSchema)]
#[schema(as = Factors)]
pub struct FactorsView {
    /// The authenticator app, if one is in force.
    totp: Option<TotpView>,
    /// Oldest first.
    passkeys: Vec<PasskeyView>,
    recovery_codes: RecoveryCodesView,
    webauthn: WebauthnView,
}

/// What `PublicKeyCredential.signalAllAcceptedCredentials()` takes beside the passkeys' `credential_id`.
#[derive(Serialize, ToSchema)]
#[schema(as = Webauthn)]
pub struct WebauthnView {
    /// Its `rpId`.
    #[schema(example = "example.com")]
    rp_id: String,
    /// Its `userId`: URL-safe base64.
    #[schema(example = "AZqzTx5leWmOHoavJDtGJA")]
    user_id: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Totp)]
pub struct TotpView {
    /// Since when signing in takes its codes.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    enrolled_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub struct RecoveryCodesView {
    /// How many are left.
    #[schema(example = 10)]
    left: usize,
    /// When the set was made.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: Option<String>,
}

#[operation(
    GET, "/user/factors", summary = "Read one's factors",
    description = "The authenticator app, the passkeys and the number of recovery codes that are left. No secret and no code.",
    responses((status = 200, description = "What is enrolled", body = FactorsView))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<JsonResponse<FactorsView>> {
    let user = caller.user.id;
    let (factors, mut passkeys) = tokio::try_join!(app.store().factors(user, None), app.store().passkeys(user))?;
    passkeys.sort_by_key(|passkey| passkey.created_at);
    let enrolled_at = factors.enrolled().and_then(|totp| totp.confirmed_at);
    let recovery_codes = RecoveryCodesView {
        left: factors.recovery_codes_left(),
        created_at: factors.recovery.map(|set| set.created_at.rfc3339()),
    };
    let totp = enrolled_at.map(|at| TotpView { enrolled_at: at.rfc3339() });
    let passkeys = passkeys.into_iter().map(PasskeyView::of).collect::<Result<_>>()?;
    let (rp_id, user_id) = signal_ids(&app.config, user);
    Ok(JsonResponse::ok(FactorsView { totp, passkeys, recovery_codes, webauthn: WebauthnView { rp_id, user_id } }))
}
