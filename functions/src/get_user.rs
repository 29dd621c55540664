//! Shows an account: one's own, or for an administrator anybody's.
//!
//! `GET /user`, `GET /user?id=`.

use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;
use shared::domain::id::UserId;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::caller::CurrentUser;
use shared::http::query::Query;
use shared::http::view::UserView;
use shared::{App, Error, Result};
use utoipa::IntoParams;

pub const ROUTE: Route = Route::new("get_user", &["GET"], &["/user"], || get(handler)).fails_with(&[
    Code::Unauthenticated,
    Code::InvalidToken,
    Code::Forbidden,
    Code::UserNotFound,
]);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Another user's id; administrators only.
    #[param(value_type = Option<uuid::Uuid>)]
    pub id: Option<UserId>,
}

#[utoipa::path(
    get, path = "/user", tag = "user", operation_id = "get_user", summary = "Read a user",
    description = "The account of the caller, or with `id` that of another user, for administrators.",
    params(Which), security(("access_token" = [])),
    responses((status = 200, description = "The user", body = UserView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Answer<UserView>> {
    let view = match which.id {
        Some(id) if id != caller.user.id => {
            if !caller.user.is_admin() {
                return Err(Error::Forbidden);
            }
            UserView::listed(app.store().user(id).await?.ok_or(Error::UserNotFound)?.into(), &app)
        }
        _ => UserView::of(caller.user, &app),
    };
    Ok(Answer::ok(view))
}
