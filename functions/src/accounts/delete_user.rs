//! Permanently deletes an account: the caller's own or, for administrators, any.
//!
//! `DELETE /user`, `DELETE /user?id=`, after recent authentication. Sessions, pictures, locks and queued emails are also deleted;
//! what cannot be erased immediately is recorded in the transaction that deletes the account, and finished by the sweeper.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{Actor, DeletionReason, DomainEvent, EventKind, Snapshot, Subject};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::domain::staff::StaffMember;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::{CurrentUser, RecentlySignedIn};
use shared::http::query::Query;
use shared::store::Erasure;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use super::UserQuery;
use crate::erasure;
use crate::erasure::erase_now;

/// When the account was moved or changed since it was read, it is read again.
const TRIES: usize = 5;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::Forbidden, Code::UserNotFound])
    .may(grants![Store::USER, Store::USER_AND_SESSION, Store::DELETE_USER, erasure::ERASE, App::NOTIFY_EMAILER])
    // Erasing takes as long as there is time before the gateway gives up, which is after 30 seconds.
    .within(29);

#[operation(
    DELETE, "/user", summary = "Permanently delete a user",
    description = "Deletes the caller's account or, for administrators, the user with the given `id`. Requires recent authentication. Sessions, pictures and queued emails are also deleted.",
    params(UserQuery),
    responses((status = 204, description = "Deleted"))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
    Query(which): Query<UserQuery>,
) -> Result<StatusCode> {
    let by = caller.user.id;
    let (farewell, erasure) = match which.id {
        Some(id) if id != by => {
            if !caller.user.is_admin() {
                return Err(Error::Forbidden);
            }
            delete_anothers(&app, id, &caller).await?
        }
        _ => delete_own(&app, caller).await?,
    };
    Event::UserDeleted { user: erasure.user, by }.record();
    app.notify_emailer(&farewell).await;
    erase_now(&app, &erasure).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_anothers(app: &App, id: UserId, caller: &CurrentUser) -> Result<(OutboxEmail, Erasure)> {
    let staff = caller.as_staff(Role::ADMIN);
    for _ in 0..TRIES {
        let user = app.store().user(id).await?.ok_or(Error::UserNotFound)?;
        if let Some(deleted) = delete(app, &user, Some(&staff), &caller.staff()).await? {
            return Ok(deleted);
        }
        if !caller.reread(app).await?.user.is_admin() {
            return Err(Error::Forbidden);
        }
    }
    Err(changed_again_and_again())
}

/// Deletes the caller's account, if their session goes on: one that an owner has ended since takes nothing away.
async fn delete_own(app: &App, mut caller: CurrentUser) -> Result<(OutboxEmail, Erasure)> {
    for _ in 0..TRIES {
        if let Some(deleted) = delete(app, &caller.user, None, &caller.actor()).await? {
            return Ok(deleted);
        }
        caller = caller.reread(app).await?;
        caller.must_have_signed_in_recently(app.clock.now())?;
    }
    Err(changed_again_and_again())
}

/// `None` when the account was changed since it was read.
async fn delete(
    app: &App,
    user: &User,
    staff: Option<&StaffMember>,
    actor: &Actor,
) -> Result<Option<(OutboxEmail, Erasure)>> {
    let now = app.clock.now();
    let kind = EmailKind::AccountDeleted { to: user.email.clone(), name: user.name.clone() };
    let farewell = OutboxEmail::new(user.email.normalized(), kind, now);
    let kind = EventKind::Deleted { user: Snapshot::from(user), reason: DeletionReason::Requested };
    let event = DomainEvent::new(Subject::User(user.id), actor, kind, now);
    let erasure = app.store().delete_user(user, staff, &farewell, &event).await?;
    Ok(erasure.map(|erasure| (farewell, erasure)))
}

fn changed_again_and_again() -> Error {
    Error::TemporarilyUnavailable("the account kept changing concurrently while it was being deleted".into())
}
