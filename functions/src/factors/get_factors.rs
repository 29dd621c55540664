//! Returns the caller's factors besides the password.
//!
//! `GET /user/factors`: the enrolled factors, since when, and the number of remaining recovery codes. No secret, key or code. For
//! passkeys also the data that a front end passes to the browser, so that password managers do not offer deleted passkeys
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
    /// The authenticator app, if one is confirmed.
    totp: Option<TotpView>,
    /// Oldest first.
    passkeys: Vec<PasskeyView>,
    recovery_codes: RecoveryCodesView,
    webauthn: WebauthnView,
}

/// The arguments of `PublicKeyCredential.signalAllAcceptedCredentials()` besides the `credential_id` of each passkey.
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
    /// When the app was confirmed.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    enrolled_at: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub struct RecoveryCodesView {
    /// Number of unused codes.
    #[schema(example = 10)]
    left: usize,
    /// When the codes were generated.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: Option<String>,
}

#[operation(
    GET, "/user/factors", summary = "Get the caller's factors",
    description = "The authenticator app, the passkeys and the number of recovery codes that are left, without secrets and codes.",
    responses((status = 200, description = "The enrolled factors", body = FactorsView))
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
