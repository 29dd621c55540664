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

use shared::App;
use shared::clock::Clock;

use crate::args::Environment;
use crate::failure::{Failure, Result};

/// The service's tables, queues and settings.
///
/// # Errors
/// Names every variable that is missing or malformed.
fn open(environment: &Environment) -> Result<App> {
    let config = environment::config(environment.env_file.as_deref())?;
    App::new(config, Clock::default()).map_err(|error| Failure::Failed(error.to_string()))
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
