//! What the servers share: a port, a graceful end, and AWS's JSON answers.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::{StartError, machine};

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
    let Ok(body) = serde_json::to_vec(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-amz-json-1.1".to_owned()),
        (header::HeaderName::from_static("x-amzn-requestid"), machine::new_id()),
    ];
    (status, headers, Body::from(body)).into_response()
}

/// An error in the shape that the JSON protocols share; SDKs take the code from the header first.
pub(crate) fn refusal(status: StatusCode, code: &'static str, message: &str) -> Response {
    let mut response = answer(status, &json!({ "__type": code, "message": message }));
    response.headers_mut().insert("x-amzn-errortype", header::HeaderValue::from_static(code));
    response
}
