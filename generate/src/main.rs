//! `cargo run --bin generate` writes everything that repeats what the routes' files say; with `--check` it only compares, names
//! what differs and fails. The files that it writes are committed, so that reviews and deployments need no generator.

#![allow(clippy::format_push_string, reason = "text is put together line by line, and once")]

mod alarms;
mod binaries;
mod documents;
mod events;
mod output;
mod policy;
mod root;
mod stack;
mod variables;
mod watch;

use std::process::ExitCode;

use output::Output;

fn main() -> ExitCode {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("unknown argument {other}; usage: cargo run --bin generate [-- --check]");
            return ExitCode::FAILURE;
        }
    };
    match generated().and_then(|output| if check { output.compare() } else { output.write() }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn generated() -> Result<Output, String> {
    let mut output = Output::in_workspace();
    binaries::write(&mut output)?;
    watch::write(&mut output)?;
    events::write(&mut output)?;
    stack::write(&mut output);
    root::write(&mut output)?;
    alarms::write(&mut output)?;
    documents::write(&mut output)?;
    Ok(output)
}
