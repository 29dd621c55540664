//! Why the embedded servers could not be started.

use std::io;
use std::path::PathBuf;

/// Each variant prints as one line for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be created, read or written.
    #[error("cannot use the data folder {path}: {source}", path = path.display())]
    Folder {
        /// The folder asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two processes would overwrite each other's data.
    #[error("the data folder {path} is in use by another running copy: stop it, or start in another folder or with --memory", path = .0.display())]
    InUse(PathBuf),
    /// The data was written by a version that keeps it differently.
    #[error("the data in {path} was written by a newer version; update, or move the folder away", path = .0.display())]
    Newer(PathBuf),
    /// A file in the data folder is not what was written there.
    #[error("cannot read {path}: {reason}; move it away to start afresh", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No port could be opened on the loopback interface.
    #[error("cannot listen on 127.0.0.1: {0}")]
    Port(io::Error),
    /// DynamoDB's in-memory database could not be made.
    #[error("cannot start the embedded DynamoDB: {0}")]
    DynamoDb(String),
}
