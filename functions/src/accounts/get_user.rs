//! Returns an account: the caller's own or, for administrators, any.
//!
//! `GET /user`, `GET /user?id=`.

use axum::extract::State;
use macros::operation;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::CurrentUser;
use shared::http::query::Query;
use shared::http::view::UserView;
use shared::store::Store;
use shared::{App, Error, Result};

use super::UserQuery;

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::Forbidden, Code::UserNotFound]).may(grants![Store::USER]);

#[operation(
    GET, "/user", summary = "Get a user",
    description = "Returns the caller's account or, for administrators, the user with the given `id`.",
    params(UserQuery),
    responses((status = 200, description = "The user", body = UserView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Query(which): Query<UserQuery>,
) -> Result<JsonResponse<UserView>> {
    let view = match which.id {
        Some(id) if id != caller.user.id => {
            if !caller.user.is_admin() {
                return Err(Error::Forbidden);
            }
            UserView::of_another(app.store().user(id).await?.ok_or(Error::UserNotFound)?, &app)
        }
        _ => UserView::of(caller.user, &app),
    };
    Ok(JsonResponse::ok(view))
}
