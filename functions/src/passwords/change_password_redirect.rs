//! Leads to where a person changes the password.
//!
//! `GET /.well-known/change-password` (W3C, A Well-Known URL for Changing Passwords): password managers send people here.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, LOCATION};
use macros::operation;
use shared::http::Route;
use shared::{App, Error, Result};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]);

#[operation(
    GET, "/.well-known/change-password", at_root, summary = "Where a person changes the password",
    description = "Password managers send people here (W3C, A Well-Known URL for Changing Passwords).",
    responses(
        (status = 302, description = "There", headers(("Location" = String, description = "The page"))),
        (status = "default", description = "What a gateway before the service answers itself"),
    )
)]
pub async fn handler(State(app): State<App>) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1])> {
    let url = HeaderValue::from_str(&app.config.mail.change_password_url).map_err(Error::internal)?;
    Ok((StatusCode::FOUND, [(LOCATION, url)]))
}
