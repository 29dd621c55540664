//! Writing accounts that come from elsewhere.

use std::borrow::Cow;
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use foreign_hashes::ForeignHash;
use formats::{Problem, Row};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use shared::domain::id::UserId;
use shared::domain::imported::{OWN, PasswordKind};
use shared::domain::user::User;
use shared::grant::Grants;
use shared::grants;
use shared::store::{Existing, ImportedUser, Store};
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};

use crate::account::{NotPrepared, Prepared, prepare};

/// Rows that are prepared and written together: as many transactions are under way at once at most, and so many rows are in memory.
pub const BATCH: usize = 64;

/// [`import`].
pub const IMPORT: Grants =
    grants![Store::EXISTING, Store::IMPORT_USER, Store::ADD_TO_POPULATION, Keys::IMPORT_MAC, Keys::SEAL_TOTP];

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Imported {
        id: UserId,
    },
    /// An earlier import made the account, or an earlier row of this one.
    AlreadyThere {
        id: UserId,
    },
    Refused {
        reasons: Vec<String>,
    },
}

/// A row of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// As the file counts: lines, or elements of its list.
    pub row: u64,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What of the account was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Line {
    fn refused(row: u64, reasons: Vec<String>, notes: Vec<String>) -> Self {
        Self { row, outcome: Outcome::Refused { reasons }, notes }
    }
}

/// Whether accounts are written, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    DryRun,
}

/// A row that became an account.
struct Ready {
    at: usize,
    row: u64,
    prepared: Prepared,
}

/// Rows of a dry run, by their addresses and their ids in the other system: as nothing is written, nothing else tells that two are of
/// one account. What is kept of each is a hash of 64 bits.
#[derive(Debug, Default)]
pub struct Seen {
    rows: HashMap<u64, u64>,
    hasher: RandomState,
}

impl Seen {
    /// The row that was seen before with the same, if there is one.
    fn earlier(&mut self, known_by: &str, row: u64) -> Option<u64> {
        match self.rows.entry(self.hasher.hash_one(known_by)) {
            Entry::Occupied(earlier) => Some(*earlier.get()),
            Entry::Vacant(new) => {
                new.insert(row);
                None
            }
        }
    }

    fn look(&mut self, user: &User, row: u64) -> Option<Outcome> {
        let address = self.earlier(&format!("email {}", user.email.normalized().as_str()), row);
        let external = user.external_id.as_ref().map(|id| format!("external_id {}", id.as_str()));
        let external = external.and_then(|id| self.earlier(&id, row));
        let reasons = [("email", address), ("external_id", external)].into_iter();
        let reasons: Vec<_> =
            reasons.filter_map(|(member, earlier)| Some(format!("{member}: row {} has it, too", earlier?))).collect();
        (!reasons.is_empty()).then_some(Outcome::Refused { reasons })
    }
}

/// What [`import`] would do with the rows of one batch, and with those that were `seen` before.
///
/// # Errors
/// When the tables cannot be read.
pub async fn dry_run(app: &App, rows: Vec<Row>, seen: &mut Seen) -> Result<Vec<Line>> {
    run(app, rows, Mode::DryRun, seen).await
}

/// Imports the rows of one batch, at most [`BATCH`]; one line for each, in their order. It may be repeated with the same rows: what is
/// there is left as it is.
///
/// # Errors
/// When the tables cannot be read or written. Some of the accounts may be there by then.
pub async fn import(app: &App, rows: Vec<Row>) -> Result<Vec<Line>> {
    run(app, rows, Mode::Write, &mut Seen::default()).await
}

async fn run(app: &App, rows: Vec<Row>, mode: Mode, seen: &mut Seen) -> Result<Vec<Line>> {
    let mut lines: Vec<Option<Line>> = Vec::new();
    lines.resize_with(rows.len(), || None);
    let mut ready = Vec::with_capacity(rows.len());
    let prepared = join_all(rows.into_iter().enumerate().map(async |(at, row)| (at, row.number, read(app, row).await)));
    for (at, row, outcome) in prepared.await {
        match outcome? {
            Ok(prepared) => ready.push(Ready { at, row, prepared }),
            Err(line) => lines[at] = Some(line),
        }
    }
    let users: Vec<&User> = ready.iter().map(|ready| &ready.prepared.imported.user).collect();
    let existing = app.store().existing(&users, app.clock.now()).await?;
    let written = join_all(ready.iter().zip(existing).map(async |(ready, existing)| {
        let imported = &ready.prepared.imported;
        match (existing, mode) {
            (Existing::Nothing, Mode::Write) => write(app, &ready.prepared).await,
            (Existing::Nothing, Mode::DryRun) => Ok(Outcome::Imported { id: imported.user.id }),
            (existing, _) => Ok(of_existing(existing, &imported.user)),
        }
    }));
    let mut counted = BTreeMap::new();
    let mut failed = None;
    for (ready, outcome) in ready.iter().zip(written.await) {
        // Others may be there by now, and count.
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                failed = failed.or(Some(error));
                continue;
            }
        };
        let user = &ready.prepared.imported.user;
        let outcome = match mode {
            Mode::DryRun => seen.look(user, ready.row).unwrap_or(outcome),
            Mode::Write => outcome,
        };
        if mode == Mode::Write && outcome == (Outcome::Imported { id: user.id }) {
            *counted.entry(kind_of(&ready.prepared)).or_insert(0) += 1;
        }
        lines[ready.at] = Some(Line { row: ready.row, outcome, notes: ready.prepared.notes.clone() });
    }
    if !counted.is_empty() {
        app.store().add_to_population(&counted).await?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    note_other_addresses(app, &ready, &mut lines).await?;
    Ok(lines.into_iter().flatten().collect())
}

/// Of an account that is there already its row may say another address: it moved since, or two rows have one id of the other system.
async fn note_other_addresses(app: &App, ready: &[Ready], lines: &mut [Option<Line>]) -> Result<()> {
    let there = ready.iter().filter_map(|ready| match lines[ready.at].as_ref()?.outcome {
        Outcome::AlreadyThere { id } => Some((ready, id)),
        _ => None,
    });
    let there: Vec<_> = there.collect();
    let mut ids: Vec<UserId> = there.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let users = app.store().users(&ids).await?;
    for (ready, id) in there {
        let known = ids.binary_search(&id).ok().and_then(|at| users.get(at)?.as_ref());
        let row = &ready.prepared.imported.user;
        if let (Some(known), Some(line)) = (known, &mut lines[ready.at])
            && known.email.normalized() != row.email.normalized()
        {
            line.notes.push(format!("the account {id} is there already, with another address than {}", row.email));
        }
    }
    Ok(())
}

async fn read(app: &App, row: Row) -> Result<Result<Prepared, Line>> {
    let Row { number, record, mut notes } = row;
    let record = match record {
        Ok(record) => record,
        Err(problem) => return Ok(Err(Line::refused(number, vec![problem.to_string()], notes))),
    };
    match prepare(app, record).await {
        Ok(mut prepared) => {
            notes.append(&mut prepared.notes);
            Ok(Ok(Prepared { notes, ..prepared }))
        }
        Err(NotPrepared::Faults(faults)) => {
            Ok(Err(Line::refused(number, faults.iter().map(ToString::to_string).collect(), notes)))
        }
        Err(NotPrepared::Failed(error)) => Err(error),
    }
}

async fn write(app: &App, prepared: &Prepared) -> Result<Outcome> {
    let imported = match &prepared.weak {
        Some(weak) => Cow::Owned(wrapped(app, &prepared.imported, weak).await?),
        None => Cow::Borrowed(&prepared.imported),
    };
    let imported: &ImportedUser = &imported;
    if app.store().import_user(imported).await? {
        return Ok(Outcome::Imported { id: imported.user.id });
    }
    // Another row of the batch was first, or somebody registered.
    match app.store().existing(&[&imported.user], app.clock.now()).await?.first() {
        Some(existing @ (Existing::Account(_) | Existing::AddressOf(_) | Existing::Deleted)) => {
            Ok(of_existing(*existing, &imported.user))
        }
        _ => {
            let reason = "id: an account with this id was deleted moments ago; import the row again in a few minutes";
            Ok(Outcome::Refused { reasons: vec![reason.to_owned()] })
        }
    }
}

async fn wrapped(app: &App, imported: &ImportedUser, weak: &ForeignHash) -> Result<ImportedUser> {
    let password_hash = app.hasher.wrap(weak.clone()).await?.to_hash().map_err(Error::internal)?;
    Ok(ImportedUser { user: User { password_hash, ..imported.user.clone() }, ..imported.clone() })
}

fn of_existing(existing: Existing, user: &User) -> Outcome {
    match existing {
        Existing::Account(id) => Outcome::AlreadyThere { id },
        Existing::AddressOf(id) => {
            let reason = format!("email: {} is the address of the account {id}, or reserved for it", user.email);
            Outcome::Refused { reasons: vec![reason] }
        }
        Existing::Deleted => {
            let reason = "id: the account was imported before, and deleted here since: it is not brought back";
            Outcome::Refused { reasons: vec![reason.to_owned()] }
        }
        Existing::Nothing => Outcome::Imported { id: user.id },
    }
}

fn kind_of(prepared: &Prepared) -> String {
    match &prepared.weak {
        Some(weak) => PasswordKind::Wrapped(weak.class()).to_string(),
        None => prepared.imported.user.password_hash.imported_kind().unwrap_or(OWN).to_owned(),
    }
}

/// How many rows had which outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub imported: u64,
    pub already_there: u64,
    pub refused: u64,
}

impl Totals {
    pub fn count(&mut self, lines: &[Line]) {
        for line in lines {
            match line.outcome {
                Outcome::Imported { .. } => self.imported += 1,
                Outcome::AlreadyThere { .. } => self.already_there += 1,
                Outcome::Refused { .. } => self.refused += 1,
            }
        }
    }

    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.imported + self.already_there + self.refused
    }
}

/// Whether a row ends the file, with why.
#[must_use]
pub fn ends_file(row: &Row) -> Option<String> {
    row.record.as_ref().err().filter(|problem| Problem::ends_file(problem)).map(ToString::to_string)
}
