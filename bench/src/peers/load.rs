//! The load: each connection sends its next request when it has the answer to the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::peer::{ACTORS, ADMIN, Connection, Held, Page, Peer, USERS, send};
use crate::samples::Samples;

/// A listing in pages has pages of this many accounts.
const PAGE: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    SignIn,
    Refresh,
    Read,
    ListInPages,
    ListAtOnce,
}

impl Row {
    pub const ALL: [Self; 5] = [Self::SignIn, Self::Refresh, Self::Read, Self::ListInPages, Self::ListAtOnce];

    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::Refresh => "refresh",
            Self::Read => "read own user",
            Self::ListInPages => "list 1,000 users, 100 a page",
            Self::ListAtOnce => "list 1,000 users, largest page",
        }
    }
}

/// Of one service on one row.
#[derive(Default)]
pub struct Tally {
    pub samples: Samples,
    /// The time of all connections together.
    busy: Duration,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.samples.extend(&other.samples);
        self.busy += other.busy;
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are small")]
    pub fn per_second(&self) -> f64 {
        (self.samples.len() * ACTORS) as f64 / self.busy.as_secs_f64()
    }
}

/// One for each connection.
pub fn actors() -> Vec<String> {
    (0..ACTORS).map(|number| format!("actor{number}@example.com")).collect()
}

/// Loads a service for a while. The connections are new, so that a service with several workers spreads them anew, and
/// every actor has just signed in, so that no token expires during it.
pub async fn turn(peer: &Arc<dyn Peer>, url: &str, row: Row, length: Duration) -> Tally {
    let lists = matches!(row, Row::ListInPages | Row::ListAtOnce);
    let clients = join_all(actors().into_iter().map(async |email| {
        let email = if lists { ADMIN.to_owned() } else { email };
        Client::signed_in(peer, url, email).await
    }));
    let mut running = JoinSet::new();
    for mut client in clients.await {
        running.spawn(async move {
            let (began, mut samples) = (Instant::now(), Samples::default());
            while began.elapsed() < length {
                samples.take(client.perform(row)).await;
            }
            Tally { samples, busy: began.elapsed() }
        });
    }
    let mut tally = Tally::default();
    for one in running.join_all().await {
        tally.add(&one);
    }
    tally
}

/// Whether a listing has all accounts, each way.
pub async fn check(peer: &Arc<dyn Peer>, url: &str) {
    let client = Client::signed_in(peer, url, ADMIN.to_owned()).await;
    for size in [PAGE, peer.largest_page()] {
        assert_eq!(client.list(size, true).await, USERS, "{} lists others than there are", peer.name());
    }
}

struct Client {
    peer: Arc<dyn Peer>,
    to: Connection,
    email: String,
    held: Held,
}

impl Client {
    async fn signed_in(peer: &Arc<dyn Peer>, url: &str, email: String) -> Self {
        let to = Connection::to(url);
        let mut held = Held::default();
        peer.keep(&send(peer.sign_in(&to, &email)).await, &mut held);
        Self { peer: Arc::clone(peer), to, email, held }
    }

    async fn perform(&mut self, row: Row) {
        match row {
            Row::SignIn => drop(send(self.peer.sign_in(&self.to, &self.email)).await),
            Row::Refresh => {
                let request = self.peer.refresh(&self.to, &self.held).expect("a refresh");
                self.peer.keep(&send(request).await, &mut self.held);
            }
            Row::Read => drop(send(self.peer.read(&self.to, &self.held)).await),
            Row::ListInPages => drop(self.list(PAGE, false).await),
            Row::ListAtOnce => drop(self.list(self.peer.largest_page(), false).await),
        }
    }

    /// Asks for all pages; how many accounts they had where they are `counted`.
    async fn list(&self, size: usize, counted: bool) -> usize {
        let (mut cursor, mut accounts) = (None, 0);
        for offset in (0..USERS).step_by(size) {
            let page = Page { size, offset, cursor };
            let answer = send(self.peer.list(&self.to, &self.held, &page)).await;
            cursor = self.peer.cursor(&answer);
            accounts += if counted { answer.accounts() } else { 0 };
        }
        accounts
    }
}
