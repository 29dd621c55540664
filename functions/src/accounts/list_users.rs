//! Lists accounts, newest first, for administrators.
//!
//! `GET /users?limit=&cursor=`. The cursor is the last id of the page before, signed; accounts that are made meanwhile
//! are newer than every cursor, so a walk through all pages misses and repeats none.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::Invalid;
use shared::domain::id::UserId;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::fields::Fields;
use shared::http::query::Query;
use shared::http::view::UserView;
use shared::store::Store;
use shared::tokens::cursor;
use shared::tokens::keys::Keys;
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::LIST_USERS, Keys::CURSOR_MAC]);

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;
/// For its cursors.
const LIST: &str = "users";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many users a page has at most, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 20)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<UserView>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

#[operation(
    GET, "/users", summary = "List users, newest first",
    description = "For administrators. Accounts that are created while the pages are read appear on none of them.",
    params(Page),
    responses((status = 200, description = "A page of users", body = Users))
)]
pub async fn handler(_: Admin, State(app): State<App>, Query(page): Query<Page>) -> Result<JsonResponse<Users>> {
    let mac = app.keys().cursor_mac().await?;
    let mut fields = Fields::default();
    let limit = fields.optional("limit", page.limit, |limit| match limit.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(Invalid::new("out_of_range", format!("The limit is a number from 1 to {MAX_LIMIT}."))),
    });
    let before = fields.optional("cursor", page.cursor, |text| {
        cursor::decode(&text, LIST, mac)
            .map(UserId::from_bytes)
            .ok_or_else(|| Invalid::new("invalid_cursor", "This is no cursor of this list."))
    });
    fields.finish(Some(()))?;

    // One more than asked for tells whether there is another page.
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let mut users = app.store().list_users(limit + 1, before).await?;
    let more = users.len() > limit;
    users.truncate(limit);
    let next_cursor = users.last().filter(|_| more).map(|last| cursor::encode(last.id.as_bytes(), LIST, mac));
    let users = users.into_iter().map(|user| UserView::listed(user, &app)).collect();
    Ok(JsonResponse::ok(Users { users, next_cursor }))
}
