//! Takes one's picture away.
//!
//! `DELETE /user/picture`. Uploads that are under way come to nothing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use shared::error::Code;
use shared::http::Route;
use shared::http::caller::CurrentUser;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use crate::erase::delete_objects;

pub const ROUTE: Route = Route::new("delete_picture", &["DELETE"], &["/user/picture"], || delete(handler))
    .fails_with(&[Code::Unauthenticated, Code::InvalidToken]);

#[utoipa::path(
    delete, path = "/user/picture", tag = "picture", operation_id = "delete_picture", summary = "Remove one's picture",
    description = "Uploads that are in progress are dropped.",
    security(("access_token" = [])), responses((status = 204, description = "Removed, or there was none"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<StatusCode> {
    let id = caller.user.id;
    let bucket = &app.config.pictures.pictures_bucket;
    // The objects first: should S3 fail, the account still names them and the next attempt finds them.
    let seen = caller.user.picture.shown;
    if let Some(shown) = &seen {
        delete_objects(&app, bucket, &shown.prefix(id), None).await?;
    }
    // Nothing to take away when a later request was faster: it removed the picture or brought a newer one.
    if let Some(before) = app.store().remove_picture(id, app.clock.now()).await? {
        Event::PictureDeleted { user: id }.record();
        if let Some(newer) = before.picture.shown.filter(|shown| Some(shown) != seen.as_ref()) {
            delete_objects(&app, bucket, &newer.prefix(id), None).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
