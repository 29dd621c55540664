//! Everything of all accounts, consistent at one instant: read from DynamoDB's own export of the table to S3
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html>), which takes nothing of the
//! live table's capacity.
//!
//! The items of an account lie in several files of the export, in no order. They are joined in passes over all files, each for a
//! share of the accounts, so that memory stays flat however many there are, and nothing is written to this machine unencrypted.

mod files;
mod record;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use aws_sdk_dynamodb::types::{ExportFormat, ExportStatus, S3SseAlgorithm};
use formats::Record;
use serde::{Deserialize, Serialize};
use serde_dynamo::{AttributeValue, Item};
use shared::clock::Timestamp;
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::factor::Totp;
use shared::domain::id::{ExportId, UserId};
use shared::domain::passkey::Passkey;
use shared::domain::recovery::RecoverySet;
use shared::domain::user::User;
use shared::{App, Error, Result};

pub use files::DataFile;
pub use record::record_of;

/// What keys of exports begin with.
pub const PREFIX: &str = "exports";
/// Items of the table for which one pass is enough: a few hundred MB of accounts.
const ITEMS_OF_A_PASS: u64 = 400_000;

/// An export of the table that was asked for.
#[derive(Debug, Clone)]
pub struct Started {
    pub id: ExportId,
    arn: String,
}

/// A complete export of the table.
#[derive(Debug, Clone)]
pub struct Complete {
    pub id: ExportId,
    /// The instant at which the table was as the export has it.
    pub instant: Timestamp,
    pub table: String,
    /// Items of all kinds.
    pub items: u64,
    pub files: Vec<DataFile>,
}

/// Notes that all accounts are exported, and has the table exported. What was noted stays, whatever becomes of the export.
///
/// # Errors
/// When the table cannot be read or written, or DynamoDB refuses.
pub async fn start(app: &App, recipients: Vec<String>) -> Result<Started> {
    let now = app.clock.now();
    let id = ExportId::new(now);
    let event = DomainEvent::new(Subject::Export(id), &Actor::SYSTEM, EventKind::ExportStarted { recipients }, now);
    app.store().record_alone(&event).await?;
    let table = &app.config.tables.main;
    let described = app.dynamodb().describe_table().table_name(table).send().await?;
    let arn = described.table.and_then(|table| table.table_arn).ok_or_else(|| Error::internal("a table has no ARN"))?;
    let export = app
        .dynamodb()
        .export_table_to_point_in_time()
        .table_arn(arn)
        .s3_bucket(app.config.transfer.bucket()?)
        .s3_prefix(format!("{PREFIX}/{id}"))
        .s3_sse_algorithm(S3SseAlgorithm::Aes256)
        .export_format(ExportFormat::DynamodbJson)
        .client_token(id.to_string())
        .send()
        .await?;
    let arn = export.export_description.and_then(|export| export.export_arn);
    Ok(Started { id, arn: arn.ok_or_else(|| Error::internal("an export has no ARN"))? })
}

/// Whether an export is complete; `None` as long as it is not.
///
/// # Errors
/// When it failed, or DynamoDB or S3 cannot be read.
pub async fn look(app: &App, started: &Started) -> Result<Option<Complete>> {
    let described = app.dynamodb().describe_export().export_arn(&started.arn).send().await?;
    let export = described.export_description.ok_or_else(|| Error::internal("an export has no description"))?;
    match export.export_status {
        Some(ExportStatus::InProgress) => Ok(None),
        Some(ExportStatus::Completed) => {
            let manifest = export.export_manifest.ok_or_else(|| Error::internal("an export has no manifest"))?;
            let summary: files::Summary = files::json(app, &manifest).await?;
            let files = files::data_files(app, &summary).await?;
            let instant = Timestamp::parse(&summary.export_time);
            let instant = instant.ok_or_else(|| Error::internal("an export does not say its instant"))?;
            let table = summary.table_arn;
            Ok(Some(Complete { id: started.id, instant, table, items: summary.item_count, files }))
        }
        _ => {
            let why = export.failure_message.or(export.failure_code).unwrap_or_default();
            Err(Error::internal(format!("failed to export the table: {why}")))
        }
    }
}

/// How often to look.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What an account is made of, as far as it was met.
#[derive(Default)]
struct Parts {
    user: Option<User>,
    totp: Option<Totp>,
    recovery: Option<RecoverySet>,
    passkeys: Vec<Passkey>,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub accounts: u64,
    pub totp: u64,
    pub passkeys: u64,
    pub recovery_sets: u64,
    /// Passwords that are still another system's hash.
    pub imported_passwords: u64,
}

/// Gives every account to `take`, in no order, and counts them.
///
/// # Errors
/// When the files cannot be read or are not those of the manifest, when a secret cannot be decrypted, or when `take` fails.
pub async fn accounts(
    app: &App,
    complete: &Complete,
    mut take: impl FnMut(&Record) -> Result<()> + Send,
) -> Result<Counts> {
    let mut counts = Counts::default();
    let passes = complete.items.div_ceil(ITEMS_OF_A_PASS).max(1);
    let hasher = RandomState::new();
    for pass in 0..passes {
        let mut accounts: HashMap<UserId, Parts> = HashMap::new();
        let mut met = 0;
        for file in &complete.files {
            met += files::items(app, file, |item| {
                match owner_of(&item).filter(|id| hasher.hash_one(id) % passes == pass) {
                    Some(id) => accounts.entry(id).or_default().add(item),
                    None => Ok(()),
                }
            })
            .await?;
        }
        if met != complete.items {
            return Err(Error::internal(format!(
                "the export has {met} items, and its manifest says {}",
                complete.items
            )));
        }
        for parts in accounts.into_values() {
            // What is left of an account that was deleted is none.
            let Some(user) = parts.user else { continue };
            counts.accounts += 1;
            counts.totp += u64::from(parts.totp.is_some());
            counts.recovery_sets += u64::from(parts.recovery.is_some());
            counts.passkeys += parts.passkeys.len() as u64;
            counts.imported_passwords += u64::from(user.password_hash.is_imported());
            let record = record_of(app, &user, parts.totp.as_ref(), parts.recovery.as_ref(), &parts.passkeys).await;
            let record = record.inspect_err(|_| tracing::error!(user.id = %user.id, "failed to export an account"))?;
            take(&record)?;
        }
    }
    Ok(counts)
}

/// Deletes the table's export, which holds what the file holds, and not encrypted to its recipients.
///
/// # Errors
/// When S3 fails: then the bucket deletes it within a day.
pub async fn clean_up(app: &App, id: ExportId) -> Result<()> {
    files::delete_all(app, &format!("{PREFIX}/{id}/")).await
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}

/// Whose an item is, of those that an export has.
fn owner_of(item: &Item) -> Option<UserId> {
    let sk = text(item, "sk")?;
    let wanted = sk == "PROFILE" || sk == "FACTOR#TOTP" || sk == "FACTOR#RECOVERY" || sk.starts_with("FACTOR#PASSKEY#");
    text(item, "pk")?.strip_prefix("USER#").filter(|_| wanted)?.parse().ok()
}

impl Parts {
    fn add(&mut self, item: Item) -> Result<()> {
        let sk = text(&item, "sk").unwrap_or_default().to_owned();
        match sk.as_str() {
            "PROFILE" => self.user = Some(read(item)?),
            // One that was never confirmed is none.
            "FACTOR#TOTP" => self.totp = Some(read::<Totp>(item)?).filter(|totp| totp.confirmed_at.is_some()),
            "FACTOR#RECOVERY" => self.recovery = Some(read(item)?),
            _ => self.passkeys.push(read(item)?),
        }
        Ok(())
    }
}

fn read<T: for<'de> Deserialize<'de>>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}
