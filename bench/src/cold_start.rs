//! How every function starts under Lambda's Runtime Interface Emulator, against a function that does nothing and against a
//! login in Node.js, and how large it is. Bare and function take turns, so that both meet the same machine.
//!
//! The functions talk to the local stack in this process, to DynamoDB over TLS. The function checks the certificate against
//! six authorities: those of Amazon, as on AWS, and the one that certified this server. What a start cannot show here is
//! the way to AWS.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zip::write::SimpleFileOptions;

use crate::events::{Events, every_function};
use crate::function::folder;
use crate::report;
use crate::samples::{Samples, millis, ratio};
use crate::service::Running;

const STARTS: usize = 20;
const COMMAND: &str = "bench/cold-start";
const BARE: &str = "bare";
/// The login of `bench/node`, bundled.
const NODE: &str = "node login";
const NODE_FILES: &str = "bench/node/build";
/// The files here are made by [`COMMAND`].
const AUTHORITIES: &str = "target/cold-start/authorities.pem";
const CERTIFICATE: &str = "target/cold-start/server.pem";
const PRIVATE_KEY: &str = "target/cold-start/server-key.pem";
/// No start takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures the functions that `arguments` name, all of them by default; a number among them is how often each starts.
pub async fn run(arguments: impl Iterator<Item = String>) {
    let (mut starts, mut chosen) = (STARTS, Vec::new());
    for argument in arguments {
        match argument.parse() {
            Ok(number) => starts = number,
            Err(_) => chosen.push(argument),
        }
    }
    let all = chosen.is_empty();
    let mut bench = Bench::start().await;
    let everything = || every_function().into_iter().chain([NODE.to_owned()]).collect();
    let names: Vec<_> = if all { everything() } else { chosen };
    let mut rows: Vec<Row> = names.into_iter().map(Row::new).collect();
    for _ in 0..starts {
        for row in &mut rows {
            row.bare.take(bench.measure(BARE).await);
            row.function.take(bench.measure(&row.name).await);
        }
    }
    let table = bench.table(&rows).await;
    if all {
        let command = format!("`{COMMAND}`, {starts} starts each, medians");
        report::publish("cold-start", "Cold starts", &command, &table).await;
    } else {
        print!("{table}");
    }
    bench.service.stack.stop().await;
}

struct Row {
    name: String,
    bare: Starts,
    function: Starts,
}

#[derive(Default)]
struct Starts {
    before_call: Samples,
    init: Samples,
    answer: Samples,
    said: String,
}

struct Start {
    /// The part of `init` before the function first reached for DynamoDB.
    before_call: Duration,
    init: Duration,
    /// `init` and the first invocation.
    answer: Duration,
    said: String,
}

impl Row {
    fn new(name: String) -> Self {
        Self { name, bare: Starts::default(), function: Starts::default() }
    }
}

impl Starts {
    fn take(&mut self, start: Start) {
        self.before_call.push(start.before_call);
        self.init.push(start.init);
        self.answer.push(start.answer);
        self.said = start.said;
    }
}

struct Bench {
    service: Running,
    events: Events,
    emulator: OsString,
    /// Where the functions were built: next to this program.
    binaries: PathBuf,
    dynamodb: Door,
    environment: HashMap<&'static str, String>,
}

impl Bench {
    async fn start() -> Self {
        let service = Running::start().await;
        let events = Events::of(&service.stack.app).await;
        let config = &service.stack.app.config;
        let dynamodb = Door::before(config.aws.endpoints.dynamodb.as_deref().expect("an endpoint")).await;
        let mut environment = service.function_environment(&format!("https://{}", dynamodb.address));
        // Where rustls and Node.js look for whom to trust, besides what they know.
        environment.extend([("SSL_CERT_FILE", absolute(AUTHORITIES)), ("NODE_EXTRA_CA_CERTS", absolute(AUTHORITIES))]);
        Self {
            emulator: std::env::var_os("RIE").unwrap_or_else(|| "aws-lambda-rie".into()),
            binaries: folder(),
            service,
            events,
            dynamodb,
            environment,
        }
    }

    /// One cold start and one invocation.
    async fn measure(&mut self, name: &str) -> Start {
        let event = match name {
            BARE => json!({}),
            NODE => self.events.next("login").await,
            name => self.events.next(name).await,
        };
        self.dynamodb.forget();
        let [emulator, api] = free_addresses().await;
        let mut process = Command::new(&self.emulator)
            .args(["--runtime-interface-emulator-address", &emulator.to_string()])
            .args(["--runtime-api-address", &api.to_string()])
            .args(self.command(name))
            .env_clear()
            .envs(&self.environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; RIE=PATH names it", self.emulator.display()));
        let mut log = Log::of(&mut process);
        let invoked = timeout(PATIENCE, async {
            while TcpStream::connect(emulator).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let url = format!("http://{emulator}/2015-03-31/functions/function/invocations");
            let answer = self.service.http.post(url).json(&event).send().await.expect("an answer");
            let answer = answer.bytes().await.expect("a body");
            let answer: Value = serde_json::from_slice(&answer)
                .unwrap_or_else(|error| panic!("{name} answered {answer:?}: {error}; {:#?}", log.rest()));
            // The emulator starts the function when it is first invoked.
            let (init, ready) = log.reported("INIT REPORT(durationMs: ", ")").await;
            let (invocation, _) = log.reported("produced bytes: 0, duration: ", "ms)").await;
            (answer, init, ready, invocation)
        });
        let (answer, init, ready, invocation) =
            invoked.await.unwrap_or_else(|_| panic!("{name} did not answer: {:#?}", log.seen));
        assert!(answer.get("errorType").is_none(), "{name} failed: {answer}");
        let called = self.dynamodb.first().filter(|called| *called < ready);
        let after_call = called.map_or(Duration::ZERO, |called| ready - called);
        let said = answer["statusCode"].as_u64().map_or_else(|| "done".to_owned(), |status| status.to_string());
        // The emulator ends its function when it is told to end; killed, it would leave it behind.
        let id = process.id().expect("a running emulator").to_string();
        let told = Command::new("kill").arg(id).status().await;
        assert!(told.is_ok_and(|status| status.success()), "the emulator could not be ended");
        timeout(PATIENCE, process.wait()).await.expect("an end").expect("a status");
        Start { before_call: init.saturating_sub(after_call), init, answer: init + invocation, said }
    }

    /// The program that the emulator starts, and its arguments.
    fn command(&self, name: &str) -> Vec<PathBuf> {
        if name == NODE {
            let node = std::env::var_os("NODE").expect("NODE=PATH to name Node.js");
            vec![node.into(), absolute(&format!("{NODE_FILES}/bootstrap.cjs")).into()]
        } else {
            vec![self.binaries.join(name)]
        }
    }

    /// The archive that is uploaded, in bytes. On AWS Node.js is there already.
    fn zipped(&self, name: &str) -> usize {
        if name == NODE { zipped(Path::new(NODE_FILES)) } else { zipped(&self.binaries.join(name)) }
    }

    async fn table(&self, rows: &[Row]) -> String {
        let mut text = String::new();
        text +=
            "| function | zip, MB | before the first call | × bare | init | × bare | first answer | × bare | said |\n";
        text += "|---|---|---|---|---|---|---|---|---|\n";
        let bare = Starts::all(rows.iter().map(|row| &row.bare));
        let floor = [(BARE, &bare, &bare)];
        for (name, starts, bare) in
            floor.into_iter().chain(rows.iter().map(|row| (row.name.as_str(), &row.function, &row.bare)))
        {
            let _ = write!(text, "| {name} | {:.2} ", megabytes(self.zipped(name)));
            for (function, bare) in
                [(&starts.before_call, &bare.before_call), (&starts.init, &bare.init), (&starts.answer, &bare.answer)]
            {
                let (function, bare) = (function.median(), bare.median());
                let _ = write!(text, "| {} | {:.2} ", millis(function), ratio(function, bare));
            }
            let _ = writeln!(text, "| {} |", starts.said);
        }
        let _ = writeln!(
            text,
            "\nOne argon2 verification at the default cost, alone: {}.",
            millis(self.service.verification().await)
        );
        text
    }
}

impl Starts {
    fn all<'a>(starts: impl Iterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for one in starts {
            all.before_call.extend(&one.before_call);
            all.init.extend(&one.init);
            all.answer.extend(&one.answer);
            all.said.clone_from(&one.said);
        }
        all
    }
}

/// A port before another server that takes TLS off, passes everything on and remembers when it was first called.
struct Door {
    address: SocketAddr,
    first: Arc<Mutex<Option<Instant>>>,
}

impl Door {
    async fn before(endpoint: &str) -> Self {
        let server = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let door = Self { address: listener.local_addr().expect("an address"), first: Arc::default() };
        let first = Arc::clone(&door.first);
        let tls = acceptor();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                first.lock().expect("no panic").get_or_insert_with(Instant::now);
                let (server, tls) = (server.clone(), tls.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    for stream in [&client, &server] {
                        stream.set_nodelay(true)?;
                    }
                    let mut client = tls.accept(client).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        door
    }

    fn forget(&self) {
        *self.first.lock().expect("no panic") = None;
    }

    fn first(&self) -> Option<Instant> {
        *self.first.lock().expect("no panic")
    }
}

/// With the certificate that [`COMMAND`] made.
fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(CERTIFICATE).and_then(Iterator::collect);
    let chain = chain.unwrap_or_else(|error| panic!("{CERTIFICATE}: {error}; {COMMAND} makes it"));
    let key = PrivateKeyDer::from_pem_file(PRIVATE_KEY).expect("the key of the certificate");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("a key that fits its certificate")))
}

/// For a program that is started elsewhere.
fn absolute(path: &str) -> String {
    std::path::absolute(path).expect("a folder").to_str().expect("a path in UTF-8").to_owned()
}

/// What the emulator prints, with the moment each line came.
struct Log {
    lines: mpsc::UnboundedReceiver<(String, Instant)>,
    seen: Vec<String>,
}

impl Log {
    fn of(process: &mut Child) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        Self::follow(process.stdout.take().expect("a pipe"), sender.clone());
        Self::follow(process.stderr.take().expect("a pipe"), sender);
        Self { lines, seen: Vec::new() }
    }

    fn follow(stream: impl AsyncRead + Unpin + Send + 'static, sender: mpsc::UnboundedSender<(String, Instant)>) {
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if sender.send((line, Instant::now())).is_err() {
                    break;
                }
            }
        });
    }

    /// All lines that have come.
    fn rest(&mut self) -> &[String] {
        while let Ok((line, _)) = self.lines.try_recv() {
            self.seen.push(line);
        }
        &self.seen
    }

    /// The milliseconds between two marks in the next line that has them, and when that line came.
    async fn reported(&mut self, before: &str, after: &str) -> (Duration, Instant) {
        loop {
            let (line, at) = self.lines.recv().await.unwrap_or_else(|| panic!("no {before:?} in {:#?}", self.seen));
            let number = line.split_once(before).and_then(|(_, rest)| rest.split_once(after)?.0.parse::<f64>().ok());
            self.seen.push(line);
            if let Some(number) = number {
                return (Duration::from_secs_f64(number / 1e3), at);
            }
        }
    }
}

/// Two free addresses: both are held until both are known, so that they differ.
async fn free_addresses() -> [SocketAddr; 2] {
    let (one, other) =
        tokio::join!(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    [one, other].map(|listener| listener.and_then(|listener| listener.local_addr()).expect("a port"))
}

/// The size of the archive of a program, or of all files under a folder, in bytes.
fn zipped(path: &Path) -> usize {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            left.extend(entries.map(|entry| entry.expect("a file").path()));
        } else {
            let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let options = SimpleFileOptions::default().unix_permissions(0o755);
            archive.start_file_from_path(&path, options).expect("an archive");
            archive.write_all(&file).expect("memory");
        }
    }
    archive.finish().expect("an archive").into_inner().len()
}

#[allow(clippy::cast_precision_loss, reason = "an archive is small")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
