//! `Idempotency-Key`: around every operation that changes something for a signed-in caller, and around registering. Within a day
//! the same request with the same key gets the same answer and has no second effect.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body::MAX_BODY;
use super::caller::{RequestInfo, access_token};
use crate::App;
use crate::domain::idempotency::{IdempotencyKey, IdempotentRequest, KeptAnswer, KeyOwner, Outcome};
use crate::domain::network::ClientNetwork;
use crate::error::{Causes, Error, FieldError, Result};
use crate::store::Begun;
use crate::tokens::access;
use crate::tokens::claims::Claims;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was kept.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Bytes of an answer that is kept: with the rest of its item below the 400 KB of `DynamoDB`, in base64.
const LARGEST: usize = 200 * 1024;

/// What an operation is to its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotent {
    /// Whether its callers are signed in; the keys of others are those of their network.
    pub signed_in: bool,
    /// Whether its answers hold tokens or secrets, which are not kept.
    pub answers_secrets: bool,
}

/// Middleware: passes on what has no key.
pub async fn once(State((app, operation)): State<(App, Idempotent)>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    run_once(&app, operation, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run_once(app: &App, operation: Idempotent, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let key = key(&parts)?;
    let Some(caller) = caller(app, operation, &parts).await? else {
        // The handler rejects this caller itself.
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Error::PayloadTooLarge)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    // The same request by staff for themselves and while impersonating is not the same.
    let acts_as = caller.claims.as_ref().filter(|claims| claims.act.is_some()).map(|claims| claims.sub);
    let target = acts_as.map_or_else(|| target.to_owned(), |user| format!("{target} as {user}"));
    let fingerprint = key.fingerprint(parts.method.as_str(), &target, &body);
    let now = app.clock.now();
    let first = IdempotentRequest::begin(fingerprint, now);
    match app.store().begin_request(caller.owner, &key, &first, now).await? {
        Begun::First => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            Ok(keep(app, operation, caller.owner, &key, &first, response).await)
        }
        Begun::Known(known) if known.fingerprint != first.fingerprint => Err(Error::IdempotencyKeyReused),
        Begun::Known(IdempotentRequest { outcome: None, .. }) => Err(Error::RequestInProgress),
        Begun::Known(IdempotentRequest { outcome: Some(outcome), .. }) => replay(app, &caller, outcome).await,
    }
}

fn key(parts: &Parts) -> Result<IdempotencyKey> {
    let mut headers = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, second) = (headers.next(), headers.next());
    let key = first.filter(|_| second.is_none()).and_then(|header| IdempotencyKey::parse(header.as_bytes()));
    key.ok_or_else(|| {
        let detail = "Send one key of 1 to 255 visible ASCII characters, such as a UUID.".to_owned();
        Error::fields(vec![FieldError { field: "Idempotency-Key".to_owned(), code: "invalid_key", detail }])
    })
}

/// Whose key it is, and the access token's claims of who is signed in.
struct Caller {
    owner: KeyOwner,
    claims: Option<Claims>,
}

/// `None` where that cannot be told. The token's signature is enough for it: whether the session goes on is for the handler to
/// see, and for [`replay`].
async fn caller(app: &App, operation: Idempotent, parts: &Parts) -> Result<Option<Caller>> {
    if !operation.signed_in {
        let network = parts.extensions.get::<RequestInfo>().and_then(|info| info.source_ip).map(ClientNetwork::of);
        return Ok(network.map(|network| Caller { owner: KeyOwner::Network(network), claims: None }));
    }
    let Ok(Some(token)) = access_token(&parts.headers) else { return Ok(None) };
    match access::verify(app, token, app.clock.now()).await {
        Ok(claims) => {
            // While impersonating, keys belong to the member of staff.
            let owner = KeyOwner::User(claims.act.map_or(claims.sub, |act| act.sub));
            Ok(Some(Caller { owner, claims: Some(claims) }))
        }
        Err(Error::InvalidToken) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps the answer of a request that did what it was to do. One that was refused did nothing, and may come again. Of a failure of
/// ours it is not known whether it came before the change or after it: its key stays taken for
/// [`RUNNING`](crate::domain::idempotency::RUNNING).
async fn keep(
    app: &App,
    operation: Idempotent,
    owner: KeyOwner,
    key: &IdempotencyKey,
    request: &IdempotentRequest,
    response: Response,
) -> Response {
    let status = response.status();
    if status.is_server_error() {
        return response;
    }
    if !status.is_success() {
        if let Err(error) = app.store().forget_request(owner, key, request).await {
            tracing::warn!(error.message = %Causes(&error), "failed to release the idempotency key of a refused request; it expires within a minute");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Error::internal("failed to read a response body").into_response();
    };
    let answer = (!operation.answers_secrets && body.len() <= LARGEST).then(|| KeptAnswer {
        content_type: parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned),
        body: STANDARD.encode(&body),
    });
    let outcome = Outcome { status: status.as_u16(), answer };
    if let Err(error) = app.store().complete_request(owner, key, request, &outcome).await {
        tracing::error!(error.message = %Causes(&error), "failed to store the outcome of an idempotent request");
    }
    Response::from_parts(parts, Body::from(body))
}

/// The answer of the first request. What it says of an account only a session gets that goes on; one without a body says no more
/// than that it was done, also to the request that ended its session.
async fn replay(app: &App, caller: &Caller, outcome: Outcome) -> Result<Response> {
    let Outcome { status, answer: Some(answer) } = outcome else { return Err(Error::AnswerNotKept) };
    let body = STANDARD.decode(&answer.body).map_err(Error::internal)?;
    if let Some(claims) = caller.claims.as_ref().filter(|_| !body.is_empty())
        && access::live(app, claims.sub, claims.sid, claims.act, app.clock.now()).await?.is_none()
    {
        return Err(Error::InvalidToken);
    }
    let status = StatusCode::from_u16(status).map_err(Error::internal)?;
    let mut response = (status, Body::from(Bytes::from(body))).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(content_type) = answer.content_type.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
