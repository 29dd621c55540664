//! What is left of a deleted account: noted in the transaction that deletes it, gone when all of it is erased.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::mails::{mail_key, mark_pending};
use super::users::{address_key, user_key};
use super::{Item, Store, s, to_item};
use crate::clock::Timestamp;
use crate::domain::email::FoldedAddress;
use crate::domain::id::{MailId, UserId};
use crate::error::{Error, Result};

pub(super) const ERASURE: &str = "ERASURE";
/// All keys of attempts but that of everyone.
const ATTEMPTS_OF: &str = "ATTEMPTS#";
const ATTEMPTS_END: &str = "ATTEMPTS~";
/// What DynamoDB takes in one batch.
const BATCH: usize = 25;
/// Batches under way at the same time: together they are a fifth of what a partition takes in a second.
const AT_ONCE: usize = 8;

/// A deleted account whose sessions, links, mails, attempts and pictures have to go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Erasure {
    pub user: UserId,
    pub address: FoldedAddress,
    /// Addresses that were kept for the account.
    #[serde(default)]
    pub former: Vec<FoldedAddress>,
    /// The address that the account was to have.
    #[serde(default)]
    pub pending: Option<FoldedAddress>,
    /// The one mail that stays owed. Mails made after it are owed to whoever has the address next.
    pub farewell: MailId,
    #[serde(default)]
    pub sweeps: u32,
}

impl Store {
    pub(super) fn erasure_item(erasure: &Erasure, now: Timestamp) -> Result<Item> {
        let mut item = to_item(user_key(erasure.user), ERASURE, erasure)?;
        mark_pending(&mut item, erasure.user.as_bytes(), now);
        Ok(item)
    }

    /// Deletes everything in the table that was the account's. Doing it twice does no harm. The count of failed sign-ins that
    /// strangers share stays until its time is over: it says nothing of the account, and were it gone, a stranger who had made
    /// it would see that there was one.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn erase(&self, erasure: &Erasure) -> Result<()> {
        let (user, address) = (user_key(erasure.user), address_key(&erasure.address));
        let farewell = mail_key(erasure.farewell);
        let former = erasure.former.iter().map(async |former| {
            let mails = address_key(former);
            tokio::try_join!(
                self.free_kept_address(former, erasure.user),
                self.delete_range(&mails, "MAIL#", &farewell)
            )
        });
        // Boxed, as each holds a whole call of the SDK.
        tokio::try_join!(
            // Everything of the user but the note of the erasure itself, which sorts before "LINK#" and "SESSION#".
            Box::pin(self.delete_range(&user, "ERASURE#", "~")),
            Box::pin(self.delete_range(&address, "MAIL#", &farewell)),
            // Those of each device and of the account itself.
            Box::pin(self.delete_range(&address, ATTEMPTS_OF, ATTEMPTS_END)),
            try_join_all(former),
        )?;
        Ok(())
    }

    /// Strikes the note off: nothing is left. The turns of emails to the account's addresses go now at the earliest, a minute
    /// later, once they are over: if deleting an account freed them, accounts would be a way around them.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn finish_erasure(&self, erasure: &Erasure, now: Timestamp) -> Result<()> {
        let addresses = [&erasure.address].into_iter().chain(&erasure.former).chain(&erasure.pending);
        try_join_all(addresses.map(|address| self.forget_address_turn(address, now))).await?;
        let note = self.db.delete_item().table_name(&self.table);
        note.key("pk", s(user_key(erasure.user))).key("sk", s(ERASURE)).send().await?;
        Ok(())
    }

    /// Deletes the items of a partition with `from <= sk < to`: a page of DynamoDB's, which is thousands of them, with one
    /// query and several batches at the same time.
    async fn delete_range(&self, pk: &str, from: &str, to: &str) -> Result<()> {
        loop {
            let page = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":pk", s(pk))
                .expression_attribute_values(":from", s(from))
                .expression_attribute_values(":to", s(to))
                .projection_expression("pk, sk")
                .consistent_read(true)
                .send()
                .await?;
            // BETWEEN takes the upper end in, which stays.
            let mut keys: Vec<Item> = page.items.unwrap_or_default();
            keys.retain(|key| super::text(key, "sk").is_some_and(|sk| sk != to));
            for batches in keys.chunks(BATCH * AT_ONCE) {
                try_join_all(batches.chunks(BATCH).map(|keys| self.delete_all(keys))).await?;
            }
            if page.last_evaluated_key.is_none() {
                return Ok(());
            }
        }
    }

    async fn delete_all(&self, keys: &[Item]) -> Result<()> {
        let deletes = keys.iter().map(|key| {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build().map_err(Error::internal)?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        });
        self.write_all(deletes.collect::<Result<_>>()?).await
    }
}
