//! Removes the authenticator app, and its recovery codes with it.
//!
//! `DELETE /user/totp`, after a recent sign-in and with a code of the app or a recovery code: a session that was left open
//! is not enough to take the second factor off.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use shared::domain::mail::{FactorChange, OwedMail};
use shared::error::Code;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::RecentlySignedIn;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new("delete_totp", &["DELETE"], &["/user/totp"], || delete(handler)).fails_with(&[
    Code::Unauthenticated,
    Code::InvalidToken,
    Code::ReauthenticationRequired,
    Code::InvalidCode,
    Code::TotpNotFound,
    Code::TooManyAttempts,
]);

#[utoipa::path(
    delete, path = "/user/totp", tag = "factor", operation_id = "delete_totp", summary = "Remove the authenticator app",
    request_body = StepUp, security(("access_token" = [])),
    responses((status = 204, description = "Removed; the password alone signs in"))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
    Json(body): Json<StepUp>,
) -> Result<StatusCode> {
    let proof = body.parse()?;
    let user = caller.user;
    let spent = second_factor::step_up(&app, user.id, &proof).await?;
    let mail = OwedMail::of_factor(&user, FactorChange::Removed, app.clock.now());
    if !app.store.remove_totp(user.id, &spent, &mail).await? {
        // Another request used the code first.
        return Err(second_factor::refuse(user.id, spent.method()));
    }
    Event::SecondFactorRemoved { user: user.id, method: spent.method().as_str() }.record();
    app.tell_emailer(&mail).await;
    Ok(StatusCode::NO_CONTENT)
}
