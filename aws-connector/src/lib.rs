//! The HTTP client that the clients of AWS share: hyper's, over HTTP/1.1.
//!
//! The SDK's own brings HTTP/2 and proxies besides, which none of the services called here needs, and every function would
//! carry them.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector as TcpConnector, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

pub use rustls::Error;

/// For TCP, shared among all addresses of a host, so that of some that are dead another is found; an only one has the time to
/// send again what was lost. How long the whole of an attempt takes, with DNS and TLS, is up to the client.
const CONNECT: Duration = Duration::from_millis(2500);

/// The certificate authorities of <https://www.amazontrust.com/repository/>, which every endpoint of AWS is certified by.
/// Amazon announces a new one years before it is needed.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Whom a TLS server has to be certified by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// AWS alone is called: no other authority can vouch for it, and a cold start does not read and parse the hundred and
    /// more that a machine trusts.
    Amazon,
    /// Another server is called, too, whose certificate may come from any authority that the machine trusts.
    Machine,
}

/// All that is made of one connector has one pool of connections.
///
/// # Errors
/// When the authorities cannot be used, or there are none.
pub fn connector(trust: Trust) -> Result<SharedHttpConnector, Error> {
    trusting(authorities(trust)?)
}

/// The client that the SDK asks for. Of a client's timeouts those for operations and attempts hold; those for connecting and
/// reading, which the SDK leaves to its HTTP client, do not.
#[must_use]
pub fn client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

fn trusting(authorities: RootCertStore) -> Result<SharedHttpConnector, Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut tcp = TcpConnector::new();
    // Which schemes are allowed is the business of the TLS around it.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    Ok(SharedHttpConnector::new(Http1(client)))
}

fn authorities(trust: Trust) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    match trust {
        Trust::Amazon => {
            for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
                store.add(certificate.map_err(|error| Error::General(error.to_string()))?)?;
            }
        }
        // What of the machine's cannot be read is left out, as every TLS client does: a server that needs it is refused.
        Trust::Machine => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if store.is_empty() {
        return Err(Error::General("this machine trusts none".into()));
    }
    Ok(store)
}

#[derive(Debug)]
struct Http1(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpConnector for Http1 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let connection = capture_connection(&mut request);
            if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
                capture.set_connection_retriever(move || Some(metadata(&connection)));
            }
            let answer = client.request(request).await.map_err(classified)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// By which the SDK has a connection closed whose server answered with a failure, so that it tries again on another.
fn metadata(connection: &CaptureConnection) -> ConnectionMetadata {
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    ConnectionMetadata::builder().proxied(false).poison_fn(poison).build()
}

/// A request that could not be written down will never work, and what does not speak HTTP will not learn it; whatever else fails
/// on the way may work the next time.
fn classified(error: ClientError) -> ConnectorError {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    match cause {
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        Some(cause) if cause.is_parse() => ConnectorError::other(error.into(), None),
        _ => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::aws_lc_rs::digest::{SHA256, digest};
    use aws_credential_types::Credentials;
    use aws_sdk_dynamodb::Client as DynamoDb;
    use aws_sdk_dynamodb::config::retry::RetryConfig;
    use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
    use aws_sdk_dynamodb::error::SdkError;
    use http_body_util::Full;
    use hyper::Response;
    use hyper::body::Bytes;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    async fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    /// Answers every request of a connection with this status, and counts them.
    fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, status: u16, requests: &Arc<AtomicUsize>) {
        let requests = Arc::clone(requests);
        let service = service_fn(move |_| {
            requests.fetch_add(1, Ordering::Relaxed);
            async move { Response::builder().status(status).body(Full::new(Bytes::from_static(b"{}"))) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }

    fn dynamodb(http: SharedHttpClient, url: String) -> DynamoDb {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .http_client(http)
            .endpoint_url(url);
        DynamoDb::from_conf(config.build())
    }

    #[tokio::test]
    async fn a_failed_request_is_retried_on_a_new_connection_which_is_reused() {
        let (listener, address) = listener().await;
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            for status in [500, 200] {
                serve(listener.accept().await.unwrap().0, status, &counted);
            }
        });
        let client = dynamodb(client(connector(Trust::Amazon).unwrap()), format!("http://{address}"));
        for _ in 0..3 {
            client.list_tables().send().await.unwrap();
        }
        assert_eq!(requests.load(Ordering::Relaxed), 4);
    }

    /// Says this to each connection and closes it: how often one call tried, and how it failed.
    async fn tried(answer: &'static [u8]) -> (usize, ErrorOf) {
        let (listener, address) = listener().await;
        let accepted = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&accepted);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
            }
        });
        let error = failure(&dynamodb(client(connector(Trust::Amazon).unwrap()), format!("http://{address}"))).await;
        (accepted.load(Ordering::Relaxed), error)
    }

    #[derive(Debug, PartialEq)]
    enum ErrorOf {
        Io,
        Other,
    }

    async fn failure(client: &DynamoDb) -> ErrorOf {
        match client.list_tables().send().await {
            Err(SdkError::DispatchFailure(failure)) if failure.is_io() => ErrorOf::Io,
            Err(SdkError::DispatchFailure(failure)) if failure.is_other() => ErrorOf::Other,
            answer => panic!("{answer:?}"),
        }
    }

    #[tokio::test]
    async fn a_broken_connection_is_retried_and_a_non_http_answer_is_not() {
        assert_eq!(tried(b"").await, (3, ErrorOf::Io));
        assert_eq!(tried(b"HTTP/1.1 200 OK\r\ncontent-len").await, (3, ErrorOf::Io));
        assert_eq!(tried(b"220 mail.example.com ESMTP\r\n").await, (1, ErrorOf::Other));
    }

    /// An authority that nobody knows, and what a server shows that it certified.
    fn authority() -> (CertificateDer<'static>, ServerConfig) {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()));
        (authority.der().clone(), server.unwrap())
    }

    #[tokio::test]
    async fn only_a_server_with_a_trusted_certificate_is_accepted_over_tls() {
        let (authority, server) = authority();
        let (listener, address) = listener().await;
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            let tls = TlsAcceptor::from(Arc::new(server));
            loop {
                if let Ok(stream) = tls.accept(listener.accept().await.unwrap().0).await {
                    serve(stream, 200, &counted);
                }
            }
        });
        let mut trusted = RootCertStore::empty();
        trusted.add(authority).unwrap();
        let url = format!("https://{address}");
        dynamodb(client(trusting(trusted).unwrap()), url.clone()).list_tables().send().await.unwrap();
        assert_eq!(failure(&dynamodb(client(connector(Trust::Amazon).unwrap()), url)).await, ErrorOf::Io);
        assert_eq!(requests.load(Ordering::Relaxed), 1);
    }

    /// The fingerprints that <https://www.amazontrust.com/repository/> shows.
    const PUBLISHED: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    #[test]
    fn amazons_authorities_are_those_that_it_publishes() {
        let fingerprints: Vec<_> = CertificateDer::pem_slice_iter(AMAZON_ROOTS)
            .map(|certificate| data_encoding::HEXLOWER.encode(digest(&SHA256, &certificate.unwrap()).as_ref()))
            .collect();
        assert_eq!(fingerprints, PUBLISHED);
        assert_eq!(authorities(Trust::Amazon).unwrap().len(), PUBLISHED.len());
    }
}
