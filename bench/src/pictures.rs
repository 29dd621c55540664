//! Our resizer against sharp and Pillow at the same job: three square thumbnails of each picture of a corpus, one thread
//! each. A process for each picture and each of the three holds the upload in memory; they take turns, and each takes
//! the time of its own work, so that no start and no reading of a file counts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::report;
use crate::samples::{Samples, millis, ratio};

const ROUNDS: usize = 20;
const COMMAND: &str = "bench/pictures";
const PYTHON: &str = "bench/resizers/.venv/bin/python";
const CORPUS: &str = "target/pictures/corpus";
const THUMBNAILS: &str = "target/pictures/thumbnails";

/// Measures `arguments[0]` rounds.
pub async fn run(mut arguments: impl Iterator<Item = String>) {
    let rounds = arguments.next().map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let resizers = resizers();
    let mut table = String::new();
    for picture in corpus() {
        table += &measure(&picture, &resizers, rounds).await;
    }
    let mut text =
        "| picture | resized with | time | × ours | memory | of it the job's | thumbnails | likeness |\n".to_owned();
    text += "|---|---|--:|--:|--:|--:|--:|--:|\n";
    text += &table;
    text += "\nTime is the median. Memory is the peak of a process that has done the job once; the job's is what that grew by, \
             without the language and its libraries. Thumbnails are the bytes of all three. Likeness is their mean SSIM to a \
             careful resize, in Pillow, of the whole picture: 1 is the same.\n";
    report::publish("pictures", "Pictures", &format!("`{COMMAND}`, {rounds} rounds"), &text).await;
}

struct Resizer {
    name: &'static str,
    /// A program and its first arguments; the picture and a folder for its thumbnails come after them.
    command: Vec<PathBuf>,
}

/// Ours first, which the others are compared with.
fn resizers() -> [Resizer; 3] {
    let ours = std::env::current_exe().expect("a path").with_file_name("examples").join("thumbnails");
    [
        Resizer { name: "pictures", command: vec![ours] },
        Resizer { name: "sharp", command: vec!["node".into(), "bench/resizers/sharp.mjs".into()] },
        Resizer { name: "Pillow", command: vec![PYTHON.into(), "bench/resizers/pillow.py".into()] },
    ]
}

fn corpus() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(CORPUS).unwrap_or_else(|error| panic!("{CORPUS}: {error}; {COMMAND} makes it"));
    let mut pictures: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    pictures.sort();
    pictures
}

/// The rows of one picture.
async fn measure(picture: &Path, resizers: &[Resizer], rounds: usize) -> String {
    let mut workers = Vec::new();
    for resizer in resizers {
        workers.push(Worker::start(resizer, picture).await);
    }
    let mut times: Vec<Samples> = workers.iter().map(|_| Samples::default()).collect();
    for _ in 0..rounds {
        for (worker, times) in workers.iter_mut().zip(&mut times) {
            times.push(worker.work().await);
        }
    }
    let likeness = likeness(picture, &workers).await;
    let mut rows = String::new();
    // The number in front is for the order.
    let name = picture.file_stem().and_then(|stem| stem.to_str()?.split_once(' ')).map_or("", |(_, name)| name);
    for (((resizer, worker), time), likeness) in resizers.iter().zip(&workers).zip(&times).zip(likeness) {
        let _ = writeln!(
            rows,
            "| {name} | {} | {} | {:.2} | {:.1} MB | {:.1} MB | {:.1} kB | {likeness:.4} |",
            resizer.name,
            millis(time.median()),
            ratio(time.median(), times[0].median()),
            megabytes(worker.peak),
            megabytes(worker.peak.saturating_sub(worker.before)),
            bytes(&worker.folder) / 1e3,
        );
    }
    rows
}

/// A process that makes thumbnails of one picture, each time that it is asked.
struct Worker {
    /// Ends with this.
    _process: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    folder: PathBuf,
    /// The most memory that it has held, in KiB: before the first time, and after it.
    before: u32,
    peak: u32,
}

impl Worker {
    /// Starts it and lets it work once, outside of the measured times.
    async fn start(resizer: &Resizer, picture: &Path) -> Self {
        let folder = Path::new(THUMBNAILS).join(resizer.name).join(picture.file_stem().expect("a name"));
        // Of an earlier run there may be files in another format.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let (program, arguments) = resizer.command.split_first().expect("a program");
        let mut process = Command::new(program)
            .args(arguments)
            .args([picture, &folder])
            .env("VIPS_CONCURRENCY", "1")
            .env("UV_THREADPOOL_SIZE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; {COMMAND} gets it", program.display()));
        let ask = process.stdin.take().expect("a pipe");
        let mut answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let ready = answers.next_line().await.expect("a pipe");
        assert_eq!(ready.as_deref(), Some("ready"), "{} could not start", resizer.name);
        let id = process.id().expect("a running process");
        let mut worker = Self { _process: process, ask, answers, folder, before: peak(id), peak: 0 };
        worker.work().await;
        worker.peak = peak(id);
        worker
    }

    async fn work(&mut self) -> Duration {
        self.ask.write_all(b"\n").await.expect("a pipe");
        let answer = self.answers.next_line().await.expect("a pipe").expect("an answer");
        Duration::from_nanos(answer.parse().expect("nanoseconds"))
    }
}

/// The most memory that a process has held so far, in KiB.
fn peak(process: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|peak| peak.parse().ok()).expect("a peak")
}

fn megabytes(kibibytes: u32) -> f64 {
    f64::from(kibibytes) * 1024.0 / 1e6
}

#[allow(clippy::cast_precision_loss, reason = "a thumbnail is small")]
fn bytes(folder: &Path) -> f64 {
    let files = std::fs::read_dir(folder).expect("a folder");
    files.map(|file| file.and_then(|file| file.metadata()).expect("a file").len() as f64).sum()
}

/// Of the thumbnails of each worker.
async fn likeness(picture: &Path, workers: &[Worker]) -> Vec<f64> {
    let folders = workers.iter().map(|worker| &worker.folder);
    let output = Command::new(PYTHON).arg("bench/resizers/likeness.py").arg(picture).args(folders).output().await;
    let output = output.unwrap_or_else(|error| panic!("{PYTHON}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.parse().expect("a number")).collect()
}
