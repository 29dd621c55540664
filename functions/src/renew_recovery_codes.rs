//! Makes new recovery codes; the old ones die.
//!
//! `POST /user/recovery-codes`, after a recent sign-in and with a code of the app, one of the old recovery codes or a passkey: a
//! set of them is worth as much as the second factor itself.

use axum::extract::State;
use axum::routing::post;
use serde::Serialize;
use shared::domain::mail::{FactorChange, OwedMail};
use shared::domain::recovery::RecoverySet;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::body::Json;
use shared::http::caller::ProvesSecondFactor;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

use crate::confirm_totp::{RECOVERY_CODES, shown};
use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new("renew_recovery_codes", &["POST"], &["/user/recovery-codes"], || post(handler))
    .fails_with(&[
        Code::Unauthenticated,
        Code::InvalidToken,
        Code::ReauthenticationRequired,
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TotpNotFound,
        Code::TooManyAttempts,
    ]);

#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesMade {
    /// Ten; each signs in once in place of the second factor, with the password. They are not shown again.
    #[schema(min_items = 10, max_items = 10, example = json!(RECOVERY_CODES))]
    recovery_codes: Vec<String>,
}

#[utoipa::path(
    post, path = "/user/recovery-codes", tag = "factor", operation_id = "renew_recovery_codes",
    summary = "Make new recovery codes",
    description = "Needs a recent sign-in and a proof of the second factor. The old recovery codes stop working.",
    request_body = StepUp, security(("access_token" = [])),
    responses((status = 200, description = "The new codes, shown once", body = RecoveryCodesMade))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    Json(body): Json<StepUp>,
) -> Result<Answer<RecoveryCodesMade>> {
    let proof = body.parse()?;
    let (user, session, now) = (caller.user, caller.session, app.clock.now());
    let spent = second_factor::step_up(&app, &user, &proof).await?;
    let (set, codes) = RecoverySet::new(now);
    let mail = OwedMail::of_factor(&user, FactorChange::RecoveryCodesRenewed, now);
    if !app.store().renew_recovery_codes((&user, &session), &spent, &set, &mail).await? {
        // Another request used the proof first, or changed the factors.
        return Err(second_factor::refuse(user.id, spent.method()));
    }
    Event::RecoveryCodesRenewed { user: user.id }.record();
    app.tell_emailer(&mail).await;
    Ok(Answer::ok(RecoveryCodesMade { recovery_codes: shown(&codes) }))
}
