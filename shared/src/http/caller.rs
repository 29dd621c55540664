//! Who is calling. A handler's signature says who may call it by taking one of these.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tracing::{Span, field};

use super::{HandlerArgument, Needs};
use crate::App;
use crate::clock::Timestamp;
use crate::domain::event::{Actor, ActorKind};
use crate::domain::role::Role;
use crate::domain::session::{RECENT_SIGN_IN, Session};
use crate::domain::staff::StaffMember;
use crate::domain::user::User;
use crate::error::{Code, Error, Result};
use crate::store::Store;
use crate::telemetry::audit::Event;
use crate::tokens::access::{self, Act};

/// What API Gateway vouches for of a request, and the user agent that it claims.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    pub request_id: String,
    /// From the gateway's `sourceIp`, never from a header.
    pub source_ip: Option<IpAddr>,
    /// What the client says it is, shortened.
    pub user_agent: Option<String>,
}

impl RequestInfo {
    /// Who does it, for the events of what is done: somebody who is not signed in, or has an emailed link.
    #[must_use]
    pub fn actor(&self, kind: ActorKind) -> Actor {
        let source_ip = self.source_ip.map(|ip| ip.to_string());
        Actor { kind, id: None, session_id: None, source_ip, user_agent: self.user_agent.clone() }
    }
}

/// Someone with a valid access token of a session that is not over.
#[derive(Debug)]
pub struct CurrentUser {
    pub user: User,
    pub session: Session,
    /// When they signed in. A step-up does not change it.
    pub signed_in_at: Timestamp,
    pub request: RequestInfo,
}

/// On requests to a route that a member of staff may use who acts as somebody else and may change something.
#[derive(Debug, Clone, Copy)]
pub struct OpenToImpersonation;

/// A [`CurrentUser`] who is an administrator now, whatever the token says.
#[derive(Debug)]
pub struct Admin(pub CurrentUser);

/// A [`CurrentUser`] who has the role of support or of an administrator now, whatever the token says.
#[derive(Debug)]
pub struct Support(pub CurrentUser);

/// An [`Admin`] who is a [`RecentlySignedIn`].
#[derive(Debug)]
pub struct RecentAdmin(pub CurrentUser);

/// A [`CurrentUser`] who signed in, or stepped up, within the last [`RECENT_SIGN_IN`] (RFC 9470), and proved the second factor
/// within it where the account has one.
#[derive(Debug)]
pub struct RecentlySignedIn(pub CurrentUser);

/// A [`CurrentUser`] who signed in, or stepped up, within the last [`RECENT_SIGN_IN`], for routes that see to the second factor
/// themselves, by a proof in the body.
#[derive(Debug)]
pub struct ProvesSecondFactor(pub CurrentUser);

/// A service that may ask whether tokens stand, with its own credentials (RFC 7662, 2.1; RFC 6749, 2.3.1).
#[derive(Debug)]
pub struct IntrospectionClient {
    pub id: String,
}

/// What finding out who sent an access token needs. The keys that check tokens are read by every function.
const SIGNED_IN: Needs = Needs {
    errors: &[Code::Unauthenticated, Code::InvalidToken],
    grants: Store::USER_AND_SESSION,
    credentials: Some("access_token"),
    signed_in: true,
};
const RECENTLY_SIGNED_IN: Needs = Needs {
    errors: &[Code::Unauthenticated, Code::InvalidToken, Code::Impersonating, Code::ReauthenticationRequired],
    ..SIGNED_IN
};

impl HandlerArgument for CurrentUser {
    const NEEDS: Needs = SIGNED_IN;
}

impl HandlerArgument for Admin {
    const NEEDS: Needs = Needs {
        errors: &[Code::Unauthenticated, Code::InvalidToken, Code::Forbidden, Code::Impersonating],
        ..SIGNED_IN
    };
}

impl HandlerArgument for Support {
    const NEEDS: Needs = Admin::NEEDS;
}

impl HandlerArgument for RecentAdmin {
    const NEEDS: Needs = Needs {
        errors: &[
            Code::Unauthenticated,
            Code::InvalidToken,
            Code::Forbidden,
            Code::Impersonating,
            Code::ReauthenticationRequired,
        ],
        ..SIGNED_IN
    };
}

impl HandlerArgument for RecentlySignedIn {
    const NEEDS: Needs = RECENTLY_SIGNED_IN;
}

impl HandlerArgument for ProvesSecondFactor {
    const NEEDS: Needs = RECENTLY_SIGNED_IN;
}

impl HandlerArgument for IntrospectionClient {
    const NEEDS: Needs =
        Needs { errors: &[Code::InvalidClient], credentials: Some("introspection_client"), ..Needs::NOTHING };
}

impl HandlerArgument for RequestInfo {
    const NEEDS: Needs = Needs::NOTHING;
}

impl HandlerArgument for Bearer {
    const NEEDS: Needs = Needs { credentials: Some("refresh_token"), ..Needs::NOTHING };
}

impl FromRequestParts<App> for CurrentUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let now = app.clock.now();
        let claims = access::verify(app, bearer(&parts.headers)?.ok_or(Error::Unauthenticated)?, now).await?;
        let request = parts.extensions.get::<RequestInfo>().cloned().unwrap_or_default();
        let (user, session) = claims.live(app, now).await?.ok_or(Error::InvalidToken)?;
        record_caller(user.id);
        if let Some(impersonation) = session.impersonation {
            Span::current().record("user.effective.id", field::display(impersonation.by));
            let reads = parts.method == Method::GET || parts.method == Method::HEAD;
            let open = parts.extensions.get::<OpenToImpersonation>().is_some();
            let may = reads || (impersonation.write && open);
            if !may {
                return Err(Error::Impersonating);
            }
        }
        Ok(Self { signed_in_at: session.signed_in_at, user, session, request })
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = <CurrentUser as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        caller.must_act_for_oneself()?;
        if caller.user.is_admin() { Ok(Self(caller)) } else { Err(Error::Forbidden) }
    }
}

impl FromRequestParts<App> for Support {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = <CurrentUser as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        caller.must_act_for_oneself()?;
        if caller.user.is_support() { Ok(Self(caller)) } else { Err(Error::Forbidden) }
    }
}

impl FromRequestParts<App> for RecentAdmin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Admin(caller) = <Admin as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        caller.must_have_signed_in_recently(app.clock.now())?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for RecentlySignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = <CurrentUser as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        caller.must_have_signed_in_recently(app.clock.now())?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<App> for ProvesSecondFactor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let caller = <CurrentUser as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        caller.must_act_for_oneself()?;
        if caller.session.is_fresh(app.clock.now()) { Ok(Self(caller)) } else { Err(REAUTHENTICATE) }
    }
}

const REAUTHENTICATE: Error = Error::ReauthenticationRequired { max_age: RECENT_SIGN_IN };

impl CurrentUser {
    /// The account and the session as they are now, after a write whose condition did not hold.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] when the session has ended; otherwise only when the table cannot be read.
    pub async fn reread(&self, app: &App) -> Result<Self> {
        // What the table says, and not the token's `auth_time`: a step-up counts at once.
        let (now, actor) = (app.clock.now(), self.session.impersonation.map(Act::from));
        let live = access::live(app, self.user.id, self.session.id, actor, now).await?;
        let (user, session) = live.ok_or(Error::InvalidToken)?;
        Ok(Self { signed_in_at: session.signed_in_at, user, session, request: self.request.clone() })
    }

    /// Who does it, for the events of what is done to their own account.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.session.impersonation {
            None => self.acting_as(ActorKind::User),
            Some(impersonation) => Actor { id: Some(impersonation.by), ..self.acting_as(ActorKind::Staff) },
        }
    }

    /// For what nobody does for somebody else.
    fn must_act_for_oneself(&self) -> Result<()> {
        if self.session.impersonation.is_some() { Err(Error::Impersonating) } else { Ok(()) }
    }

    /// Who does it, for the events of what staff do.
    #[must_use]
    pub fn staff(&self) -> Actor {
        self.acting_as(ActorKind::Staff)
    }

    /// Who does it, as the table holds them to the role that it takes.
    #[must_use]
    pub const fn as_staff(&self, role: Role) -> StaffMember {
        StaffMember { id: self.user.id, epoch: self.user.session_epoch, role }
    }

    fn acting_as(&self, kind: ActorKind) -> Actor {
        Actor { id: Some(self.user.id), session_id: Some(self.session.id), ..self.request.actor(kind) }
    }

    /// For routes of which only a part asks for a recent sign-in.
    ///
    /// # Errors
    /// [`Error::ReauthenticationRequired`] when who they are, or the second factor of an account that has one, was proved longer
    /// ago than [`RECENT_SIGN_IN`].
    pub fn must_have_signed_in_recently(&self, now: Timestamp) -> Result<()> {
        self.must_act_for_oneself()?;
        if self.session.is_recent(&self.user, now) { Ok(()) } else { Err(REAUTHENTICATE) }
    }
}

impl FromRequestParts<App> for IntrospectionClient {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let clients = &app.config.introspection_clients;
        let client = basic(&parts.headers).and_then(|(id, secret)| {
            let as_sent = clients.recognise(&id, secret.expose_secret());
            let (id, secret) = (form_decoded(&id), SecretString::from(form_decoded(secret.expose_secret())));
            let decoded = clients.recognise(&id, secret.expose_secret());
            (as_sent | decoded).then_some(Self { id })
        });
        client.ok_or_else(|| {
            Event::IntrospectionRefused.record();
            Error::InvalidClient
        })
    }
}

/// Records on the request's span who is calling, so every later line in the log says so.
fn record_caller(user: impl std::fmt::Display) {
    Span::current().record("user.id", field::display(user));
}

/// Basic credentials (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("Basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned().into()))
}

/// Clients of OAuth encode id and secret as in a form before they join them (RFC 6749, 2.3.1), some even `-` and `.`; others,
/// like curl, send them as they are. No id holds a character that this changes; a secret may.
fn form_decoded(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::internal("the request has no facts"))
    }
}

/// A Bearer credential (RFC 6750) that need not be an access token.
#[derive(Debug)]
pub struct Bearer(pub String);

impl<S: Send + Sync> OptionalFromRequestParts<S> for Bearer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>> {
        Ok(bearer(&parts.headers)?.map(|token| Self(token.to_owned())))
    }
}

/// What is sent as an access token, whatever it is; `None` when there is no `Authorization`.
///
/// # Errors
/// [`Error::Unauthenticated`] when it is no Bearer credential; [`Error::InvalidToken`] when that holds more than ASCII.
pub(super) fn access_token(headers: &HeaderMap) -> Result<Option<&str>> {
    bearer(headers)
}

/// The Bearer credential; `None` when there is no `Authorization`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let value = value.as_bytes();
    match value.iter().position(|byte| *byte == b' ').map(|space| value.split_at(space)) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer") => str::from_utf8(token)
            .ok()
            .filter(|token| token.is_ascii())
            .map(|token| Some(token.trim()))
            .ok_or(Error::InvalidToken),
        _ => Err(Error::Unauthenticated),
    }
}
