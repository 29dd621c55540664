//! `cargo run`: the whole service on this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use local::{Options, Stack};

const USAGE: &str = "usage: cargo run [-- --fresh | --memory]
  --fresh   start with empty data
  --memory  keep data in memory only
  PORT=n    serve on port n (default 9000, 0 picks a free one)";

fn main() -> ExitCode {
    pictures::worker::serve().unwrap_or_else(|| match local::runtime() {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => fail(&format!("failed to start a runtime: {error}")),
    })
}

async fn run() -> ExitCode {
    let mut options = Options { data: Some(PathBuf::from(".local")), ..Options::default() };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--fresh" => options.fresh = true,
            "--memory" => options.data = None,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => return fail(&format!("unknown option {other}\n{USAGE}")),
        }
    }
    if let Some(port) = std::env::var("PORT").ok().filter(|port| !port.trim().is_empty()) {
        match port.parse() {
            Ok(port) => options.port = port,
            Err(_) => return fail(&format!("invalid port: PORT={port}")),
        }
    }
    let stopped = match stopped() {
        Ok(stopped) => stopped,
        Err(error) => return fail(&format!("failed to listen for signals: {error}")),
    };
    match Stack::start(options).await {
        Ok(stack) => {
            for address in stack.addresses() {
                println!("{:<11} {:<38} {}", address.name, address.url, address.what);
            }
            stopped.await;
            stack.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::FAILURE
}

/// Ctrl-C, or the termination signal of a process manager. Listening starts with this call, so that a signal during startup
/// also stops the stack cleanly.
#[cfg(unix)]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
