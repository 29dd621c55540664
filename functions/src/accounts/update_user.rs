//! Updates the caller's account.
//!
//! `PUT /user` with the fields to change. A new address requires recent authentication, because it can recover the account, and it
//! replaces the current one only when the link emailed to it is used. The response does not reveal whether another account has it:
//! its owner is then notified by email.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::config::ExtraClaims;
use shared::domain::Invalid;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Changes, DomainEvent, EventKind, Subject};
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::metadata::{Metadata, check_size};
use shared::domain::name::UserName;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::http::view::UserView;
use shared::store::{AddressRequest, OwnUpdate, Store};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .opening_to_impersonation()
    .fails_with(&[Code::ReauthenticationRequired, Code::TooManyAttempts])
    .may(grants![Store::USER, Store::UPDATE_USER, Store::REQUEST_ADDRESS, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    #[schema(min_length = 1, max_length = 100, example = "Ada King")]
    name: Option<String>,
    /// The new email address. The current address cancels a pending change.
    #[schema(max_length = 254, format = "email", example = "ada@example.org")]
    email: Option<String>,
    /// A JSON object for the owner's own use. It replaces the previous one; at most 16 KiB together with `app` and `internal`.
    #[schema(value_type = Option<Object>)]
    profile: Option<Map<String, Value>>,
}

#[operation(
    PUT, "/user", summary = "Update the caller's account",
    description = "Changes only the given fields. A new email address requires recent authentication and replaces the current one when the link that is emailed to it is used. The response does not reveal whether another account has the address.",
    responses((status = 200, description = "The updated user", body = UserView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(change): Json<UpdateUser>,
) -> Result<JsonResponse<UserView>> {
    let now = app.clock.now();
    let Change { name, email, profile } = change.parse(&caller.user, &app.config.claims)?;
    let moves = email.as_ref().filter(|email| email.normalized() != caller.user.email.normalized());
    if email.is_some() {
        caller.must_have_signed_in_recently(now)?;
    }
    let user = match moves {
        Some(email) => request_address(&app, caller, email, name.as_ref()).await?,
        None => {
            let drops_pending_email = email.is_some();
            let changed = Changes {
                name: name.as_ref().map(ToString::to_string),
                profile: profile.as_ref().map(|profile| profile.as_object().clone()),
                pending_email: drops_pending_email.then_some(None),
                ..Changes::default()
            };
            let update = OwnUpdate { name: name.as_ref(), profile: profile.as_ref(), drops_pending_email };
            app.store().update_user(&caller.user, &update, &event(&caller, changed, now)).await?
        }
    };
    // Deleted or signed out between the check of the token and now: the token is worth nothing any more.
    let user = user.ok_or(Error::InvalidToken)?;
    Event::UserUpdated { user: user.id }.record();
    Ok(JsonResponse::ok(UserView::of(user, &app)))
}

/// Enqueues an email with a link to the new address. `None` when the account is gone or its sessions are over.
async fn request_address(
    app: &App,
    mut caller: CurrentUser,
    to: &EmailAddress,
    name: Option<&UserName>,
) -> Result<Option<User>> {
    let epoch = caller.user.session_epoch;
    loop {
        let (CurrentUser { user, signed_in_at, .. }, now) = (&caller, app.clock.now());
        if let Some(retry_after) = user.wait_for_address_change(now).filter(|_| app.config.limits.on) {
            return Err(Error::TooManyAttempts { retry_after });
        }
        let mail = OutboxEmail::new(to.normalized(), EmailKind::ChangeAddress { user: user.id, to: to.clone() }, now);
        let changed = Changes {
            name: name.map(ToString::to_string),
            pending_email: Some(Some(to.to_string())),
            ..Changes::default()
        };
        let event = event(&caller, changed, now);
        let request = AddressRequest { user, signed_in_at: *signed_in_at, to, name, mail: &mail, event: &event };
        let requested = app.store().request_address(&request, now).await?;
        if requested {
            Event::AddressChangeRequested { user: user.id }.record();
            app.notify_emailer(&mail).await;
        }
        // As it is now: with the wish, or with what was in its way.
        match app.store().user(user.id).await?.filter(|user| user.session_epoch == epoch) {
            Some(now) if !requested => caller.user = now,
            user => return Ok(user),
        }
    }
}

fn event(caller: &CurrentUser, changed: Changes, now: Timestamp) -> DomainEvent {
    DomainEvent::new(Subject::User(caller.user.id), &caller.actor(), EventKind::Updated { changed }, now)
}

/// What is to change: something of it.
struct Change {
    name: Option<UserName>,
    email: Option<EmailAddress>,
    profile: Option<Metadata>,
}

impl UpdateUser {
    fn parse(self, user: &User, claims: &ExtraClaims) -> Result<Change> {
        let mut fields = Fields::default();
        let parse_name = |name: String| UserName::parse(&name);
        let name = if self.email.is_none() && self.profile.is_none() {
            fields.required("name", self.name, parse_name)
        } else {
            fields.optional("name", self.name, parse_name)
        };
        let moves = self.email.is_some();
        let email = fields.optional("email", self.email, |email| EmailAddress::parse(&email));
        let profile = fields.optional("profile", self.profile, |profile| {
            // A change of the address is written with what it needs, and nothing else.
            if moves {
                return Err(Invalid::new("not_with_email", "Change `profile` and `email` in separate requests."));
            }
            let profile = Metadata::parse(profile)?;
            check_size([&profile, &user.app, &user.internal])?;
            let after = User { profile, ..user.clone() };
            if !claims.fit(&after) {
                let detail = "The part of this that is copied into access tokens exceeds 2 KiB.";
                return Err(Invalid::new("claims_too_large", detail));
            }
            Ok(after.profile)
        });
        fields.finish(Some(Change { name, email, profile }))
    }
}
