//! Deletes a passkey of the caller, and the recovery codes with the last second factor.
//!
//! `DELETE /user/passkeys/{id}`, after recent authentication and with a code of the app, a recovery code or a passkey, which may be
//! this one. No body is needed if the session proved one of these within the last 15 minutes, at the sign-in or by `step_up`: an
//! unattended session is not enough to remove a second factor. Another account's passkey results in the same response as an unknown
//! one.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::factor::Factor;
use shared::domain::passkey::PasskeyId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::body::OptionalJson;
use shared::http::caller::ProvesSecondFactor;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use super::PasskeyPath;
use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::PasskeyNotFound,
        Code::TooManyAttempts,
    ])
    .may(grants![Store::PASSKEY, second_factor::REMOVE]);

#[operation(
    DELETE, "/user/passkeys/{id}", summary = "Delete a passkey",
    description = "Requires recent authentication with the second factor, or a proof of it in the body, which may be this passkey. Other sessions end. The recovery codes are deleted with the last second factor.",
    params(PasskeyPath),
    responses((status = 204, description = "Deleted; without another factor, the password alone is enough to sign in"))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    PathId(id): PathId<PasskeyId>,
    OptionalJson(body): OptionalJson<StepUp>,
) -> Result<StatusCode> {
    let proof = body.map(StepUp::parse).transpose()?;
    let (user, id) = (caller.user.id, id.ok_or(Error::PasskeyNotFound)?);
    // Looked at before the proof, which would be used up for nothing.
    if app.store().passkey(user, &id).await?.is_none() {
        return Err(Error::PasskeyNotFound);
    }
    let factor = Factor::Passkey(id.clone());
    let method = second_factor::remove(&app, caller, &factor, proof).await?;
    Event::PasskeyRemoved { user, passkey: &id, method }.record();
    Ok(StatusCode::NO_CONTENT)
}
