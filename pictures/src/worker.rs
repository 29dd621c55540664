//! Makes thumbnails in a process of its own, whose memory and time the kernel limits.
//!
//! What a decoder allocates is decided by the file, not by the size in its header, and an allocation that fails aborts
//! the process. So the program that takes uploads starts itself once more for each of them, with [`arguments`] and
//! nothing of its environment, writes the upload to the standard input of that process and reads the outcome from its
//! standard output. If the process ends without one, only that process is lost.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::{Format, MAX_BYTES, Rejected, SIZES, Thumbnail, Thumbnails, thumbnails};

/// What a worker is started with, before its limits.
const COMMAND: &str = "make-thumbnails";

/// How a worker ends that could not work: the upload is not the reason.
pub const NOT_STARTED: u8 = 75;

/// What one upload may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes (`RLIMIT_AS`): the program and its libraries count, too. Only Linux enforces it; elsewhere
    /// there is no limit of the memory.
    pub memory: u64,
    /// Time on the CPU, in whole seconds (`RLIMIT_CPU`). Not enforced on Windows.
    pub time: Duration,
}

/// Why no thumbnails were made, as it comes out of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// [`Rejected::code`]
    pub code: String,
    /// In words for the person who uploaded the picture.
    pub reason: String,
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self { code: rejected.code().to_owned(), reason: rejected.to_string() }
    }
}

/// The arguments that make a program that calls [`serve`] a worker.
#[must_use]
pub fn arguments(limits: Limits) -> [OsString; 3] {
    [COMMAND.into(), limits.memory.to_string().into(), limits.time.as_secs().to_string().into()]
}

/// Works and gives how the process is to end, if it was started with [`arguments`]; `None` otherwise. To be called first
/// thing in `main`.
#[must_use]
pub fn serve() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(COMMAND) {
        return None;
    }
    let mut number = || arguments.next()?.parse().ok();
    let limits = number().zip(number()).map(|(memory, time)| Limits { memory, time: Duration::from_secs(time) });
    let outcome = limits.ok_or_else(|| io::ErrorKind::InvalidInput.into()).and_then(work);
    Some(outcome.map_or_else(
        |error| {
            eprintln!("no thumbnails could be made: {error}");
            NOT_STARTED.into()
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn work(limits: Limits) -> io::Result<()> {
    restrict(limits)?;
    let mut upload = Vec::new();
    // One byte more than is allowed tells that it is too many.
    io::stdin().lock().take(MAX_BYTES as u64 + 1).read_to_end(&mut upload)?;
    let outcome = thumbnails(&upload);
    write(&outcome, &mut io::stdout().lock())
}

#[cfg(unix)]
fn restrict(limits: Limits) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let at_most = |most| Rlimit { current: Some(most), maximum: Some(most) };
    // A process that aborts is expected here, and its memory holds a person's picture.
    setrlimit(Resource::Core, at_most(0))?;
    setrlimit(Resource::Cpu, at_most(limits.time.as_secs()))?;
    if cfg!(target_os = "linux") {
        setrlimit(Resource::As, at_most(limits.memory))?;
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn restrict(_: Limits) -> io::Result<()> {
    Ok(())
}

/// Writes an outcome for [`read`]: a line, then the bytes of the pictures that it announces.
fn write(outcome: &Result<Thumbnails, Rejected>, output: &mut impl Write) -> io::Result<()> {
    match outcome {
        Ok(Thumbnails { format, pictures }) => {
            let [small, medium, large] = pictures.each_ref().map(|picture| picture.bytes.len());
            writeln!(output, "{} {small} {medium} {large}", format.extension())?;
            pictures.iter().try_for_each(|picture| output.write_all(&picture.bytes))?;
        }
        Err(rejected) => writeln!(output, "rejected {} {rejected}", rejected.code())?,
    }
    output.flush()
}

/// The outcome that a worker wrote before it ended with success; `None` for anything else.
#[must_use]
pub fn read(output: &[u8]) -> Option<Result<Thumbnails, Refusal>> {
    let end = output.iter().position(|&byte| byte == b'\n')?;
    let (line, rest) = (std::str::from_utf8(&output[..end]).ok()?, &output[end + 1..]);
    if let Some(refusal) = line.strip_prefix("rejected ") {
        let (code, reason) = refusal.split_once(' ')?;
        return Some(Err(Refusal { code: code.to_owned(), reason: reason.to_owned() }));
    }
    let (extension, lengths) = line.split_once(' ')?;
    let format = [Format::Jpeg, Format::Png].into_iter().find(|format| format.extension() == extension)?;
    let mut lengths = lengths.split(' ');
    let mut rest = rest;
    let mut next = |size| {
        let (bytes, after) = rest.split_at_checked(lengths.next()?.parse().ok()?)?;
        rest = after;
        Some(Thumbnail { size, bytes: bytes.to_vec() })
    };
    let [small, medium, large] = SIZES;
    let pictures = [next(small)?, next(medium)?, next(large)?];
    rest.is_empty().then_some(Ok(Thumbnails { format, pictures }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(outcome: &Result<Thumbnails, Rejected>) -> Option<Result<Thumbnails, Refusal>> {
        let mut output = Vec::new();
        write(outcome, &mut output).unwrap();
        // Whatever is missing is noticed.
        assert!((0..output.len()).all(|end| read(&output[..end]).is_none()));
        read(&output)
    }

    #[test]
    fn an_outcome_is_read_as_it_was_written() {
        let picture = |size, length| Thumbnail { size, bytes: vec![b'\n'; length] };
        for format in [Format::Jpeg, Format::Png] {
            let made = Thumbnails { format, pictures: [picture(64, 3), picture(256, 5), picture(512, 9)] };
            assert_eq!(through(&Ok(made.clone())), Some(Ok(made)));
        }
        for rejected in [
            Rejected::TooLarge { bytes: 11_000_000 },
            Rejected::TooManyPixels { width: 9000, height: 9000 },
            Rejected::UnsupportedFormat,
            Rejected::UnsupportedVariant { format: "JPEG", kind: "lossless" },
            Rejected::TooExpensive,
            Rejected::DecoderFailed,
            Rejected::Damaged,
        ] {
            assert_eq!(through(&Err(rejected.clone())), Some(Err(rejected.into())));
        }
    }

    #[test]
    fn what_no_worker_writes_is_no_outcome() {
        for output in [&b""[..], b"\n", b"jpg\n", b"jpg 1 1\nab", b"jpg 1 1 1\nabcd", b"gif 1 1 1\nabc", b"rejected\n"]
        {
            assert_eq!(read(output), None, "{output:?}");
        }
    }
}
