//! Returns an account for staff.
//!
//! `GET /users/{id}`: all its data except secrets.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use macros::operation;
use serde::Serialize;
use shared::clock::Timestamp;
use shared::domain::id::UserId;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{FIND, StaffUserView, UserPath, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::UserNotFound]).may(grants![
    FIND,
    Store::FACTORS,
    Store::SESSIONS,
    Store::ACTIVITY
]);

/// How many activity events are searched for a sign-in whose session has ended.
const EVENTS: usize = 100;

#[derive(Serialize, ToSchema)]
pub struct ShownUser {
    #[serde(flatten)]
    user: StaffUserView,
    /// Within the retention of the activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    last_sign_in_at: Option<String>,
}

#[operation(
    GET, "/users/{id}", summary = "Get a user as staff",
    description = "For staff. The `ETag` header has the `etag` of the response, for use in `If-Match`.",
    params(UserPath),
    responses((status = 200, description = "The user", body = ShownUser))
)]
pub async fn handler(_: Support, State(app): State<App>, PathId(id): PathId<UserId>) -> Result<Response> {
    let user = found(&app, id).await?;
    let (factors, last) = tokio::try_join!(app.store().factors(user.id, None), last_sign_in(&app, &user))?;
    let user = StaffUserView::of(user, &app, Some(factors.recovery_codes_left()));
    let etag = HeaderValue::from_str(&format!("\"{}\"", user.etag())).map_err(Error::internal)?;
    let shown = ShownUser { user, last_sign_in_at: last.map(Timestamp::rfc3339) };
    Ok(([(ETAG, etag)], JsonResponse::ok(shown)).into_response())
}

/// The sign-in of the newest session, or the last one in the activity.
async fn last_sign_in(app: &App, user: &User) -> Result<Option<Timestamp>> {
    let activity = app.store().activity(user.id, None, EVENTS, app.clock.now());
    let (sessions, activity) = tokio::try_join!(app.store().sessions(user.id), activity)?;
    let of_session = sessions.first().map(|session| session.signed_in_at);
    let of_activity = activity.iter().find(|event| event.name == "user.signed_in").map(|event| event.at);
    Ok(of_session.max(of_activity))
}
