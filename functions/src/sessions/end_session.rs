//! Ends one of one's own sessions: a lost phone, a borrowed computer. One's current one may be it, which is signing out.
//!
//! `DELETE /auth/sessions/{id}`. Its tokens stop working at once on every route of this service. Somebody else's session is
//! answered like one that never was.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, SessionEnd, Subject};
use shared::domain::id::SessionId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::CurrentUser;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::IntoParams;

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::SessionNotFound]).may(grants![Store::END_SESSION]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// The session's id.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: uuid::Uuid,
}

#[operation(
    DELETE, "/auth/sessions/{id}", summary = "End one of one's own sessions",
    description = "The tokens of the session stop working at once. It may be the session of this request.",
    params(SessionPath),
    responses((status = 204, description = "Ended"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>, PathId(id): PathId<SessionId>) -> Result<StatusCode> {
    let (user, session) = (caller.user.id, id.ok_or(Error::SessionNotFound)?);
    // The key begins with the caller's own id, so nobody else's session can be meant.
    let kind = EventKind::SessionEnded { session_id: session, reason: SessionEnd::EndedByOwner };
    let event = DomainEvent::new(Subject::User(user), &caller.actor(), kind, app.clock.now());
    if !app.store().end_session(user, session, &event).await? {
        return Err(Error::SessionNotFound);
    }
    Event::SessionEnded { user, session, by: caller.session.id }.record();
    Ok(StatusCode::NO_CONTENT)
}
