//! What the servers share: a port, a graceful end, and AWS's JSON answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::callers::{Callers, Origins};
use crate::outage::Service;
use crate::{Credentials, StartError, machine, s3};

/// Ends when the [`crate::Embedded`] it came from stops or is dropped.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<()>);

impl Stop {
    /// The stop happens when the sender is dropped.
    pub(crate) fn new() -> (watch::Sender<()>, Self) {
        let (sender, receiver) = watch::channel(());
        (sender, Self(receiver))
    }

    pub(crate) async fn requested(mut self) {
        while self.0.changed().await.is_ok() {}
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// An open port and its address.
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) endpoint: String,
}

/// A free port on the loopback interface. Accepted connections inherit `TCP_NODELAY` from the listening
/// socket, without which a small answer may wait 40 ms for an acknowledgement.
pub(crate) fn bind() -> Result<Bound, StartError> {
    let open = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(1024)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        Ok(Bound { listener, endpoint })
    };
    open().map_err(StartError::Port)
}

/// Serve until told to stop; requests under way are answered first.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: Stop) {
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.requested()).await {
        tracing::error!(%error, "an embedded server ended");
    }
}

/// The operation named in `X-Amz-Target: Service_Version.Operation`.
pub(crate) fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

/// A JSON answer with the request id that SDKs show in their errors.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => with_request_id(status, body),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(crate) fn with_request_id(status: StatusCode, json: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-amz-json-1.1".to_owned()),
        (header::HeaderName::from_static("x-amzn-requestid"), machine::new_id()),
    ];
    (status, headers, Body::from(json)).into_response()
}

/// An error in the shape that the JSON protocols share; SDKs take the code from the header first.
pub(crate) fn refusal(status: StatusCode, code: &'static str, message: &str) -> Response {
    let mut response = answer(status, &json!({ "__type": code, "message": message }));
    response.headers_mut().insert("x-amzn-errortype", header::HeaderValue::from_static(code));
    response
}

/// What a request has to get past before a server sees it.
#[derive(Clone)]
pub(crate) struct Entrance {
    service: Service,
    callers: Arc<Callers>,
    access_key_id: Arc<str>,
}

impl Entrance {
    pub(crate) fn new(service: Service, origins: &Origins, credentials: &Credentials) -> Self {
        let callers = if service == Service::S3 { Callers::with_pages(origins.clone()) } else { Callers::default() };
        Self { service, callers: Arc::new(callers), access_key_id: credentials.access_key_id.as_str().into() }
    }
}

/// Middleware: web pages and names of other places are not answered.
pub(crate) async fn refuse_foreign(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    match entrance.callers.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) if entrance.service == Service::S3 => {
            s3::refusal(StatusCode::FORBIDDEN, "AccessDenied", &foreign.to_string(), "")
        }
        Err(foreign) => refusal(StatusCode::FORBIDDEN, "AccessDeniedException", &foreign.to_string()),
    }
}

/// Middleware: only who knows the access key of this start is answered. Its id is looked at, the signature is not.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>; DynamoDB answers 400 where the others answer 403
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>).
pub(crate) async fn authenticate(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    let status = if entrance.service == Service::DynamoDb { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
    match access_key_id(request.headers()) {
        Some(id) if *id == *entrance.access_key_id => next.run(request).await,
        Some(_) => {
            refusal(status, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        None => refusal(status, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}

/// The id in `Authorization: AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request, ...`.
fn access_key_id(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let credential = authorization.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split_once('/').map(|(id, _)| id)
}
