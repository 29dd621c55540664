//! This service, whole on this machine, against what people would take otherwise, with `PostgreSQL`: the same requests from
//! the same client on as many connections. They take turns, so that all meet the same machine. `bench/peer/` has the
//! peers' programs; `bench/peers` installs what they need.

mod better_auth;
mod contender;
mod fastapi_users;
mod flask;
mod load;
mod ours;
mod peer;
mod postgres;
mod process;
mod table;

use std::os::unix::fs::PermissionsExt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};

use crate::report;
use better_auth::BetterAuth;
use contender::Contender;
use fastapi_users::FastApiUsers;
use flask::Flask;
use load::{Row, turn};
use ours::Ours;
use peer::{ACTORS, Passwords, Peer};
use process::Processes;

/// Of load in all, by default.
const SECONDS: u64 = 240;
const ROUNDS: u32 = 3;

/// Measures for as many seconds as the first argument says.
pub async fn run(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let seconds = arguments.next().map_or(Ok(SECONDS), |seconds| seconds.parse());
    let Ok(seconds) = seconds else {
        eprintln!("peers [SECONDS]: seconds of load in all, {SECONDS} by default");
        return ExitCode::FAILURE;
    };
    // PostgreSQL reaches its own folder in it as another user.
    let open = PermissionsExt::from_mode(0o755);
    let folder = tempfile::Builder::new().prefix("peers-").permissions(open).tempdir().expect("a folder");
    let mut processes = Processes::default();
    // Whatever happens, the servers are stopped before their folder goes.
    let done = tokio::select! {
        done = AssertUnwindSafe(measure(&mut processes, folder.path(), seconds)).catch_unwind() => done.is_ok(),
        () = interrupted() => false,
    };
    processes.stop().await;
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ctrl-C, or the signal that a process manager sends.
async fn interrupted() {
    let mut terminated = signal(SignalKind::terminate()).expect("a handler");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

async fn measure(processes: &mut Processes, folder: &Path, seconds: u64) {
    let ours: Arc<dyn Peer> = Arc::new(Ours { folder: folder.to_owned() });
    let peers: [Arc<dyn Peer>; 3] = [Arc::new(Flask), Arc::new(FastApiUsers), Arc::new(BetterAuth)];
    // First, as the tables want it.
    let mut contenders = vec![Contender::start(processes, &ours, Passwords::Default, folder).await];
    for passwords in [Passwords::Default, Passwords::Alike] {
        for peer in &peers {
            contenders.push(Contender::start(processes, peer, passwords, folder).await);
        }
    }
    let turns: usize = contenders.iter().map(|contender| contender.rows().count()).sum();
    let length = Duration::from_secs(seconds) / ROUNDS / u32::try_from(turns).expect("few rows");
    for round in 1..=ROUNDS {
        for row in Row::ALL {
            for contender in contenders.iter_mut().filter(|contender| contender.rows().any(|takes| takes == row)) {
                let tally = turn(&contender.peer, &contender.url, row, length).await;
                contender.tallies.entry(row).or_default().add(&tally);
            }
        }
        eprintln!("round {round} of {ROUNDS} is done");
    }
    let command = format!(
        "`bench/peers {seconds}`: {seconds} s of load in {ROUNDS} rounds, on {ACTORS} connections that stay open and send \
         the next request when they have the answer to the last"
    );
    report::publish("peers", "This service compared with its peers", &command, &table::table(&contenders)).await;
    table::plot(&contenders);
}
