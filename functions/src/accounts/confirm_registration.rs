//! Confirms an address with the link that was emailed to it.
//!
//! `GET /auth/confirm?token=` for a program that prefers JSON by name, or `POST /auth/confirm`. Any other request for the link gets
//! a page with a button that posts, so that scanners and previews that follow links confirm nothing.
//!
//! If two people registered with the address, and for the address of the configured administrator, this link confirms nothing: it
//! proves who owns the mailbox, but not who knows the password. Such an account is confirmed by choosing a password
//! (`reset_password`).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use macros::operation;
use serde::Serialize;
use shared::domain::event::{ActorKind, DomainEvent, EventKind, Subject};
use shared::domain::link::{LinkHash, LinkPurpose, LinkToken};
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::JsonOrForm;
use shared::http::caller::RequestInfo;
use shared::http::negotiation::{PrefersJsonByName, WantsHtml};
use shared::http::pages::{Button, Outcome};
use shared::http::query::MailedToken;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::links::{self, Confirm};

pub const ROUTE: Route = Route::new(module_path!(), &[OPEN, HANDLER])
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired])
    .may(grants![Store::USER_AND_LINK, Store::CONFIRM_ADDRESS]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Confirmation {
    Confirmed,
    AlreadyConfirmed,
}

#[operation(
    GET, "/auth/confirm", operation_id = "open_confirmation_link",
    summary = "Confirm an email address, or open the link in a browser",
    description = "A request that prefers `application/json` by name confirms the address. Any other request gets a page with a button that confirms it, so that link previews and email scanners confirm nothing. The account of the configured administrator, and an account that two people registered for, are confirmed by choosing a password instead.",
    params(Confirm),
    responses((status = 200, description = "Confirmed now or earlier", content((Confirmation = "application/json"), (String = "text/html"))))
)]
pub async fn open(
    State(app): State<App>,
    request: RequestInfo,
    PrefersJsonByName(json): PrefersJsonByName,
    token: MailedToken,
) -> Result<Response> {
    if json {
        let confirmation = confirm(&app, &request, &token.required()?).await?;
        return confirmation.for_program().map(|confirmation| JsonResponse::ok(confirmation).into_response());
    }
    let token = token.or_invalid();
    let checked = match &token {
        Ok(token) => check(&app, token).await,
        Err(_) => Err(Error::LinkInvalid),
    };
    Ok(match (checked, token) {
        (Ok(Checked::Confirmable(..)), Ok(token)) => {
            links::button(&app, Button::ConfirmAddress, "/auth/confirm", &token)
        }
        (checked, _) => show(&app, checked.map(|checked| Confirmed::of(&checked))),
    })
}

#[operation(
    POST, "/auth/confirm", summary = "Confirm an email address",
    description = "Takes the token of the emailed link, as JSON or from the form of the page. Returns an HTML page if `Accept` prefers HTML.",
    request_body(content((Confirm = "application/json"), (Confirm = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Confirmed now or earlier", content((Confirmation = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    WantsHtml(html): WantsHtml,
    JsonOrForm(link): JsonOrForm<Confirm>,
) -> Result<Response> {
    let confirmed = confirm(&app, &request, &link.token).await;
    if html {
        return Ok(show(&app, confirmed));
    }
    confirmed?.for_program().map(|confirmation| JsonResponse::ok(confirmation).into_response())
}

/// What a link would do.
enum Checked {
    Confirmable(Box<User>, LinkHash),
    AlreadyConfirmed,
    NeedsChosenPassword,
}

/// What a link did.
enum Confirmed {
    Done(Confirmation),
    NeedsChosenPassword,
}

impl Confirmed {
    /// Of a link that was only looked at.
    fn of(checked: &Checked) -> Self {
        match checked {
            Checked::NeedsChosenPassword => Self::NeedsChosenPassword,
            Checked::Confirmable(..) | Checked::AlreadyConfirmed => Self::Done(Confirmation::AlreadyConfirmed),
        }
    }

    fn for_program(self) -> Result<Confirmation> {
        match self {
            Self::Done(confirmation) => Ok(confirmation),
            Self::NeedsChosenPassword => Err(Error::LinkInvalid),
        }
    }
}

async fn check(app: &App, token: &str) -> Result<Checked> {
    let token = LinkToken::decode(token).ok_or(Error::LinkInvalid)?;
    let hash = token.hash();
    let (user, link) = app.store().user_and_link(token.user, &hash).await?;
    let (Some(user), Some(link)) = (user, link) else {
        return Err(Error::LinkInvalid);
    };
    if link.purpose != LinkPurpose::ConfirmAddress {
        return Err(Error::LinkInvalid);
    }
    if user.is_disabled(app.clock.now()) {
        return Err(Error::LinkInvalid);
    }
    if !user.email_confirmed && user.needs_chosen_password(app.config.admin_email.as_ref()) {
        return Ok(Checked::NeedsChosenPassword);
    }
    // What ended the account's sessions since ended what was emailed to it.
    if link.expires_at <= app.clock.now() || (!user.email_confirmed && link.epoch != user.session_epoch) {
        return Err(Error::LinkExpired);
    }
    Ok(if user.email_confirmed { Checked::AlreadyConfirmed } else { Checked::Confirmable(Box::new(user), hash) })
}

async fn confirm(app: &App, request: &RequestInfo, token: &str) -> Result<Confirmed> {
    let (user, hash) = match check(app, token).await? {
        Checked::Confirmable(user, hash) => (user, hash),
        checked => return Ok(Confirmed::of(&checked)),
    };
    let (subject, actor) = (Subject::User(user.id), request.actor(ActorKind::Link));
    let event = DomainEvent::new(subject, &actor, EventKind::Confirmed {}, app.clock.now());
    if app.store().confirm_address(&user, user.session_epoch, &hash, &event).await? {
        Event::AddressConfirmed { user: user.id, admin: user.is_admin() }.record();
        return Ok(Confirmed::Done(Confirmation::Confirmed));
    }
    // Something came first: the same link, another one, or a second registration.
    check(app, token).await.map(|checked| Confirmed::of(&checked))
}

/// What came of it, as a page.
fn show(app: &App, confirmed: Result<Confirmed>) -> Response {
    let (status, outcome) = match confirmed {
        Ok(Confirmed::Done(Confirmation::Confirmed)) => (StatusCode::OK, Outcome::Confirmed),
        Ok(Confirmed::Done(Confirmation::AlreadyConfirmed)) => (StatusCode::OK, Outcome::AlreadyConfirmed),
        Ok(Confirmed::NeedsChosenPassword) => (StatusCode::BAD_REQUEST, Outcome::NeedsChosenPassword),
        Err(error) => links::outcome_of(&error, Outcome::AlreadyConfirmed, Outcome::Expired),
    };
    links::outcome_page(app, status, outcome)
}
