//! Lists a user's sessions, for staff.
//!
//! `GET /users/{id}/sessions`: as their owner sees them.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::domain::id::UserId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::http::view::{MAX_SESSIONS, SessionView};
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;

use super::{FIND, UserPath, found};

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::UserNotFound]).may(grants![FIND, Store::SESSIONS]);

#[derive(Serialize, ToSchema)]
pub struct UserSessions {
    sessions: Vec<SessionView>,
}

#[operation(
    GET, "/users/{id}/sessions", summary = "List a user's sessions, newest first, at most 100",
    description = "For staff. Sessions that have ended or expired are not listed.",
    params(UserPath),
    responses((status = 200, description = "The active sessions", body = UserSessions))
)]
pub async fn handler(
    Support(caller): Support,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<JsonResponse<UserSessions>> {
    let (user, now) = (found(&app, id).await?, app.clock.now());
    let sessions = app.store().sessions(user.id).await?;
    let live = sessions.into_iter().filter(|session| session.is_live(&user, now)).take(MAX_SESSIONS);
    let sessions = live.map(|session| SessionView::of(session, caller.session.id)).collect();
    Ok(JsonResponse::ok(UserSessions { sessions }))
}
