//! The caller of a request. The signature of a handler states who can call it by taking one of these types.

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
use crate::tokens::access;
use crate::tokens::claims::Act;

/// Request data from API Gateway, and the claimed user agent.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    pub request_id: String,
    /// From the gateway's `sourceIp`, never from a header.
    pub source_ip: Option<IpAddr>,
    /// The `User-Agent`, truncated.
    pub user_agent: Option<String>,
}

impl RequestInfo {
    /// The actor for events: a caller who is not signed in, or who has an emailed link.
    #[must_use]
    pub fn actor(&self, kind: ActorKind) -> Actor {
        let source_ip = self.source_ip.map(|ip| ip.to_string());
        Actor { kind, id: None, session_id: None, source_ip, user_agent: self.user_agent.clone() }
    }
}

/// A caller with a valid access token of a live session.
#[derive(Debug)]
pub struct CurrentUser {
    pub user: User,
    pub session: Session,
    /// The time of the sign-in. A step-up does not change it.
    pub signed_in_at: Timestamp,
    pub request: RequestInfo,
}

/// Marks requests to a route that is open to impersonation with write access.
#[derive(Debug, Clone, Copy)]
pub struct OpenToImpersonation;

/// A [`CurrentUser`] who is currently an administrator, whatever the token says.
#[derive(Debug)]
pub struct Admin(pub CurrentUser);

/// A [`CurrentUser`] who currently is support or an administrator, whatever the token says.
#[derive(Debug)]
pub struct Support(pub CurrentUser);

/// An [`Admin`] who is a [`RecentlySignedIn`].
#[derive(Debug)]
pub struct RecentAdmin(pub CurrentUser);

/// A [`CurrentUser`] who authenticated within [`RECENT_SIGN_IN`] (RFC 9470), including the second factor if the account has one.
#[derive(Debug)]
pub struct RecentlySignedIn(pub CurrentUser);

/// A [`CurrentUser`] who authenticated within [`RECENT_SIGN_IN`], for routes that check the second factor themselves with a proof
/// in the body.
#[derive(Debug)]
pub struct ProvesSecondFactor(pub CurrentUser);

/// A client allowed to call token introspection, with its own credentials (RFC 7662, 2.1; RFC 6749, 2.3.1).
#[derive(Debug)]
pub struct IntrospectionClient {
    pub id: String,
}

/// What identifying the caller by an access token needs. The keys for verifying tokens are read by every function.
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
        let (user, session) =
            access::live(app, claims.sub, claims.sid, claims.act, now).await?.ok_or(Error::InvalidToken)?;
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
        // From the table, not the token's `auth_time`: a step-up takes effect immediately.
        let (now, actor) = (app.clock.now(), self.session.impersonation.map(Act::from));
        let live = access::live(app, self.user.id, self.session.id, actor, now).await?;
        let (user, session) = live.ok_or(Error::InvalidToken)?;
        Ok(Self { signed_in_at: session.signed_in_at, user, session, request: self.request.clone() })
    }

    /// The actor for events about the caller's own account.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.session.impersonation {
            None => self.acting_as(ActorKind::User),
            Some(impersonation) => Actor { id: Some(impersonation.by), ..self.acting_as(ActorKind::Staff) },
        }
    }

    /// For actions that are not allowed while impersonating.
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

    /// For routes that require recent authentication only in some cases.
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

/// Records the caller on the request's span, so that all later log lines have it.
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

/// OAuth clients form-encode ID and secret before joining them (RFC 6749, 2.3.1), some even `-` and `.`; others, like curl, send
/// them as they are. No ID contains a character that this changes; a secret may.
fn form_decoded(text: &str) -> String {
    form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::internal("the request has no `RequestInfo`"))
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

/// The value sent as access token; `None` without `Authorization`.
///
/// # Errors
/// [`Error::Unauthenticated`] if it is not a Bearer credential; [`Error::InvalidToken`] if it is not ASCII.
pub(super) fn access_token(headers: &HeaderMap) -> Result<Option<&str>> {
    bearer(headers)
}

/// The Bearer credential; `None` without `Authorization`.
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
