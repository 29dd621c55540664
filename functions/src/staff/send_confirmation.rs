//! Sends the owner of an account the confirmation email again.
//!
//! `POST /users/{id}/confirmation`, for staff.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Serialize;
use shared::domain::event::{DomainEvent, EventKind};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{Act, FIND, UserPath};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::UserNotFound, Code::AccountDisabled])
    .may(grants![FIND, Store::ENQUEUE_FOR, App::NOTIFY_EMAILER]);

#[derive(Serialize, ToSchema)]
pub struct ConfirmationSent {
    /// `confirmation_required`, or `already_confirmed` if no email is sent.
    #[schema(example = "confirmation_required")]
    status: &'static str,
}

#[operation(
    POST, "/users/{id}/confirmation", summary = "Send a user the confirmation email",
    description = "For staff. The link goes to the user's address, at most once a minute.",
    params(UserPath),
    responses((status = 202, description = "The email is on its way, or not needed", body = ConfirmationSent))
)]
pub async fn handler(
    Support(caller): Support,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<JsonResponse<ConfirmationSent>> {
    let mut act = Act::new(&app, &caller, Role::SUPPORT, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if user.is_disabled(now) {
            return Err(Error::AccountDisabled);
        }
        if user.email_confirmed {
            return Ok(JsonResponse(StatusCode::ACCEPTED, ConfirmationSent { status: "already_confirmed" }));
        }
        let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ConfirmationRequested, now);
        let events = DomainEvent::of_user(user.id, &caller.staff(), [EventKind::ConfirmationSent {}], now);
        if app.store().enqueue_for(&act.of(&user, Some(&mail), &events, now)).await? {
            Event::ConfirmationSent { user: user.id, by: caller.user.id }.record();
            app.notify_emailer(&mail).await;
            return Ok(JsonResponse(StatusCode::ACCEPTED, ConfirmationSent { status: "confirmation_required" }));
        }
    }
}
