//! Signs out.
//!
//! `POST /auth/logout`. The session ends immediately: its access token stops working on every route of this service. With
//! `everywhere`, all other sessions of the account end, too.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, SessionEnd, SessionsEnd, Subject};
use shared::grants;
use shared::http::Route;
use shared::http::body::OptionalJson;
use shared::http::caller::CurrentUser;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![
    Store::END_SESSION,
    Store::END_ALL_SESSIONS,
    Store::FORGET_SESSION
]);

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// Also end every other session of the account.
    #[serde(default)]
    everywhere: bool,
}

#[operation(
    POST, "/auth/logout", summary = "Sign out",
    description = "Ends the session of the access token or, with `everywhere`, all sessions of the account. Their access tokens stop working immediately on every endpoint.",
    responses((status = 204, description = "Signed out"))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    OptionalJson(body): OptionalJson<Logout>,
) -> Result<StatusCode> {
    let Logout { everywhere } = body.unwrap_or_default();
    let (user, session) = (caller.user.id, caller.session.id);
    let event = |kind| DomainEvent::new(Subject::User(user), &caller.actor(), kind, app.clock.now());
    if everywhere {
        let event = event(EventKind::SessionsEnded { except: None, reason: SessionsEnd::SignedOut });
        app.store().end_all_sessions(&caller.user, &event).await?;
        app.store().forget_session(user, session).await?;
    } else {
        let event = event(EventKind::SessionEnded { session_id: session, reason: SessionEnd::SignedOut });
        app.store().end_session(user, session, &event).await?;
    }
    Event::LoggedOut { user, session, everywhere }.record();
    Ok(StatusCode::NO_CONTENT)
}
