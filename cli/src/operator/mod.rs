//! Commands of an operator: with the environment of the functions and credentials of the AWS account, past the API.

mod create_admin;
mod doctor;
mod environment;
mod export;
mod import;
mod keys;
mod verify_hash;

pub use create_admin::create_admin;
pub use doctor::doctor;
pub use export::export;
pub use import::import;
pub use keys::{list as list_keys, revoke as revoke_key, rotate as rotate_keys};
pub use verify_hash::verify_hashes;

use std::net::TcpStream;

use http::Uri;
use shared::App;
use shared::clock::Clock;
use shared::config::Config;

use crate::args::Environment;
use crate::failure::{Failure, Result};
use crate::service::is_this_machine;

/// The service's tables, queues and settings.
///
/// # Errors
/// Names every variable that is missing or malformed; [`Failure::Unreachable`] when they are of a local stack that does not run.
fn open(environment: &Environment) -> Result<App> {
    let config = environment::config(environment.env_file.as_deref())?;
    runs(&config)?;
    App::new(config, Clock::default()).map_err(|error| Failure::Failed(error.to_string()))
}

/// Whether anything listens where the tables are, if that is on this machine: every call would fail, after retries, with an error
/// of the connection.
fn runs(config: &Config) -> Result<()> {
    let Some(endpoint) = &config.aws.endpoints.dynamodb else { return Ok(()) };
    let Some(authority) = endpoint.parse().ok().and_then(|uri: Uri| uri.into_parts().authority) else { return Ok(()) };
    if !is_this_machine(authority.host()) || TcpStream::connect(authority.as_str()).is_ok() {
        return Ok(());
    }
    Err(Failure::Unreachable(format!(
        "nothing listens at {endpoint} (AWS_ENDPOINT_URL_DYNAMODB): start the local stack with `cargo run`, which writes its \
         endpoints to .local/functions.env"
    )))
}

/// Until the command is stopped: by Ctrl-C, or by the signal that a process manager sends.
#[cfg(unix)]
async fn interruption() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

#[cfg(not(unix))]
async fn interruption() {
    let _ = tokio::signal::ctrl_c().await;
}
