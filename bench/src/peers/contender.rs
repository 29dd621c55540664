//! A peer that runs, with everybody who is to have an account there.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use super::load::{Row, Tally, actors, check};
use super::peer::{ADMIN, CROWD, Connection, Held, Passwords, Peer};
use super::postgres::Postgres;
use super::process::{Processes, memory, run};

/// What their tokens are signed with; it guards nothing.
const SECRET: &str = "a secret of a measurement, thrown away with it";

pub struct Contender {
    pub peer: Arc<dyn Peer>,
    pub passwords: Passwords,
    pub url: String,
    pub tallies: BTreeMap<Row, Tally>,
    service: u32,
    database: Option<Postgres>,
}

impl Contender {
    pub async fn start(processes: &mut Processes, peer: &Arc<dyn Peer>, passwords: Passwords, folder: &Path) -> Self {
        let name = format!("{} with {}", peer.name(), passwords.hash(peer.as_ref()));
        eprintln!("starting {name}");
        // Those whose passwords alone are compared have no users to list.
        let crowd = if passwords == Passwords::Default { CROWD } else { 0 };
        let port = free_port().await;
        let mut database = None;
        let mut serve = peer.serve(port);
        if let Some(mut seed) = peer.seed(crowd) {
            let postgres = Postgres::start(processes, folder.join(port.to_string())).await;
            for command in [&mut serve, &mut seed] {
                postgres.known_to(command);
                command.env("SECRET", SECRET).env("PASSWORDS", passwords.variable());
            }
            database = Some(postgres);
            run(seed, false).await;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let answers = async || TcpStream::connect(address).await.is_ok();
        let service = processes.start(serve, "TERM", false).ready(&name, answers).await;

        let url = format!("http://{address}");
        let mut emails = actors();
        emails.push(ADMIN.into());
        peer.populate(&Connection::to(&url), &emails, crowd).await;
        if passwords == Passwords::Default {
            check(peer, &url).await;
        }
        Self { peer: Arc::clone(peer), passwords, url, tallies: BTreeMap::new(), service, database }
    }

    /// What there is to measure of it: where passwords are hashed alike, only the sign-in is another.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let (passwords, refreshes) = (self.passwords, self.refreshes());
        Row::ALL.into_iter().filter(move |row| match row {
            Row::SignIn => true,
            Row::Refresh => passwords == Passwords::Default && refreshes,
            _ => passwords == Passwords::Default,
        })
    }

    /// How often a second it did what a row says.
    pub fn rate(&self, row: Row) -> Option<f64> {
        self.tallies.get(&row).map(Tally::per_second)
    }

    fn refreshes(&self) -> bool {
        self.peer.refresh(&Connection::to(&self.url), &Held::default()).is_some()
    }

    /// Bytes of the service, and of a database that it needs.
    pub fn memory(&self) -> (u64, Option<u64>) {
        (memory(self.service), self.database.as_ref().map(|database| memory(database.process)))
    }

    /// How it hashes passwords here.
    pub fn hash(&self) -> &'static str {
        self.passwords.hash(self.peer.as_ref())
    }
}

/// A free port.
async fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener.and_then(|listener| listener.local_addr()).expect("a port").port()
}
