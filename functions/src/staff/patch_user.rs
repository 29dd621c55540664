//! Updates an account, for administrators.
//!
//! `PATCH /users/{id}` with a merge patch (RFC 7396) after recent authentication. With `If-Match` the account is changed only if it
//! is in the state that the caller has seen. A new address replaces the current one immediately; links sent to the previous one
//! become invalid, and all sessions end.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use macros::operation;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Changes, DomainEvent, EventKind, SessionsEnd};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::metadata::{self, ExternalId, Metadata};
use shared::domain::name::UserName;
use shared::domain::role::Role;
use shared::domain::search::Indexed;
use shared::domain::user::User;
use shared::error::{Code, FieldError};
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::{Member, MergePatch};
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::http::precondition::IfMatch;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{Act, FIND, StaffUserView, UserPath, claims_too_large, found};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[
        Code::UserNotFound,
        Code::OwnAccount,
        Code::AddressTaken,
        Code::ExternalIdTaken,
        Code::PreconditionFailed,
    ])
    .may(grants![FIND, Store::IS_TAKEN, Store::OWNER_OF_EXTERNAL, Store::PATCH_USER, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchUser {
    #[serde(default, deserialize_with = "shared::domain::present")]
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Ada King")]
    name: Option<String>,
    /// Takes effect immediately, without confirmation by the owner.
    #[serde(default, deserialize_with = "shared::domain::present")]
    #[schema(value_type = String, max_length = 254, format = "email", example = "ada@example.org")]
    email: Option<String>,
    /// Whether the address counts as confirmed. A new address does not unless this is true, and a link is emailed to it.
    #[serde(default, deserialize_with = "shared::domain::present")]
    #[schema(value_type = bool)]
    email_confirmed: Option<bool>,
    /// Replaces the current roles.
    #[serde(default, deserialize_with = "shared::domain::present")]
    #[schema(max_items = 20, value_type = Vec<Role>)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    app: Member<Map<String, Value>>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    internal: Member<Map<String, Value>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128, example = "auth0|5f7c8ec7c33c6c004bbafe82")]
    external_id: Member<String>,
}

#[operation(
    PATCH, "/users/{id}", summary = "Update a user",
    description = "For administrators, after recent authentication. A merge patch (RFC 7396): members of `app` and `internal` that are null are removed, objects in them are merged, everything else is replaced. With an `etag` in `If-Match`, the response is 412 if the user has changed since it was read. A new email address ends all sessions and invalidates links sent to the previous one.",
    params(UserPath, ("If-Match" = Option<String>, Header, description = "The `etag` of the state to change, in quotation marks")),
    request_body(content((PatchUser = "application/merge-patch+json"), (PatchUser = "application/json"))),
    responses((status = 200, description = "The updated user", body = StaffUserView))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
    if_match: IfMatch,
    MergePatch(body): MergePatch<PatchUser>,
) -> Result<Response> {
    let patch = body.parse()?;
    if id == Some(caller.user.id) && (patch.email.is_some() || patch.email_confirmed.is_some()) {
        return Err(Error::OwnAccount);
    }
    let mut act = Act::new(&app, &caller, Role::ADMIN, id);
    let mails = loop {
        let user = act.read().await?;
        if !if_match.admits(&user.etag()) {
            return Err(Error::PreconditionFailed);
        }
        if let Some(mails) = apply(&app, &act, &user, &patch).await? {
            break mails;
        }
    };
    for mail in mails {
        app.notify_emailer(&mail).await;
    }
    let user = StaffUserView::of(found(&app, id).await?, &app, None);
    let etag = HeaderValue::from_str(&format!("\"{}\"", user.etag())).map_err(Error::internal)?;
    Ok(([(ETAG, etag)], JsonResponse::ok(user)).into_response())
}

/// Writes what comes of a patch; the emails about it. `None` when the account was changed since it was read.
async fn apply(app: &App, act: &Act<'_>, user: &User, patch: &Patch) -> Result<Option<Vec<OutboxEmail>>> {
    let now = app.clock.now();
    let after = patch.applied(user, now)?;
    if user.id == act.staff.id && !after.is_admin() {
        return Err(Error::OwnAccount);
    }
    let changes_claims = after.app != user.app || after.external_id != user.external_id;
    if changes_claims && !app.config.claims.fit(&after) {
        return Err(claims_too_large("app"));
    }
    if after.etag() == user.etag() {
        return Ok(Some(Vec::new()));
    }
    // The address may be spelt in another way, and is the same.
    let moves = after.email.normalized() != user.email.normalized();
    if !moves && user.contested_at.is_some() && !user.email_confirmed && after.email_confirmed {
        return Err(contested());
    }
    let promotes = |role: &Role| role.is_of_staff() && !user.roles.contains(role);
    if user.has_doubted_password() && !moves && after.roles.iter().any(promotes) {
        return Err(doubted());
    }
    let unconfirmed = user.email_confirmed && !after.email_confirmed;
    let lapses_at = Some(now.plus(app.config.unconfirmed_life));
    let after = User { lapses_at: if after.email_confirmed { None } else { user.lapses_at.or(lapses_at) }, ..after };
    let mails = emails(user, &after, now);
    let ends_sessions = moves || unconfirmed;
    let events = DomainEvent::of_user(user.id, &act.caller.staff(), events(user, &after, ends_sessions), now);
    let write = act.of(user, None, &events, now);
    if app.store().patch_user(&write, &after, &mails, ends_sessions).await? {
        Event::UserPatched { user: user.id, by: act.staff.id }.record();
        return Ok(Some(mails));
    }
    // What no other try would change is told.
    let address = after.email.normalized();
    if address != user.email.normalized() && app.store().is_taken_by_another(&address, user.id, now).await? {
        return Err(Error::AddressTaken);
    }
    if let Some(external_id) = after.external_id.as_ref().filter(|_| after.external_id != user.external_id)
        && app.store().owner_of_external(external_id).await?.is_some_and(|owner| owner != user.id)
    {
        return Err(Error::ExternalIdTaken);
    }
    Ok(None)
}

/// The first registrant knows the password, and it is unknown whether they own the mailbox.
fn contested() -> Error {
    let detail =
        "More than one person registered with this address. Send a link to choose a password instead.".to_owned();
    Error::fields(vec![FieldError { field: "email_confirmed".to_owned(), code: "contested", detail }])
}

/// The registrant's address may have been confirmed by someone else's click.
fn doubted() -> Error {
    let detail = "It is not proved yet that the person who knows the password also receives the account's email. Invite the address to \
                  the role, or send a link to choose a password first.";
    Error::fields(vec![FieldError { field: "roles".to_owned(), code: "password_in_doubt", detail: detail.to_owned() }])
}

/// To the address that the account had, and a link to one that is still to be confirmed.
fn emails(before: &User, after: &User, now: Timestamp) -> Vec<OutboxEmail> {
    let moved = (before.email.normalized() != after.email.normalized()).then(|| {
        let kind = EmailKind::AddressChangedByStaff { to: before.email.clone(), name: before.name.clone() };
        OutboxEmail::new(before.email.normalized(), kind, now)
    });
    let asks = !after.email_confirmed && (moved.is_some() || before.email_confirmed);
    let confirmation =
        asks.then(|| OutboxEmail::new(after.email.normalized(), EmailKind::ConfirmAddress { user: after.id }, now));
    moved.into_iter().chain(confirmation).collect()
}

fn events(before: &User, after: &User, ends_sessions: bool) -> Vec<EventKind> {
    let changed = Changes {
        name: (before.name != after.name).then(|| after.name.to_string()),
        roles: (before.roles != after.roles).then(|| after.roles.clone()),
        app: (before.app != after.app).then(|| after.app.as_object().clone()),
        internal: (before.internal != after.internal).then_some(true),
        external_id: (before.external_id != after.external_id)
            .then(|| after.external_id.as_ref().map(|id| id.as_str().to_owned())),
        email_confirmed: (before.email_confirmed && !after.email_confirmed).then_some(false),
        ..Changes::default()
    };
    let updated = (changed != Changes::default()).then_some(EventKind::Updated { changed });
    let moved = (before.email != after.email)
        .then(|| EventKind::EmailChanged { from: before.email.to_string(), to: after.email.to_string() });
    let confirmed = (!before.email_confirmed && after.email_confirmed).then_some(EventKind::Confirmed {});
    let ended = ends_sessions.then_some(EventKind::SessionsEnded { except: None, reason: SessionsEnd::EndedByStaff });
    updated.into_iter().chain(moved).chain(confirmed).chain(ended).collect()
}

/// A patch whose values can be taken.
struct Patch {
    name: Option<UserName>,
    email: Option<EmailAddress>,
    email_confirmed: Option<bool>,
    roles: Option<Vec<Role>>,
    app: Member<Map<String, Value>>,
    internal: Member<Map<String, Value>>,
    external_id: Member<ExternalId>,
}

impl Patch {
    fn applied(&self, user: &User, now: Timestamp) -> Result<User> {
        let mut fields = Fields::default();
        let mut place = |name: &str, before: &Metadata, patch: &Member<Map<String, Value>>| match patch {
            Member::LeftOut => Some(before.clone()),
            Member::Null => Some(Metadata::default()),
            Member::Value(patch) => fields.optional(name, Some(patch), |patch| before.patched(patch)),
        };
        let app = place("app", &user.app, &self.app);
        let internal = place("internal", &user.internal, &self.internal);
        let places = app.zip(internal).and_then(|(app, internal)| {
            // Another patch is not refused for what is there.
            let changed = app != user.app || internal != user.internal;
            let sized = if changed { metadata::check_size([&user.profile, &app, &internal]) } else { Ok(()) };
            let name = if self.app == Member::LeftOut { "internal" } else { "app" };
            fields.optional(name, Some(()), |()| sized).map(|()| (app, internal))
        });
        let (app, internal) = fields.finish(places)?;
        let email = self.email.clone().unwrap_or_else(|| user.email.clone());
        let moves = email.normalized() != user.email.normalized();
        let name = self.name.clone().unwrap_or_else(|| user.name.clone());
        let indexed = if name == user.name && !moves { user.indexed.clone() } else { Some(Indexed::new(&name, now)) };
        Ok(User {
            name,
            email,
            email_confirmed: self.email_confirmed.unwrap_or(user.email_confirmed && !moves),
            roles: self.roles.clone().unwrap_or_else(|| user.roles.clone()),
            app,
            internal,
            external_id: self.external_id.applied_to(user.external_id.as_ref()),
            indexed,
            ..user.clone()
        })
    }
}

impl PatchUser {
    fn parse(self) -> Result<Patch> {
        let mut fields = Fields::default();
        let name = fields.optional("name", self.name, |name| UserName::parse(&name));
        let email = fields.optional("email", self.email, |email| EmailAddress::parse(&email));
        let roles = fields.optional("roles", self.roles, |roles| Role::parse_all(&roles));
        let external_id = match self.external_id {
            Member::LeftOut => Member::LeftOut,
            Member::Null => Member::Null,
            Member::Value(id) => {
                let id = fields.optional("external_id", Some(id), |id| ExternalId::parse(&id));
                id.map_or(Member::LeftOut, Member::Value)
            }
        };
        fields.finish(Some(()))?;
        let Self { email_confirmed, app, internal, .. } = self;
        Ok(Patch { name, email, email_confirmed, roles, app, internal, external_id })
    }
}
