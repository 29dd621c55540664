//! `PostgreSQL` for one peer, with its default settings but for two: it listens on a socket in its own folder only, and a
//! commit does not wait for the disk, as it does not in the local stack.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::peer::{installed, version};
use super::process::{NOBODY, Processes, is_root, run};

pub struct Postgres {
    /// The first of its processes.
    pub process: u32,
    folder: PathBuf,
}

impl Postgres {
    pub async fn start(processes: &mut Processes, folder: PathBuf) -> Self {
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)))
            .and_then(|()| if is_root() { chown(&folder, Some(NOBODY), Some(NOBODY)) } else { Ok(()) })
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut command = tool("initdb", &folder);
        command.args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
        command.args(["--no-sync", "--pgdata"]).arg(&folder);
        run(command, is_root()).await;

        let mut command = tool("postgres", &folder);
        command.arg("-D").arg(&folder).arg("-k").arg(&folder);
        for setting in ["listen_addresses=", "synchronous_commit=off", "log_min_messages=fatal"] {
            command.args(["-c", setting]);
        }
        // The eighth line of its lock file is its state, for `pg_ctl` to read.
        let lock = folder.join("postmaster.pid");
        let ready = async || std::fs::read_to_string(&lock).is_ok_and(|text| text.contains("\nready"));
        // `INT` is its "fast shutdown", which does not wait for clients.
        let process = processes.start(command, "INT", is_root()).ready("PostgreSQL", ready).await;
        Self { process, folder }
    }

    /// `"postgres (PostgreSQL) 18.6"`
    pub fn version() -> String {
        version(installed("POSTGRES").join("postgres"))
    }

    /// Tells a command where it is, as all clients of `PostgreSQL` understand.
    pub fn known_to(&self, command: &mut Command) {
        command.env("PGHOST", &self.folder).env("PGUSER", "postgres").env("PGDATABASE", "postgres");
    }
}

fn tool(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(installed("POSTGRES").join(name));
    command.current_dir(folder);
    command
}
