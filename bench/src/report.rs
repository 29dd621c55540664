//! What a measurement leaves: its table on the terminal, and in `bench/results/` with what is needed to have it again.

use std::fmt::Write as _;

use shared::clock::Clock;
use tokio::process::Command;

pub const RESULTS: &str = "bench/results";

/// Prints `body` and keeps it as `bench/results/{name}.md`, under the date, the machine and `command`, which is what was
/// typed in the folder of the workspace, with what its numbers are (`"300 rounds, medians"`).
pub async fn publish(name: &str, title: &str, command: &str, body: &str) {
    let mut text = format!("# {title}\n\n");
    let machine = [
        ("Date", Clock::default().now().rfc3339()[..10].to_owned()),
        ("CPU", cpu()),
        ("Kernel", std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()),
        ("Compiler", compiler().await),
        ("Command", command.to_owned()),
    ];
    for (what, value) in machine {
        let _ = writeln!(text, "- {what}: {value}");
    }
    let _ = write!(text, "\n{body}");
    print!("{text}");
    let path = format!("{RESULTS}/{name}.md");
    std::fs::create_dir_all(RESULTS)
        .and_then(|()| std::fs::write(&path, text))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
}

fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.map_or("unknown", |(_, name)| name))
}

async fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().await.expect("rustc");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
