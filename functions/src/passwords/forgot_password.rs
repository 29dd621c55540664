//! Sends a link to choose a new password.
//!
//! `POST /auth/password/forgot`. Every address gets the same response after the same work: the request is put into the outbox, and
//! the emailer finds out whether an account has the address, at most once a minute per account. An unconfirmed account gets the
//! link, too: the recipient of the email owns the address, whoever registered it.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::email::EmailAddress;
use shared::domain::limit::Limit;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .may(grants![Store::ENQUEUE_EMAIL, App::NOTIFY_EMAILER])
    .limited_by(Limit::Forgot);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgotPassword {
    #[schema(required, value_type = String, max_length = 254, format = "email", example = "ada@example.com")]
    email: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ResetRequested {
    #[schema(example = "reset_requested")]
    status: &'static str,
    #[schema(example = "ada@example.com")]
    email: String,
}

#[operation(
    POST, "/auth/password/forgot", summary = "Request a password reset",
    description = "Emails a link to choose a new password if an account has the address, at most once a minute per account. The response is the same for every address.",
    responses((status = 202, description = "If an account has this address, an email is on its way", body = ResetRequested))
)]
pub async fn handler(
    State(app): State<App>,
    limit: Limited,
    Json(body): Json<ForgotPassword>,
) -> Result<JsonResponse<ResetRequested>> {
    let mut fields = Fields::default();
    let email = fields.required("email", body.email, |email| EmailAddress::parse(&email));
    let email = fields.finish(email)?;
    limit.admit().await?;

    let mail = OutboxEmail::new(email.normalized(), EmailKind::ResetRequested, app.clock.now());
    app.store().enqueue_email(&mail).await?;
    Event::PasswordResetRequested.record();
    app.notify_emailer(&mail).await;
    let answer = ResetRequested { status: "reset_requested", email: email.to_string() };
    Ok(JsonResponse(StatusCode::ACCEPTED, answer))
}
