//! What is measured: how a service is started, and how a client speaks to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use tokio::process::Command;

/// The service makes the user who confirms this address an administrator, and each peer the one who registers with it.
pub const ADMIN: &str = "admin@example.com";
/// Who signs in, refreshes and reads: one for each connection.
pub const ACTORS: usize = 8;
/// All accounts together.
pub const USERS: usize = 1_000;
/// Those that are only listed.
pub const CROWD: usize = USERS - ACTORS - 1;

/// How this service hashes passwords, and the peers where that is to be alike.
pub const ARGON2ID: &str = "argon2id 19 MiB t=2 p=1";

/// How a service hashes passwords.
#[derive(Clone, Copy, PartialEq)]
pub enum Passwords {
    /// As it does by itself.
    Default,
    /// As this service does.
    Alike,
}

impl Passwords {
    /// What the environment tells a peer.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Alike => "argon2id",
        }
    }

    pub fn hash(self, peer: &dyn Peer) -> &'static str {
        match self {
            Self::Default => peer.hash(),
            Self::Alike => ARGON2ID,
        }
    }
}

pub trait Peer: Send + Sync {
    fn name(&self) -> &'static str;

    /// The hash that it uses by default, with its cost.
    fn hash(&self) -> &'static str;

    /// What it is made of.
    fn versions(&self) -> String;

    /// Starts it on a port of 127.0.0.1; the environment tells the rest.
    fn serve(&self, port: u16) -> Command;

    /// Makes the tables and a crowd of users, before it serves. Without, it makes its tables itself and needs no separate
    /// database.
    fn seed(&self, crowd: usize) -> Option<Command>;

    /// Makes the accounts that `emails` name, and those of a crowd that was not seeded.
    fn populate<'a>(&'a self, to: &'a Connection, emails: &'a [String], _crowd: usize) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for email in emails {
                send(self.register(to, email)).await;
            }
        })
    }

    fn register(&self, to: &Connection, email: &str) -> RequestBuilder;

    fn sign_in(&self, to: &Connection, email: &str) -> RequestBuilder;

    /// Exchanges what an account holds for something newer; `None` where there is no such thing.
    fn refresh(&self, to: &Connection, held: &Held) -> Option<RequestBuilder>;

    /// The account that is signed in.
    fn read(&self, to: &Connection, held: &Held) -> RequestBuilder;

    /// A page of all accounts, newest first.
    fn list(&self, to: &Connection, held: &Held, page: &Page) -> RequestBuilder;

    /// How many accounts a page may have, as far as there are any here.
    fn largest_page(&self) -> usize {
        USERS
    }

    /// Keeps what an answer to `sign_in` or `refresh` gives.
    fn keep(&self, answer: &Answer, held: &mut Held) {
        let tokens: Tokens = answer.json();
        held.access = tokens.access_token;
        if let Some(refresh) = tokens.refresh_token {
            held.refresh = refresh;
        }
    }

    /// What asks for the page after this one, where an offset does not.
    fn cursor(&self, _page: &Answer) -> Option<String> {
        None
    }
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
}

/// What a client keeps after a sign-in: tokens, or a cookie in `access`.
#[derive(Default)]
pub struct Held {
    pub access: String,
    pub refresh: String,
}

pub struct Page {
    pub size: usize,
    pub offset: usize,
    pub cursor: Option<String>,
}

/// A client with one connection, which it keeps open.
pub struct Connection {
    http: Client,
    url: String,
}

impl Connection {
    pub fn to(url: &str) -> Self {
        let http = Client::builder().no_proxy().pool_max_idle_per_host(1).build().expect("a client");
        Self { http, url: url.to_owned() }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

pub struct Answer {
    pub headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// How many accounts a page has, counted by a field that each has once.
    pub fn accounts(&self) -> usize {
        self.text().matches("\"email\":").count()
    }
}

/// Sends a request that has to succeed, and reads the whole answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let (status, url, headers) = (answer.status(), answer.url().clone(), answer.headers().clone());
    let answer = Answer { headers, body: answer.bytes().await.expect("a body").to_vec() };
    assert!(status.is_success(), "{url}: {status} {}", answer.text());
    answer
}

/// Where the peers' programs are, from the folder of the workspace.
pub fn folder(name: &str) -> PathBuf {
    std::path::absolute(Path::new("bench/peer").join(name)).expect("a path")
}

/// A program in a folder, from where it runs.
pub fn program(folder: &Path, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.join(program));
    command.args(arguments).current_dir(folder);
    command
}

/// A program that bench/peers installed, by the variable that it sets.
pub fn installed(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: bench/peers does")).into()
}

/// What a program says that it is.
pub fn version(program: impl AsRef<OsStr>) -> String {
    let output = std::process::Command::new(program).arg("--version").output().expect("a version");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a `requirements.in` pins, as a person reads it.
pub fn pinned(requirements: &Path) -> String {
    let text =
        std::fs::read_to_string(requirements).unwrap_or_else(|error| panic!("{}: {error}", requirements.display()));
    let pins = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.replacen("==", " ", 1));
    pins.collect::<Vec<_>>().join(", ")
}
