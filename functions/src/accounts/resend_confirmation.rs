//! Sends the confirmation email again.
//!
//! `POST /auth/send`. Every address gets the same response after the same work: the request is put into the outbox, and the emailer
//! finds out whether an unconfirmed account has the address, at most once a minute per account.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
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
use shared::{App, Result};
use utoipa::ToSchema;

use super::ConfirmationRequired;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .may(grants![Store::ENQUEUE_EMAIL, App::NOTIFY_EMAILER])
    .limited_by(Limit::Send);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    #[schema(required, value_type = String, max_length = 254, format = "email", example = "ada@example.com")]
    email: Option<String>,
}

#[operation(
    POST, "/auth/send", summary = "Resend the confirmation email",
    description = "Sends the confirmation email again, at most once a minute per account. The response is the same for every address.",
    responses((status = 202, description = "If an unconfirmed account has this address, an email is on its way", body = ConfirmationRequired))
)]
pub async fn handler(
    State(app): State<App>,
    limit: Limited,
    Json(body): Json<Send>,
) -> Result<JsonResponse<ConfirmationRequired>> {
    let mut fields = Fields::default();
    let email = fields.required("email", body.email, |email| EmailAddress::parse(&email));
    let email = fields.finish(email)?;

    limit.admit().await?;
    let mail = OutboxEmail::new(email.normalized(), EmailKind::ConfirmationRequested, app.clock.now());
    app.store().enqueue_email(&mail).await?;
    app.notify_emailer(&mail).await;
    let answer = ConfirmationRequired { status: "confirmation_required", email: email.to_string() };
    Ok(JsonResponse(StatusCode::ACCEPTED, answer))
}
