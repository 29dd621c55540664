//! Permanently deletes an account.
//!
//! `DELETE /users/{id}`, for administrators after recent authentication, with the same effect as a deletion by its owner.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DeletionReason, DomainEvent, EventKind, Snapshot, Subject};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::RecentAdmin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use super::{Act, FIND, UserPath, not_oneself};
use crate::erasure::{self, erase_now};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::UserNotFound, Code::OwnAccount])
    .may(grants![FIND, Store::DELETE_USER, erasure::ERASE, App::NOTIFY_EMAILER])
    // As long as `delete_user`.
    .within(29);

#[operation(
    DELETE, "/users/{id}", summary = "Permanently delete a user",
    description = "For administrators, after recent authentication. Sessions, pictures and queued emails are also deleted, and the owner is notified by email.",
    params(UserPath),
    responses((status = 204, description = "Deleted"))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode> {
    not_oneself(&caller, id)?;
    let mut act = Act::new(&app, &caller, Role::ADMIN, id);
    let (farewell, erasure) = loop {
        let (user, now) = (act.read().await?, app.clock.now());
        let kind = EmailKind::AccountDeleted { to: user.email.clone(), name: user.name.clone() };
        let farewell = OutboxEmail::new(user.email.normalized(), kind, now);
        let kind = EventKind::Deleted { user: Snapshot::from(&user), reason: DeletionReason::Requested };
        let event = DomainEvent::new(Subject::User(user.id), &caller.staff(), kind, now);
        if let Some(erasure) = app.store().delete_user(&user, Some(&act.staff), &farewell, &event).await? {
            break (farewell, erasure);
        }
    };
    Event::UserDeleted { user: erasure.user, by: caller.user.id }.record();
    app.notify_emailer(&farewell).await;
    erase_now(&app, &erasure).await;
    Ok(StatusCode::NO_CONTENT)
}
