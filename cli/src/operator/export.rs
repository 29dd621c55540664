//! Exports all accounts into one encrypted file, with a manifest next to it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use age::{Encryptor, Recipient};
use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use shared::App;
use transfer::export::{self, Complete, Counts, LOOK_EVERY};

use super::{interruption, open};
use crate::args::Export;
use crate::failure::{Failure, Result};
use crate::output::{self, Output};

/// Has the table exported, and writes its accounts to a file that only the owner of a key can read.
///
/// # Errors
/// When a recipient is no key, when the file is there already or cannot be written, or when the export fails.
pub async fn export(output: Output, arguments: &Export) -> Result<()> {
    let recipients = recipients(&arguments.recipients)?;
    let app = open(&arguments.environment).await?;
    app.config.transfer.bucket()?;
    if arguments.change.dry_run {
        let document = json!({ "dry_run": true, "to": arguments.to, "recipients": arguments.recipients });
        return output.tell(&document, |_| format!("all accounts would be exported to {}", arguments.to.display()));
    }
    let target = Target::create(&arguments.to)?;
    let started = tokio::select! {
        started = Box::pin(export::start(&app, arguments.recipients.clone())) => started?,
        () = interruption() => {
            let why = "interrupted: no file was written, and exported data in the bucket is deleted within a day";
            return Err(Failure::Failed(why.into()));
        }
    };
    let exporting = Box::pin(async {
        let complete = wait(&app, &started).await?;
        let written = write(&app, &complete, target, &recipients).await?;
        Ok((complete, written))
    });
    let exported = tokio::select! {
        exported = exporting => exported,
        () = interruption() => Err(Failure::Failed("interrupted: no file was written".into())),
    };
    // What the bucket holds is not encrypted to the recipients, whatever became of the file.
    if let Err(error) = export::clean_up(&app, started.id).await {
        output::note(&format!(
            "failed to delete the table's export from the bucket, where it stays for a day: {error}"
        ));
    }
    let (complete, written) = exported?;
    let manifest = manifest(&app, &complete, &written, arguments);
    let path = manifest_path(&arguments.to);
    std::fs::write(&path, format!("{manifest:#}\n")).map_err(|error| Failure::of_file(&path, &error))?;
    output.tell(&manifest, |_| {
        let Counts { accounts, totp, passkeys, .. } = written.counts;
        format!(
            "{accounts} accounts as of {}, {totp} with an authenticator app, {passkeys} passkeys\n{}, {}",
            complete.instant.rfc3339(),
            arguments.to.display(),
            path.display()
        )
    })
}

async fn wait(app: &App, started: &export::Started) -> Result<Complete> {
    loop {
        if let Some(complete) = export::look(app, started).await? {
            return Ok(complete);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn recipients(keys: &[String]) -> Result<Vec<age::x25519::Recipient>> {
    let parsed = keys.iter().map(|key| key.parse());
    parsed.collect::<std::result::Result<_, _>>().map_err(|_| {
        Failure::Failed(
            "a recipient must be an age public key (age1...): age-keygen creates one with its private key".into(),
        )
    })
}

/// A temporary file next to the target: renamed once it is complete, removed otherwise.
struct Target {
    path: PathBuf,
    partial: PathBuf,
    file: Option<File>,
}

impl Drop for Target {
    fn drop(&mut self) {
        // Of one that is complete there is nothing by this name.
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl Target {
    fn create(path: &Path) -> Result<Self> {
        for path in [path, &manifest_path(path)] {
            if path.exists() {
                return Err(Failure::Failed(format!("{} already exists", path.display())));
            }
        }
        let partial = with_suffix(path, ".part");
        let file = File::create(&partial).map_err(|error| Failure::of_file(&partial, &error))?;
        Ok(Self { path: path.to_owned(), partial, file: Some(file) })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn manifest_path(path: &Path) -> PathBuf {
    with_suffix(path, ".manifest.json")
}

/// What was written.
struct Written {
    counts: Counts,
    plain: Digest,
    encrypted: Digest,
}

/// The size and the SHA-256 of what went through.
struct Digest {
    bytes: u64,
    sha256: String,
}

/// Passes on what is written, and digests it.
struct Digested<W> {
    inner: W,
    bytes: u64,
    context: Context,
}

impl<W> Digested<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0, context: Context::new(&SHA256) }
    }

    fn finish(self) -> (W, Digest) {
        let sha256 = HEXLOWER.encode(self.context.finish().as_ref());
        (self.inner, Digest { bytes: self.bytes, sha256 })
    }
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.context.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

async fn write(
    app: &App,
    complete: &Complete,
    mut target: Target,
    recipients: &[age::x25519::Recipient],
) -> Result<Written> {
    let file = target.file.take().ok_or_else(|| Failure::Failed("the file has already been written".into()))?;
    let partial = target.partial.clone();
    let failed = |error: io::Error| Failure::of_file(&partial, &error);
    let keys = recipients.iter().map(|key| key as &dyn Recipient);
    let encryptor = Encryptor::with_recipients(keys).map_err(|error| Failure::Failed(error.to_string()))?;
    let encrypted = encryptor.wrap_output(Digested::new(BufWriter::new(file))).map_err(failed)?;
    let mut plain = Digested::new(encrypted);
    let counts = export::accounts(app, complete, |record| {
        serde_json::to_writer(&mut plain, record).map_err(shared::Error::internal)?;
        plain.write_all(b"\n").map_err(shared::Error::internal)
    })
    .await?;
    let (encrypted, plain) = plain.finish();
    let (file, encrypted) = encrypted.finish().map_err(failed)?.finish();
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, &target.path).map_err(failed)?;
    Ok(Written { counts, plain, encrypted })
}

fn manifest(app: &App, complete: &Complete, written: &Written, arguments: &Export) -> Value {
    json!({
        "format": "users-export",
        "version": 1,
        "export": complete.id,
        "instant": complete.instant.rfc3339(),
        "written_at": app.clock.now().rfc3339(),
        "table": complete.table,
        "relying_party_id": app.config.relying_party.id,
        "counts": written.counts,
        "plain": { "bytes": written.plain.bytes, "sha256": written.plain.sha256 },
        "encrypted": { "bytes": written.encrypted.bytes, "sha256": written.encrypted.sha256 },
        "recipients": arguments.recipients,
    })
}
