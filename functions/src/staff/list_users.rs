//! Lists accounts, for staff.
//!
//! `GET /users?limit=&cursor=&q=&email=&external_id=&role=&status=`: newest first, or with `q` matches by name, sorted by name, and
//! then matches by address. A cursor marks the end of the previous page and is bound to its filters; accounts that are created
//! concurrently are newer than every cursor, so reading all pages repeats none.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::email::EmailAddress;
use shared::domain::metadata::ExternalId;
use shared::domain::role::Role;
use shared::domain::search::Query as Text;
use shared::domain::status::Status;
use shared::domain::user::ListedUser;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Support;
use shared::http::fields::Fields;
use shared::http::query::Query;
use shared::store::{Filter, Position, Store};
use shared::tokens::cursor;
use shared::tokens::keys::Keys;
use shared::tokens::mac::MacKey;
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};

use super::ListedUserView;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![
    Store::LIST_USERS,
    Store::FIND_USERS,
    Store::USER,
    Store::OWNER_OF,
    Store::OWNER_OF_EXTERNAL,
    Keys::CURSOR_MAC
]);

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;
/// For its cursors.
const LIST: &str = "users";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsersPage {
    /// Maximum number of users per page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 20)]
    limit: Option<String>,
    /// `next_cursor` of the previous page, with the same filters.
    cursor: Option<String>,
    /// A prefix of the email address, or of any of the first sixteen words of the name. Case, accents and Unicode form are
    /// ignored.
    #[param(min_length = 1, max_length = 254, example = "angs")]
    q: Option<String>,
    /// The whole email address.
    #[param(format = "email", example = "ada@example.com")]
    email: Option<String>,
    /// The ID in another system.
    #[param(min_length = 1, max_length = 128)]
    external_id: Option<String>,
    /// A role that the users have.
    #[param(example = "admin")]
    role: Option<String>,
    /// `active`, `unconfirmed` or `disabled`.
    #[param(value_type = Option<Status>)]
    status: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Users {
    users: Vec<ListedUserView>,
    /// Cursor for the next page; null on the last page.
    next_cursor: Option<String>,
}

#[operation(
    GET, "/users", summary = "List or search users",
    description = "For staff. Newest first; with `q`, by name and then by email address. Pages are full with every filter. Users who are created, renamed or moved to another address while the pages are read may be missing from all pages, but are never on two.",
    params(UsersPage),
    responses((status = 200, description = "A page of users", body = Users))
)]
pub async fn handler(_: Support, State(app): State<App>, Query(page): Query<UsersPage>) -> Result<JsonResponse<Users>> {
    let mac = app.keys().cursor_mac().await?;
    let Wanted { limit, after, exact, filter, list } = page.parse(mac)?;
    let now = app.clock.now();
    if let Some(exact) = exact {
        let user = exact.find(&app, &filter, now).await?;
        let users = user.into_iter().map(|user| ListedUserView::of(user, &app)).collect();
        return Ok(JsonResponse::ok(Users { users, next_cursor: None }));
    }
    // One more than asked for tells whether there is another page.
    let mut found = if filter == Filter::default() {
        let before = match after {
            Some(Position::Newest(before)) => Some(before),
            _ => None,
        };
        let users = app.store().list_users(limit + 1, before).await?;
        users.into_iter().map(|user| (Position::Newest(user.list_key()), user)).collect::<Vec<_>>()
    } else {
        let users = app.store().find_users(&filter, after, limit + 1, now).await?;
        users.into_iter().map(|(user, position)| (position, ListedUser::from(user))).collect()
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|(position, _)| cursor::encode_position(position, &list, mac)).transpose()?;
    let users = found.into_iter().map(|(_, user)| ListedUserView::of(user, &app)).collect();
    Ok(JsonResponse::ok(Users { users, next_cursor }))
}

/// What is asked for.
struct Wanted {
    limit: usize,
    after: Option<Position>,
    exact: Option<Exact>,
    filter: Filter,
    /// What a cursor is bound to.
    list: String,
}

/// What one account has at most.
#[derive(Default)]
struct Exact {
    email: Option<EmailAddress>,
    external_id: Option<ExternalId>,
}

impl Exact {
    async fn find(&self, app: &App, filter: &Filter, now: Timestamp) -> Result<Option<ListedUser>> {
        let id = match (&self.email, &self.external_id) {
            (Some(email), _) => app.store().owner_of(&email.normalized()).await?,
            (None, Some(external_id)) => app.store().owner_of_external(external_id).await?,
            (None, None) => None,
        };
        let Some(id) = id else { return Ok(None) };
        let user = app.store().user(id).await?.filter(|user| {
            self.email.as_ref().is_none_or(|email| email.normalized() == user.email.normalized())
                && self.external_id.as_ref().is_none_or(|external_id| user.external_id.as_ref() == Some(external_id))
                && filter.finds(user, now)
        });
        Ok(user.map(ListedUser::from))
    }
}

impl UsersPage {
    fn parse(self, mac: &MacKey) -> Result<Wanted> {
        let list = self.list();
        let mut fields = Fields::default();
        let limit = fields.optional("limit", self.limit, |limit| match limit.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
            _ => Err(Invalid::new("out_of_range", format!("The limit must be a number from 1 to {MAX_LIMIT}."))),
        });
        let after = fields.optional("cursor", self.cursor, |text| {
            let invalid =
                || Invalid::new("invalid_cursor", "This cursor is not valid for this list with these filters.");
            cursor::decode_position(&text, &list, mac).ok_or_else(invalid)
        });
        let email = fields.optional("email", self.email, |email| EmailAddress::parse(&email));
        let external_id = fields.optional("external_id", self.external_id, |id| ExternalId::parse(&id));
        let query = fields.optional("q", self.q, |text| Text::parse(&text));
        let role = fields.optional("role", self.role, |role| Role::parse(&role));
        let status = fields.optional("status", self.status, |status| Status::parse(&status));
        fields.finish(Some(()))?;
        let exact = (email.is_some() || external_id.is_some()).then_some(Exact { email, external_id });
        let filter = Filter { query, role, status };
        Ok(Wanted { limit: limit.unwrap_or(DEFAULT_LIMIT), after, exact, filter, list })
    }

    /// The filters, told apart whatever they hold.
    fn list(&self) -> String {
        let Self { q, email, external_id, role, status, .. } = self;
        format!("{LIST} {:?}", (q, email, external_id, role, status))
    }
}
