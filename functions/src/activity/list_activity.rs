//! Lists the caller's activity.
//!
//! `GET /user/activity?limit=&cursor=`: what happened to the account, newest first, within the retention.

use axum::extract::State;
use macros::operation;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::CurrentUser;
use shared::http::query::Query;
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Result};

use super::{Activity, Page, for_owner, page};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::ACTIVITY, Keys::CURSOR_MAC]);

#[operation(
    GET, "/user/activity", summary = "List the caller's activity, newest first",
    description = "What happened to the account, who did it and from where, for as long as activity is kept (90 days by default). A sign-in appears within seconds.",
    params(Page),
    responses((status = 200, description = "A page of events", body = Activity))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Query(query): Query<Page>,
) -> Result<JsonResponse<Activity>> {
    let user = caller.user.id;
    let read = async |before, limit, now| {
        let events = app.store().activity(user, before, limit, now).await?;
        Ok(events.into_iter().map(for_owner).collect())
    };
    page(&app, &format!("activity of {user}"), query, read).await.map(JsonResponse::ok)
}
