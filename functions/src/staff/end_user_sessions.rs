//! Ends one or all sessions of an account.
//!
//! `DELETE /users/{id}/sessions`, `DELETE /users/{id}/sessions/{sid}`, for staff. Ending all of them also ends everything that was
//! started with them: device tokens, sign-ins in progress, emailed links, pending changes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, SessionEnd, SessionsEnd};
use shared::domain::id::{SessionId, UserId};
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::IntoParams;

use super::{Act, FIND, UserPath};

pub const ROUTE: Route = Route::new(module_path!(), &[ALL, ONE])
    .fails_with(&[Code::UserNotFound, Code::SessionNotFound])
    .may(grants![FIND, Store::SESSION, Store::END_SESSIONS_OF, Store::END_SESSION_OF]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserSessionPath {
    /// ID of the user.
    #[param(value_type = uuid::Uuid)]
    id: String,
    /// ID of the session.
    #[param(value_type = uuid::Uuid)]
    sid: String,
}

#[operation(
    DELETE, "/users/{id}/sessions", operation_id = "end_user_sessions",
    summary = "End all sessions of a user",
    description = "For staff. Device tokens, sign-ins in progress, emailed links and pending changes end as well.",
    params(UserPath),
    responses((status = 204, description = "Ended"))
)]
pub async fn all(Support(caller): Support, State(app): State<App>, PathId(id): PathId<UserId>) -> Result<StatusCode> {
    let mut act = Act::new(&app, &caller, Role::SUPPORT, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        let kind = EventKind::SessionsEnded { except: None, reason: SessionsEnd::EndedByStaff };
        let events = DomainEvent::of_user(user.id, &caller.staff(), [kind], now);
        if app.store().end_sessions_of(&act.of(&user, None, &events, now)).await? {
            Event::SessionsEndedByStaff { user: user.id, by: caller.user.id }.record();
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

#[operation(
    DELETE, "/users/{id}/sessions/{sid}", operation_id = "end_user_session",
    summary = "End one session of a user",
    description = "For staff. The tokens of the session stop working immediately.",
    params(UserSessionPath),
    responses((status = 204, description = "Ended"))
)]
pub async fn one(
    Support(caller): Support,
    State(app): State<App>,
    Path(path): Path<UserSessionPath>,
) -> Result<StatusCode> {
    let session: SessionId = path.sid.parse().map_err(|_| Error::SessionNotFound)?;
    let mut act = Act::new(&app, &caller, Role::SUPPORT, path.id.parse().ok());
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if app.store().session(user.id, session).await?.is_none() {
            return Err(Error::SessionNotFound);
        }
        let kind = EventKind::SessionEnded { session_id: session, reason: SessionEnd::EndedByStaff };
        let events = DomainEvent::of_user(user.id, &caller.staff(), [kind], now);
        if app.store().end_session_of(&act.of(&user, None, &events, now), session).await? {
            Event::SessionEndedByStaff { user: user.id, session, by: caller.user.id }.record();
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}
