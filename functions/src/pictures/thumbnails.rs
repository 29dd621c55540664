//! Runs the resizer in a separate process, so that no upload can crash or exhaust the process that receives it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pictures::worker::{self, Limits, Refusal};
use pictures::{Rejected, Thumbnails};
use shared::config::Pictures;
use shared::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// CPU time for one upload: the largest that are allowed take two or three seconds.
const CPU_TIME: Duration = Duration::from_secs(20);
/// Time for one upload, however busy the machine is. The function has a minute for all of its work.
const TIME: Duration = Duration::from_secs(40);
/// More than three thumbnails can have.
const MAX_OUTPUT: u64 = 16 * 1024 * 1024;

/// Makes the thumbnails of an upload, or says why there are none, also when the worker ends without an outcome.
///
/// # Errors
/// When no worker can be started, or one is ended from outside: the upload is not the reason.
pub async fn make(config: &Pictures, upload: &[u8]) -> Result<Result<Thumbnails, Refusal>> {
    let Ok(finished) = timeout(TIME, run(config, upload)).await else {
        // The worker was killed when the future that waited for it was dropped.
        return Ok(Err(Rejected::TooExpensive.into()));
    };
    let (status, output) = finished.map_err(Error::internal)?;
    if status.success() {
        return worker::read(&output).map_or_else(|| Ok(Err(Rejected::DecoderFailed.into())), Ok);
    }
    tracing::warn!(%status, "the thumbnail process ended without a result");
    if is_the_uploads_doing(status) {
        Ok(Err(Rejected::TooExpensive.into()))
    } else {
        Err(Error::internal(Ended(status)))
    }
}

async fn run(config: &Pictures, upload: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let executable = config.worker.clone().map_or_else(std::env::current_exe, Ok::<PathBuf, _>)?;
    let limits = Limits { memory: config.worker_memory_mib * 1024 * 1024, time: CPU_TIME };
    let mut worker = Command::new(executable)
        .args(worker::arguments(limits))
        // Credentials are in it.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (input, output) = (worker.stdin.take(), worker.stdout.take());
    if let Some(mut input) = input {
        // A worker that has ended reads no more; its status tells.
        let _ = input.write_all(upload).await;
    }
    let mut written = Vec::new();
    if let Some(output) = output {
        output.take(MAX_OUTPUT).read_to_end(&mut written).await?;
    }
    Ok((worker.wait().await?, written))
}

#[derive(Debug, thiserror::Error)]
#[error("the thumbnail process ended: {0}")]
struct Ended(ExitStatus);

/// Whether a worker ended because of what it read: it aborts when an allocation fails, and the kernel ends it when its time
/// is up or memory is short.
fn is_the_uploads_doing(status: ExitStatus) -> bool {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        const HANGUP: i32 = 1;
        const INTERRUPT: i32 = 2;
        const TERMINATE: i32 = 15;
        return ![HANGUP, INTERRUPT, TERMINATE].contains(&signal);
    }
    status.code() != Some(worker::NOT_STARTED.into())
}
