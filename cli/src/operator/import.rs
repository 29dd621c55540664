//! Imports the accounts of a file: straight into the tables, or in parts by the bucket and the queue to the function that does it.

mod parts;
mod source;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::pin::pin;

use formats::{Row, Source};
use serde_json::json;
use shared::App;
use transfer::import::{self, BATCH, Line, Outcome, Seen, Totals};

use self::parts::Sender;
use self::source::{CountedRows, Opened};
use super::{interruption, open};
use crate::args::Import;
use crate::failure::{Failure, Result};
use crate::output::{self, Output};

/// Reads the file row by row and says what came of each. It may be repeated.
///
/// # Errors
/// When the file cannot be read, when the tables cannot be written, or when rows were refused.
pub async fn import(output: Output, arguments: &Import) -> Result<()> {
    let app = open(&arguments.environment).await?;
    let options = source::options(arguments)?;
    let mut opened = Opened::new(arguments)?;
    let mut run = Run::new(arguments)?;
    let by_queue = app.config.transfer.import_queue_url.is_some() && !arguments.direct && !arguments.change.dry_run;
    let importing = async {
        let rows = opened.rows(arguments, &options)?;
        if by_queue { by_parts(&app, rows, &mut run).await } else { directly(&app, rows, arguments, &mut run).await }
    };
    let imported = tokio::select! {
        imported = pin!(importing) => imported,
        () = interruption() => Err(Failure::Failed("interrupted".into())),
    };
    run.finish(imported.is_ok())?;
    imported.map_err(|failure| run.interrupted(failure))?;
    run.tell(output, arguments)
}

/// Batch by batch, so that no more rows than one has are in memory.
async fn directly(app: &App, mut rows: CountedRows<'_>, arguments: &Import, run: &mut Run) -> Result<()> {
    let mut seen = Seen::default();
    loop {
        let batch: Vec<Row> = rows.by_ref().take(BATCH).collect();
        let Some(last) = batch.last() else { return Ok(()) };
        let broken = import::ends_file(last);
        let up_to = last.number;
        let lines = if arguments.change.dry_run {
            import::dry_run(app, batch, &mut seen).await?
        } else {
            import::import(app, batch).await?
        };
        run.take(lines)?;
        run.done_up_to(up_to - u64::from(broken.is_some()));
        run.progress.set_position(rows.bytes());
        if let Some(broken) = broken {
            return Err(Failure::Failed(broken));
        }
    }
}

async fn by_parts(app: &App, mut rows: CountedRows<'_>, run: &mut Run) -> Result<()> {
    let mut sender = Sender::new(app);
    let mut broken = None;
    while broken.is_none() {
        let Some(row) = rows.next() else { break };
        broken = import::ends_file(&row);
        run.take(sender.send(row).await?)?;
        run.done_up_to(sender.done_up_to());
        run.progress.set_position(rows.bytes());
    }
    sender.send_rest().await?;
    while sender.is_waited_for() {
        run.take(sender.reports().await?)?;
        run.done_up_to(sender.done_up_to());
    }
    match broken {
        Some(broken) => Err(Failure::Failed(broken)),
        None => Ok(()),
    }
}

/// A new file, as a name that is mistyped must not cost another file; or the one that is appended to where an import goes on, so
/// that one file tells of all rows.
fn report(path: &Path, arguments: &Import) -> Result<File> {
    let unusable = |error| Failure::of_file(path, &error);
    if arguments.after == 0 {
        return File::create_new(path).map_err(unusable);
    }
    let same = |file: &Path| Some(file.canonicalize().ok()? == path.canonicalize().ok()?);
    if same(&arguments.file) == Some(true) {
        return Err(Failure::Failed(format!("{} is the file being imported", path.display())));
    }
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path).map_err(unusable)?;
    // What was interrupted may have left a line that is not whole.
    let whole = whole_lines(&mut file).map_err(unusable)?;
    file.set_len(whole).map_err(unusable)?;
    file.seek(SeekFrom::Start(whole)).map_err(unusable)?;
    Ok(file)
}

/// The octets up to the end of its last line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let (mut whole, mut reader) = (0, BufReader::new(file));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        whole += read as u64;
    }
}

/// What came of the rows so far.
struct Run {
    totals: Totals,
    /// All rows up to this one are done.
    done: u64,
    report: Option<BufWriter<File>>,
    progress: indicatif::ProgressBar,
}

impl Run {
    fn new(arguments: &Import) -> Result<Self> {
        let report = arguments.report.as_ref().map(|path| report(path, arguments)).transpose()?;
        Ok(Self {
            totals: Totals::default(),
            done: arguments.after,
            report: report.map(BufWriter::new),
            progress: source::progress(&arguments.file)?,
        })
    }

    fn take(&mut self, lines: Vec<Line>) -> Result<()> {
        self.totals.count(&lines);
        for line in lines {
            if let Some(report) = &mut self.report {
                let written = serde_json::to_writer(&mut *report, &line).map_err(io::Error::from);
                written.and_then(|()| report.write_all(b"\n")).map_err(|error| unwritten(&error))?;
            }
            if let Some(told) = told(&line) {
                self.progress.suspend(|| output::note(&told));
            }
        }
        Ok(())
    }

    /// Rows that are reported out of order do not count as long as one before them is under way.
    fn done_up_to(&mut self, row: u64) {
        self.done = self.done.max(row);
    }

    fn finish(&mut self, done: bool) -> Result<()> {
        if done {
            self.progress.finish_and_clear();
        } else {
            self.progress.abandon();
        }
        self.report.as_mut().map_or(Ok(()), |report| report.flush().map_err(|error| unwritten(&error)))
    }

    fn interrupted(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Failed(why) => Failure::Failed(format!(
                "{why}; {} rows are reported, and all rows up to {} are done: run the import again, or continue with --after {}",
                self.totals.rows(),
                self.done,
                self.done
            )),
            failure => failure,
        }
    }

    fn tell(&self, output: Output, arguments: &Import) -> Result<()> {
        let Totals { imported, already_there, refused, unconfirmed } = self.totals;
        let document = json!({
            "dry_run": arguments.change.dry_run,
            "imported": imported,
            "already_there": already_there,
            "refused": refused,
            "unconfirmed": unconfirmed,
        });
        let would = if arguments.change.dry_run { "would be imported" } else { "imported" };
        output.tell(&document, |_| format!("{imported} {would}, {already_there} already there, {refused} refused"))?;
        if unconfirmed > 0 {
            let option = "; --email-confirmed treats an address as confirmed if the file does not say whether it is";
            let option = if arguments.email_confirmed { "" } else { option };
            output::note(&format!(
                "{unconfirmed} of them cannot sign in until their owners confirm their addresses{option}"
            ));
        }
        if refused > 0 && imported == 0 && already_there == 0 && arguments.from == Source::JsonLines {
            output::note("the file was read as this service's own format; --from names the system that it is from");
        }
        match refused {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 row was refused".into())),
            _ => Err(Failure::Failed(format!("{refused} rows were refused"))),
        }
    }
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot write the report: {error}"))
}

/// What a person hears of a row: what was refused, or left out.
fn told(line: &Line) -> Option<String> {
    let refused = match &line.outcome {
        Outcome::Refused { reasons } => reasons.as_slice(),
        Outcome::Imported { .. } | Outcome::AlreadyThere { .. } => &[],
    };
    let parts: Vec<&str> = refused.iter().chain(&line.notes).map(String::as_str).collect();
    let what = if refused.is_empty() { "" } else { "refused: " };
    (!parts.is_empty()).then(|| format!("row {}: {what}{}", line.row, parts.join("; ")))
}
