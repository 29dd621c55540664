//! Creates an invitation for an email address.
//!
//! `POST /invitations`, for administrators: emails a link that is valid for seven days, only for this address, whether or not an
//! account has it. A staff role requires recent authentication, as granting one to an account does.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::domain::email::EmailAddress;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::invitation::Invitation;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::metadata::Metadata;
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::Admin;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{InvitationView, may_offer};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::AlreadyInvited, Code::ReauthenticationRequired])
    .may(grants![Store::USER_AND_SESSION, Store::CREATE_INVITATION, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    #[schema(required, value_type = String, max_length = 254, format = "email", example = "grace@example.com")]
    email: Option<String>,
    /// Roles that are added to the account. Default: `user` only.
    #[schema(max_items = 20, value_type = Option<Vec<Role>>)]
    roles: Option<Vec<String>>,
    /// Merged into the account's `app` (RFC 7396).
    #[schema(value_type = Option<Object>)]
    app: Option<Map<String, Value>>,
}

#[operation(
    POST, "/invitations", summary = "Create an invitation",
    description = "For administrators; the roles `support` and `admin` require recent authentication. Emails a link that is valid for seven days and for this address only. The user who accepts gets the roles, with the existing account of the address or with a new one.",
    responses((status = 201, description = "Created; the email is on its way", body = InvitationView))
)]
pub async fn handler(
    Admin(caller): Admin,
    State(app): State<App>,
    Json(body): Json<CreateInvitation>,
) -> Result<JsonResponse<InvitationView>> {
    let (email, roles, metadata) = body.parse()?;
    let now = app.clock.now();
    may_offer(&caller, &roles, now)?;
    let invitation = Invitation::new(email, roles.clone(), metadata, caller.user.id, now);
    let kind = EmailKind::Invitation { id: invitation.id };
    let mail = OutboxEmail::new(invitation.email.normalized(), kind, now);
    let kind = EventKind::Invited { email: None, roles };
    let event = DomainEvent::new(Subject::Invitation(invitation.id), &caller.staff(), kind, now);
    if !app.store().create_invitation(&invitation, &caller.as_staff(Role::ADMIN), &mail, &event).await? {
        caller.reread(&app).await?;
        return Err(Error::AlreadyInvited);
    }
    Event::InvitationCreated { invitation: invitation.id, by: caller.user.id }.record();
    app.notify_emailer(&mail).await;
    Ok(JsonResponse(StatusCode::CREATED, InvitationView::of(invitation, now)))
}

impl CreateInvitation {
    fn parse(self) -> Result<(EmailAddress, Vec<Role>, Metadata)> {
        let mut fields = Fields::default();
        let email = fields.required("email", self.email, |email| EmailAddress::parse(&email));
        let roles = fields.optional("roles", self.roles, |roles| Role::parse_all(&roles));
        let metadata = fields.optional("app", self.app, Metadata::parse);
        let email = fields.finish(email)?;
        Ok((email, roles.unwrap_or_else(|| vec![Role::USER]), metadata.unwrap_or_default()))
    }
}
