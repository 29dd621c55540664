//! Ends one of the caller's sessions, for example of a lost phone. Ending the current one is signing out.
//!
//! `DELETE /auth/sessions/{id}`. Its tokens stop working immediately on every route of this service. Another account's session
//! results in the same response as an unknown one.

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
    /// ID of the session.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: uuid::Uuid,
}

#[operation(
    DELETE, "/auth/sessions/{id}", summary = "End one of the caller's sessions",
    description = "The tokens of the session stop working immediately. It may be the session of this request.",
    params(SessionPath),
    responses((status = 204, description = "Ended"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>, PathId(id): PathId<SessionId>) -> Result<StatusCode> {
    let (user, session) = (caller.user.id, id.ok_or(Error::SessionNotFound)?);
    // The key begins with the caller's ID, so it can only be the caller's own session.
    let kind = EventKind::SessionEnded { session_id: session, reason: SessionEnd::EndedByOwner };
    let event = DomainEvent::new(Subject::User(user), &caller.actor(), kind, app.clock.now());
    if !app.store().end_session(user, session, &event).await? {
        return Err(Error::SessionNotFound);
    }
    Event::SessionEnded { user, session, by: caller.session.id }.record();
    Ok(StatusCode::NO_CONTENT)
}
