//! Invitations: staff offer roles to the owner of an email address.

pub mod accept_invitation;
pub mod create_invitation;
pub mod list_invitations;
pub mod revoke_invitation;
pub mod send_invitation;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::domain::id::InvitationId;
use shared::domain::invitation::Invitation;
use shared::domain::role::Role;
use shared::grant::Grants;
use shared::http::Area;
use shared::http::caller::CurrentUser;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub const AREA: Area = Area {
    name: "invitations",
    description: "Invitations by email",
    routes: &[
        create_invitation::ROUTE,
        list_invitations::ROUTE,
        revoke_invitation::ROUTE,
        send_invitation::ROUTE,
        accept_invitation::ROUTE,
    ],
    workers: &[],
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InvitationPath {
    /// ID of the invitation.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: Uuid,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    id: Uuid,
    #[schema(example = "grace@example.com", format = "email")]
    email: String,
    roles: Vec<Role>,
    #[schema(value_type = Object)]
    app: Map<String, Value>,
    /// `pending`, `accepted` or `expired`.
    #[schema(example = "pending")]
    status: &'static str,
    invited_by: Uuid,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    #[schema(example = "2026-11-30T09:00:00.000Z", format = "date-time")]
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    accepted_at: Option<String>,
}

impl InvitationView {
    fn of(invitation: Invitation, now: Timestamp) -> Self {
        let status = match invitation.accepted_at {
            Some(_) => "accepted",
            None if invitation.is_pending(now) => "pending",
            None => "expired",
        };
        Self {
            id: invitation.id.into(),
            email: invitation.email.to_string(),
            roles: invitation.roles,
            app: invitation.app.as_object().clone(),
            status,
            invited_by: invitation.invited_by.into(),
            created_at: invitation.created_at.rfc3339(),
            expires_at: invitation.expires_at.rfc3339(),
            accepted_at: invitation.accepted_at.map(Timestamp::rfc3339),
        }
    }
}

/// [`pending`].
const FIND: Grants = Store::INVITATION;

/// The invitation of an id, if it can still be accepted.
async fn pending(app: &App, id: Option<InvitationId>) -> Result<Invitation> {
    let invitation = app.store().invitation(id.ok_or(Error::InvitationNotFound)?).await?;
    invitation.filter(|invitation| invitation.is_pending(app.clock.now())).ok_or(Error::InvitationNotFound)
}

/// Offering a staff role requires recent authentication, as granting it to an account does.
fn may_offer(caller: &CurrentUser, roles: &[Role], now: Timestamp) -> Result<()> {
    if roles.iter().any(Role::is_of_staff) { caller.must_have_signed_in_recently(now) } else { Ok(()) }
}
