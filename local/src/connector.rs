//! Calls to the embedded services without a network in between.

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request};
use embedded::Services;
use tower::ServiceExt;

/// Gives requests to the embedded services' endpoints to their servers in this process, and all others to `network`: the
/// configuration may have other endpoints.
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
        let authority = request.uri().parse().ok().and_then(|uri: axum::http::Uri| uri.into_parts().authority);
        match authority.and_then(|authority| self.services.at(authority.as_str()).zip(Some(authority))) {
            Some((server, authority)) => HttpConnectorFuture::new(answer(server, authority, request)),
            None => self.network.call(request),
        }
    }
}

async fn answer(server: Router, authority: Authority, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let mut request: Request<Body> = request.map(Body::new);
    // As a client of the network adds it: it is part of the signature.
    let host = HeaderValue::from_str(authority.as_str()).map_err(|error| ConnectorError::user(error.into()))?;
    request.headers_mut().entry(HOST).or_insert(host);
    let answer = match server.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| ConnectorError::io(error.into()))?;
    HttpResponse::try_from(axum::http::Response::from_parts(parts, SdkBody::from(body)))
        .map_err(|error| ConnectorError::other(error.into(), None))
}
