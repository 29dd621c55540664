//! Accepts an invitation with the link that was emailed.
//!
//! `GET /auth/invitation?token=` is a page: opening the link does not use it. `POST /auth/invitation` uses it, once. The account of
//! the address gets the offered roles; if there is none, one is created, with a name and a password; if its address was never
//! confirmed, the recipient of the email chooses a new password, and its sessions, tokens and links end.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use macros::operation;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::domain::event::{ActorKind, Changes, DomainEvent, EventKind, PasswordMethod, SessionsEnd, Snapshot};
use shared::domain::factor::StoredFactors;
use shared::domain::id::InvitationId;
use shared::domain::invitation::Invitation;
use shared::domain::link::{LinkHash, LinkToken};
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::metadata::check_size;
use shared::domain::name::UserName;
use shared::domain::password::{Known, NewPassword};
use shared::domain::role::{MAX_ROLES, Role};
use shared::domain::user::{FactorSummary, User};
use shared::error::{Code, FieldError};
use shared::grants;
use shared::http::body::JsonOrForm;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{self, Button, InvitationForm, Outcome};
use shared::http::query::MailedToken;
use shared::http::{BASE_PATH, Route};
use shared::store::{Acceptance, Store};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::links::{self, Confirm, Outcomes, page};

pub const ROUTE: Route = Route::new(module_path!(), &[OPEN, HANDLER])
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired, Code::LinkUsed, Code::AddressTaken])
    .may(grants![
        Store::INVITATION,
        Store::IS_TAKEN,
        Store::OWNER_OF,
        Store::USER,
        Store::FACTORS,
        Store::PASSKEYS,
        Store::ACCEPT_INVITATION,
        App::NOTIFY_EMAILER
    ])
    .hashing();

const OUTCOMES: Outcomes<Accepted> = Outcomes {
    done: |_| Outcome::InvitationAccepted,
    used: Outcome::InvitationUsed,
    expired: Outcome::InvitationExpired,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The token from the emailed link.
    #[schema(required, value_type = String)]
    token: Option<String>,
    /// Required if no account has the address.
    #[schema(min_length = 1, max_length = 100, example = "Grace Hopper")]
    name: Option<String>,
    /// Required if no account has the address, or if the account was never confirmed.
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128, format = "password", example = "quiet lantern harbour")]
    password: Option<SecretString>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    #[schema(example = "accepted")]
    status: &'static str,
    #[schema(example = "grace@example.com", format = "email")]
    email: String,
}

#[operation(
    GET, "/auth/invitation", operation_id = "open_invitation_link",
    summary = "Open the link in a browser",
    description = "Returns a page with a button, or with a form for a name and a password. Opening the page does not use the link.",
    params(Confirm),
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub async fn open(State(app): State<App>, token: MailedToken) -> Response {
    let show = |token: &str, offer: &Offer| match offer.asks() {
        Asks::Nothing => links::button(&app, Button::AcceptInvitation, "/auth/invitation", token),
        asks => page(form(&app, token, offer, (asks == Asks::NameAndPassword).then_some(""), None)),
    };
    links::open(&app, token, find, show, &OUTCOMES).await
}

#[operation(
    POST, "/auth/invitation", summary = "Accept an invitation",
    description = "Takes the token of the emailed link, which works once, as JSON or from the form of the page. `name` and `password` are required if no account has the address; `password` is required if the account was never confirmed. Returns an HTML page if `Accept` prefers HTML.",
    request_body(content((AcceptInvitation = "application/json"), (AcceptInvitation = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Accepted", content((Accepted = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    WantsHtml(html): WantsHtml,
    JsonOrForm(body): JsonOrForm<AcceptInvitation>,
) -> Result<Response> {
    let mut fields = Fields::default();
    let token = fields.required("token", body.token, Ok);
    let token = fields.finish(token)?;
    let outcome = async {
        let offer = find(&app, &token).await?;
        let typed = body.name.clone();
        match accept(&app, &request, &offer, body.name, body.password).await {
            // What cannot be taken used nothing: the form again, with the reason.
            Err(Error::InvalidRequest { errors, .. }) if html && offer.asks() != Asks::Nothing => {
                let asks_name = offer.asks() == Asks::NameAndPassword;
                let name = asks_name.then(|| typed.unwrap_or_default());
                let problem = errors.first().map(|error| error.detail.as_str());
                let form = page(form(&app, &token, &offer, name.as_deref(), problem));
                Ok(Taken::Again((Code::InvalidRequest.status(), form).into_response()))
            }
            accepted => accepted.map(Taken::Done),
        }
    };
    let outcome = match outcome.await {
        Ok(Taken::Again(form)) => return Ok(form),
        Ok(Taken::Done(done)) => Ok(done),
        Err(error) => {
            links::record_refusal("invitation", &token, &error);
            Err(error)
        }
    };
    links::answer(&app, html, outcome, &OUTCOMES)
}

/// What came of what was typed.
enum Taken {
    Done(Accepted),
    Again(Response),
}

/// An invitation that its link may accept, and the account of its address.
struct Offer {
    invitation: Invitation,
    link: LinkHash,
    user: Option<User>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Password,
    NameAndPassword,
}

impl Offer {
    /// A password must be chosen if it is not proved that the person who knows the current one owns the mailbox: if the address was
    /// never confirmed, and for a staff role also if a plain link confirmed it.
    fn asks(&self) -> Asks {
        let of_staff = self.invitation.roles.iter().any(Role::is_of_staff);
        match &self.user {
            None => Asks::NameAndPassword,
            Some(user) if !user.email_confirmed => Asks::Password,
            Some(user) if of_staff && user.has_doubted_password() => Asks::Password,
            Some(_) => Asks::Nothing,
        }
    }
}

async fn find(app: &App, token: &str) -> Result<Offer> {
    let token = LinkToken::decode(token).ok_or(Error::LinkInvalid)?;
    let (link, now) = (token.hash(), app.clock.now());
    let id = InvitationId::from_bytes(*token.user.as_bytes());
    let invitation = app.store().invitation(id).await?.ok_or(Error::LinkInvalid)?;
    if invitation.accepted_at.is_some() {
        return Err(Error::LinkUsed);
    }
    // It was replaced by another link, which the recipient was sent as well.
    if invitation.link.as_deref() != Some(link.as_str()) {
        return Err(Error::LinkUsed);
    }
    if !invitation.is_pending(now) {
        return Err(Error::LinkExpired);
    }
    let owner = app.store().owner_of(&invitation.email.normalized()).await?;
    let user = match owner {
        Some(owner) => app.store().user(owner).await?,
        None => None,
    };
    if user.as_ref().is_some_and(|user| user.is_disabled(now)) {
        return Err(Error::LinkInvalid);
    }
    Ok(Offer { invitation, link, user })
}

async fn accept(
    app: &App,
    request: &RequestInfo,
    offer: &Offer,
    name: Option<String>,
    password: Option<SecretString>,
) -> Result<Accepted> {
    let (name, password) = parse(app, offer, name, password)?;
    let hash = match &password {
        Some(password) => Some(app.hasher.hash(password).await?),
        None => None,
    };
    let now = app.clock.now();
    let Offer { invitation, link, user } = offer;
    let actor = request.actor(ActorKind::Link);
    let accepted = match (user, name, &hash) {
        (None, Some(name), Some(hash)) => {
            let user = User::new(name, invitation.email.clone(), hash.clone(), now);
            let user = User { email_confirmed: true, ..granted(app, invitation, &user)? };
            let kinds = [EventKind::Created { user: Snapshot::from(&user) }, EventKind::Confirmed {}];
            let events = DomainEvent::of_user(user.id, &actor, kinds, now);
            let accepted =
                app.store().accept_invitation(invitation, link, Acceptance::New(&user), &events, now).await?;
            accepted.then_some(user)
        }
        (Some(before), _, Some(hash)) => {
            let after = granted(app, invitation, before)?;
            // After the account: a factor that is added between the two fails the write.
            let (factors, passkeys) =
                tokio::try_join!(app.store().factors(before.id, None), app.store().passkeys(before.id))?;
            let stored = StoredFactors { recovery: factors.recovery.as_ref(), passkeys: &passkeys };
            let (to, name) = (before.email.clone(), before.name.clone());
            let kind = EmailKind::PasswordChanged { to, name, factors: FactorSummary::default() };
            let mail = OutboxEmail::new(before.email.normalized(), kind, now);
            let kinds = [
                EventKind::PasswordChanged { method: PasswordMethod::Link },
                EventKind::SessionsEnded { except: None, reason: SessionsEnd::PasswordChanged },
            ];
            let confirmed = (!before.email_confirmed).then_some(EventKind::Confirmed {});
            let removed = EventKind::distrusted(before, false, &passkeys, &[]);
            let kinds = kinds.into_iter().chain(confirmed).chain(updated(before, &after)).chain(removed);
            let events = DomainEvent::of_user(before.id, &actor, kinds, now);
            let acceptance = Acceptance::Doubted { before, after: &after, stored, hash, mail: &mail };
            let accepted = app.store().accept_invitation(invitation, link, acceptance, &events, now).await?;
            if accepted {
                app.notify_emailer(&mail).await;
            }
            accepted.then_some(after)
        }
        (Some(before), ..) => {
            let after = granted(app, invitation, before)?;
            let events = DomainEvent::of_user(before.id, &actor, updated(before, &after), now);
            let acceptance = Acceptance::Known { before, after: &after };
            let accepted = app.store().accept_invitation(invitation, link, acceptance, &events, now).await?;
            accepted.then_some(after)
        }
        (None, ..) => return Err(Error::internal("an accepted invitation lacks a name or a password")),
    };
    // Something came first: the same link, a newer one, or a change of the account.
    let Some(user) = accepted else {
        let address = invitation.email.normalized();
        if offer.user.is_none() && app.store().is_taken(&address, now).await? {
            return Err(Error::AddressTaken);
        }
        let inviter = app.store().user(invitation.invited_by).await?;
        if !inviter.is_some_and(|inviter| inviter.is_admin() && !inviter.is_disabled(now)) {
            return Err(Error::LinkInvalid);
        }
        let now_it_is = app.store().invitation(invitation.id).await?.ok_or(Error::LinkInvalid)?;
        return Err(match now_it_is.accepted_at {
            Some(_) => Error::LinkUsed,
            None => Error::TemporarilyUnavailable("the account changed while the invitation was being accepted".into()),
        });
    };
    Event::InvitationAccepted { invitation: invitation.id, user: user.id }.record();
    Ok(Accepted { status: "accepted", email: user.email.to_string() })
}

/// An account with what an invitation offers.
fn granted(app: &App, invitation: &Invitation, user: &User) -> Result<User> {
    let refused = |code, detail: &str| {
        Error::fields(vec![FieldError { field: "token".to_owned(), code, detail: detail.to_owned() }])
    };
    let mut roles: Vec<Role> = user.roles.iter().chain(&invitation.roles).cloned().collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.len() > MAX_ROLES {
        return Err(refused("too_many", "The account would have more roles than allowed."));
    }
    let too_large = || refused("too_large", "The data stored about the account would be too large.");
    let metadata = user.app.patched(invitation.app.as_object()).map_err(|_| too_large())?;
    let granted = User { roles, app: metadata, ..user.clone() };
    let fits = check_size([&granted.profile, &granted.app, &granted.internal]).is_ok();
    if granted.app != user.app && !(fits && app.config.claims.fit(&granted)) {
        return Err(too_large());
    }
    Ok(granted)
}

fn updated(before: &User, after: &User) -> Option<EventKind> {
    let changed = Changes {
        roles: (before.roles != after.roles).then(|| after.roles.clone()),
        app: (before.app != after.app).then(|| after.app.as_object().clone()),
        ..Changes::default()
    };
    (changed != Changes::default()).then_some(EventKind::Updated { changed })
}

fn parse(
    app: &App,
    offer: &Offer,
    name: Option<String>,
    password: Option<SecretString>,
) -> Result<(Option<UserName>, Option<NewPassword>)> {
    let asks = offer.asks();
    let mut fields = Fields::default();
    let name = match asks {
        Asks::NameAndPassword => fields.required("name", name, |name| UserName::parse(&name)),
        _ => None,
    };
    let password = match asks {
        Asks::Nothing => None,
        _ => fields.required("password", password, |password| {
            let name = name.as_ref().or(offer.user.as_ref().map(|user| &user.name));
            let product = Some(app.config.mail.product_name.as_str());
            let known = Known { email: Some(&offer.invitation.email), name, product };
            NewPassword::parse(&password, app.config.password_min_length, known)
        }),
    };
    fields.finish(Some((name, password)))
}

fn form(app: &App, token: &str, offer: &Offer, name: Option<&str>, problem: Option<&str>) -> String {
    let action = format!("{BASE_PATH}/auth/invitation");
    pages::invitation_form(&InvitationForm {
        product: &app.config.mail.product_name,
        action: &action,
        token,
        email: offer.invitation.email.as_str(),
        name,
        shortest: app.config.password_min_length,
        problem,
    })
}
