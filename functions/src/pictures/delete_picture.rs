//! Takes one's picture away.
//!
//! `DELETE /user/picture`. Uploads that are under way come to nothing.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::grants;
use shared::http::Route;
use shared::http::caller::CurrentUser;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use crate::erasure;

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).may(grants![Store::REMOVE_PICTURE, erasure::DELETE_PICTURES]);

#[operation(
    DELETE, "/user/picture", summary = "Remove one's picture",
    description = "Uploads that are in progress are dropped.",
    responses((status = 204, description = "Removed, or there was none"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<StatusCode> {
    let id = caller.user.id;
    let bucket = &app.config.pictures.pictures_bucket;
    // The objects first: should S3 fail, the account still names them and the next attempt finds them.
    let seen = caller.user.picture.shown;
    if let Some(shown) = &seen {
        erasure::delete_objects(&app, bucket, &shown.prefix(id), None).await?;
    }
    // Nothing to take away when a later request was faster: it removed the picture or brought a newer one.
    if let Some(before) = app.store().remove_picture(id, app.clock.now()).await? {
        Event::PictureDeleted { user: id }.record();
        if let Some(newer) = before.picture.shown.filter(|shown| Some(shown) != seen.as_ref()) {
            erasure::delete_objects(&app, bucket, &newer.prefix(id), None).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
