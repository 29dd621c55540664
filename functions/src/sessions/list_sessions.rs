//! Lists the caller's sessions, newest first.
//!
//! `GET /auth/sessions`. Ended and expired sessions are not listed.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::CurrentUser;
use shared::http::view::{MAX_SESSIONS, SessionView};
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::SESSIONS]);

#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<SessionView>,
}

#[operation(
    GET, "/auth/sessions", summary = "List the caller's sessions, newest first, at most 100",
    description = "Sessions that have ended or expired are not listed.",
    responses((status = 200, description = "The active sessions", body = Sessions))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<JsonResponse<Sessions>> {
    let now = app.clock.now();
    let sessions = app.store().sessions(caller.user.id).await?;
    let live = sessions.into_iter().filter(|session| session.is_live(&caller.user, now)).take(MAX_SESSIONS);
    let sessions = live.map(|session| SessionView::of(session, caller.session.id)).collect();
    Ok(JsonResponse::ok(Sessions { sessions }))
}
