//! The outbox: emails with the address they go to, until they are sent.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::try_join_all;

use super::schema::{
    EMAIL_THROTTLE, ERASURE, PENDING, UNCONFIRMED, address_key, email_key, mark_pending, shards, user_key,
};
use super::{Erasure, Item, Store, delete, from_item, if_condition_held, n, put, s, text, to_item};
use crate::clock::Timestamp;
use crate::domain::email::NormalizedEmail;
use crate::domain::id::EmailId;
use crate::domain::mail::{ASK_INTERVAL, CLAIM, OutboxEmail, sweep_after};
use crate::domain::user::User;
use crate::error::{Causes, Result};
use crate::grant::{ADDRESSES, DELETE, Grant, Grants, PUT, Resource, UPDATE, USERS};

/// What came of claiming an email.
#[derive(Debug)]
pub enum Claim {
    /// It is the caller's to send until the claim runs out.
    Taken(OutboxEmail),
    /// Another emailer holds it.
    Held,
    /// It was sent or dropped.
    Gone,
}

/// Something the sweeper has to look after.
#[derive(Debug)]
pub enum Pending {
    Email(OutboxEmail),
    Erasure(Erasure),
}

impl Store {
    pub(super) fn email_item(mail: &OutboxEmail) -> Result<Item> {
        let mut item = to_item(address_key(&mail.address), email_key(mail.id), mail)?;
        mark_pending(&mut item, mail.id.as_bytes(), mail.created_at);
        Ok(item)
    }

    pub const ENQUEUE_EMAIL: Grants = &[Grant::table(&[PUT], &[ADDRESSES])];

    /// Enqueues an email to an address, whichever account has it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn enqueue_email(&self, mail: &OutboxEmail) -> Result<()> {
        self.db.put_item().table_name(&self.table).set_item(Some(Self::email_item(mail)?)).send().await?;
        Ok(())
    }

    pub const CLAIM_EMAIL: Grants = &[Grant::table(&[UPDATE], &[ADDRESSES])];

    /// Claims an email for sending: of concurrent emailers exactly one gets it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn claim_email(&self, address: &NormalizedEmail, id: EmailId, now: Timestamp) -> Result<Claim> {
        let outcome = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(address)))
            .key("sk", s(email_key(id)))
            .update_expression("SET claimed_until = :until, attempts = attempts + :one")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)",
            )
            .expression_attribute_values(":until", n(now.plus(CLAIM).millis()))
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match outcome {
            Ok(answer) => answer.attributes.map_or(Ok(Claim::Gone), |item| from_item(item).map(Claim::Taken)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(if failed.item().is_some_and(|item| !item.is_empty()) { Claim::Held } else { Claim::Gone })
                }
                _ => Err(error.into()),
            },
        }
    }

    pub const PASS_ADDRESS_THROTTLE: Grants = &[Grant::table(&[UPDATE], &[ADDRESSES])];

    /// Whether an email whose recipient was chosen by a requester may go out now: at most one in [`ASK_INTERVAL`] to an
    /// address. The email that passed holds the throttle, so a second attempt at sending that one passes as well.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn pass_address_throttle(&self, mail: &OutboxEmail, now: Timestamp) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(EMAIL_THROTTLE))
            .update_expression("SET taken_at = :now, taken_by = :mail, #ttl = :ttl")
            .condition_expression("attribute_not_exists(pk) OR taken_at <= :before OR taken_by = :mail")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":before", n(now.minus(ASK_INTERVAL).millis()))
            .expression_attribute_values(":mail", s(mail.id.to_string()))
            .expression_attribute_values(":ttl", n(now.plus(ASK_INTERVAL).seconds()));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    /// Deletes the throttle of an address after its interval.
    pub(super) async fn forget_address_throttle(&self, address: &NormalizedEmail, now: Timestamp) -> Result<()> {
        let throttle = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(address_key(address)))
            .key("sk", s(EMAIL_THROTTLE))
            .condition_expression("taken_at <= :before")
            .expression_attribute_values(":before", n(now.minus(ASK_INTERVAL).millis()));
        if_condition_held(throttle.send().await).map(|_| ())
    }

    pub const COMPLETE_SENT_EMAIL: Grants = &[Grant::table(&[DELETE, PUT], &[ADDRESSES])];

    /// Deletes an email from the outbox that SES took, and notes in the same transaction by which id SES reports what becomes of
    /// it.
    ///
    /// # Errors
    /// Only when the table cannot be written. The email is then sent again, which has an id of its own.
    pub async fn complete_sent_email(
        &self,
        mail: &OutboxEmail,
        to: &NormalizedEmail,
        message_id: &str,
        now: Timestamp,
    ) -> Result<()> {
        let settled = self
            .delete_of(&address_key(&mail.address), &email_key(mail.id))
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", n(mail.attempts));
        let note = Self::sent_item(to, message_id, now);
        if !self.transact(vec![delete(settled)?, put(self.put_of(note.clone()))?]).await? {
            // Another emailer has it by now; this one was sent as well.
            self.db.put_item().table_name(&self.table).set_item(Some(note)).send().await?;
        }
        Ok(())
    }

    pub const COMPLETE_EMAIL: Grants = &[Grant::table(&[DELETE], &[ADDRESSES])];

    /// Deletes an email from the outbox that needs no sending, if the caller still holds its claim.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn complete_email(&self, mail: &OutboxEmail) -> Result<()> {
        let delete = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(email_key(mail.id)))
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", n(mail.attempts));
        if_condition_held(delete.send().await).map(|_| ())
    }

    pub const RELEASE_EMAIL: Grants = &[Grant::table(&[UPDATE], &[ADDRESSES])];

    /// Releases a claim, so that the queue's next delivery can send the email at once.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn release_email(&self, mail: &OutboxEmail) -> Result<()> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(email_key(mail.id)))
            .update_expression("REMOVE claimed_until")
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", n(mail.attempts));
        if_condition_held(update.send().await).map(|_| ())
    }

    pub const DUE: Grants = &[Grant::index(Resource::PendingIndex, &["PENDING#*"])];

    /// Emails and erasures that are due, at most `limit` of each shard.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn due(&self, limit: i32, now: Timestamp) -> Result<Vec<Pending>> {
        Ok(self.due_in(PENDING, limit, now).await?.into_iter().filter_map(pending).collect())
    }

    pub const LAPSED: Grants = &[Grant::index(Resource::PendingIndex, &["UNCONFIRMED#*"])];

    /// Expired unconfirmed accounts, at most `limit` of each shard.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn lapsed(&self, limit: i32, now: Timestamp) -> Result<Vec<User>> {
        let read = |item| {
            from_item(item)
                .inspect_err(|error| tracing::error!(error.message = %Causes(error), "failed to parse an account"))
                .ok()
        };
        Ok(self.due_in(UNCONFIRMED, limit, now).await?.into_iter().filter_map(read).collect())
    }

    async fn due_in(&self, name: &str, limit: i32, now: Timestamp) -> Result<Vec<Item>> {
        let pages = try_join_all(shards(name).map(async |shard| {
            let query = self
                .db
                .query()
                .table_name(&self.table)
                .index_name("pending")
                .key_condition_expression("pending_shard = :shard AND pending_at <= :now")
                .expression_attribute_values(":shard", s(shard))
                .expression_attribute_values(":now", n(now.millis()))
                .limit(limit);
            query.send().await.map(|answer| answer.items.unwrap_or_default())
        }))
        .await?;
        Ok(pages.into_iter().flatten().collect())
    }

    pub const PUT_OFF: Grants = &[Grant::table(&[UPDATE], &[USERS, ADDRESSES])];

    /// Postpones the next processing of a pending item. `false` if it is no longer pending or another sweeper was first.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn put_off(&self, pending: &Pending, now: Timestamp) -> Result<bool> {
        let (pk, sk, sweeps) = match pending {
            Pending::Email(mail) => (address_key(&mail.address), email_key(mail.id), mail.sweeps),
            Pending::Erasure(erasure) => (user_key(erasure.user), ERASURE.into(), erasure.sweeps),
        };
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .update_expression("SET pending_at = :next, sweeps = :more")
            .condition_expression("sweeps = :sweeps")
            .expression_attribute_values(":next", n(now.plus(sweep_after(sweeps.saturating_add(1))).millis()))
            .expression_attribute_values(":more", n(sweeps.saturating_add(1)))
            .expression_attribute_values(":sweeps", n(sweeps));
        Ok(if_condition_held(update.send().await)?.is_some())
    }
}

/// An unreadable item, for example of a newer version, is logged and left to that version.
fn pending(item: Item) -> Option<Pending> {
    let erasure = text(&item, "sk").is_some_and(|sk| sk == ERASURE);
    let pending = if erasure { from_item(item).map(Pending::Erasure) } else { from_item(item).map(Pending::Email) };
    pending.inspect_err(|error| tracing::error!(error.message = %Causes(error), "failed to parse a pending item")).ok()
}
