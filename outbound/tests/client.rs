//! The client against receivers of the tests' own, on loopback addresses. Names are looked up in the tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, io};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use outbound::{Client, Limits, Outcome, Reason, Targets, WebhookUrl};
use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Linux connects it to this machine, so a request that should not be made would arrive.
const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Short where nothing comes.
const BRIEF: Limits = Limits { total: Duration::from_millis(200), body: 1024 };
/// When such an attempt ends, on a machine that is busy.
const IN_TIME: Range<Duration> = BRIEF.total..Duration::from_secs(3);

fn client(targets: Targets) -> Client {
    Client::new(targets, HeaderValue::from_static("users/1.0")).unwrap()
}

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text, Targets::AlsoThisMachine).unwrap()
}

async fn post(client: &Client, to: &str) -> Outcome {
    client.post(&url(to), HeaderMap::new(), Bytes::from_static(b"{}"), Limits::default()).await
}

fn failed(reason: Reason) -> Outcome {
    Outcome::Failed { reason }
}

/// Listens on this machine and counts connections.
struct Receiver {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start<F, R>(handle: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(handle(stream));
            }
        });
        Self { address, connections }
    }

    /// Answers each request with these bytes, and closes the connection.
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::start(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                request_of(&mut stream).await?;
                stream.write_all(&answer).await
            }
        })
        .await
    }

    /// Its URL, with another host.
    fn at(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/hooks", self.address.port())
    }

    fn url(&self) -> String {
        self.at("http", "127.0.0.1")
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A request whose body is `{}`.
async fn request_of(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

#[tokio::test]
async fn a_request_has_the_callers_headers_and_no_more_than_it_needs() {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            sender.send(request_of(&mut stream).await?).unwrap();
            stream.write_all(b"HTTP/1.1 201 Created\r\nset-cookie: a=b\r\ncontent-length: 4\r\n\r\n\xc3\xa9\xffb").await
        }
    })
    .await;
    let client = client(Targets::AlsoThisMachine);
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_static("1"));
    for ours in ["host", "user-agent", "connection", "content-length"] {
        headers.insert(ours, HeaderValue::from_static("7"));
    }
    // The second has no cookie.
    for _ in 0..2 {
        let to = url(&format!("{}/a%20b?c=d", receiver.url()));
        let outcome = client.post(&to, headers.clone(), Bytes::from_static(b"{}"), Limits::default()).await;
        assert!(
            matches!(&outcome, Outcome::Answered { status: 201, body, retry_after: None, .. } if body == "é\u{fffd}b")
        );
        let request = requests.recv().await.unwrap();
        let (line, fields) = request.split_once("\r\n").unwrap();
        let mut fields: Vec<_> = fields.trim_end_matches("\r\n\r\n{}").split("\r\n").collect();
        fields.sort_unstable();
        assert_eq!(line, "POST /hooks/a%20b?c=d HTTP/1.1");
        let host = format!("host: {}", receiver.address);
        assert_eq!(fields, ["connection: close", "content-length: 2", &host, "user-agent: users/1.0", "webhook-id: 1"]);
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn an_address_in_a_url_that_is_refused_gets_no_connection() {
    let receiver = Receiver::answering(OK).await;
    let client = client(Targets::Public);
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1"] {
        assert_eq!(post(&client, &receiver.at("https", host)).await, failed(Reason::AddressRefused), "{host}");
    }
    assert_eq!(receiver.connections(), 0);
}

/// One of each class, those first that would arrive here.
const REFUSED: [&str; 36] = [
    "0.0.0.0",
    "127.0.0.1",
    "127.255.0.1",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "100::1",
    "2001::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

#[tokio::test]
async fn a_name_with_an_address_that_is_refused_gets_no_connection() {
    let receiver = Receiver::answering(OK).await;
    let refused = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::clone(&refused);
    let client = client(Targets::Public).with_resolver(move |_| {
        let answer = answers.lock().unwrap().clone();
        async { Ok(answer) }
    });
    let all: Vec<IpAddr> = REFUSED.iter().map(|address| address.parse().unwrap()).collect();
    for answer in all.iter().map(|address| vec![*address]).chain([all.clone()]) {
        refused.lock().unwrap().clone_from(&answer);
        for host in ["hooks.example.com", "app.localhost", "metadata.google.internal", "printer.local"] {
            let outcome = post(&client, &receiver.at("https", host)).await;
            assert_eq!(outcome, failed(Reason::AddressRefused), "{answer:?}");
            // Nothing that could be shown tells which address it was.
            assert_eq!(format!("{outcome:?}"), "Failed { reason: AddressRefused }");
        }
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn this_machine_is_reached_by_its_loopback_addresses_alone() {
    let receiver = Receiver::answering(OK).await;
    let client = client(Targets::AlsoThisMachine);
    for refused in [UNSPECIFIED, Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), Ipv6Addr::UNSPECIFIED.into()] {
        let client = client.clone().with_resolver(move |_| async move { Ok(vec![refused]) });
        let outcome = post(&client, &receiver.at("http", "hooks.example.com")).await;
        assert_eq!(outcome, failed(Reason::AddressRefused), "{refused}");
    }
    assert_eq!(receiver.connections(), 0);
    assert!(matches!(post(&client, &receiver.at("http", "localhost")).await, Outcome::Answered { status: 200, .. }));
    assert_eq!(receiver.connections(), 1);
}

/// DNS rebinding: the first answer passes the check, and each one after it leads elsewhere.
#[tokio::test]
async fn a_name_is_resolved_once_per_connection_and_checked_each_time() {
    let receiver = Receiver::answering(OK).await;
    let questions = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&questions);
    let client = client(Targets::AlsoThisMachine).with_resolver(move |name| {
        assert_eq!(name, "hooks.example.com");
        let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move { Ok(vec![if first { LOOPBACK } else { UNSPECIFIED }]) }
    });
    let to = receiver.at("http", "hooks.example.com");
    assert!(matches!(post(&client, &to).await, Outcome::Answered { status: 200, .. }));
    assert_eq!((questions.load(Ordering::Relaxed), receiver.connections()), (1, 1));
    assert_eq!(post(&client, &to).await, failed(Reason::AddressRefused));
    assert_eq!((questions.load(Ordering::Relaxed), receiver.connections()), (2, 1));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let private = Receiver::answering(OK).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Go\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", private.url());
        let receiver = Receiver::answering(answer).await;
        let outcome = post(&client(Targets::AlsoThisMachine), &receiver.url()).await;
        assert!(matches!(outcome, Outcome::Answered { status: answered, .. } if answered == status), "{outcome:?}");
    }
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_never_answers_ends_in_a_timeout() {
    let client = client(Targets::AlsoThisMachine);
    let silent = Receiver::start(|stream| async move {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    let slow = Receiver::start(|mut stream| async move {
        request_of(&mut stream).await?;
        loop {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await?;
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for to in [silent.url(), silent.at("https", "localhost"), slow.url()] {
        let began = Instant::now();
        assert_eq!(
            client.post(&url(&to), HeaderMap::new(), Bytes::from_static(b"{}"), BRIEF).await,
            failed(Reason::Timeout),
            "{to}"
        );
        assert!(IN_TIME.contains(&began.elapsed()), "{:?}", began.elapsed());
    }
    let unanswered = client.with_resolver(|_| std::future::pending());
    let outcome =
        unanswered.post(&url("https://hooks.example.com/"), HeaderMap::new(), Bytes::from_static(b"{}"), BRIEF).await;
    assert_eq!(outcome, failed(Reason::Timeout));
}

#[tokio::test]
async fn only_the_beginning_of_an_endless_body_is_read() {
    let client = client(Targets::AlsoThisMachine);
    let endless = Receiver::start(|mut stream| async move {
        request_of(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
        loop {
            stream.write_all(b"5\r\nabcde\r\n").await?;
        }
    })
    .await;
    let large =
        Receiver::answering([&b"HTTP/1.1 500 No\r\ncontent-length: 9999999\r\n\r\n"[..], &vec![b'a'; 99_999]].concat())
            .await;
    for (receiver, expected) in [(endless, 200), (large, 500)] {
        for limit in [0, 1, 1024] {
            let limits = Limits { body: limit, ..Limits::default() };
            let outcome = client.post(&url(&receiver.url()), HeaderMap::new(), Bytes::from_static(b"{}"), limits).await;
            let Outcome::Answered { status, body, took, .. } = outcome else { panic!("{outcome:?}") };
            assert_eq!((status, body.len()), (expected, limit));
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    }
}

/// The status is what counts, and a receiver that has the message must not get it again.
#[tokio::test]
async fn an_answer_whose_body_drips_or_breaks_off_is_an_answer() {
    let client = client(Targets::AlsoThisMachine);
    let dripping = Receiver::start(|mut stream| async move {
        request_of(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
        loop {
            stream.write_all(b"a").await?;
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // Its head has to come in time on a machine that is busy.
    let limits = Limits { total: Duration::from_secs(1), ..BRIEF };
    let outcome = client.post(&url(&dripping.url()), HeaderMap::new(), Bytes::from_static(b"{}"), limits).await;
    let Outcome::Answered { status: 200, body, took, .. } = outcome else { panic!("{outcome:?}") };
    assert!((1..1000).contains(&body.len()), "{body}");
    assert!((limits.total..IN_TIME.end).contains(&took), "{took:?}");

    let broken = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc").await;
    let outcome = post(&client, &broken.url()).await;
    assert!(matches!(&outcome, Outcome::Answered { status: 200, body, .. } if body == "abc"), "{outcome:?}");
}

#[tokio::test]
async fn a_receiver_says_when_to_come_again() {
    let busy = Receiver::answering("HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = post(&client(Targets::AlsoThisMachine), &busy.url()).await;
    let again = Duration::from_mins(2);
    assert!(matches!(outcome, Outcome::Answered { status: 503, retry_after: Some(wait), .. } if wait == again));
}

#[tokio::test]
async fn a_failure_has_its_reason() {
    let client = client(Targets::AlsoThisMachine);
    for (answer, reason) in [
        (String::new(), Reason::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-le".to_owned(), Reason::Protocol),
        ("220 mail.example.com ESMTP\r\n".to_owned(), Reason::Protocol),
        (format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(20_000)), Reason::TooLarge),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: a\r\n".repeat(101)), Reason::TooLarge),
    ] {
        let receiver = Receiver::answering(answer.clone()).await;
        assert_eq!(post(&client, &receiver.url()).await, failed(reason), "{answer}");
        assert_eq!(receiver.connections(), 1, "nothing is sent twice");
    }

    let closed = TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap();
    assert_eq!(post(&client, &format!("http://{closed}/")).await, failed(Reason::Connect));
    let nowhere = client.clone().with_resolver(|_| async { Ok(Vec::new()) });
    assert_eq!(post(&nowhere, "https://hooks.example.com/").await, failed(Reason::Dns));
    let unknown = client.with_resolver(|_| async { Err(io::ErrorKind::NotFound.into()) });
    assert_eq!(post(&unknown, "https://hooks.example.com/").await, failed(Reason::Dns));
}

#[tokio::test]
async fn a_receiver_that_no_trusted_authority_certified_gets_nothing() {
    let own = generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into()));
    let tls = TlsAcceptor::from(Arc::new(tls.unwrap()));
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    let receiver = Receiver::start(move |stream| {
        let (tls, counted) = (tls.clone(), Arc::clone(&counted));
        async move {
            request_of(&mut tls.accept(stream).await?).await?;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    })
    .await;
    let client = client(Targets::AlsoThisMachine).with_resolver(|_| async { Ok(vec![LOOPBACK]) });
    assert_eq!(post(&client, &receiver.at("https", "hooks.example.com")).await, failed(Reason::Tls));
    assert_eq!((receiver.connections(), requests.load(Ordering::Relaxed)), (1, 0));

    let plain =
        Receiver::start(|mut stream| async move { stream.write_all(b"220 mail.example.com ESMTP\r\n").await }).await;
    assert_eq!(post(&client, &plain.at("https", "hooks.example.com")).await, failed(Reason::Tls));
}

/// In a process of its own, whose environment names a proxy.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    const TARGET: &str = "TEST_TARGET";
    if let Ok(target) = env::var(TARGET) {
        assert!(matches!(
            post(&client(Targets::AlsoThisMachine), &target).await,
            Outcome::Answered { status: 200, .. }
        ));
        return;
    }
    let proxy = Receiver::answering("HTTP/1.1 418 Proxy\r\ncontent-length: 0\r\n\r\n").await;
    let receiver = Receiver::answering(OK).await;
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "a_proxy_of_the_environment_is_not_asked"]).env(TARGET, receiver.url());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, proxy.url()).env(name.to_lowercase(), proxy.url());
    }
    let output = tokio::task::spawn_blocking(move || child.env_remove("NO_PROXY").env_remove("no_proxy").output());
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((proxy.connections(), receiver.connections()), (0, 1));
}
