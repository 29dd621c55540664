//! Sets a new password with the emailed link.
//!
//! `GET /auth/password/reset?token=` is a page with a form: opening the link does not use it. `POST /auth/password/reset` uses it,
//! once, in the transaction that changes the password. All sessions end, and no new one starts: a link alone is not a second
//! factor, so existing factors stay, and the response lists them.
//!
//! The first time it also proves that the person who knows the password owns the mailbox. It confirms an unconfirmed account, makes
//! the account of the configured address an administrator, and removes earlier factors, which may belong to someone else.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use macros::operation;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::domain::device::Device;
use shared::domain::email::EmailAddress;
use shared::domain::event::{ActorKind, Changes, DomainEvent, EventKind, PasswordMethod, SessionsEnd};
use shared::domain::factor::StoredFactors;
use shared::domain::link::LinkPurpose;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::passkey::Passkey;
use shared::domain::password::{Known, NewPassword};
use shared::domain::recovery::RecoverySet;
use shared::domain::role::Role;
use shared::domain::user::{FactorSummary, User};
use shared::error::{Causes, Code};
use shared::grants;
use shared::http::body::JsonOrForm;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{self, Outcome, PasswordForm};
use shared::http::query::MailedToken;
use shared::http::{BASE_PATH, Route};
use shared::store::{self, FirstProof, Store};
use shared::telemetry::audit::Event;
use shared::tokens::device;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::links::{self, Confirm, Outcomes, UsableLink, page};

pub const ROUTE: Route = Route::new(module_path!(), &[OPEN, HANDLER])
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired, Code::LinkUsed])
    .may(grants![
        links::FIND,
        Store::FACTORS,
        Store::PASSKEYS,
        Store::RESET_PASSWORD,
        Keys::REFRESH_MAC,
        App::NOTIFY_EMAILER
    ])
    .hashing();

const OUTCOMES: Outcomes<PasswordReset> = Outcomes {
    done: |reset| Outcome::PasswordReset { factors: reset.factors, confirmed: reset.confirmed },
    used: Outcome::ResetUsed,
    expired: Outcome::ResetExpired,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The token from the emailed link.
    #[schema(required, value_type = String)]
    token: Option<String>,
    /// Any characters. Rejected if it is a common password, the email address, the name or the name of the product.
    #[schema(required, value_type = String, min_length = 8, max_length = 128, format = "password", example = "seven paper lanterns")]
    password: Option<SecretString>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PasswordReset {
    #[schema(example = "password_reset")]
    status: &'static str,
    /// The second factors of the account, whoever added them: signing in requires one of them.
    factors: FactorSummary,
    /// Opaque; to be sent with the next sign-in, like the one from a sign-in, so that failed attempts by others do not lock the
    /// owner out. Absent if the account has a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// Whether this also confirmed the address; only for the page.
    #[serde(skip)]
    confirmed: bool,
}

#[operation(
    GET, "/auth/password/reset", operation_id = "open_reset_link",
    summary = "Open the link in a browser",
    description = "Returns a page with a form for the new password. Opening the page does not use the link.",
    params(Confirm),
    responses((status = 200, description = "A page with a form", body = String, content_type = "text/html"))
)]
pub async fn open(State(app): State<App>, token: MailedToken) -> Response {
    let form = |token: &str, found: &ResetLink| page(form(&app, token, &found.user, None));
    links::open(&app, token, check, form, &OUTCOMES).await
}

#[operation(
    POST, "/auth/password/reset", summary = "Set a new password",
    description = "Takes the token of the emailed link, which works once, as JSON or from the form of the page. All sessions end, and no new one starts. Returns an HTML page if `Accept` prefers HTML.",
    request_body(content((ResetPassword = "application/json"), (ResetPassword = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Set; all sessions have ended", content((PasswordReset = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    WantsHtml(html): WantsHtml,
    JsonOrForm(body): JsonOrForm<ResetPassword>,
) -> Result<Response> {
    let ResetPassword { token, password } = body;
    let mut fields = Fields::default();
    let token = fields.required("token", token, Ok);
    let password = fields.required("password", password, Ok);
    let (token, password) = fields.finish(token.zip(password))?;

    let outcome = async {
        let found = check(&app, &token).await?;
        match parse(&app, &found.user, &password) {
            // A password that cannot be taken used nothing: the form again, with the reason.
            Err(Error::InvalidRequest { errors, .. }) if html => {
                let problem = errors.first().map(|error| error.detail.as_str());
                let form = page(form(&app, &token, &found.user, problem));
                Ok(Reset::Again((Code::InvalidRequest.status(), form).into_response()))
            }
            password => reset(&app, &request, found, &password?).await.map(Reset::Done),
        }
    };
    let outcome = match outcome.await {
        Ok(Reset::Again(form)) => return Ok(form),
        Ok(Reset::Done(done)) => Ok(done),
        Err(error) => {
            links::record_refusal("reset_password", &token, &error);
            Err(error)
        }
    };
    links::answer(&app, html, outcome, &OUTCOMES)
}

/// What came of a password for a link that may be used.
enum Reset {
    Done(PasswordReset),
    Again(Response),
}

type ResetLink = UsableLink<(EmailAddress, u32)>;

/// The link, if it is still valid.
async fn check(app: &App, token: &str) -> Result<ResetLink> {
    let found = links::find(app, token, wanted).await?;
    let (email, epoch) = &found.purpose;
    let stands = found.user.email == *email && found.user.session_epoch == *epoch;
    if stands && !found.user.is_disabled(app.clock.now()) { Ok(found) } else { Err(Error::LinkUsed) }
}

async fn reset(app: &App, request: &RequestInfo, found: ResetLink, password: &NewPassword) -> Result<PasswordReset> {
    let UsableLink { user, hash: link, .. } = found;
    let hash = app.hasher.hash(password).await?;
    let now = app.clock.now();
    let becomes_admin = user.becomes_admin(app.config.admin_email.as_ref());
    let is_first_proof = !user.email_confirmed || becomes_admin;
    let (recovery, passkeys) = if is_first_proof { factors_of(app, &user).await? } else { (None, Vec::new()) };
    let stored = StoredFactors { recovery: recovery.as_ref(), passkeys: &passkeys };
    let proof = is_first_proof.then_some(FirstProof { becomes_admin, stored });
    let factors = if is_first_proof { FactorSummary::default() } else { FactorSummary::from(&user) };

    let kind = EmailKind::PasswordChanged { to: user.email.clone(), name: user.name.clone(), factors };
    let mail = OutboxEmail::new(user.email.normalized(), kind, now);
    let kinds = events(&user, is_first_proof, becomes_admin, &passkeys);
    let events = DomainEvent::of_user(user.id, &request.actor(ActorKind::Link), kinds, now);
    let reset = store::PasswordReset {
        user: &user,
        link: &link,
        new: &hash,
        proof: proof.as_ref(),
        mail: &mail,
        events: &events,
    };
    if !app.store().reset_password(&reset, now).await? {
        return Err(Error::LinkUsed);
    }
    Event::PasswordReset { user: user.id, admin: becomes_admin || user.is_admin() }.record();
    app.notify_emailer(&mail).await;
    let device_token = if factors.is_empty() { device_token(app, &user).await } else { None };
    Ok(PasswordReset { status: "password_reset", factors, device_token, confirmed: !user.email_confirmed })
}

/// The new password, the end of all sessions, and what the first proof of the mailbox brings and takes away.
fn events(user: &User, is_first_proof: bool, becomes_admin: bool, passkeys: &[Passkey]) -> Vec<EventKind> {
    let mut kinds = vec![
        EventKind::PasswordChanged { method: PasswordMethod::Link },
        EventKind::SessionsEnded { except: None, reason: SessionsEnd::PasswordChanged },
    ];
    if !user.email_confirmed {
        kinds.push(EventKind::Confirmed {});
    }
    if becomes_admin {
        let roles = user.roles.iter().cloned().chain([Role::ADMIN]).collect();
        kinds.push(EventKind::Updated { changed: Changes { roles: Some(roles), ..Changes::default() } });
    }
    if is_first_proof {
        kinds.extend(EventKind::distrusted(user, false, passkeys, &[]));
    }
    kinds
}

/// The caller becomes a known device, as after a sign-in. Not with a second factor: each token would allow more guesses at its
/// codes. A failure does not affect the new password.
async fn device_token(app: &App, before: &User) -> Option<String> {
    let user = User { session_epoch: before.session_epoch.saturating_add(1), ..before.clone() };
    let device = Device::signed_in(None, &user, app.clock.now());
    match app.keys().device_mac().await {
        Ok(mac) => Some(device::encode(&device, mac).expose_secret().to_owned()),
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), "failed to create a device token");
            None
        }
    }
}

async fn factors_of(app: &App, user: &User) -> Result<(Option<RecoverySet>, Vec<Passkey>)> {
    let (factors, passkeys) = tokio::try_join!(app.store().factors(user.id, None), app.store().passkeys(user.id))?;
    Ok((factors.recovery, passkeys))
}

fn wanted(purpose: LinkPurpose) -> Option<(EmailAddress, u32)> {
    match purpose {
        LinkPurpose::ResetPassword { email, epoch } => Some((email, epoch)),
        _ => None,
    }
}

fn parse(app: &App, user: &User, password: &SecretString) -> Result<NewPassword> {
    let known =
        Known { email: Some(&user.email), name: Some(&user.name), product: Some(&app.config.mail.product_name) };
    let mut fields = Fields::default();
    let shortest = app.config.password_min_length;
    let password = fields.required("password", Some(password), |text| NewPassword::parse(text, shortest, known));
    fields.finish(password)
}

fn form(app: &App, token: &str, user: &User, problem: Option<&str>) -> String {
    let action = format!("{BASE_PATH}/auth/password/reset");
    pages::password_form(&PasswordForm {
        product: &app.config.mail.product_name,
        action: &action,
        token,
        email: user.email.as_str(),
        confirms: !user.email_confirmed,
        shortest: app.config.password_min_length,
        problem,
    })
}
