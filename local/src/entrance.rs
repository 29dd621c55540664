//! What a request passes before anything else on the gateway's port: who is answered, and characters that no URI has.
//!
//! API Gateway takes request targets that hyper refuses with an empty 400: a space, `<`, `"`, letters beyond ASCII. So the
//! line in which such a target comes is rewritten before hyper reads it, and the target as it came goes along with the request.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use embedded::Callers;
use shared::clock::Clock;
use shared::error::Code;
use shared::http::answer::refusal;
use shared::http::event::encode_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// API Gateway's limit for a body: 10 MB
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const MAX_BODY: usize = 10 * 1024 * 1024;
/// A request line that is longer is left as it is: it exceeds the gateway's limit anyway.
const MAX_LINE: usize = 16 * 1024;

#[derive(Clone)]
pub struct Entrance {
    callers: Arc<Callers>,
    clock: Clock,
}

impl Entrance {
    pub fn new(callers: Callers, clock: Clock) -> Self {
        Self { callers: Arc::new(callers), clock }
    }
}

/// Where a request came from, and its target as it came if that is not the one of its URI.
#[derive(Clone)]
pub struct Arrival {
    pub address: SocketAddr,
    pub raw_target: Option<String>,
}

/// Middleware: refuses foreign callers, and reads the body whole, as API Gateway does.
pub async fn admit(
    State(Entrance { callers, clock }): State<Entrance>,
    ConnectInfo(Client { address, connection }): ConnectInfo<Client>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let refuse = |code, detail| refusal(code, detail, &shared::random::uuid(clock.now()).to_string());
    let raw_target = connection.state().raw_target.take();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return refuse(Code::PayloadTooLarge, None);
    };
    // All of the request is here: the next byte of its connection begins another.
    connection.state().at_line = true;
    if let Err(foreign) = callers.check(&parts.uri, &parts.headers) {
        return refuse(Code::Forbidden, Some(foreign.to_string()));
    }
    parts.extensions.insert(Arrival { address, raw_target });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// A client's address, and what its connection and its requests tell each other.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    connection: Connection,
}

impl Connected<IncomingStream<'_, TolerantListener>> for Client {
    fn connect_info(stream: IncomingStream<'_, TolerantListener>) -> Self {
        Self { address: *stream.remote_addr(), connection: stream.io().connection.clone() }
    }
}

#[derive(Clone)]
struct Connection(Arc<Mutex<Line>>);

struct Line {
    /// Whether the next bytes are a request line.
    at_line: bool,
    raw_target: Option<String>,
}

impl Connection {
    fn state(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for connections whose request lines may have characters that no URI has.
pub struct TolerantListener(pub TcpListener);

impl Listener for TolerantListener {
    type Io = TolerantStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => return (TolerantStream::new(stream), address),
                // The client has gone, or there are too many open files: those pass, with time.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

pub struct TolerantStream {
    stream: TcpStream,
    connection: Connection,
    /// What was read of a request line, and then what is to be handed on.
    line: Vec<u8>,
}

impl TolerantStream {
    fn new(stream: TcpStream) -> Self {
        let connection = Connection(Arc::new(Mutex::new(Line { at_line: true, raw_target: None })));
        Self { stream, connection, line: Vec::new() }
    }

    /// Reads until the line is whole, and rewrites it.
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        loop {
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.line.extend_from_slice(read.filled());
            let whole = self.line.iter().skip(empty_lines(&self.line)).any(|byte| *byte == b'\n');
            if whole || read.filled().is_empty() || self.line.len() > MAX_LINE {
                break;
            }
        }
        let mut state = self.connection.state();
        state.at_line = false;
        if let Some((line, raw_target)) = rewritten(&self.line) {
            state.raw_target = Some(raw_target);
            drop(state);
            self.line = line;
        }
        Poll::Ready(Ok(()))
    }
}

/// Bytes that begin with a request line whose target is no URI's, with a target that is, and the target as it was.
fn rewritten(bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let (empty, bytes) = bytes.split_at(empty_lines(bytes));
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at(end);
    let before = line.iter().position(|byte| *byte == b' ')? + 1;
    let after = line.iter().rposition(|byte| *byte == b' ')?;
    let (method, target, version) = (line.get(..before)?, line.get(before..after)?, line.get(after..)?);
    if !target.starts_with(b"/") || ![b" HTTP/1.1", b" HTTP/1.0"].iter().any(|known| version == *known) {
        return None;
    }
    let encoded = encode_target(target);
    let raw_target = String::from_utf8_lossy(target).into_owned();
    (encoded.as_bytes() != target).then(|| ([empty, method, encoded.as_bytes(), version, rest].concat(), raw_target))
}

/// The length of the empty lines that may come before a request line (RFC 9112, 2.2).
fn empty_lines(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(bytes.len())
}

impl AsyncRead for TolerantStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.connection.state().at_line {
            ready!(this.poll_line(context))?;
        }
        if this.line.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, into);
        }
        let ready = this.line.len().min(into.remaining());
        into.put_slice(&this.line[..ready]);
        this.line.drain(..ready);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TolerantStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_rewritten_when_its_target_is_no_uris() {
        for (line, expected) in [
            ("GET /a<b?c=\"d e\" HTTP/1.1", Some(("GET /a%3Cb?c=%22d%20e%22 HTTP/1.1", "/a<b?c=\"d e\""))),
            ("GET /ü HTTP/1.0", Some(("GET /%C3%BC HTTP/1.0", "/ü"))),
            ("GET /100% HTTP/1.1", Some(("GET /100%25 HTTP/1.1", "/100%"))),
            ("GET /a HTTP/1.1", None),
            ("GET /a%20b?c=d HTTP/1.1", None),
            ("GET http://127.0.0.1/<> HTTP/1.1", None),
            ("GET * HTTP/1.1", None),
            ("GET /< HTTP/2", None),
            ("GET /<", None),
            ("GET", None),
            ("{\"a\": \"/< HTTP/1.1\"}", None),
            ("", None),
        ] {
            let rest = "\r\nhost: 127.0.0.1\r\n\r\n";
            let found = rewritten(format!("{line}{rest}").as_bytes());
            let found = found.map(|(bytes, target)| (String::from_utf8(bytes).unwrap(), target));
            let expected = expected.map(|(line, target)| (format!("{line}{rest}"), target.to_owned()));
            assert_eq!(found, expected, "{line}");
        }
        assert_eq!(rewritten(b"\r\nGET /< HTTP/1.1\r\n").unwrap().0, b"\r\nGET /%3C HTTP/1.1\r\n");
        assert_eq!(rewritten(b"GET /< HTTP/1.1"), None, "a line that is not whole");
        assert_eq!(rewritten(b"GET /\xFF HTTP/1.1\r\n").unwrap().0, b"GET /%FF HTTP/1.1\r\n");
    }
}
