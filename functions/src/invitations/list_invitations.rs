//! Lists invitations.
//!
//! `GET /invitations?limit=&cursor=`, for administrators: newest first. Accepted and expired invitations are listed until they are
//! deleted, a day or two after their seven days.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::Invalid;
use shared::domain::id::InvitationId;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::fields::Fields;
use shared::http::query::Query;
use shared::store::Store;
use shared::tokens::cursor;
use shared::tokens::keys::Keys;
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};

use super::InvitationView;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::INVITATIONS, Keys::CURSOR_MAC]);

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;
/// For its cursors.
const LIST: &str = "invitations";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InvitationPage {
    /// Maximum number of invitations per page, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Invitations {
    invitations: Vec<InvitationView>,
    /// Cursor for the next page; null on the last page.
    next_cursor: Option<String>,
}

#[operation(
    GET, "/invitations", summary = "List invitations, newest first",
    description = "For administrators.",
    params(InvitationPage),
    responses((status = 200, description = "A page of invitations", body = Invitations))
)]
pub async fn handler(
    _: Admin,
    State(app): State<App>,
    Query(page): Query<InvitationPage>,
) -> Result<JsonResponse<Invitations>> {
    let mac = app.keys().cursor_mac().await?;
    let mut fields = Fields::default();
    let limit = fields.optional("limit", page.limit, |limit| match limit.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(Invalid::new("out_of_range", format!("The limit must be a number from 1 to {MAX_LIMIT}."))),
    });
    let before = fields.optional("cursor", page.cursor, |text| {
        let id = cursor::decode(&text, LIST, mac).map(InvitationId::from_bytes);
        id.ok_or_else(|| Invalid::new("invalid_cursor", "This cursor is not valid for this list."))
    });
    fields.finish(Some(()))?;
    // One more than asked for tells whether there is another page.
    let (limit, now) = (limit.unwrap_or(DEFAULT_LIMIT), app.clock.now());
    let mut invitations = app.store().invitations(before, limit + 1).await?;
    let more = invitations.len() > limit;
    invitations.truncate(limit);
    let next_cursor = invitations.last().filter(|_| more).map(|last| cursor::encode(last.id.as_bytes(), LIST, mac));
    let invitations = invitations.into_iter().map(|invitation| InvitationView::of(invitation, now)).collect();
    Ok(JsonResponse::ok(Invitations { invitations, next_cursor }))
}
