//! Redirects to the page for changing the password.
//!
//! `GET /.well-known/change-password` (W3C, A Well-Known URL for Changing Passwords), used by password managers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, LOCATION};
use macros::operation;
use shared::http::Route;
use shared::{App, Error, Result};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]);

#[operation(
    GET, "/.well-known/change-password", at_root, summary = "Redirect to the page for changing the password",
    description = "Password managers use it (W3C, A Well-Known URL for Changing Passwords).",
    responses(
        (status = 302, description = "Redirect", headers(("Location" = String, description = "The page"))),
        (status = "default", description = "Responses of a gateway in front of the service"),
    )
)]
pub async fn handler(State(app): State<App>) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1])> {
    let url = HeaderValue::from_str(&app.config.mail.change_password_url).map_err(Error::internal)?;
    Ok((StatusCode::FOUND, [(LOCATION, url)]))
}
