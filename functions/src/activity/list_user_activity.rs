//! Lists the activity of another account, for staff.
//!
//! `GET /users/{id}/activity?limit=&cursor=`: what happened to the account, newest first, within the retention.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use shared::domain::id::UserId;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::http::query::Query;
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::IntoParams;

use super::{Activity, Page, page};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::UserNotFound]).may(grants![
    Store::USER,
    Store::ACTIVITY,
    Keys::CURSOR_MAC
]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// ID of the user.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: uuid::Uuid,
}

#[operation(
    GET, "/users/{id}/activity", summary = "List a user's activity, newest first",
    description = "For staff. What happened to the account, who did it and from where, for as long as activity is kept.",
    params(UserPath, Page),
    responses((status = 200, description = "A page of events", body = Activity))
)]
pub async fn handler(
    _: Support,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
    Query(query): Query<Page>,
) -> Result<JsonResponse<Activity>> {
    let user = id.ok_or(Error::UserNotFound)?;
    if app.store().user(user).await?.is_none() {
        return Err(Error::UserNotFound);
    }
    let read = async |before, limit, now| app.store().activity(user, before, limit, now).await;
    page(&app, &format!("activity of {user}"), query, read).await.map(JsonResponse::ok)
}
