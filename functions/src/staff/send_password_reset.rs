//! Sends the owner of an account a link to choose a new password.
//!
//! `POST /users/{id}/password-reset`, for staff. With `end_sessions`, all sessions, tokens and links of the account end first, so
//! that the new link stays valid.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::event::{DomainEvent, EventKind, SessionsEnd};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::OptionalJson;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{Act, FIND, UserPath};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::UserNotFound, Code::AccountDisabled])
    .may(grants![FIND, Store::END_SESSIONS_OF, Store::ENQUEUE_FOR, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct SendPasswordReset {
    /// Whether to end all sessions, sign-ins in progress and pending changes as well.
    #[serde(default)]
    end_sessions: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ResetSent {
    #[schema(example = "reset_requested")]
    status: &'static str,
}

#[operation(
    POST, "/users/{id}/password-reset", summary = "Send a user a password reset link",
    description = "For staff. The link goes to the user's address. The password does not change until the link is used.",
    params(UserPath),
    responses((status = 202, description = "The email is on its way", body = ResetSent))
)]
pub async fn handler(
    Support(caller): Support,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
    OptionalJson(body): OptionalJson<SendPasswordReset>,
) -> Result<JsonResponse<ResetSent>> {
    let end_sessions = body.unwrap_or_default().end_sessions;
    let mut act = Act::new(&app, &caller, Role::SUPPORT, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if user.is_disabled(now) {
            return Err(Error::AccountDisabled);
        }
        let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ResetByStaff { user: user.id }, now);
        let ended = EventKind::SessionsEnded { except: None, reason: SessionsEnd::EndedByStaff };
        let kinds = end_sessions.then_some(ended).into_iter().chain([EventKind::PasswordResetSent {}]);
        let events = DomainEvent::of_user(user.id, &caller.staff(), kinds, now);
        let write = act.of(&user, Some(&mail), &events, now);
        // Ending sessions writes the account, and so does the other: one of the two.
        let ended = end_sessions && app.store().end_sessions_of(&write).await?;
        if ended || (!end_sessions && app.store().enqueue_for(&write).await?) {
            Event::PasswordResetSent { user: user.id, by: caller.user.id }.record();
            app.notify_emailer(&mail).await;
            return Ok(JsonResponse(StatusCode::ACCEPTED, ResetSent { status: "reset_requested" }));
        }
    }
}
