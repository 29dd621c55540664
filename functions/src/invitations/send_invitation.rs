//! Emails an invitation again, with a new link that is valid for seven days; the previous link stops working.
//!
//! `POST /invitations/{id}/send`, for administrators. A staff role requires recent authentication, as for a new invitation.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::InvitationId;
use shared::domain::invitation::Invitation;
use shared::domain::link::INVITATION_LIFE;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::Admin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use super::{FIND, InvitationPath, InvitationView, may_offer, pending};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::InvitationNotFound, Code::ReauthenticationRequired])
    .may(grants![FIND, Store::USER_AND_SESSION, Store::RESEND_INVITATION, App::NOTIFY_EMAILER]);

#[operation(
    POST, "/invitations/{id}/send", summary = "Resend an invitation",
    description = "For administrators; the roles `support` and `admin` require recent authentication. The new link is valid for seven days, and the previous one stops working.",
    params(InvitationPath),
    responses((status = 202, description = "The email is on its way", body = InvitationView))
)]
pub async fn handler(
    Admin(caller): Admin,
    State(app): State<App>,
    PathId(id): PathId<InvitationId>,
) -> Result<JsonResponse<InvitationView>> {
    let (invitation, now) = (pending(&app, id).await?, app.clock.now());
    may_offer(&caller, &invitation.roles, now)?;
    let expires_at = now.plus(INVITATION_LIFE);
    let mail = OutboxEmail::new(invitation.email.normalized(), EmailKind::Invitation { id: invitation.id }, now);
    let kind = EventKind::Invited { email: None, roles: invitation.roles.clone() };
    let event = DomainEvent::new(Subject::Invitation(invitation.id), &caller.staff(), kind, now);
    let staff = caller.as_staff(Role::ADMIN);
    if !app.store().resend_invitation(&invitation, &staff, expires_at, &mail, &event).await? {
        caller.reread(&app).await?;
        return Err(Error::InvitationNotFound);
    }
    Event::InvitationSent { invitation: invitation.id, by: caller.user.id }.record();
    app.notify_emailer(&mail).await;
    let invitation = Invitation { expires_at, invited_by: caller.user.id, ..invitation };
    Ok(JsonResponse(StatusCode::ACCEPTED, InvitationView::of(invitation, now)))
}
