//! Access tokens: JWTs after RFC 9068, signed with the key that signs now, checked with the published ones.

use std::time::Duration;

use jsonwebtoken::{Header, Validation};

use super::claims::{Act, Claims};
use super::keys::TokenDigest;
use crate::App;
use crate::clock::Timestamp;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{ACCESS_TOKEN_LIFE, Session};
use crate::domain::user::User;
use crate::error::{Error, Result};

/// The media type of access tokens (RFC 9068, 2.1); no other token of this service has it.
const TYP: &str = "at+jwt";
/// Instances' clocks may differ by this much: a token is not refused for having been made "in the future".
const SKEW: Duration = Duration::from_secs(5);

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

/// The claims of a token that this service signed for this audience and that is valid now. A signature that was verified is
/// not verified again while its key is trusted without another look.
///
/// # Errors
/// [`Error::InvalidToken`] for any other; an internal one when the keys cannot be read.
pub async fn verify(app: &App, token: &str, now: Timestamp) -> Result<Claims> {
    let digest = TokenDigest::of(token);
    let claims = match app.keys().verified(&digest, now) {
        Some(claims) => claims,
        None => verify_signature(app, token, digest, now).await?,
    };
    let valid = now.seconds() < claims.exp && claims.nbf <= now.plus(SKEW).seconds();
    if valid { Ok(claims) } else { Err(Error::InvalidToken) }
}

async fn verify_signature(app: &App, token: &str, digest: TokenDigest, now: Timestamp) -> Result<Claims> {
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
    // Times are compared by the caller, with the clock that everything else goes by.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let claims: Claims =
        jsonwebtoken::decode(token, &key.decoding, &validation).map_err(|_| Error::InvalidToken)?.claims;
    app.keys().remember(digest, &claims, &kid, &key);
    Ok(claims)
}
