//! Deletes an account for good: one's own, or for an administrator anybody's.
//!
//! `DELETE /user`, `DELETE /user?id=`, after a recent sign-in. Sessions, pictures, locks and queued mail go too; what
//! cannot be erased at once is noted in the transaction that deletes the account, and the sweeper finishes it.

use axum::extract::State;
use axum::http::StatusCode;
use shared::domain::id::UserId;
use shared::domain::mail::{MailKind, OwedMail};
use shared::domain::user::User;
use shared::error::Code;
use shared::http::Route;
use shared::http::caller::{CurrentUser, RecentlySignedIn};
use shared::http::query::Query;
use shared::store::Erasure;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::erase::erase_now;
use crate::get_user::Which;

/// When the account was moved or changed since it was read, it is read again.
const TRIES: usize = 5;

pub const ROUTE: Route = Route::new("delete_user", &["DELETE"], &["/user"], || axum::routing::delete(handler))
    .fails_with(&[
        Code::Unauthenticated,
        Code::InvalidToken,
        Code::ReauthenticationRequired,
        Code::Forbidden,
        Code::UserNotFound,
    ]);

#[utoipa::path(
    delete, path = "/user", tag = "user", operation_id = "delete_user", summary = "Delete a user for good",
    description = "Deletes the account of the caller, or with `id` that of another user, for administrators. Needs a recent sign-in. Sessions, pictures and queued emails are deleted as well.",
    params(Which), security(("access_token" = [])),
    responses((status = 204, description = "Deleted"))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<StatusCode> {
    let by = caller.user.id;
    let (farewell, erasure) = match which.id {
        Some(id) if id != by => {
            if !caller.user.is_admin() {
                return Err(Error::Forbidden);
            }
            delete_anothers(&app, id).await?
        }
        _ => delete_own(&app, caller).await?,
    };
    Event::UserDeleted { user: erasure.user, by }.record();
    app.tell_emailer(&farewell).await;
    erase_now(&app, &erasure).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_anothers(app: &App, id: UserId) -> Result<(OwedMail, Erasure)> {
    for _ in 0..TRIES {
        let user = app.store().user(id).await?.ok_or(Error::UserNotFound)?;
        if let Some(deleted) = delete(app, &user, false).await? {
            return Ok(deleted);
        }
    }
    Err(changed_again_and_again())
}

/// Deletes the caller's account, if their session goes on: one that an owner has ended since takes nothing away.
async fn delete_own(app: &App, mut caller: CurrentUser) -> Result<(OwedMail, Erasure)> {
    for _ in 0..TRIES {
        if let Some(deleted) = delete(app, &caller.user, true).await? {
            return Ok(deleted);
        }
        let now = app.clock.now();
        let (user, session) = app.store().user_and_session(caller.user.id, caller.session.id).await?;
        let live = user.zip(session).filter(|(user, session)| session.is_live(user, now));
        let (user, session) = live.ok_or(Error::InvalidToken)?;
        caller = CurrentUser { signed_in_at: session.signed_in_at, user, session };
        caller.must_have_signed_in_recently(now)?;
    }
    Err(changed_again_and_again())
}

/// `None` when the account was changed since it was read.
async fn delete(app: &App, user: &User, own: bool) -> Result<Option<(OwedMail, Erasure)>> {
    let now = app.clock.now();
    let kind = MailKind::AccountDeleted { to: user.email.clone(), name: user.name.clone() };
    let farewell = OwedMail::new(user.email.folded(), kind, now);
    let erasure = app.store().delete_user(user, own, &farewell, now).await?;
    Ok(erasure.map(|erasure| (farewell, erasure)))
}

fn changed_again_and_again() -> Error {
    Error::TemporarilyUnavailable("the account was changed again and again while it was to be deleted".into())
}
