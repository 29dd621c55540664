//! Emails an invitation once more, with a new link that is good for seven days; the one before is worth nothing any more.
//!
//! `POST /invitations/{id}/send`, for administrators. With a role of staff it takes a recent sign-in, as inviting does.

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
    POST, "/invitations/{id}/send", summary = "Email an invitation once more",
    description = "For administrators; with the roles `support` or `admin` after a recent sign-in. The new link is good for seven days, and the one before for nothing any more.",
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
