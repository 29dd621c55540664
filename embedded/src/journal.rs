//! The newest of something that only ever grows, in memory and, when asked, in a file of JSON lines.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StartError;

/// How many entries stay in memory.
const KEPT: usize = 10_000;
/// A file larger than this is set aside as `<name>.1`, replacing the one before.
const ROTATE_AT: u64 = 16 * 1024 * 1024;

pub(crate) struct Journal<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    /// Oldest first.
    entries: VecDeque<T>,
    file: Option<Lines>,
}

struct Lines {
    path: PathBuf,
    file: File,
    size: u64,
    rotate_at: u64,
}

impl<T: Clone + Serialize + DeserializeOwned> Journal<T> {
    /// With a path, what an earlier run wrote there is loaded first.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, StartError> {
        Self::rotating(path, ROTATE_AT)
    }

    fn rotating(path: Option<PathBuf>, rotate_at: u64) -> Result<Self, StartError> {
        let mut entries = VecDeque::new();
        let file = match path {
            None => None,
            Some(path) => {
                let unreadable =
                    |error: io::Error| StartError::Unreadable { path: path.clone(), reason: error.to_string() };
                load(&rotated(&path), &mut entries).map_err(unreadable)?;
                let whole = load(&path, &mut entries).map_err(unreadable)?;
                Some(Lines::open(path.clone(), whole, rotate_at).map_err(unreadable)?)
            }
        };
        Ok(Self { state: Mutex::new(State { entries, file }) })
    }

    /// Add entries, oldest first. A file that cannot be written is reported in the log and does not
    /// stop the server: what is in memory stays right.
    pub(crate) fn extend(&self, entries: Vec<T>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &mut state.file
            && let Err(error) = lines.append(&entries)
        {
            tracing::error!(path = %lines.path.display(), %error, "cannot write");
        }
        for entry in entries {
            keep(&mut state.entries, entry);
        }
    }

    pub(crate) fn newest_first(&self) -> Vec<T> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.iter().rev().cloned().collect()
    }
}

impl Lines {
    /// Open for appending after the first `whole` bytes; what follows them is a line torn by a crash.
    fn open(path: PathBuf, whole: u64, rotate_at: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole)?;
        Ok(Self { path, file, size: whole, rotate_at })
    }

    fn append<T: Serialize>(&mut self, entries: &[T]) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        if self.size > 0 && self.size + lines.len() as u64 > self.rotate_at {
            fs::rename(&self.path, rotated(&self.path))?;
            *self = Self::open(self.path.clone(), 0, self.rotate_at)?;
        }
        self.file.write_all(&lines)?;
        self.size += lines.len() as u64;
        Ok(())
    }
}

fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// Read whole lines and return how many bytes they take. A line that is not an entry is skipped:
/// one bad line must not keep the service from starting.
fn load<T: DeserializeOwned>(path: &Path, entries: &mut VecDeque<T>) -> io::Result<u64> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => keep(entries, entry),
            Err(error) => tracing::warn!(path = %path.display(), %error, "skipped a line"),
        }
    }
    Ok(whole as u64)
}

fn keep<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() == KEPT {
        entries.pop_front();
    }
    entries.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_set_aside_and_both_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        let journal = Journal::rotating(Some(path.clone()), 8).unwrap();
        for number in 1..=6 {
            journal.extend(vec![number]);
        }
        drop(journal);

        assert_eq!(fs::read_to_string(rotated(&path)).unwrap(), "1\n2\n3\n4\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "5\n6\n");
        assert_eq!(Journal::<u32>::open(Some(path)).unwrap().newest_first(), [6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn lines_that_are_no_entries_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        fs::write(&path, "1\nno number\n\n2\n3").unwrap();

        let journal = Journal::<u32>::open(Some(path.clone())).unwrap();
        journal.extend(vec![4]);

        assert_eq!(journal.newest_first(), [4, 2, 1]);
        assert_eq!(fs::read_to_string(path).unwrap(), "1\nno number\n\n2\n4\n");
    }
}
