//! Deletes the authenticator app, and the recovery codes with it unless a passkey is left.
//!
//! `DELETE /user/totp`, after recent authentication and with a code of the app, a recovery code or a passkey. No body is needed if
//! the session proved one of these within the last 15 minutes, at the sign-in or by `step_up`: an unattended session is not enough
//! to remove the second factor.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::factor::Factor;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::body::OptionalJson;
use shared::http::caller::ProvesSecondFactor;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TotpNotFound,
        Code::TooManyAttempts,
    ])
    .may(grants![second_factor::REMOVE]);

#[operation(
    DELETE, "/user/totp", summary = "Delete the authenticator app",
    description = "Requires recent authentication with the second factor, or a proof of it in the body. Other sessions end. The recovery codes are also deleted unless a passkey is left.",
    responses((status = 204, description = "Deleted; without a passkey, the password alone is enough to sign in"))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    OptionalJson(body): OptionalJson<StepUp>,
) -> Result<StatusCode> {
    let proof = body.map(StepUp::parse).transpose()?;
    let user = caller.user.id;
    if caller.user.totp_since.is_none() {
        return Err(Error::TotpNotFound);
    }
    let method = second_factor::remove(&app, caller, &Factor::Totp, proof).await?;
    Event::SecondFactorRemoved { user, method }.record();
    Ok(StatusCode::NO_CONTENT)
}
