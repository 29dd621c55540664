//! The file that is imported: opened, decrypted, and counted as it is read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use age::{Decryptor, Identity, IdentityFile};
use foreign_hashes::System;
use formats::{Options, Row, Rows, StaffRoles};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Import;
use crate::failure::{Failure, Result};

/// Counts what is read of a file, for the progress bar.
struct Counted {
    file: File,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// A file that is open.
pub struct Opened {
    reader: Option<Box<dyn Read>>,
    bytes: Rc<Cell<u64>>,
}

/// Its rows, and how far it was read.
pub struct CountedRows<'a> {
    rows: Rows<'a>,
    bytes: Rc<Cell<u64>>,
}

impl CountedRows<'_> {
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }
}

impl Iterator for CountedRows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        self.rows.next()
    }
}

impl Opened {
    pub fn new(arguments: &Import) -> Result<Self> {
        let path = &arguments.file;
        let file = File::open(path).map_err(|error| Failure::of_file(path, &error))?;
        let bytes = Rc::new(Cell::new(0));
        let counted = Counted { file, bytes: Rc::clone(&bytes) };
        let reader: Box<dyn Read> = match &arguments.identity {
            Some(identity) => decrypted(counted, identity)?,
            None => Box::new(unencrypted(counted).map_err(|error| Failure::of_file(path, &error))?),
        };
        Ok(Self { reader: Some(reader), bytes })
    }

    pub fn rows<'a>(&mut self, arguments: &Import, options: &'a Options) -> Result<CountedRows<'a>> {
        let reader = self.reader.take().ok_or_else(|| Failure::Failed("the file has already been read".into()))?;
        let rows = formats::rows_after(arguments.from, BufReader::new(reader), options, arguments.after);
        Ok(CountedRows { rows, bytes: Rc::clone(&self.bytes) })
    }
}

/// The file, unless it begins as age's do, in binary or in ASCII.
fn unencrypted(file: Counted) -> io::Result<impl Read> {
    let mut file = BufReader::new(file);
    let start = file.fill_buf()?;
    if [b"age-encryption.org/".as_slice(), b"-----BEGIN AGE ENCRYPTED FILE"]
        .iter()
        .any(|magic| start.starts_with(magic))
    {
        return Err(io::Error::other("the file is encrypted with age: pass the key file with --identity"));
    }
    Ok(file)
}

fn decrypted(file: Counted, identity: &Path) -> Result<Box<dyn Read>> {
    let failed = |why: String| Failure::Failed(format!("cannot decrypt the file: {why}"));
    let text = File::open(identity).map_err(|error| Failure::of_file(identity, &error))?;
    let keys = IdentityFile::from_buffer(BufReader::new(text)).map_err(|error| Failure::of_file(identity, &error))?;
    let keys = keys.into_identities().map_err(|error| failed(error.to_string()))?;
    let decryptor = Decryptor::new(file).map_err(|error| failed(error.to_string()))?;
    let reader = decryptor.decrypt(keys.iter().map(|key| key.as_ref() as &dyn Identity));
    Ok(Box::new(reader.map_err(|error| failed(error.to_string()))?))
}

/// What the file does not say of itself.
pub fn options(arguments: &Import) -> Result<Options> {
    let settings: formats::Members = match &arguments.settings {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::of_file(path, &error))?;
            // The words of the error may repeat a value, and that a secret.
            serde_json::from_str(&text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                Failure::Failed(format!("{} is not a JSON object: line {line}, column {column}", path.display()))
            })?
        }
        None => formats::Members::new(),
    };
    // `hashes` is of the reader. An account whose pepper was lost by a slip cannot sign in, and is not imported a second time.
    if let Some(unknown) = settings.keys().find(|name| *name != "hashes" && !System::has_field(name)) {
        return Err(Failure::Failed(format!(
            "`{unknown}` is not a setting of any system; docs/moving-in/other.md lists the supported settings"
        )));
    }
    Ok(Options {
        settings,
        cognito_pool: arguments.cognito_pool.clone(),
        cognito_client: arguments.cognito_client.clone(),
        email_confirmed: arguments.email_confirmed,
        staff_roles: if arguments.keep_staff_roles { StaffRoles::Keep } else { StaffRoles::Drop },
    })
}

/// A bar on standard error, if that is a terminal.
pub fn progress(path: &Path) -> Result<ProgressBar> {
    let length = std::fs::metadata(path).map_err(|error| Failure::of_file(path, &error))?.len();
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {eta} left");
    Ok(bar.with_style(style.map_err(|error| Failure::Failed(error.to_string()))?))
}
