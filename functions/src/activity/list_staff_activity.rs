//! Lists the activity of staff.
//!
//! `GET /activity?limit=&cursor=`, for administrators: newest first, within the retention. It outlives the accounts that it is
//! about, so it contains only their IDs.

use axum::extract::State;
use macros::operation;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::query::Query;
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Result};

use super::{Activity, Page, page};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::STAFF_ACTIVITY, Keys::CURSOR_MAC]);

#[operation(
    GET, "/activity", summary = "List staff activity, newest first",
    description = "For administrators. Actions of support and administrators on accounts and webhooks, including deleted accounts.",
    params(Page),
    responses((status = 200, description = "A page of events", body = Activity))
)]
pub async fn handler(_: Admin, State(app): State<App>, Query(query): Query<Page>) -> Result<JsonResponse<Activity>> {
    let read = async |before, limit, now| app.store().staff_activity(before, limit, now).await;
    page(&app, "staff activity", query, read).await.map(JsonResponse::ok)
}
