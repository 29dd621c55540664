//! Removes one of one's own passkeys, and the recovery codes with the last second factor.
//!
//! `DELETE /user/passkeys/{id}`, after a recent sign-in and with a code of the app, a recovery code or a passkey, which may be
//! this one. It needs no body where the session proved one of these within the last quarter of an hour, when it began or by
//! `step_up`: a session that was left open is not enough to take a second factor off. Another account's passkey is answered
//! like one that never was.

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
    DELETE, "/user/passkeys/{id}", summary = "Remove a passkey",
    description = "Needs a recent sign-in with the second factor, or a proof of it in the body, which may be this passkey. Other sessions end. The recovery codes are removed with the last second factor.",
    params(PasskeyPath),
    responses((status = 204, description = "Removed; without another factor the password alone signs in"))
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
