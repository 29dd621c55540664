//! Changes one's own account.
//!
//! `PUT /user` with what is to change.

use axum::extract::State;
use axum::routing::put;
use serde::Deserialize;
use shared::domain::name::UserName;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::http::view::UserView;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new("update_user", &["PUT"], &["/user"], || put(handler))
    .fails_with(&[Code::Unauthenticated, Code::InvalidToken]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Ada King")]
    name: Option<String>,
}

#[utoipa::path(
    put, path = "/user", tag = "user", operation_id = "update_user", summary = "Change one's own account",
    request_body = UpdateUser, security(("access_token" = [])),
    responses((status = 200, description = "The user as changed", body = UserView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(change): Json<UpdateUser>,
) -> Result<Answer<UserView>> {
    let mut fields = Fields::default();
    let name = fields.required("name", change.name, |name| UserName::parse(&name));
    let name = fields.finish(name)?;

    // Deleted between the check of the token and now: the token is worth nothing any more.
    let user = app.store.rename(caller.user.id, &name, app.clock.now()).await?.ok_or(Error::InvalidToken)?;
    Event::UserUpdated { user: user.id }.record();
    Ok(Answer::ok(UserView::of(user, &app)))
}
