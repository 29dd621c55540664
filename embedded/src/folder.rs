//! The folder that keeps data between runs: one process at a time, one format.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::StartError;

/// Raised when files of an older version can no longer be read as they are.
const FORMAT: u32 = 1;

/// An opened data folder; closing it lets another process have it.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Create or open the folder and hold it until dropped.
    /// With `fresh` it is emptied first, but not while another process has it.
    pub(crate) fn open(path: &Path, fresh: bool) -> Result<Self, StartError> {
        let failed = |source| StartError::Folder { path: path.to_owned(), source };
        create(path).map_err(failed)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let folder = Self { path: path.to_owned(), _lock: lock };
        if fresh {
            folder.empty().map_err(failed)?;
        }
        folder.check_format()?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn empty(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else if entry.file_name() != "lock" {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn check_format(&self) -> Result<(), StartError> {
        let path = self.file("format");
        match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse::<u32>() {
                Ok(format) if format <= FORMAT => Ok(()),
                Ok(_) => Err(StartError::Newer(self.path.clone())),
                Err(_) => Err(StartError::Unreadable { path, reason: "it should hold one number".to_owned() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&path, format!("{FORMAT}\n")).map_err(|source| StartError::Folder { path, source })
            }
            Err(source) => Err(StartError::Folder { path, source }),
        }
    }
}

/// Write a file in one step: after a crash it has its old or its new content, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    fs::write(&new, content)?;
    fs::rename(new, path)
}

/// Only the user may look inside: there are sign-in links in the mails and signing keys in the tables.
fn create(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}
