//! Servers under measurement: started so that none outlives this program, their memory, their end.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

/// No server takes this long to start or to end unless something hangs.
const PATIENCE: Duration = Duration::from_mins(1);
/// `PostgreSQL` does not run as root; then it runs as the user `nobody`.
pub const NOBODY: u32 = 65_534;

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// All servers that were started, the newest last.
#[derive(Default)]
pub struct Processes(Vec<Process>);

pub struct Process {
    child: Child,
    signal: &'static str,
}

impl Processes {
    /// `signal` ends it; the kernel sends it as well when this program is gone, however it ended. Its messages go to this
    /// program's standard error.
    pub fn start(&mut self, command: Command, signal: &'static str, as_nobody: bool) -> &mut Process {
        let mut command = through(command, as_nobody, signal);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("setpriv, of util-linux");
        self.0.push(Process { child, signal });
        self.0.last_mut().expect("the one pushed")
    }

    /// Ends the newest first: services before their databases.
    pub async fn stop(self) {
        for process in self.0.into_iter().rev() {
            process.stop().await;
        }
    }
}

impl Process {
    /// Its id, once `is_ready` says that it is.
    pub async fn ready(&mut self, what: &str, is_ready: impl AsyncFn() -> bool) -> u32 {
        let waiting = timeout(PATIENCE, async {
            while !is_ready().await {
                if let Ok(Some(status)) = self.child.try_wait() {
                    panic!("{what} ended: {status}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waiting.await.unwrap_or_else(|_| panic!("{what} is not ready after {PATIENCE:?}"));
        self.child.id().expect("a running process")
    }

    async fn stop(mut self) {
        let Some(id) = self.child.id() else { return };
        // It may already have ended, by the same Ctrl-C.
        let _ = Command::new("kill").args(["-s", self.signal, &id.to_string()]).stderr(Stdio::null()).status().await;
        if timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Memory of a process and all below it in bytes, with a share of what they share: the sum of their PSS.
pub fn memory(process: u32) -> u64 {
    let mut below: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").expect("Linux's /proc").flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((id, parent)) = id.and_then(|id| Some((id, parent(id)?))) {
            below.entry(parent).or_default().push(id);
        }
    }
    let (mut all, mut sum) = (vec![process], 0);
    while let Some(id) = all.pop() {
        sum += proportional_set_size(id).unwrap_or(0);
        all.extend(below.remove(&id).unwrap_or_default());
    }
    sum
}

/// Runs a command to its end, which has to be a good one.
pub async fn run(command: Command, as_nobody: bool) {
    let mut command = through(command, as_nobody, "TERM");
    let what = format!("{command:?}");
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("setpriv, of util-linux");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The same command by way of `setpriv`, which becomes it; the kernel sends it `signal` when this program is gone.
fn through(command: Command, as_nobody: bool, signal: &str) -> Command {
    let command = command.into_std();
    let mut through = Command::new("setpriv");
    through.args(["--pdeathsig", signal]);
    if as_nobody {
        through.args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups"]);
    }
    through.arg("--").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        through.current_dir(folder);
    }
    let set = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    through.envs(set.collect::<Vec<(OsString, OsString)>>());
    through
}

/// The fourth field of `stat`, the second after the name, which is in brackets and may hold anything.
fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn proportional_set_size(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim().strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? * 1024)
}
