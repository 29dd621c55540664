//! Revokes a pending invitation: its link stops working.
//!
//! `DELETE /invitations/{id}`, for administrators.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::InvitationId;
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::Admin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use super::{FIND, InvitationPath, pending};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::InvitationNotFound]).may(grants![
    FIND,
    Store::USER_AND_SESSION,
    Store::REVOKE_INVITATION
]);

#[operation(
    DELETE, "/invitations/{id}", summary = "Revoke an invitation",
    description = "For administrators. An accepted invitation does not change.",
    params(InvitationPath),
    responses((status = 204, description = "Revoked"))
)]
pub async fn handler(
    Admin(caller): Admin,
    State(app): State<App>,
    PathId(id): PathId<InvitationId>,
) -> Result<StatusCode> {
    let invitation = pending(&app, id).await?;
    let kind = EventKind::InvitationRevoked {};
    let event = DomainEvent::new(Subject::Invitation(invitation.id), &caller.staff(), kind, app.clock.now());
    if !app.store().revoke_invitation(&invitation, &caller.as_staff(Role::ADMIN), &event).await? {
        caller.reread(&app).await?;
        return Err(Error::InvitationNotFound);
    }
    Event::InvitationRevoked { invitation: invitation.id, by: caller.user.id }.record();
    Ok(StatusCode::NO_CONTENT)
}
