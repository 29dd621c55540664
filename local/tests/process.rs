//! `cargo run` as a user sees it: what it prints, and how it ends.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

/// The stack with these arguments, in a folder of its own.
fn command(folder: &std::path::Path, arguments: &[&str], port: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(arguments).current_dir(folder).env("PORT", port).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], port: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path(), arguments, port).output().unwrap()
}

/// The one line that a refused start prints.
fn refusal(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    String::from_utf8(output.stderr.clone()).unwrap()
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_how_it_is_used() {
    for flag in ["--help", "-h"] {
        let output = run(&[flag], "0");
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().starts_with("usage: cargo run [-- --fresh | --memory]"));
    }
    let unknown = refusal(&run(&["--memroy"], "0"));
    assert!(unknown.starts_with("unknown option --memroy\nusage: "), "{unknown}");
}

#[test]
fn a_port_that_is_none_or_taken_is_named_in_one_line() {
    assert_eq!(refusal(&run(&["--memory"], "many")), "invalid port: PORT=many\n");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = refusal(&run(&["--memory"], &port));
    assert!(line.contains(&port) && line.lines().count() == 1, "{line}");
}

#[test]
fn an_empty_variable_counts_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), &["--memory"], "0");
    command.env("PRODUCT_NAME", "").env("MAIL_FROM", "").env("ADMIN_EMAIL", "nobody");
    let line = refusal(&command.output().unwrap());
    assert!(line.contains("ADMIN_EMAIL") && !line.contains("PRODUCT_NAME") && !line.contains("MAIL_FROM"), "{line}");
}

#[test]
fn data_that_cannot_be_read_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".local"), "a file where the folder belongs").unwrap();
    let line = refusal(&command(folder.path(), &[], "0").output().unwrap());
    assert!(line.contains(".local") && line.lines().count() == 1, "{line}");
}

#[test]
fn it_prints_where_everything_is_and_ends_cleanly_when_asked_to() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let mut started = Started(command(folder.path(), &["--fresh"], "0").spawn().unwrap());
        let mut lines = BufReader::new(started.0.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("http://127.0.0.1:"), "{first}");
        let pid = started.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(started.0.wait().unwrap().code(), Some(0), "{signal}");
        assert!(folder.path().join(".local").is_dir(), "the data stays");
    }
}
