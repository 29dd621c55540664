//! One POST on one connection.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::outcome::{Outcome, Reason, retry_after};
use crate::{Targets, WebhookUrl};

/// For TCP, divided among the addresses of a host, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);
/// Addresses of a host that are tried. With more, none would have time to retransmit a lost packet.
const MOST_ADDRESSES: usize = 4;
/// Bytes of an answer's status line and headers. Few servers send more than 4 KiB, and most proxies take 8 to 64.
const LARGEST_HEAD: usize = 16 * 1024;

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Sends requests. Cheap to clone.
///
/// It keeps nothing between requests: no connection, no TLS session, no cookie, no address. Nothing outlives [`Client::post`],
/// except for the operating system's lookup of a name when time runs out during it.
#[derive(Clone)]
pub struct Client {
    targets: Targets,
    user_agent: HeaderValue,
    tls: Arc<ClientConfig>,
    resolve: Arc<dyn Fn(String) -> Lookup + Send + Sync>,
}

/// Limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For all of it, from looking up the name to the last byte that is read. TCP has three seconds of it at most.
    pub total: Duration,
    /// Bytes of the answer's body that are read.
    pub body: usize,
}

impl Default for Limits {
    /// Ten seconds and 1 KiB.
    fn default() -> Self {
        Self { total: Duration::from_secs(10), body: 1024 }
    }
}

impl Client {
    /// Trusts the certificate authorities that Mozilla trusts, and looks names up as the machine does.
    ///
    /// # Errors
    /// When AWS-LC lacks what TLS 1.2 and 1.3 need.
    pub fn new(targets: Targets, user_agent: HeaderValue) -> Result<Self, rustls::Error> {
        let mozilla = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::trusting(mozilla, targets, user_agent)
    }

    fn trusting(authorities: RootCertStore, targets: Targets, user_agent: HeaderValue) -> Result<Self, rustls::Error> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities)
            .with_no_client_auth();
        // With it, a server of another protocol over TLS ends the handshake (RFC 9325, 3.7).
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session ticket is data that the receiver chooses and that would be sent to the next address of its name.
        tls.resumption = Resumption::disabled();
        Ok(Self { targets, user_agent, tls: Arc::new(tls), resolve: Arc::new(|name| Box::pin(looked_up(name))) })
    }

    /// Resolves names in another way. It is called once for each request to a name, and the addresses it returns are checked.
    #[must_use]
    pub fn with_resolver<F, R>(mut self, resolve: F) -> Self
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolve = Arc::new(move |name| Box::pin(resolve(name)));
        self
    }

    /// Sends a POST. Of the headers, `Host`, `User-Agent`, `Connection` and `Content-Length` are this client's.
    ///
    /// Dropping the future closes the connection.
    pub async fn post(&self, url: &WebhookUrl, headers: HeaderMap, body: Bytes, limits: Limits) -> Outcome {
        self.exchange(url, headers, body, limits).await.unwrap_or_else(|reason| Outcome::Failed { reason })
    }

    async fn exchange(
        &self,
        url: &WebhookUrl,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Outcome, Reason> {
        let began = Instant::now();
        let left = || limits.total.saturating_sub(began.elapsed());
        let request = self.request(url, headers, body)?;
        let stream = timeout(left(), self.connect(url)).await.map_err(|_| Reason::Timeout)??;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;

        let exchange = async {
            let answer = timeout(left(), sender.send_request(request)).await.map_err(|_| Reason::Timeout)?;
            let (head, mut body) = answer.map_err(|error| failed(&error))?.into_parts();
            let mut beginning = Vec::new();
            // If time runs out or the connection breaks, the part that came is kept.
            let _ = timeout(left(), read(&mut body, &mut beginning, limits.body)).await;
            Ok(Outcome::Answered {
                status: head.status.as_u16(),
                body: String::from_utf8_lossy(&beginning).into_owned(),
                took: began.elapsed(),
                retry_after: retry_after(&head.headers),
            })
        };
        tokio::select! {
            outcome = exchange => outcome,
            never = driven(connection) => match never {},
        }
    }

    fn request(&self, url: &WebhookUrl, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, Reason> {
        let host = HeaderValue::from_str(url.authority()).map_err(|_| Reason::Protocol)?;
        headers.remove(CONTENT_LENGTH);
        headers.insert(HOST, host);
        headers.insert(USER_AGENT, self.user_agent.clone());
        // So that the receiver does not keep the connection open.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut request = Request::post(url.path_and_query()).body(Full::new(body)).map_err(|_| Reason::Protocol)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn connect(&self, url: &WebhookUrl) -> Result<Box<dyn Stream>, Reason> {
        let tcp = tcp(&self.addresses(url).await?, CONNECT).await?;
        if !url.is_https() {
            return Ok(Box::new(tcp));
        }
        let name = server_name(url).ok_or(Reason::Tls)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await.map_err(|_| Reason::Tls)?;
        Ok(Box::new(tls))
    }

    /// The only addresses that are connected to: those of the host that the targets admit. The others are skipped instead of
    /// failing the request, as DNS64 adds NAT64 addresses to the public ones of a name.
    async fn addresses(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, Reason> {
        // It may have been stored when other targets were configured.
        url.check(self.targets).map_err(|_| Reason::AddressRefused)?;
        let found = match url.host() {
            Some(Host::Domain(name)) => (self.resolve)(name.to_owned()).await.map_err(|_| Reason::Dns)?,
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            None => Vec::new(),
        };
        let port = url.port().ok_or(Reason::AddressRefused)?;
        let admitted = found.iter().filter(|address| self.targets.admit(**address));
        let admitted: Vec<_> = admitted.map(|address| SocketAddr::new(*address, port)).take(MOST_ADDRESSES).collect();
        match (found.is_empty(), admitted.is_empty()) {
            (true, _) => Err(Reason::Dns),
            (false, true) => Err(Reason::AddressRefused),
            (false, false) => Ok(admitted),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("targets", &self.targets)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

async fn looked_up(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// TCP or TLS as one type, so that the HTTP code is compiled once.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One address after the other. They come in the order of RFC 6724, which puts those last that this machine has no route to.
async fn tcp(addresses: &[SocketAddr], within: Duration) -> Result<TcpStream, Reason> {
    let share = within / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut reason = Reason::Connect;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(_)) => {}
            Err(_) => reason = Reason::Timeout,
        }
    }
    Err(reason)
}

fn server_name(url: &WebhookUrl) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(IpAddr::from(address).into()),
        Host::Ipv6(address) => Some(IpAddr::from(address).into()),
    }
}

/// Drives a connection for as long as it is polled. Its errors reach `send_request` and the body.
async fn driven(connection: http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>) -> Infallible {
    let _ = connection.await;
    pending().await
}

async fn read(body: &mut Incoming, beginning: &mut Vec<u8>, limit: usize) {
    while let room @ 1.. = limit.saturating_sub(beginning.len()) {
        let Some(Ok(frame)) = body.frame().await else { return };
        if let Some(data) = frame.data_ref() {
            beginning.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
}

fn failed(error: &hyper::Error) -> Reason {
    if error.is_parse_too_large() { Reason::TooLarge } else { Reason::Protocol }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{HandshakeKind, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::unbounded_channel;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn client(authorities: RootCertStore, targets: Targets, found: &'static [&str]) -> Client {
        let client = Client::trusting(authorities, targets, HeaderValue::from_static("users/1.0")).unwrap();
        client.with_resolver(|_| async { Ok(found.iter().map(|address| address.parse().unwrap()).collect()) })
    }

    #[tokio::test]
    async fn only_the_public_addresses_of_a_name_are_connected_to() {
        let url = WebhookUrl::parse("https://hooks.example.com/", Targets::Public).unwrap();
        let client_of = |found| client(RootCertStore::empty(), Targets::Public, found);
        for (found, connected) in [
            (&["1.1.1.1", "2606:4700::1"][..], Ok(&["1.1.1.1:443", "[2606:4700::1]:443"][..])),
            (&["10.0.0.1", "1.1.1.1", "64:ff9b::101:101"], Ok(&["1.1.1.1:443"])),
            (&["1.1.1.1", "127.0.0.1"], Ok(&["1.1.1.1:443"])),
            (&["10.0.0.1", "fd00::1"], Err(Reason::AddressRefused)),
            (&[], Err(Reason::Dns)),
        ] {
            let connected: Result<Vec<SocketAddr>, _> =
                connected.map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect());
            assert_eq!(client_of(found).addresses(&url).await, connected, "{found:?}");
        }
        // Stored when http was taken, too.
        let stored: WebhookUrl = serde_json::from_str("\"http://hooks.example.com/\"").unwrap();
        assert_eq!(client_of(&["1.1.1.1"]).addresses(&stored).await, Err(Reason::AddressRefused));
        let many = client_of(&["1.1.1.1"; 50]);
        assert_eq!(many.addresses(&url).await.unwrap().len(), MOST_ADDRESSES);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_dead_address_leaves_time_for_the_next() {
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let living = living.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // With its queue full, a listener answers as little as a machine that is off.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let dead = full.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(500), TcpStream::connect(dead)).await {
            waiting.push(stream.unwrap());
        }

        let within = Duration::from_millis(1500);
        let began = Instant::now();
        assert_eq!(tcp(&[dead, gone, living], within).await.unwrap().peer_addr().unwrap(), living);
        assert!(began.elapsed() < within, "{:?}", began.elapsed());
        assert_eq!(tcp(&[dead, gone], within).await.err(), Some(Reason::Timeout));
        assert_eq!(tcp(&[gone], within).await.err(), Some(Reason::Connect));
    }

    #[tokio::test]
    async fn a_receivers_certificate_must_match_its_host_and_no_session_is_resumed() {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["hooks.example.com".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, mut handshakes) = unbounded_channel();
        tokio::spawn(async move {
            loop {
                if let Ok(mut stream) = tls.accept(listener.accept().await.unwrap().0).await {
                    let session = stream.get_ref().1;
                    sender
                        .send((session.alpn_protocol().unwrap().to_vec(), session.handshake_kind().unwrap()))
                        .unwrap();
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(b"HTTP/1.1 204 Done\r\n\r\n").await;
                }
            }
        });

        let mut authorities = RootCertStore::empty();
        authorities.add(authority.der().clone()).unwrap();
        let client = client(authorities, Targets::AlsoThisMachine, &["127.0.0.1"]);
        for (host, certified) in [
            ("hooks.example.com", true),
            ("hooks.example.com", true),
            ("127.0.0.1", true),
            ("other.example.com", false),
        ] {
            let url = WebhookUrl::parse(&format!("https://{host}:{port}/"), Targets::AlsoThisMachine).unwrap();
            match client.post(&url, HeaderMap::new(), Bytes::new(), Limits::default()).await {
                Outcome::Answered { status, .. } => {
                    assert!(certified && status == 204, "{host}: {status}");
                    assert_eq!(handshakes.recv().await.unwrap(), (b"http/1.1".to_vec(), HandshakeKind::Full));
                }
                Outcome::Failed { reason } => assert!(!certified && reason == Reason::Tls, "{host}: {reason:?}"),
            }
        }
    }

    #[test]
    fn mozillas_authorities_are_trusted_without_reading_the_machines() {
        let client = Client::new(Targets::Public, HeaderValue::from_static("users/1.0")).unwrap();
        assert_eq!(format!("{client:?}"), "Client { targets: Public, user_agent: \"users/1.0\", .. }");
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 100);
    }
}
