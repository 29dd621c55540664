//! A function's own binary, run as Lambda runs it, with what it takes of the machine read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::runtime_api::RuntimeApi;

pub struct Function {
    api: RuntimeApi,
    process: Child,
    id: u32,
    log: Arc<Log>,
}

/// What it wrote to standard output, which goes to CloudWatch line by line.
#[derive(Default)]
struct Log {
    lines: AtomicU64,
    bytes: AtomicU64,
}

/// The time that the process computed so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// The thread that serves requests.
    pub serving: Duration,
    /// The threads that passwords are hashed on: a function has no others.
    pub hashing: Duration,
}

impl Function {
    /// Starts the binary that was built next to this program, and waits until it asks for its first invocation.
    pub async fn start(name: &str, environment: &HashMap<&'static str, String>) -> Self {
        let mut api = RuntimeApi::start().await;
        let binary = folder().join(name);
        let mut process = Command::new(&binary)
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; bench/with-functions builds it", binary.display()));
        let log = Arc::<Log>::default();
        let (stdout, written) = (process.stdout.take().expect("a pipe"), Arc::clone(&log));
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                written.lines.fetch_add(1, Ordering::Relaxed);
                written.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
            }
        });
        api.ready().await;
        let id = process.id().expect("a running function");
        Self { api, process, id, log }
    }

    /// One invocation, until Lambda would freeze the function: its log is shipped by then.
    pub async fn invoke(&mut self, event: &Value) -> Value {
        self.api.invoke(event).await
    }

    /// Of the threads that run now, to the nanosecond (`/proc/PID/schedstat` is of one thread only). Idle threads of a
    /// Tokio runtime live on for ten seconds, so between requests that follow each other none is lost.
    pub fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for thread in fs::read_dir(format!("/proc/{}/task", self.id)).expect("Linux's /proc") {
            let path = thread.expect("a thread").path();
            let Ok(text) = fs::read_to_string(path.join("schedstat")) else { continue };
            let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok()).expect("nanoseconds");
            let main = path.file_name().is_some_and(|name| *name == *self.id.to_string());
            *(if main { &mut cpu.serving } else { &mut cpu.hashing }) += Duration::from_nanos(nanoseconds);
        }
        cpu
    }

    /// The most memory that it had at once, in MB.
    pub fn peak_memory(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id)).expect("Linux's /proc");
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak.map_or(0.0, |kilobytes: f64| kilobytes / 1024.0)
    }

    /// Lines and bytes of its log so far.
    pub fn log(&self) -> (u64, u64) {
        (self.log.lines.load(Ordering::Relaxed), self.log.bytes.load(Ordering::Relaxed))
    }

    pub async fn stop(mut self) {
        self.process.kill().await.expect("an end");
    }
}

impl Cpu {
    pub fn total(self) -> Duration {
        self.serving + self.hashing
    }

    pub fn since(self, earlier: Self) -> Self {
        Self {
            serving: self.serving.saturating_sub(earlier.serving),
            hashing: self.hashing.saturating_sub(earlier.hashing),
        }
    }
}

/// Where the functions were built: next to this program.
pub fn folder() -> PathBuf {
    std::env::current_exe().expect("a path").parent().expect("a folder").to_owned()
}
