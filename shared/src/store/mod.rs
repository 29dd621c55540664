//! Reading and writing the two tables. Their layout is in `schema.rs`.

mod addresses;
mod attempts;
mod change;
mod contention;
mod email_delivery;
mod erasures;
mod events;
mod factors;
mod idempotency;
mod imports;
mod index;
mod invitations;
mod keys;
mod limits;
mod links;
mod mails;
mod passkeys;
mod passwords;
mod population;
mod revocation;
mod schema;
mod search;
mod sessions;
mod staff;
mod users;
mod webhooks;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem, Update, WriteRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub use addresses::{AddressRequest, AddressRestoration};
pub use attempts::BeforeSignIn;
pub use contention::RetryConflicts;
pub use erasures::Erasure;
pub use events::{NewEvent, event_of};
pub use factors::{BeforeVerification, Factors, SignIn};
pub use idempotency::Begun;
pub use imports::{Existing, ImportedUser};
pub use invitations::Acceptance;
pub use keys::{KeyStore, PrivateKey, PublicKey};
pub use mails::{Claim, Pending};
pub use passwords::{FirstProof, PasswordReset};
pub use search::{Filter, Position};
pub use sessions::NewFingerprint;
pub use staff::StaffAct;
pub use users::{Created, EmailThrottle, OwnUpdate};

use self::contention::Cancellation;
use crate::error::{Error, Result};
use crate::random;

/// Writes that `DynamoDB` takes in one batch.
const BATCH: usize = 25;

pub type Item = HashMap<String, AttributeValue>;

/// How long a call to `DynamoDB` may take with all its attempts.
pub(crate) const OPERATION: Duration = Duration::from_secs(9);

#[derive(Debug, Clone)]
pub struct Store {
    db: Client,
    table: String,
    /// How long domain events stay, which are the activity of accounts.
    activity_life: Duration,
}

impl Store {
    #[must_use]
    pub const fn new(db: Client, table: String, activity_life: Duration) -> Self {
        Self { db, table, activity_life }
    }

    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.db
    }

    async fn get<T: DeserializeOwned>(&self, pk: String, sk: &str) -> Result<Option<T>> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .consistent_read(true)
            .send()
            .await?;
        answer.item.map(from_item).transpose()
    }

    /// Both items in one round trip, strongly consistent.
    async fn get_two(&self, one: (String, String), other: (String, String)) -> Result<(Option<Item>, Option<Item>)> {
        let mut found = self.get_each(&[one, other]).await?.into_iter();
        Ok((found.next().flatten(), found.next().flatten()))
    }

    /// The items under these keys, in their order, in one round trip, strongly consistent. Keys must be unique.
    async fn get_each(&self, keys: &[(String, String)]) -> Result<Vec<Option<Item>>> {
        let key = |(pk, sk): &(String, String)| Item::from([("pk".into(), s(pk)), ("sk".into(), s(sk))]);
        let mut wanted: Vec<Item> = keys.iter().map(key).collect();
        let mut found: Vec<Item> = Vec::with_capacity(keys.len());
        // DynamoDB may leave keys of a batch unread when it is busy; the SDK retries requests, not parts of answers.
        for _ in 0..4 {
            let batch = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let answer =
                self.db.batch_get_item().request_items(&self.table, batch.map_err(Error::internal)?).send().await?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
            wanted = answer
                .unprocessed_keys
                .unwrap_or_default()
                .remove(&self.table)
                .map(|left| left.keys)
                .unwrap_or_default();
            if wanted.is_empty() {
                let take = |(pk, sk): &(String, String)| {
                    let at = found.iter().position(|item| text(item, "pk") == Some(pk) && text(item, "sk") == Some(sk));
                    at.map(|at| found.swap_remove(at))
                };
                return Ok(keys.iter().map(take).collect());
            }
        }
        Err(Error::internal("DynamoDB left keys unprocessed four times in a row"))
    }

    /// At most 25 writes without conditions, each by itself, in one round trip.
    async fn write_all(&self, mut wanted: Vec<WriteRequest>) -> Result<()> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let answer = self.db.batch_write_item().request_items(&self.table, wanted).send().await?;
            wanted = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(());
            }
        }
        Err(Error::TemporarilyUnavailable("DynamoDB repeatedly left writes unprocessed".into()))
    }

    /// Writes all or nothing. `Ok(false)` when a condition did not hold.
    ///
    /// One that was cancelled for something that passes is a new transaction when it is tried again, with a token of its own: the
    /// SDK makes one for each call. Where an answer is lost the SDK tries again by itself, with the same token, by which `DynamoDB`
    /// knows what it has done (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<bool> {
        let tries = async {
            let mut attempt = 0;
            loop {
                pause(attempt).await;
                attempt += 1;
                let outcome = self.db.transact_write_items().set_transact_items(Some(items.clone())).send().await;
                let Err(error) = outcome else {
                    return Ok(true);
                };
                match error.as_service_error().and_then(Cancellation::of) {
                    Some(Cancellation::Condition) => return Ok(false),
                    Some(Cancellation::Passing) if attempt < TRIES => {}
                    Some(Cancellation::Passing) => return Err(Error::TemporarilyUnavailable(Box::new(error))),
                    None if contention::may_be_done(&error) => return Err(Error::OutcomeUnknown(Box::new(error))),
                    None => return Err(error.into()),
                }
            }
        };
        timeout(OPERATION, tries).await.unwrap_or_else(|elapsed| Err(Error::OutcomeUnknown(Box::new(elapsed))))
    }
}

/// Parts of transactions.
impl Store {
    fn update(&self, pk: String, sk: &str) -> UpdateBuilder {
        Update::builder().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk))
    }

    fn delete_of(&self, pk: &str, sk: &str) -> DeleteBuilder {
        Delete::builder().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk))
    }

    fn put_of(&self, item: Item) -> PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }

    /// On condition that nothing has its key.
    fn put_new(&self, item: Item) -> Result<TransactWriteItem> {
        put(self.put_of(item).condition_expression("attribute_not_exists(pk)"))
    }
}

/// How often parts of a batch are tried that `DynamoDB` left undone, and transactions that it cancelled: the SDK tries whole
/// requests again, as they are.
const TRIES: u32 = 8;

/// Before the first attempt none; then each wait is drawn anew, up to twice as long as the last, so that those who collided
/// part.
async fn pause(attempt: u32) {
    if attempt == 0 {
        return;
    }
    let longest = 10_u64 << attempt;
    let share = u64::from(random::bytes::<1>()[0]);
    tokio::time::sleep(Duration::from_millis(longest * share / 255)).await;
}

impl<E, R> From<SdkError<E, R>> for Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        if contention::passes(error.code()) {
            return Self::TemporarilyUnavailable(Box::new(error));
        }
        Self::internal(error)
    }
}

/// The answer to a conditional write; `None` when its condition did not hold.
fn if_condition_held<T, E, R>(outcome: Result<T, SdkError<E, R>>) -> Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match outcome {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn update(update: UpdateBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().update(update.build().map_err(Error::internal)?).build())
}

fn delete(delete: DeleteBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().delete(delete.build().map_err(Error::internal)?).build())
}

fn put(put: PutBuilder) -> Result<TransactWriteItem> {
    Ok(TransactWriteItem::builder().put(put.build().map_err(Error::internal)?).build())
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(number: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name)?.as_s().ok()
}

/// `body` as an item under its key. What is `None` is left out, so conditions can ask whether it is there.
fn to_item(pk: String, sk: impl Into<String>, body: &impl Serialize) -> Result<Item> {
    let mut item: Item = serde_dynamo::to_item(body).map_err(Error::internal)?;
    item.retain(|_, value| !value.is_null());
    item.insert("pk".into(), s(pk));
    item.insert("sk".into(), s(sk));
    Ok(item)
}

fn from_item<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(Error::internal)
}

fn value(body: &impl Serialize) -> Result<AttributeValue> {
    serde_dynamo::to_attribute_value(body).map_err(Error::internal)
}
