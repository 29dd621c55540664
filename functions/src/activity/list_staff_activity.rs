//! What staff did.
//!
//! `GET /activity?limit=&cursor=`, for administrators: newest first, as long as it is kept. It outlives the accounts that it is
//! about, and so holds nothing of them but their ids.

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
    GET, "/activity", summary = "List what staff did, newest first",
    description = "For administrators. Acts of support and administrators on accounts and webhooks, also on accounts that are gone.",
    params(Page),
    responses((status = 200, description = "A page of events", body = Activity))
)]
pub async fn handler(_: Admin, State(app): State<App>, Query(query): Query<Page>) -> Result<JsonResponse<Activity>> {
    let read = async |before, limit, now| app.store().staff_activity(before, limit, now).await;
    page(&app, "staff activity", query, read).await.map(JsonResponse::ok)
}
