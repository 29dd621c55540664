//! Shows one's second factor.
//!
//! `GET /user/factors`: what is enrolled, since when, and how many recovery codes are left. No secret and no code.

use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::caller::CurrentUser;
use shared::{App, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new("get_factors", &["GET"], &["/user/factors"], || get(handler))
    .fails_with(&[Code::Unauthenticated, Code::InvalidToken]);

#[derive(Serialize, ToSchema)]
#[schema(as = Factors)]
pub struct FactorsView {
    /// The authenticator app, if one is in force.
    totp: Option<TotpView>,
    recovery_codes: RecoveryCodesView,
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

#[utoipa::path(
    get, path = "/user/factors", tag = "factor", operation_id = "get_factors", summary = "Read one's second factor",
    security(("access_token" = [])), responses((status = 200, description = "What is enrolled", body = FactorsView))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<Answer<FactorsView>> {
    let factors = app.store.factors(caller.user.id, None).await?;
    let enrolled_at = factors.enrolled().and_then(|totp| totp.confirmed_at);
    let recovery_codes = RecoveryCodesView {
        left: factors.recovery_codes_left(),
        created_at: factors.recovery.map(|set| set.created_at.rfc3339()),
    };
    let totp = enrolled_at.map(|at| TotpView { enrolled_at: at.rfc3339() });
    Ok(Answer::ok(FactorsView { totp, recovery_codes }))
}
