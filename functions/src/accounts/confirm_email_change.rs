//! Confirms the new address of an account with the link that was emailed to it.
//!
//! `GET /auth/email/confirm?token=` is a page with a button: unlike for a registration, a change confirmed by an email scanner
//! would give the account to the owner of a mistyped address. `POST /auth/email/confirm` changes the address, and notifies the
//! previous one, which can undo the change for a week.

use axum::extract::State;
use axum::response::Response;
use macros::operation;
use serde::Serialize;
use shared::domain::email::EmailAddress;
use shared::domain::event::{ActorKind, DomainEvent, EventKind, Subject};
use shared::domain::link::LinkPurpose;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::body::JsonOrForm;
use shared::http::caller::RequestInfo;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{Button, Outcome};
use shared::http::query::MailedToken;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::links::{self, Confirm, Outcomes, UsableLink};

pub const ROUTE: Route = Route::new(module_path!(), &[OPEN, HANDLER])
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired, Code::LinkUsed, Code::AddressTaken])
    .may(grants![links::FIND, Store::OWNER_OF, Store::MOVE_ADDRESS, App::NOTIFY_EMAILER]);

const OUTCOMES: Outcomes<EmailChanged> =
    Outcomes { done: |_| Outcome::AddressChanged, used: Outcome::ChangeUsed, expired: Outcome::ChangeExpired };

#[derive(Debug, Serialize, ToSchema)]
pub struct EmailChanged {
    #[schema(example = "email_changed")]
    status: &'static str,
}

#[operation(
    GET, "/auth/email/confirm", operation_id = "open_email_confirmation_link",
    summary = "Open the link in a browser",
    description = "Returns a page with a button that confirms the new address. Opening the page changes nothing.",
    params(Confirm),
    responses((status = 200, description = "A page with a button", body = String, content_type = "text/html"))
)]
pub async fn open(State(app): State<App>, token: MailedToken) -> Response {
    let page = |token: &str, _: &_| links::button(&app, Button::ConfirmNewAddress, "/auth/email/confirm", token);
    links::open(&app, token, check, page, &OUTCOMES).await
}

#[operation(
    POST, "/auth/email/confirm", summary = "Confirm a new email address",
    description = "Takes the token of the emailed link and changes the email address of the account. The previous address receives an email with a link that can undo the change for a week. Returns an HTML page if `Accept` prefers HTML.",
    request_body(content((Confirm = "application/json"), (Confirm = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "The account has the new address", content((EmailChanged = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    WantsHtml(html): WantsHtml,
    JsonOrForm(link): JsonOrForm<Confirm>,
) -> Result<Response> {
    let outcome = change(&app, &request, &link.token).await;
    if let Err(error) = &outcome {
        links::record_refusal("change_address", &link.token, error);
    }
    links::answer(&app, html, outcome, &OUTCOMES)
}

/// The link, if it is still valid.
async fn check(app: &App, token: &str) -> Result<UsableLink<(EmailAddress, u32)>> {
    let found = links::find(app, token, wanted).await?;
    let (to, epoch) = &found.purpose;
    if found.user.pending_email.as_ref() == Some(to) && found.user.session_epoch == *epoch {
        Ok(found)
    } else {
        Err(Error::LinkUsed)
    }
}

async fn change(app: &App, request: &RequestInfo, token: &str) -> Result<EmailChanged> {
    let UsableLink { user, hash: link, purpose: (to, _) } = check(app, token).await?;
    let now = app.clock.now();
    let from = user.email.normalized();
    let kept = user.former_emails_after(&to.normalized(), now).into_iter().find(|former| former.address == from);
    let kind = EmailKind::AddressChanged {
        user: user.id,
        to: user.email.clone(),
        name: user.name.clone(),
        undo_until: kept.map(|former| former.until),
    };
    let mail = OutboxEmail::new(from, kind, now);
    let kind = EventKind::EmailChanged { from: user.email.to_string(), to: to.to_string() };
    let event = DomainEvent::new(Subject::User(user.id), &request.actor(ActorKind::Link), kind, now);
    if !app.store().move_address(&user, &to, &link, &mail, &event).await? {
        // Only for the response: the holder of the link owns the mailbox, and may know that an account has the address.
        let owner = app.store().owner_of(&to.normalized()).await?;
        return Err(if owner.is_some_and(|owner| owner != user.id) { Error::AddressTaken } else { Error::LinkUsed });
    }
    Event::AddressChanged { user: user.id, admin: user.is_admin() }.record();
    app.notify_emailer(&mail).await;
    Ok(EmailChanged { status: "email_changed" })
}

fn wanted(purpose: LinkPurpose) -> Option<(EmailAddress, u32)> {
    match purpose {
        LinkPurpose::ChangeAddress { email, epoch } => Some((email, epoch)),
        _ => None,
    }
}
