//! Deletes an account for good: one's own, or for an administrator anybody's.
//!
//! `DELETE /user`, `DELETE /user?id=`, after a recent sign-in. Sessions, pictures, locks and queued mail go too; what
//! cannot be erased at once is noted in the transaction that deletes the account, and the sweeper finishes it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use shared::domain::mail::{MailKind, OwedMail};
use shared::error::Code;
use shared::http::Route;
use shared::http::caller::RecentlySignedIn;
use shared::http::query::Query;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::erase::erase_now;
use crate::get_user::Which;

pub const ROUTE: Route = Route::new("delete_user", &["DELETE"], &["/user"], || delete(handler)).fails_with(&[
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
    let mut user = match which.id {
        Some(id) if id != by => {
            if !caller.user.is_admin() {
                return Err(Error::Forbidden);
            }
            app.store().user(id).await?.ok_or(Error::UserNotFound)?
        }
        _ => caller.user,
    };

    let now = app.clock.now();
    let (farewell, erasure) = loop {
        let kind = MailKind::AccountDeleted { to: user.email.clone(), name: user.name.clone() };
        let farewell = OwedMail::new(user.email.folded(), kind, now);
        if let Some(erasure) = app.store().delete_user(&user, &farewell, now).await? {
            break (farewell, erasure);
        }
        // Gone, or moved to another address since it was read.
        let moved = app.store().user(user.id).await?.filter(|now| now.email != user.email);
        user = moved.ok_or(Error::UserNotFound)?;
    };
    Event::UserDeleted { user: user.id, by }.record();
    app.tell_emailer(&farewell).await;
    erase_now(&app, &erasure).await;
    Ok(StatusCode::NO_CONTENT)
}
