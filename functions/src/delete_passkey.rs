//! Removes one of one's own passkeys, and the recovery codes with the last second factor.
//!
//! `DELETE /user/passkeys/{id}`, after a recent sign-in and with a code of the app, a recovery code or a passkey, which may be
//! this one: a session that was left open is not enough to take a second factor off. Somebody else's passkey is answered like
//! one that never was.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use shared::domain::factor::Factor;
use shared::domain::mail::{FactorChange, OwedMail};
use shared::domain::passkey::PasskeyId;
use shared::error::Code;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::RecentlySignedIn;
use shared::http::path::PathId;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::rename_passkey::Which;
use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new("delete_passkey", &["DELETE"], &["/user/passkeys/{id}"], || delete(handler))
    .fails_with(&[
        Code::Unauthenticated,
        Code::InvalidToken,
        Code::ReauthenticationRequired,
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::PasskeyNotFound,
        Code::TooManyAttempts,
    ]);

#[utoipa::path(
    delete, path = "/user/passkeys/{id}", tag = "factor", operation_id = "delete_passkey", summary = "Remove a passkey",
    params(Which), request_body = StepUp, security(("access_token" = [])),
    responses((status = 204, description = "Removed; without another factor the password alone signs in"))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
    PathId(id): PathId<PasskeyId>,
    Json(body): Json<StepUp>,
) -> Result<StatusCode> {
    let proof = body.parse()?;
    let (user, id) = (caller.user, id.ok_or(Error::PasskeyNotFound)?);
    // Looked at before the proof, which would be used up for nothing.
    if app.store().passkey(user.id, &id).await?.is_none() {
        return Err(Error::PasskeyNotFound);
    }
    let spent = second_factor::step_up(&app, &user, &proof).await?;
    let factor = Factor::Passkey(id.clone());
    let change = FactorChange::PasskeyRemoved { last: factor.is_last_of(&user) };
    let mail = OwedMail::of_factor(&user, change, app.clock.now());
    if !app.store().remove_factor(&user, &factor, &spent, &mail).await? {
        // Another request used the proof first, or changed what there is to remove.
        return Err(second_factor::refuse(user.id, spent.method()));
    }
    Event::PasskeyRemoved { user: user.id, passkey: &id, method: spent.method().as_str() }.record();
    app.tell_emailer(&mail).await;
    Ok(StatusCode::NO_CONTENT)
}
