//! Deletes the caller's picture.
//!
//! `DELETE /user/picture`. Uploads in progress are discarded.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind, PictureChange, Subject};
use shared::grants;
use shared::http::Route;
use shared::http::caller::CurrentUser;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::erasure;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).opening_to_impersonation().may(grants![
    Store::USER,
    Store::REMOVE_PICTURE,
    erasure::DELETE_PICTURES
]);

/// When a picture was shown or removed since the account was read, it is read again.
const TRIES: usize = 5;

#[operation(
    DELETE, "/user/picture", summary = "Delete the caller's picture",
    description = "Uploads in progress are discarded.",
    responses((status = 204, description = "Deleted, or there was none"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<StatusCode> {
    let (id, actor, mut user) = (caller.user.id, caller.actor(), caller.user);
    let bucket = &app.config.pictures.pictures_bucket;
    for _ in 0..TRIES {
        if user.picture.shown.is_none() && user.picture.requested.is_none() {
            break;
        }
        // The objects first: should S3 fail, the account still names them and the next attempt finds them.
        if let Some(shown) = &user.picture.shown {
            erasure::delete_objects(&app, bucket, &shown.prefix(id), None).await?;
        }
        let kind = EventKind::PictureChanged { status: PictureChange::Removed, reason: None };
        let event = DomainEvent::new(Subject::User(id), &actor, kind, app.clock.now());
        if app.store().remove_picture(&user, &event).await? {
            Event::PictureDeleted { user: id }.record();
            return Ok(StatusCode::NO_CONTENT);
        }
        // A later request was faster: it removed the picture or brought a newer one.
        user = app.store().user(id).await?.ok_or(Error::InvalidToken)?;
    }
    Ok(StatusCode::NO_CONTENT)
}
