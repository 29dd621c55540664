//! Undoes a change of the address with the link that was emailed to the previous address.
//!
//! `GET /auth/email/undo?token=` is a page with a button; `POST /auth/email/undo` undoes the change. The account has the previous
//! address again, whatever changes followed, all sessions end, and the password is revoked, because whoever changed the address may
//! know it: a link to choose another is emailed to the restored address. A second factor is removed if it was added less than a
//! week before the sign-in of the session that requested the change, because it could lock the owner out. An older one stays,
//! because an attacker may also have access to the mailbox.

use axum::extract::State;
use axum::response::Response;
use macros::operation;
use serde::Serialize;
use shared::clock::Timestamp;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Actor, ActorKind, DomainEvent, EventKind, SessionsEnd};
use shared::domain::factor::{StoredFactors, TrustedFactors};
use shared::domain::link::LinkPurpose;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::passkey::Passkey;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::hashing;
use shared::http::Route;
use shared::http::body::JsonOrForm;
use shared::http::caller::RequestInfo;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{Button, Outcome};
use shared::http::query::MailedToken;
use shared::store::{AddressRestoration, Store};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::links::{self, Confirm, Outcomes, UsableLink};

pub const ROUTE: Route = Route::new(module_path!(), &[OPEN, HANDLER])
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired, Code::LinkUsed])
    .may(grants![links::FIND, Store::FACTORS, Store::PASSKEYS, Store::RESTORE_ADDRESS, App::NOTIFY_EMAILER]);

const OUTCOMES: Outcomes<EmailRestored> =
    Outcomes { done: |_| Outcome::AddressRestored, used: Outcome::UndoUsed, expired: Outcome::UndoExpired };

/// When the account was changed since it was read, by this very link or by a thief in haste, it is read again.
const TRIES: usize = 5;

#[derive(Debug, Serialize, ToSchema)]
pub struct EmailRestored {
    #[schema(example = "email_restored")]
    status: &'static str,
}

#[operation(
    GET, "/auth/email/undo", operation_id = "open_email_undo_link",
    summary = "Open the link in a browser",
    description = "Returns a page with a button that undoes the change. Opening the page changes nothing.",
    params(Confirm),
    responses((status = 200, description = "A page with a button", body = String, content_type = "text/html"))
)]
pub async fn open(State(app): State<App>, token: MailedToken) -> Response {
    let page = |token: &str, _: &_| links::button(&app, Button::UndoChange, "/auth/email/undo", token);
    links::open(&app, token, check, page, &OUTCOMES).await
}

#[operation(
    POST, "/auth/email/undo", summary = "Undo a change of the email address",
    description = "Takes the token of the link that was emailed to the previous address and restores that address. All sessions end, and a link to choose a new password is emailed there. Returns an HTML page if `Accept` prefers HTML.",
    request_body(content((Confirm = "application/json"), (Confirm = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "The account has its previous address; all sessions have ended", content((EmailRestored = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    WantsHtml(html): WantsHtml,
    JsonOrForm(link): JsonOrForm<Confirm>,
) -> Result<Response> {
    let outcome = undo(&app, &request, &link.token).await;
    if let Err(error) = &outcome {
        links::record_refusal("undo_address_change", &link.token, error);
    }
    links::answer(&app, html, outcome, &OUTCOMES)
}

/// The link, if the account may still go back to its address.
async fn check(app: &App, token: &str) -> Result<UsableLink<EmailAddress>> {
    let found = links::find(app, token, wanted).await?;
    let (address, now) = (found.purpose.normalized(), app.clock.now());
    // Of an account that staff disabled nothing is taken back.
    let disabled = found.user.is_disabled(now);
    if !disabled && found.user.former_emails.iter().any(|former| former.address == address && now < former.until) {
        Ok(found)
    } else {
        Err(Error::LinkUsed)
    }
}

async fn undo(app: &App, request: &RequestInfo, token: &str) -> Result<EmailRestored> {
    let unusable = hashing::unusable(&app.config.password_hash)?;
    for _ in 0..TRIES {
        let UsableLink { user, hash: link, purpose: to } = check(app, token).await?;
        let now = app.clock.now();
        // After the account: a factor that is added between the two fails the write.
        let (factors, passkeys) = tokio::try_join!(app.store().factors(user.id, None), app.store().passkeys(user.id))?;
        let stored = StoredFactors { recovery: factors.recovery.as_ref(), passkeys: &passkeys };
        let mail = OutboxEmail::new(to.normalized(), EmailKind::AddressRestored { user: user.id }, now);
        let left = TrustedFactors::before_change_from(&to.normalized(), &user, stored);
        let events = events(&user, &to, &left, &passkeys, &request.actor(ActorKind::Link), now);
        let restoration = AddressRestoration {
            user: &user,
            stored,
            to: &to,
            unusable: &unusable,
            link: &link,
            mail: &mail,
            events: &events,
        };
        if app.store().restore_address(&restoration, now).await? {
            Event::AddressChangeUndone { user: user.id }.record();
            record_removals(&user, &left, &passkeys);
            app.notify_emailer(&mail).await;
            return Ok(EmailRestored { status: "email_restored" });
        }
    }
    Err(Error::TemporarilyUnavailable(
        "the account kept changing concurrently while its address was being restored".into(),
    ))
}

/// The change back, the end of all sessions, and the factors that go.
fn events(
    user: &User,
    to: &EmailAddress,
    left: &TrustedFactors<'_>,
    passkeys: &[Passkey],
    actor: &Actor,
    now: Timestamp,
) -> Vec<DomainEvent> {
    let undone = EventKind::EmailChangeUndone { from: user.email.to_string(), to: to.to_string() };
    let ended = EventKind::SessionsEnded { except: None, reason: SessionsEnd::EmailChangeUndone };
    let removed = EventKind::distrusted(user, left.totp, passkeys, &left.passkeys);
    DomainEvent::of_user(user.id, actor, [undone, ended].into_iter().chain(removed), now)
}

/// Of the factors that went with the change.
fn record_removals(user: &User, left: &TrustedFactors<'_>, passkeys: &[Passkey]) {
    const METHOD: &str = "undo";
    if user.totp_since.is_some() && !left.totp {
        Event::SecondFactorRemoved { user: user.id, method: METHOD }.record();
    }
    for passkey in passkeys.iter().filter(|passkey| !left.passkeys.contains(&&passkey.id)) {
        Event::PasskeyRemoved { user: user.id, passkey: &passkey.id, method: METHOD }.record();
    }
}

fn wanted(purpose: LinkPurpose) -> Option<EmailAddress> {
    match purpose {
        LinkPurpose::UndoAddressChange { email } => Some(email),
        _ => None,
    }
}
