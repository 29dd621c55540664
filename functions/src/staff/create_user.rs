//! Creates an account, for administrators.
//!
//! `POST /users`, after recent authentication. No password is transferred: with `invite`, the user gets an emailed link to choose
//! one; without, they can request one with `forgot_password`.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::domain::email::EmailAddress;
use shared::domain::event::{DomainEvent, EventKind, Snapshot};
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::metadata::{ExternalId, Metadata};
use shared::domain::name::UserName;
use shared::domain::role::Role;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::hashing;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::store::{StaffAct, Store};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{StaffUserView, claims_too_large};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::AddressTaken, Code::ExternalIdTaken])
    .may(grants![Store::IS_TAKEN, Store::OWNER_OF_EXTERNAL, Store::CREATE_USER_AS_STAFF, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: Option<String>,
    #[schema(required, value_type = String, max_length = 254, format = "email", example = "ada@example.com")]
    email: Option<String>,
    /// Whether the address counts as confirmed. Otherwise it must be confirmed, as after a registration.
    #[serde(default)]
    email_confirmed: bool,
    /// Default: `user` only.
    #[schema(max_items = 20, value_type = Option<Vec<Role>>)]
    roles: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    app: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    internal: Option<Map<String, Value>>,
    #[schema(min_length = 1, max_length = 128, example = "auth0|5f7c8ec7c33c6c004bbafe82")]
    external_id: Option<String>,
    /// Whether to email the user a link to choose a password, valid for seven days.
    #[serde(default)]
    invite: bool,
}

#[operation(
    POST, "/users", summary = "Create a user",
    description = "For administrators, after recent authentication. No password is sent or returned: with `invite`, the user is emailed a link to choose one.",
    responses((status = 201, description = "Created", body = StaffUserView))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    Json(body): Json<CreateUser>,
) -> Result<JsonResponse<StaffUserView>> {
    let invites = body.invite;
    let user = body.parse(&app)?;
    if !app.config.claims.fit(&user) {
        return Err(claims_too_large("app"));
    }
    let (now, staff) = (user.created_at, caller.as_staff(Role::ADMIN));
    let address = user.email.normalized();
    let mail = invites.then(|| OutboxEmail::new(address.clone(), EmailKind::AccountCreated { user: user.id }, now));
    let kinds = [EventKind::Created { user: Snapshot::from(&user) }].into_iter();
    let kinds = kinds
        .chain(invites.then(|| EventKind::Invited { email: Some(user.email.to_string()), roles: user.roles.clone() }));
    let events = DomainEvent::of_user(user.id, &caller.staff(), kinds, now);
    let act = StaffAct { user: &user, staff: Some(&staff), mail: mail.as_ref(), events: &events, now };
    if !app.store().create_user_as_staff(&act).await? {
        if app.store().is_taken(&address, now).await? {
            return Err(Error::AddressTaken);
        }
        if let Some(external_id) = &user.external_id
            && app.store().owner_of_external(external_id).await?.is_some()
        {
            return Err(Error::ExternalIdTaken);
        }
        caller.reread(&app).await?;
        return Err(Error::TemporarilyUnavailable("the account could not be created".into()));
    }
    Event::UserCreatedByStaff { user: user.id, by: caller.user.id }.record();
    if let Some(mail) = mail {
        app.notify_emailer(&mail).await;
    }
    Ok(JsonResponse(StatusCode::CREATED, StaffUserView::of(user, &app, None)))
}

impl CreateUser {
    fn parse(self, app: &App) -> Result<User> {
        let mut fields = Fields::default();
        let name = fields.required("name", self.name, |name| UserName::parse(&name));
        let email = fields.required("email", self.email, |email| EmailAddress::parse(&email));
        let roles = fields.optional("roles", self.roles, |roles| Role::parse_all(&roles));
        let external_id = fields.optional("external_id", self.external_id, |id| ExternalId::parse(&id));
        let metadata = fields.optional("app", self.app, Metadata::parse);
        let internal = fields.optional("internal", self.internal, Metadata::parse);
        let places = [metadata.clone().unwrap_or_default(), internal.clone().unwrap_or_default()];
        fields.optional("internal", Some(()), |()| shared::domain::metadata::check_size(&places));
        let (name, email) = fields.finish(name.zip(email))?;
        let [metadata, internal] = places;
        let now = app.clock.now();
        let user = User::new(name, email, hashing::unusable(&app.config.password_hash)?, now);
        Ok(User {
            email_confirmed: self.email_confirmed,
            lapses_at: (!self.email_confirmed).then(|| now.plus(app.config.unconfirmed_life)),
            roles: roles.unwrap_or_else(|| user.roles.clone()),
            app: metadata,
            internal,
            external_id,
            ..user
        })
    }
}
