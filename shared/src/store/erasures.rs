//! What is left of a deleted account: noted in the transaction that deletes it, gone when all of it is erased.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::schema::{
    AFTER_ERASURE, EMAILS, ERASURE, IDEMPOTENCY_KEYS, OWN_ATTEMPTS, SENT_EMAILS, WHETHER_THEY_ARRIVE, address_key,
    caller_key, email_key, mark_pending, user_key,
};
use super::{BATCH, Item, Store, n, s, to_item};
use crate::clock::Timestamp;
use crate::domain::email::NormalizedEmail;
use crate::domain::id::{EmailId, UserId};
use crate::domain::idempotency::KeyOwner;
use crate::error::{Error, Result};
use crate::grant::{ADDRESSES, CALLERS, DELETE, Grant, Grants, QUERY, USERS, WRITE_EACH};

/// Batches under way at the same time: together they are a fifth of what a partition takes in a second.
const AT_ONCE: usize = 8;

/// A deleted account whose sessions, links, emails, attempts and pictures must be erased.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Erasure {
    pub user: UserId,
    pub address: NormalizedEmail,
    /// Addresses that were reserved for the account.
    #[serde(default)]
    pub former: Vec<NormalizedEmail>,
    /// The address that the account was to have.
    #[serde(default)]
    pub pending: Option<NormalizedEmail>,
    /// The one email that stays in the outbox. Emails after it are for the account that has the address next.
    pub farewell: EmailId,
    #[serde(default)]
    pub sweeps: u32,
}

impl Store {
    pub(super) fn erasure_item(erasure: &Erasure, now: Timestamp) -> Result<Item> {
        let mut item = to_item(user_key(erasure.user), ERASURE, erasure)?;
        mark_pending(&mut item, erasure.user.as_bytes(), now);
        Ok(item)
    }

    pub const ERASE: Grants =
        &[Grant::table(&[QUERY, WRITE_EACH], &[USERS, ADDRESSES, CALLERS]), Grant::table(&[DELETE], &[ADDRESSES])];

    /// Deletes all items of the account. It can be repeated. The count of failed sign-ins of unknown devices stays until it
    /// expires: it says nothing about the account, and its disappearance would reveal to a stranger that there was one.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn erase(&self, erasure: &Erasure) -> Result<()> {
        let (user, address) = (user_key(erasure.user), address_key(&erasure.address));
        let farewell = email_key(erasure.farewell);
        let former = erasure.former.iter().map(async |former| {
            let mails = address_key(former);
            tokio::try_join!(
                self.free_reserved_address(former, erasure.user),
                self.delete_range(&mails, (EMAILS, &farewell)),
                self.delete_range(&mails, SENT_EMAILS),
                self.delete_range(&mails, WHETHER_THEY_ARRIVE)
            )
        });
        // Of requests with an idempotency key those whose answers say something of the account. The one that deleted it says
        // nothing, and may come again.
        let answers = caller_key(KeyOwner::User(erasure.user));
        // Boxed, as each holds a whole call of the SDK.
        tokio::try_join!(
            Box::pin(self.delete_range_if(&answers, IDEMPOTENCY_KEYS, Some("size(outcome.answer.body) > :none"))),
            Box::pin(self.delete_range(&user, AFTER_ERASURE)),
            Box::pin(self.delete_range(&address, (EMAILS, &farewell))),
            Box::pin(self.delete_range(&address, OWN_ATTEMPTS)),
            Box::pin(self.delete_range(&address, SENT_EMAILS)),
            Box::pin(self.delete_range(&address, WHETHER_THEY_ARRIVE)),
            Box::pin(self.forget_pending_address(erasure)),
            try_join_all(former),
        )?;
        Ok(())
    }

    /// Which emails went to the address that the account was to have.
    async fn forget_pending_address(&self, erasure: &Erasure) -> Result<()> {
        match &erasure.pending {
            Some(pending) => self.delete_range(&address_key(pending), SENT_EMAILS).await,
            None => Ok(()),
        }
    }

    pub const FINISH_ERASURE: Grants = &[Grant::table(&[DELETE], &[USERS, ADDRESSES])];

    /// Deletes the note: nothing is left. The throttles of emails to the account's addresses go now at the earliest, a minute
    /// later, once they are over: if deleting an account freed them, accounts would be a way around them.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn finish_erasure(&self, erasure: &Erasure, now: Timestamp) -> Result<()> {
        let addresses = [&erasure.address].into_iter().chain(&erasure.former).chain(&erasure.pending);
        try_join_all(addresses.map(|address| self.forget_address_throttle(address, now))).await?;
        let note = self.db.delete_item().table_name(&self.table);
        note.key("pk", s(user_key(erasure.user))).key("sk", s(ERASURE)).send().await?;
        Ok(())
    }

    pub(super) async fn delete_range(&self, pk: &str, range: (&str, &str)) -> Result<()> {
        self.delete_range_if(pk, range, None).await
    }

    /// Deletes the items of a partition with `from <= sk < to` that a filter lets through, in which `:none` is 0: a page of
    /// DynamoDB's, which is thousands of them, with one query and several batches at the same time.
    async fn delete_range_if(&self, pk: &str, (from, to): (&str, &str), filter: Option<&str>) -> Result<()> {
        let mut after = None;
        loop {
            let page = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .set_filter_expression(filter.map(ToOwned::to_owned))
                .expression_attribute_values(":pk", s(pk))
                .expression_attribute_values(":from", s(from))
                .expression_attribute_values(":to", s(to))
                .set_exclusive_start_key(after);
            let page = if filter.is_some() { page.expression_attribute_values(":none", n(0)) } else { page };
            let page = page.projection_expression("pk, sk").consistent_read(true).send().await?;
            // BETWEEN takes the upper end in, which stays.
            let mut keys: Vec<Item> = page.items.unwrap_or_default();
            keys.retain(|key| super::text(key, "sk").is_some_and(|sk| sk != to));
            for batches in keys.chunks(BATCH * AT_ONCE) {
                try_join_all(batches.chunks(BATCH).map(|keys| self.delete_all(keys))).await?;
            }
            after = page.last_evaluated_key;
            if after.is_none() {
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
