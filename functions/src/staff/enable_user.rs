//! Enables a disabled account.
//!
//! `POST /users/{id}/enable`, for administrators after recent authentication. Sessions, tokens and links that were ended stay
//! ended.

use axum::extract::State;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind};
use shared::domain::id::UserId;
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::RecentAdmin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use super::{Act, FIND, StaffUserView, UserPath, found, not_oneself};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::UserNotFound, Code::OwnAccount])
    .may(grants![FIND, Store::ENABLE_USER]);

#[operation(
    POST, "/users/{id}/enable", summary = "Enable a user",
    description = "For administrators, after recent authentication. A user who is not disabled does not change.",
    params(UserPath),
    responses((status = 200, description = "The user", body = StaffUserView))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<JsonResponse<StaffUserView>> {
    not_oneself(&caller, id)?;
    let mut act = Act::new(&app, &caller, Role::ADMIN, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if user.disabled.is_none() {
            break;
        }
        let events = DomainEvent::of_user(user.id, &caller.staff(), [EventKind::Enabled {}], now);
        let lapses_at = now.plus(app.config.unconfirmed_life);
        if app.store().enable_user(&act.of(&user, None, &events, now), lapses_at).await? {
            Event::UserEnabled { user: user.id, by: caller.user.id }.record();
            break;
        }
    }
    Ok(JsonResponse::ok(StaffUserView::of(found(&app, id).await?, &app, None)))
}
