//! Calls to the embedded services without a network in between.

use std::panic::AssertUnwindSafe;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body, to_bytes};
use axum::http::{Response, Uri};
use embedded::{Server, Services};
use futures_util::FutureExt;

/// Gives requests to the embedded services' endpoints to their servers in this process, and all others to `network`: those to
/// S3, and to whatever else the configuration names.
#[must_use]
pub fn connector(services: Services, network: SharedHttpConnector) -> SharedHttpConnector {
    SharedHttpConnector::new(InProcess { services, network })
}

#[derive(Debug)]
struct InProcess {
    services: Services,
    network: SharedHttpConnector,
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri().parse::<Uri>().ok();
        match uri.as_ref().and_then(Uri::authority).and_then(|authority| self.services.at(authority.as_str())) {
            Some(server) => HttpConnectorFuture::new(answer(server, request)),
            None => self.network.call(request),
        }
    }
}

async fn answer(server: Server, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // A server that panics breaks the connection.
    let answer = AssertUnwindSafe(server.answer(request.map(Body::new))).catch_unwind().await;
    let answer = answer.map_err(|_| ConnectorError::io("the server panicked".into()))?;
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| ConnectorError::io(error.into()))?;
    HttpResponse::try_from(Response::from_parts(parts, SdkBody::from(body)))
        .map_err(|error| ConnectorError::other(error.into(), None))
}
