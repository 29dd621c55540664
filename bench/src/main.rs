//! Measurements against the whole service on this machine. Each is a command that prints a table and keeps it in
//! `bench/results/`; a result is a ratio of two things measured in one run wherever there are two.

#![allow(clippy::disallowed_methods, reason = "measuring needs the machine's own clock")]

mod cold_start;
mod cost;
mod enumeration;
mod events;
mod flood;
mod function;
mod growth;
mod hashes;
mod import;
mod login;
mod meter;
mod peers;
mod people;
mod pictures;
mod plot;
mod prices;
mod publishing;
mod reads;
mod report;
mod requests;
mod runtime_api;
mod samples;
mod service;
mod table;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo run --release -p bench -- COMMAND
  reads        GET /user, one client, the token really checked: requests a second
  login        POST /auth/login against the argon2 verification alone
  enumeration  known and reserved addresses against unknown ones on register, send, forgot and login
  requests     a warm request to each function: its CPU, the hash apart, and its calls; bench/with-functions builds them
  growth       calls, items, capacity units and time of four routes as the table grows; bench/with-functions, too
  hashes       every hash of other systems against what made it, and a tenth over HTTP after an import; takes minutes
  import       100,000 accounts by `users import`, against a bare loop of the same writes, and its memory
  publishing   10,000 events from the table's stream to the bus, against a bare loop of the same calls
  flood        reads, refreshes and sign-ins at once for a minute: no error, no growth, and no starving behind hashes
  cost         dollars for a million sign-ins, refreshes and reads, and by memory; bench/with-functions, too
  cold-start   every function's zip, init and first answer against a bare one; bench/cold-start builds what it needs
  pictures     the resizer against sharp and Pillow; bench/pictures gets what it needs
  peers        this service against Flask, FastAPI Users and better-auth; bench/peers installs and builds what it needs";

fn main() -> ExitCode {
    ::pictures::worker::serve().unwrap_or_else(|| local::runtime().expect("threads").block_on(run()))
}

async fn run() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("reads") => reads::run().await,
        Some("login") => login::run().await,
        Some("cold-start") => Box::pin(cold_start::run(std::env::args().skip(2))).await,
        Some("pictures") => Box::pin(pictures::run(std::env::args().skip(2))).await,
        Some("peers") => return peers::run(std::env::args().skip(2)).await,
        Some("requests") => Box::pin(requests::run(std::env::args().skip(2))).await,
        Some("growth") => Box::pin(growth::run(std::env::args().skip(2))).await,
        Some("hashes") => Box::pin(hashes::run()).await,
        Some("import") => Box::pin(import::run()).await,
        // What `import` starts.
        Some("import-bare") => Box::pin(import::run_bare(std::env::args().skip(2))).await,
        Some("publishing") => publishing::run().await,
        Some("flood") => Box::pin(flood::run(std::env::args().skip(2))).await,
        Some("cost") => Box::pin(cost::run(std::env::args().skip(2))).await,
        Some("enumeration") => enumeration::run().await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
