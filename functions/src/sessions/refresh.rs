//! Exchanges a refresh token for a new pair.
//!
//! `POST /auth/refresh`, or `GET` with the refresh token as the Bearer credential. The token is rotated on every use. A token that
//! was rotated within the last ten seconds returns the current pair; reuse of an older one is treated as theft, and the session
//! ends.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{ActorKind, DomainEvent, EventKind, SessionEnd, Subject};
use shared::domain::limit::Limit;
use shared::domain::session::{Rotation, Session};
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::{Bearer, RequestInfo};
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::tokens::TokenPair;
use shared::tokens::refresh::{self, RefreshToken};
use shared::{App, Error, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new(module_path!(), &[WITH_BEARER, HANDLER])
    .fails_with(&[Code::InvalidRefreshToken])
    .may(grants![Store::USER_AND_SESSION, Store::ROTATE_SESSION, Store::END_SESSION, TokenPair::ISSUE])
    .limited_by(Limit::Refresh)
    .shifting_gradually();

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[schema(required, value_type = String)]
    refresh_token: Option<String>,
}

#[operation(
    GET, "/auth/refresh", operation_id = "refresh_with_bearer",
    summary = "Exchange the refresh token in the Authorization header for new tokens",
    description = "The same as `POST /auth/refresh`, with the refresh token as the Bearer credential.",
    responses((status = 200, description = "The new tokens", body = TokenPair))
)]
pub async fn with_bearer(
    State(app): State<App>,
    request: RequestInfo,
    limit: Limited,
    token: Result<Option<Bearer>>,
) -> Result<JsonResponse<TokenPair>> {
    let Ok(Some(Bearer(token))) = token else {
        return Err(Error::InvalidRefreshToken);
    };
    exchange(&app, &request, &limit, &token).await.map(JsonResponse::ok)
}

#[operation(
    POST, "/auth/refresh", summary = "Exchange a refresh token for new tokens",
    description = "The refresh token is rotated on every use. A token that was rotated within the last ten seconds returns the current pair; an older one ends the session, because it may have been stolen.",
    responses((status = 200, description = "The new tokens", body = TokenPair))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    limit: Limited,
    Json(body): Json<Refresh>,
) -> Result<JsonResponse<TokenPair>> {
    let mut fields = Fields::default();
    let token = fields.required("refresh_token", body.refresh_token, Ok);
    exchange(&app, &request, &limit, &fields.finish(token)?).await.map(JsonResponse::ok)
}

async fn exchange(app: &App, request: &RequestInfo, limit: &Limited, token: &str) -> Result<TokenPair> {
    let token = app.keys().known_refresh_mac().await?.and_then(|mac| refresh::decode(token, mac));
    let Some(token) = token else {
        // A forged token counts as any other, so a flood of them ends as well.
        limit.admit().await?;
        return Err(Error::InvalidRefreshToken);
    };
    // The signing key is at hand before the token is used up: a failure to get it must not cost the session.
    let reads = async { tokio::try_join!(live(app, &token), app.keys().signing(app.clock.now())) };
    let ((user, session), _) = limit.admit_during(reads).await?;
    let session = match session.rotation_of(token.rotation, app.clock.now()) {
        Rotation::Rotate => match app.store().rotate_session(&session, app.clock.now()).await? {
            Some(rotated) => rotated,
            // Another request with the same token was first: this one is now a rotation behind, or the session has ended.
            None => {
                let (_, session) = live(app, &token).await?;
                match session.rotation_of(token.rotation, app.clock.now()) {
                    Rotation::Repeat => session,
                    _ => return end(app, request, &session).await,
                }
            }
        },
        Rotation::Repeat => session,
        Rotation::Reused => return end(app, request, &session).await,
    };
    Event::SessionRefreshed { user: user.id, session: session.id }.record();
    TokenPair::issue(app, &user, &session).await
}

/// The token's account and session, if the session is not over.
async fn live(app: &App, token: &RefreshToken) -> Result<(User, Session)> {
    let (user, session) = app.store().user_and_session(token.user, token.session).await?;
    let live = user.zip(session).filter(|(user, session)| session.is_live(user, app.clock.now()));
    live.ok_or(Error::InvalidRefreshToken)
}

/// An attacker or the owner has an old token, and it is unknown which: the session ends for both.
async fn end(app: &App, request: &RequestInfo, session: &Session) -> Result<TokenPair> {
    let kind = EventKind::SessionEnded { session_id: session.id, reason: SessionEnd::RefreshTokenReused };
    let actor = request.actor(ActorKind::Anonymous);
    let event = DomainEvent::new(Subject::User(session.user), &actor, kind, app.clock.now());
    app.store().end_session(session.user, session.id, &event).await?;
    Event::SessionReuseDetected { user: session.user, session: session.id }.record();
    Err(Error::InvalidRefreshToken)
}
