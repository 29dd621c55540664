//! Imports the accounts of a file: straight into the tables, or in parts by the bucket and the queue to the function that does it.

mod parts;
mod source;

use std::fs::File;
use std::io::{BufWriter, Write};

use formats::{Options, Row};
use serde_json::json;
use shared::App;
use transfer::import::{self, BATCH, Line, Outcome, Seen, Totals};

use self::parts::Sender;
use self::source::Opened;
use super::open;
use crate::args::Import;
use crate::failure::{Failure, Result};
use crate::output::{self, Output};

/// Reads the file row by row and says what came of each. It may be repeated.
///
/// # Errors
/// When the file cannot be read, when the tables cannot be written, or when rows were refused.
pub async fn import(output: Output, arguments: &Import) -> Result<()> {
    let app = open(&arguments.environment)?;
    let options = source::options(arguments)?;
    let mut run = Run::new(arguments)?;
    let by_queue = app.config.transfer.import_queue_url.is_some() && !arguments.direct && !arguments.change.dry_run;
    let imported = if by_queue {
        by_parts(&app, arguments, &options, &mut run).await
    } else {
        directly(&app, arguments, &options, &mut run).await
    };
    run.finish(imported.is_ok())?;
    imported.map_err(|failure| run.interrupted(failure))?;
    run.tell(output, arguments)
}

/// In batches, of which one is read while another is written.
async fn directly(app: &App, arguments: &Import, options: &Options, run: &mut Run) -> Result<()> {
    let mut seen = Seen::default();
    let mut opened = Opened::new(arguments)?;
    let mut rows = opened.rows(arguments, options)?;
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

async fn by_parts(app: &App, arguments: &Import, options: &Options, run: &mut Run) -> Result<()> {
    let mut opened = Opened::new(arguments)?;
    let mut rows = opened.rows(arguments, options)?;
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
        let report = match &arguments.report {
            // Appended to where an import goes on, so that one file tells of all rows.
            Some(path) => {
                let mut options = File::options();
                options.create(true).write(true).append(arguments.after > 0).truncate(arguments.after == 0);
                let file = options.open(path);
                Some(BufWriter::new(file.map_err(|error| source::unusable(path, &error))?))
            }
            None => None,
        };
        Ok(Self {
            totals: Totals::default(),
            done: arguments.after,
            report,
            progress: source::progress(&arguments.file)?,
        })
    }

    fn take(&mut self, lines: Vec<Line>) -> Result<()> {
        self.totals.count(&lines);
        for line in lines {
            if let Some(report) = &mut self.report {
                let written = serde_json::to_writer(&mut *report, &line).map_err(std::io::Error::from);
                written
                    .and_then(|()| report.write_all(b"\n"))
                    .map_err(|error| Failure::Failed(format!("the report cannot be written: {error}")))?;
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
        match &mut self.report {
            Some(report) => {
                report.flush().map_err(|error| Failure::Failed(format!("the report cannot be written: {error}")))
            }
            None => Ok(()),
        }
    }

    fn interrupted(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Failed(why) => Failure::Failed(format!(
                "{why}; {} rows are reported, and all up to row {} are done: run it again, or faster with --after {}",
                self.totals.rows(),
                self.done,
                self.done
            )),
            failure => failure,
        }
    }

    fn tell(&self, output: Output, arguments: &Import) -> Result<()> {
        let Totals { imported, already_there, refused } = self.totals;
        let document = json!({
            "dry_run": arguments.change.dry_run,
            "imported": imported,
            "already_there": already_there,
            "refused": refused,
        });
        let would = if arguments.change.dry_run { "would be imported" } else { "imported" };
        output.tell(&document, |_| format!("{imported} {would}, {already_there} already there, {refused} refused"))?;
        if refused == 0 { Ok(()) } else { Err(Failure::Failed(format!("{refused} rows were refused"))) }
    }
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
