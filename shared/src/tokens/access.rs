//! Access tokens: JWTs after RFC 9068, signed with the key that signs now, checked with the published ones.

use std::time::Duration;

use jsonwebtoken::{Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::App;
use crate::clock::Timestamp;
use crate::domain::id::{SessionId, UserId};
use crate::domain::role::Role;
use crate::domain::session::{ACCESS_TOKEN_LIFE, Impersonation, Session};
use crate::domain::user::User;
use crate::error::{Error, Result};

/// The media type of access tokens (RFC 9068, 2.1); no other token of this service has it.
const TYP: &str = "at+jwt";
/// Instances' clocks may differ by this much: a token is not refused for having been made "in the future".
const SKEW: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: UserId,
    pub aud: String,
    /// Seconds since the epoch, like every time here.
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    pub jti: Uuid,
    /// The client that asked for the token (RFC 9068, 2.2). Tokens of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    pub sid: SessionId,
    pub roles: Vec<Role>,
    pub auth_time: i64,
    /// How the user proved who they are (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
    /// Who acts for the user, where it is not the user (RFC 8693, 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// Claims of the team's own: `CLAIMS`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ext: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Act {
    pub sub: UserId,
    /// Their own session.
    pub sid: SessionId,
}

impl From<Impersonation> for Act {
    fn from(impersonation: Impersonation) -> Self {
        Self { sub: impersonation.by, sid: impersonation.by_session }
    }
}

impl Claims {
    /// The account and the session of a token, if that is not over: where another acts for the user, also by their own account
    /// and session.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn live(&self, app: &App, now: Timestamp) -> Result<Option<(User, Session)>> {
        live(app, self.sub, self.sid, self.act, now).await
    }
}

/// An account and one of its sessions, if that is not over; or what a member of staff has of the account who acts for its user.
///
/// # Errors
/// Only when the table cannot be read.
pub async fn live(
    app: &App,
    user: UserId,
    session: SessionId,
    actor: Option<Act>,
    now: Timestamp,
) -> Result<Option<(User, Session)>> {
    let (user, session) = match actor {
        None => app.store().user_and_session(user, session).await?,
        Some(actor) => {
            let found = app.store().user_and_impersonation(user, session, (actor.sub, actor.sid)).await?;
            let by = found.session.as_ref().and_then(|session| session.impersonation);
            let staff = found.staff.zip(found.staff_session);
            let may = staff.zip(by).is_some_and(|((staff, session), by)| {
                (by.by, by.by_session) == (staff.id, session.id)
                    && by.by_epoch == staff.session_epoch
                    && staff.is_admin()
                    && session.is_live(&staff, now)
            });
            // They may be staff by now.
            (found.user.filter(|user| !user.is_support()), found.session.filter(|_| may))
        }
    };
    Ok(user.zip(session).filter(|(user, session)| session.is_live(user, now)))
}

/// # Errors
/// Only when the signing key cannot be read.
pub async fn sign(app: &App, user: &User, session: &Session, now: Timestamp) -> Result<String> {
    let claims = Claims {
        iss: app.config.tokens.issuer.clone(),
        sub: user.id,
        aud: app.config.tokens.audience.clone(),
        exp: now.plus(ACCESS_TOKEN_LIFE).min(session.ends_at()).seconds(),
        iat: now.seconds(),
        nbf: now.seconds(),
        jti: crate::random::uuid(now),
        client_id: Some(app.config.tokens.client_id.clone()),
        sid: session.id,
        roles: user.roles.clone(),
        auth_time: session.authenticated_at().seconds(),
        amr: session.amr().into_iter().map(ToOwned::to_owned).collect(),
        act: session.impersonation.map(Act::from),
        ext: app.config.claims.that_fit(user),
    };
    let key = app.keys().signing(now).await?;
    let mut header = Header::new(key.algorithm);
    header.typ = Some(TYP.to_owned());
    header.kid = Some(key.kid.clone());
    jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(Error::internal)
}

/// The claims of a token that this service signed for this audience and that is valid now.
///
/// # Errors
/// [`Error::InvalidToken`] for any other; an internal one when the keys cannot be read.
pub async fn verify(app: &App, token: &str, now: Timestamp) -> Result<Claims> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Error::InvalidToken)?;
    if !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
        return Err(Error::InvalidToken);
    }
    let kid = header.kid.ok_or(Error::InvalidToken)?;
    let key = app.keys().verifying(&kid, now).await?.ok_or(Error::InvalidToken)?;
    // The algorithm is the key's, whatever the token's header says of it (RFC 8725, 3.1).
    let mut validation = Validation::new(key.algorithm);
    validation.set_issuer(&app.config.tokens.issuers().collect::<Vec<_>>());
    validation.set_audience(&app.config.tokens.audiences().collect::<Vec<_>>());
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
    // Times are compared below, with the clock that everything else goes by.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let claims: Claims =
        jsonwebtoken::decode(token, &key.decoding, &validation).map_err(|_| Error::InvalidToken)?.claims;
    let valid = now.seconds() < claims.exp && claims.nbf <= now.plus(SKEW).seconds();
    if valid { Ok(claims) } else { Err(Error::InvalidToken) }
}
