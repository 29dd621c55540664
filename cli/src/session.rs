//! The stored session of each service: `sessions.json` in `$XDG_CONFIG_HOME/users`, or in `~/.config/users`, which its owner
//! alone reads. A lock file next to it keeps two processes from rotating the same refresh token.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::failure::{Failure, Result};

const FILE: &str = "sessions.json";
const NEW_FILE: &str = "sessions.json.new";
const LOCK: &str = "lock";

/// Where the sessions are, and which service this one is of.
#[derive(Debug)]
pub struct Sessions {
    folder: PathBuf,
    service: String,
}

/// What is kept of one service.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    /// Who signed in last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Token>,
    /// By address: what shows at the next sign-in that this client is no stranger. Kept after signing out.
    pub device_tokens: BTreeMap<String, Token>,
}

/// A token that goes to the file, and does not print.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Token(pub SecretString);

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// The sessions while no other process reads or changes them.
pub struct Held<'a> {
    sessions: &'a Sessions,
    /// Unlocked when it is closed.
    _lock: File,
}

impl Sessions {
    /// # Errors
    /// When the environment names no home.
    pub fn of(service: &str) -> Result<Self> {
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
        let config =
            config.ok_or_else(|| Failure::Failed("neither XDG_CONFIG_HOME nor HOME is set to a folder".into()))?;
        Ok(Self { folder: config.join("users"), service: service.to_owned() })
    }

    /// Waits until no other process holds them.
    ///
    /// # Errors
    /// When the folder or the lock cannot be made.
    pub fn lock(&self) -> Result<Held<'_>> {
        let locked = || -> io::Result<File> {
            private_folder(&self.folder)?;
            let lock =
                private_file(&self.folder.join(LOCK), OpenOptions::new().write(true).create(true).truncate(false))?;
            lock.lock()?;
            Ok(lock)
        };
        let lock = locked().map_err(|error| self.failure(&error))?;
        Ok(Held { sessions: self, _lock: lock })
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot use {}: {error}", self.folder.display()))
    }
}

impl Held<'_> {
    /// # Errors
    /// When the file cannot be read, or is none of ours.
    pub fn read(&self) -> Result<Saved> {
        let Self { sessions, .. } = self;
        let mut all = self.all().map_err(|error| sessions.failure(&error))?;
        Ok(all.remove(&sessions.service).unwrap_or_default())
    }

    /// Replaces what is kept of the service, all or nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, saved: &Saved) -> Result<()> {
        let Self { sessions, .. } = self;
        let written = || {
            let mut all = self.all()?;
            all.insert(sessions.service.clone(), saved.clone());
            replace(&sessions.folder, &serde_json::to_vec_pretty(&all)?)
        };
        written().map_err(|error: io::Error| sessions.failure(&error))
    }

    fn all(&self) -> io::Result<BTreeMap<String, Saved>> {
        match std::fs::read(self.sessions.folder.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::other(format!("{FILE} is damaged ({error}); delete it and sign in again"))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }
}

/// A new file takes the place of the old one once it is on the disk.
fn replace(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let (new, file) = (folder.join(NEW_FILE), folder.join(FILE));
    // Of a process that was stopped halfway.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written = private_file(&new, OpenOptions::new().write(true).create_new(true))?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(new, file)
}

/// Its owner's alone from the moment that it is there.
fn private_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token(text.to_owned().into())
    }

    #[test]
    fn each_service_has_its_session_and_the_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let of = |service: &str| Sessions { folder: folder.path().join("users"), service: service.into() };
        let (one, other) = (of("http://127.0.0.1:1"), of("https://api.example.com"));
        let saved =
            Saved { email: Some("ada@example.com".into()), refresh_token: Some(token("r1")), ..Saved::default() };
        one.lock().unwrap().write(&saved).unwrap();
        other.lock().unwrap().write(&Saved { refresh_token: Some(token("r2")), ..Saved::default() }).unwrap();
        let read = |sessions: &Sessions| sessions.lock().unwrap().read().unwrap().refresh_token.unwrap();
        assert_eq!((read(&one).0.expose_secret(), read(&other).0.expose_secret()), ("r1", "r2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode("users"), mode("users/sessions.json"), mode("users/lock")), (0o700, 0o600, 0o600));
        }
    }

    #[test]
    fn what_a_process_left_halfway_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions { folder: folder.path().to_owned(), service: "x".into() };
        std::fs::write(folder.path().join(NEW_FILE), "{").unwrap();
        let held = sessions.lock().unwrap();
        held.write(&Saved::default()).unwrap();
        assert!(held.read().is_ok() && !folder.path().join(NEW_FILE).exists());
    }
}
