//! Measurements against the whole service on this machine. Each is a command that prints a table and keeps it in
//! `bench/results/`; a result is a ratio of two things measured in one run wherever there are two.

#![allow(clippy::disallowed_methods, reason = "measuring needs the machine's own clock")]

mod cold_start;
mod enumeration;
mod login;
mod peers;
mod pictures;
mod plot;
mod reads;
mod report;
mod samples;
mod service;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo run --release -p bench -- COMMAND
  reads        GET /user, one client, the token really checked: requests a second
  login        POST /auth/login against the argon2 verification alone
  enumeration  known against unknown addresses on register, send, forgot and login
  cold-start   every function's zip, init and first answer against a bare one; bench/cold-start builds what it needs
  pictures     the resizer against sharp and Pillow; bench/pictures gets what it needs
  peers        this service beside Flask, FastAPI Users and better-auth; bench/peers installs and builds what it needs";

#[tokio::main]
async fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("reads") => reads::run().await,
        Some("login") => login::run().await,
        Some("cold-start") => cold_start::run(std::env::args().skip(2)).await,
        Some("pictures") => pictures::run(std::env::args().skip(2)).await,
        Some("peers") => return peers::run(std::env::args().skip(2)).await,
        Some("enumeration") => enumeration::run().await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
