//! Writing accounts that come from elsewhere.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
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
    /// Of the account in the other system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether its owner has to confirm its address before the first sign-in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
    /// What of the account was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Line {
    /// Of a row that no account can be made of.
    #[must_use]
    pub fn refused(row: u64, reasons: Vec<String>, notes: Vec<String>) -> Self {
        Self { row, outcome: Outcome::Refused { reasons }, external_id: None, unconfirmed: false, notes }
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

/// Rows that were seen, by what no two accounts share: an id, an id in the other system, an address. Of each is kept a hash of 64
/// bits.
#[derive(Debug, Default)]
pub struct Seen {
    rows: HashMap<u64, (u64, UserId)>,
    hasher: RandomState,
}

impl Seen {
    fn keys(&self, user: &User) -> [Option<(&'static str, u64)>; 3] {
        let key = |member: &'static str, value: &str| (member, self.hasher.hash_one((member, value)));
        [
            user.external_id.as_ref().map(|id| key("external_id", id.as_str())),
            Some(key("id", &user.id.to_string())),
            Some(key("email", user.email.normalized().as_str())),
        ]
    }

    fn add(&mut self, user: &User, row: u64) {
        for (_, key) in self.keys(user).into_iter().flatten() {
            self.rows.entry(key).or_insert((row, user.id));
        }
    }

    /// A member that an earlier row has, too, with that row and its account.
    fn earlier(&self, user: &User) -> Option<(&'static str, u64, UserId)> {
        let mut keys = self.keys(user).into_iter().flatten();
        keys.find_map(|(member, key)| self.rows.get(&key).map(|(row, id)| (member, *row, *id)))
    }

    /// What [`import`] would make of a row for the sake of those before it, of which nothing was written.
    fn look(&mut self, user: &User, row: u64) -> Option<Outcome> {
        let Some((member, earlier, id)) = self.earlier(user) else {
            self.add(user, row);
            return None;
        };
        Some(match member {
            "email" => Outcome::Refused { reasons: vec![format!("email: also used in row {earlier}")] },
            _ => Outcome::AlreadyThere { id },
        })
    }
}

/// What [`import`] would do with the rows of one batch, and with those that were `seen` before.
///
/// # Errors
/// When the tables cannot be read.
pub async fn dry_run(app: &App, rows: Vec<Row>, seen: &mut Seen) -> Result<Vec<Line>> {
    run(app, rows, Mode::DryRun, seen).await
}

/// Imports the rows of one batch, at most [`BATCH`]; one line for each, in their order. It may be repeated with the same rows: what
/// is there is left as it is.
///
/// # Errors
/// When the tables cannot be read or written. Some of the accounts may be there by then.
pub async fn import(app: &App, rows: Vec<Row>) -> Result<Vec<Line>> {
    run(app, rows, Mode::Write, &mut Seen::default()).await
}

/// As [`import`], of any number of rows.
///
/// # Errors
/// As [`import`].
pub async fn import_all(app: &App, mut rows: Vec<Row>) -> Result<Vec<Line>> {
    let mut lines = Vec::with_capacity(rows.len());
    while !rows.is_empty() {
        let batch = rows.drain(..rows.len().min(BATCH)).collect();
        lines.extend(import(app, batch).await?);
    }
    Ok(lines)
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
    let outcomes = in_order(app, &ready, mode).await?;
    let mut counted = BTreeMap::new();
    let mut failed = None;
    for (ready, outcome) in ready.iter().zip(outcomes) {
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
            Mode::DryRun if outcome == (Outcome::Imported { id: user.id }) => {
                seen.look(user, ready.row).unwrap_or(outcome)
            }
            _ => outcome,
        };
        if mode == Mode::Write && outcome == (Outcome::Imported { id: user.id }) {
            *counted.entry(kind_of(&ready.prepared)).or_insert(0) += 1;
        }
        lines[ready.at] = Some(Line {
            row: ready.row,
            external_id: user.external_id.as_ref().map(|id| id.as_str().to_owned()),
            unconfirmed: !user.email_confirmed && matches!(outcome, Outcome::Imported { .. }),
            outcome,
            notes: ready.prepared.notes.clone(),
        });
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

/// What comes of each, all at once; but of rows that are of one account, or have one address, the first is done before the others
/// are looked at.
async fn in_order(app: &App, ready: &[Ready], mode: Mode) -> Result<Vec<Result<Outcome>>> {
    let mut seen = Seen::default();
    let (mut together, mut later) = (Vec::new(), Vec::new());
    for (at, row) in ready.iter().enumerate() {
        let user = &row.prepared.imported.user;
        let rows = if seen.earlier(user).is_none() { &mut together } else { &mut later };
        rows.push((at, row));
        seen.add(user, row.row);
    }
    let mut outcomes = at_once(app, &together, mode).await?;
    for row in later {
        match at_once(app, &[row], mode).await {
            Ok(done) => outcomes.extend(done),
            // Others were written by now, and count.
            Err(error) => outcomes.push((row.0, Err(error))),
        }
    }
    outcomes.sort_by_key(|(at, _)| *at);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

async fn at_once(app: &App, rows: &[(usize, &Ready)], mode: Mode) -> Result<Vec<(usize, Result<Outcome>)>> {
    let users: Vec<&User> = rows.iter().map(|(_, ready)| &ready.prepared.imported.user).collect();
    let existing = app.store().existing(&users, app.clock.now()).await?;
    let outcomes = rows.iter().zip(existing).map(async |((at, ready), existing)| {
        let imported = &ready.prepared.imported;
        let outcome = match (existing, mode) {
            (Existing::Nothing, Mode::Write) => write(app, &ready.prepared).await,
            (Existing::Nothing, Mode::DryRun) => Ok(Outcome::Imported { id: imported.user.id }),
            (existing, _) => Ok(of_existing(existing, &imported.user)),
        };
        (*at, outcome)
    });
    Ok(join_all(outcomes).await)
}

/// Of an account that is there already its row may say another address: it moved since, or two rows have one id of the other
/// system.
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
            line.notes.push(format!("the account {id} already exists, with an email address other than {}", row.email));
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
    // Another import was first, or the address was registered.
    match app.store().existing(&[&imported.user], app.clock.now()).await?.first() {
        Some(existing @ (Existing::Account(_) | Existing::AddressOf(_) | Existing::Deleted)) => {
            Ok(of_existing(*existing, &imported.user))
        }
        _ => {
            let reason = "id: an account with this ID was deleted moments ago; import the row again in a few minutes";
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
            let reason = "id: the account was imported before and has been deleted here since; it is not restored";
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
    /// Of the imported ones, those whose owners have to confirm their addresses.
    pub unconfirmed: u64,
}

impl Totals {
    pub fn count(&mut self, lines: &[Line]) {
        for line in lines {
            self.unconfirmed += u64::from(line.unconfirmed);
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
