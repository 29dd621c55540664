//! How fast accounts are imported, against a bare loop of the same writes, and with how much memory. Both are processes of their
//! own, on the tables of this one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::TransactWriteItem;
use foreign_hashes::vectors::Vector;
use formats::{Options, Row, Source};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::App;
use shared::clock::Clock;
use shared::config::Config;
use tokio::process::{Child, Command};
use transfer::account::prepare;
use transfer::import::BATCH;

use crate::report;
use crate::service::Running;

/// Accounts of the file, and rows of it that are no accounts: some of each kind.
const ACCOUNTS: usize = 100_000;
const BAD: usize = 30;
/// Accounts of the bare loop: as many as it can have ready in memory.
const BARE: usize = 20_000;

pub async fn run() {
    let service = Running::start_without_publishers().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("accounts.jsonl");
    std::fs::write(&file, accounts("user", ACCOUNTS)).expect("a file");
    let bare_file = folder.path().join("bare.jsonl");
    std::fs::write(&bare_file, accounts("bare", BARE)).expect("a file");
    // Before and after, as the table grows during the import.
    let before = bare(&service, &bare_file, "before").await;
    let report = folder.path().join("report.jsonl");
    let began = Instant::now();
    let mut import = users(&service, &file, &report);
    let memory = memory_of(&mut import, &report).await;
    let output = import.wait_with_output().await.expect("the command line");
    let took = began.elapsed();
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["imported"], &told["refused"]), (&json!(ACCOUNTS), &json!(BAD)), "{told}");
    let after = bare(&service, &bare_file, "after").await;
    let named = named(&report);
    let rate = |accounts: usize, took: Duration| {
        #[allow(clippy::cast_precision_loss, reason = "a count of accounts is small")]
        let accounts = accounts as f64;
        accounts / took.as_secs_f64()
    };
    // The emulated table takes longer the more it holds, so an account's time is the mean of both: not its inverse, the rate.
    let (imported, bare) = (rate(ACCOUNTS, took), rate(BARE, (before + after) / 2));
    let ratio = imported / bare;
    let mut table = String::from("| | accounts | time | accounts/s | against the bare loop |\n|---|---|---|---|---|\n");
    let _ =
        writeln!(table, "| `users import` | {ACCOUNTS} | {:.1} s | {imported:.0} | {ratio:.2} |", took.as_secs_f64());
    for (when, took) in [("before", before), ("after", after)] {
        let _ = writeln!(
            table,
            "| the same writes alone, {when} | {BARE} | {:.1} s | {:.0} | |",
            took.as_secs_f64(),
            rate(BARE, took)
        );
    }
    let _ = writeln!(table, "\n| accounts done | memory of `users import` |\n|---|---|");
    for (done, kib) in &memory {
        let _ = writeln!(table, "| {done} | {:.1} MB |", f64::from(*kib) / 1024.0);
    }
    let _ = writeln!(
        table,
        "\nRefused, each with its row: {named} of {BAD}, every third a duplicate, a bad line, an absurd cost."
    );
    let command = "`cargo run --release -p bench -- import`, with `cargo build --release -p cli` before";
    report::publish("import", "Importing accounts", command, &table).await;
    assert!(ratio >= 0.5, "less than half as fast");
    assert_eq!(named, BAD);
    service.stack.stop().await;
}

/// Accounts with a hash of another system; and among those of an import rows that are none.
fn accounts(prefix: &str, count: usize) -> String {
    let vectors = std::fs::read_to_string("foreign-hashes/vectors/vectors.jsonl").expect("the vectors");
    let mut vectors = vectors.lines().map(|line| serde_json::from_str::<Vector>(line).expect("a vector"));
    let hash = vectors.find(|vector| vector.scheme == "django_pbkdf2_sha256").expect("a hash of Django").stored;
    let mut file = String::new();
    for number in 0..count {
        if prefix == "user" && number % (ACCOUNTS / BAD) == 1 && number / (ACCOUNTS / BAD) < BAD {
            let bad = match number / (ACCOUNTS / BAD) % 3 {
                0 => json!({ "email": format!("USER0@example.com"), "external_id": format!("again-{number}") })
                    .to_string(),
                1 => "{\"email\": ".to_owned(),
                _ => {
                    let stored = hash.replace("$29000$", "$2900000000$");
                    json!({ "email": format!("costly{number}@example.com"), "password": { "system": "django", "stored": stored } }).to_string()
                }
            };
            file += &bad;
            file.push('\n');
        }
        let account = json!({
            "external_id": format!("{prefix}-{number}"),
            "email": format!("{prefix}{number}@example.com"),
            "email_confirmed": true,
            "name": format!("Ada Lovelace {number}"),
            "created_at": "2024-01-02T03:04:05Z",
            "app": { "plan": "team" },
            "password": { "system": "django", "stored": hash },
        });
        let _ = writeln!(file, "{account}");
    }
    file
}

/// The command line on this stack.
fn users(service: &Running, file: &Path, report: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program").with_file_name("users"));
    command.args(["import", "--json", "--direct"]).arg(file).arg("--report").arg(report);
    command.envs(environment(service)).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("`cargo build --release -p cli` makes the command line")
}

fn environment(service: &Running) -> std::collections::HashMap<&'static str, String> {
    let dynamodb = service.stack.app.config.aws.endpoints.dynamodb.clone().expect("an endpoint");
    service.function_environment(&dynamodb)
}

/// The memory of a process each time that another tenth of the file is done, in KiB.
async fn memory_of(import: &mut Child, report: &Path) -> Vec<(usize, u32)> {
    let status = format!("/proc/{}/status", import.id().expect("a process"));
    let mut seen = Vec::new();
    while import.try_wait().expect("a process").is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let length = std::fs::metadata(report).map_or(0, |report| report.len());
        // A line of the report has about 75 octets.
        let done = usize::try_from(length / 75).unwrap_or_default();
        let tenth = done / (ACCOUNTS / 10);
        if tenth > seen.len() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let memory =
                text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
            seen.extend(memory.map(|memory| (tenth * (ACCOUNTS / 10), memory)));
        }
    }
    seen
}

/// Rows that the report says are refused.
fn named(report: &Path) -> usize {
    let report = std::fs::read_to_string(report).expect("a report");
    let refused = |line: &&str| line.contains("\"refused\"") && line.contains("\"reasons\":[\"");
    report.lines().filter(refused).count()
}

/// The time of the bare loop, as a process of its own.
async fn bare(service: &Running, file: &Path, suffix: &str) -> Duration {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["import-bare", suffix]).arg(file).envs(environment(service)).stderr(Stdio::inherit());
    let output = command.output().await.expect("this program");
    let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of seconds");
    Duration::from_secs_f64(seconds)
}

/// The bare loop: all that is written is ready before the clock starts.
pub async fn run_bare(mut arguments: impl Iterator<Item = String>) {
    let (suffix, file) = (arguments.next().expect("a suffix"), arguments.next().expect("a file"));
    let app = App::new(Config::from_env().expect("a configuration"), Clock::default()).expect("an app");
    let text = std::fs::read_to_string(file).expect("a file").replace("bare", &format!("bare{suffix}"));
    let rows: Vec<Row> = formats::rows(Source::JsonLines, text.as_bytes(), &Options::default()).collect();
    let mut writes: Vec<Vec<TransactWriteItem>> = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(prepared) = prepare(&app, row.record.expect("a record")).await else { panic!("row {}", row.number) };
        writes.push(app.store().writes_of(&prepared.imported).expect("writes"));
    }
    let began = Instant::now();
    let mut writes = writes.into_iter();
    loop {
        let batch: Vec<_> = writes.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let batch = batch.into_iter().map(async |items| {
            let write = app.dynamodb().transact_write_items().set_transact_items(Some(items));
            write.send().await.expect("a write");
        });
        join_all(batch).await;
    }
    println!("{}", began.elapsed().as_secs_f64());
}
