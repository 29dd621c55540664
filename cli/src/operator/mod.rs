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

use std::io::ErrorKind;
use std::time::Duration;

use http::Uri;
use shared::App;
use shared::clock::Clock;
use shared::config::Config;
use tokio::net::TcpStream;

use crate::args::Environment;
use crate::failure::{Failure, Result};
use crate::service::is_this_machine;

/// To a port of this machine.
const CONNECT: Duration = Duration::from_secs(1);

/// The service's tables, queues and settings.
///
/// # Errors
/// Names every variable that is missing or malformed; [`Failure::Unreachable`] if they are those of a stopped local stack.
async fn open(environment: &Environment) -> Result<App> {
    let app = configured(environment)?;
    check_endpoint(&app.config).await?;
    Ok(app)
}

/// The same, whether or not anything can be reached.
fn configured(environment: &Environment) -> Result<App> {
    let config = environment::config(environment.env_file.as_deref())?;
    App::new(config, Clock::default()).map_err(|error| Failure::Failed(error.to_string()))
}

/// Refuses a DynamoDB endpoint on this machine that refuses connections: every call would fail, after retries, with an error that
/// does not name it. Whatever else may be wrong is left to the SDK.
async fn check_endpoint(config: &Config) -> Result<()> {
    let Some(endpoint) = &config.aws.endpoints.dynamodb else { return Ok(()) };
    let Ok(uri) = endpoint.parse::<Uri>() else { return Ok(()) };
    let Some(host) = uri.host().filter(|host| is_this_machine(host)) else { return Ok(()) };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let connecting = TcpStream::connect((host.trim_matches(['[', ']']), port));
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(Failure::Unreachable(format!(
            "connection refused at http://{host}:{port}, where the configuration has DynamoDB: is the local stack running? Each \
             start of `cargo run` writes new endpoints to .local/functions.env (not with --memory)"
        ))),
        _ => Ok(()),
    }
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
