//! Removes the authenticator app, and the recovery codes with it unless a passkey is left.
//!
//! `DELETE /user/totp`, after a recent sign-in and with a code of the app, a recovery code or a passkey: a session that was left
//! open is not enough to take the second factor off.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use shared::domain::factor::Factor;
use shared::domain::mail::{FactorChange, OwedMail};
use shared::error::Code;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::RecentlySignedIn;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new("delete_totp", &["DELETE"], &["/user/totp"], || delete(handler)).fails_with(&[
    Code::Unauthenticated,
    Code::InvalidToken,
    Code::ReauthenticationRequired,
    Code::InvalidChallenge,
    Code::InvalidCode,
    Code::InvalidPasskey,
    Code::TotpNotFound,
    Code::TooManyAttempts,
]);

#[utoipa::path(
    delete, path = "/user/totp", tag = "factor", operation_id = "delete_totp", summary = "Remove the authenticator app",
    request_body = StepUp, security(("access_token" = [])),
    responses((status = 204, description = "Removed; without a passkey the password alone signs in"))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
    Json(body): Json<StepUp>,
) -> Result<StatusCode> {
    let proof = body.parse()?;
    let user = caller.user;
    if user.totp_since.is_none() {
        return Err(Error::TotpNotFound);
    }
    let spent = second_factor::step_up(&app, &user, &proof).await?;
    let change = FactorChange::Removed { last: Factor::Totp.is_last_of(&user) };
    let mail = OwedMail::of_factor(&user, change, app.clock.now());
    if !app.store().remove_factor(&user, &Factor::Totp, &spent, &mail).await? {
        // Another request used the proof first, or changed what there is to remove.
        return Err(second_factor::refuse(user.id, spent.method()));
    }
    Event::SecondFactorRemoved { user: user.id, method: spent.method().as_str() }.record();
    app.tell_emailer(&mail).await;
    Ok(StatusCode::NO_CONTENT)
}
