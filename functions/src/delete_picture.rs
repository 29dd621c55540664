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
use shared::{App, Error, Result};

use crate::erase::delete_objects;

pub const ROUTE: Route = Route::new("delete_picture", &["DELETE"], &["/user/picture"], || delete(handler))
    .fails_with(&[Code::Unauthenticated, Code::InvalidToken]);

#[utoipa::path(
    delete, path = "/user/picture", tag = "picture", operation_id = "delete_picture", summary = "Remove one's picture",
    security(("access_token" = [])), responses((status = 204, description = "Removed, or there was none"))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<StatusCode> {
    let id = caller.user.id;
    let before = app.store.remove_picture(id, app.clock.now()).await?.ok_or(Error::InvalidToken)?;
    if let Some(shown) = &before.picture.shown {
        delete_objects(&app, &app.config.pictures.pictures_bucket, &shown.prefix(id)).await?;
    }
    Event::PictureDeleted { user: id }.record();
    Ok(StatusCode::NO_CONTENT)
}
