//! The outbox: mails that are owed, with the address they go to, until they are sent.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::try_join_all;

use super::erasures::ERASURE;
use super::users::{UNCONFIRMED, address_key, user_key};
use super::{Erasure, Item, Store, from_item, if_condition_held, n, s, shard, shards, text, to_item};
use crate::clock::Timestamp;
use crate::domain::email::FoldedAddress;
use crate::domain::id::MailId;
use crate::domain::mail::{ASK_INTERVAL, CLAIM, OwedMail, sweep_after};
use crate::domain::user::User;
use crate::error::{Causes, Result};

/// What came of claiming a mail.
#[derive(Debug)]
pub enum Claim {
    /// It is the caller's to send until the claim runs out.
    Taken(OwedMail),
    /// Another emailer holds it.
    Held,
    /// It was sent or is no longer owed.
    Gone,
}

/// Something the sweeper has to look after.
#[derive(Debug)]
pub enum Pending {
    Mail(OwedMail),
    Erasure(Erasure),
}

/// When an email that an asker chose the recipient of last went to an address.
pub(super) const MAIL_TURN: &str = "MAIL_TURN";

pub(super) fn mail_key(id: MailId) -> String {
    format!("MAIL#{id}")
}

impl Store {
    pub(super) fn mail_item(mail: &OwedMail) -> Result<Item> {
        let mut item = to_item(address_key(&mail.address), mail_key(mail.id), mail)?;
        mark_pending(&mut item, mail.id.as_bytes(), mail.created_at);
        Ok(item)
    }

    /// Owes a mail to an address, whoever has it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn owe_mail(&self, mail: &OwedMail) -> Result<()> {
        self.db.put_item().table_name(&self.table).set_item(Some(Self::mail_item(mail)?)).send().await?;
        Ok(())
    }

    /// Claims a mail for sending: of many that try at once, one gets it.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn claim_mail(&self, address: &FoldedAddress, id: MailId, now: Timestamp) -> Result<Claim> {
        let outcome = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(address)))
            .key("sk", s(mail_key(id)))
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

    /// Whether an email that an asker chose the recipient of may go to its address: at most one in [`ASK_INTERVAL`], whoever
    /// asks. The email that took the turn keeps it, so a second attempt at sending that one goes through.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn take_address_turn(&self, mail: &OwedMail, now: Timestamp) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(MAIL_TURN))
            .update_expression("SET taken_at = :now, taken_by = :mail, #ttl = :ttl")
            .condition_expression("attribute_not_exists(pk) OR taken_at <= :before OR taken_by = :mail")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":before", n(now.minus(ASK_INTERVAL).millis()))
            .expression_attribute_values(":mail", s(mail.id.to_string()))
            .expression_attribute_values(":ttl", n(now.plus(ASK_INTERVAL).seconds()));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    /// Deletes the turn of an address once it is over.
    pub(super) async fn forget_address_turn(&self, address: &FoldedAddress, now: Timestamp) -> Result<()> {
        let turn = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(address_key(address)))
            .key("sk", s(MAIL_TURN))
            .condition_expression("taken_at <= :before")
            .expression_attribute_values(":before", n(now.minus(ASK_INTERVAL).millis()));
        if_condition_held(turn.send().await).map(|_| ())
    }

    /// Strikes a mail off, if the caller's claim still stands: it is sent, or it is not owed after all.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn settle_mail(&self, mail: &OwedMail) -> Result<()> {
        let delete = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(mail_key(mail.id)))
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", n(mail.attempts));
        if_condition_held(delete.send().await).map(|_| ())
    }

    /// Gives a claim back, so that the queue's next delivery can take the mail up at once.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn release_mail(&self, mail: &OwedMail) -> Result<()> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(address_key(&mail.address)))
            .key("sk", s(mail_key(mail.id)))
            .update_expression("REMOVE claimed_until")
            .condition_expression("attempts = :attempts")
            .expression_attribute_values(":attempts", n(mail.attempts));
        if_condition_held(update.send().await).map(|_| ())
    }

    /// Mails and erasures that are due to be looked after, at most `limit` of each shard.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn due(&self, limit: i32, now: Timestamp) -> Result<Vec<Pending>> {
        Ok(self.due_in("PENDING", limit, now).await?.into_iter().filter_map(pending).collect())
    }

    /// Unconfirmed accounts whose time is up, at most `limit` of each shard.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn lapsed(&self, limit: i32, now: Timestamp) -> Result<Vec<User>> {
        let read = |item| {
            from_item(item)
                .inspect_err(|error| tracing::error!(error.message = %Causes(error), "an account cannot be read"))
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

    /// Puts off the next look at something pending. `false` when it is no longer pending or another sweeper was first.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn put_off(&self, pending: &Pending, now: Timestamp) -> Result<bool> {
        let (pk, sk, sweeps) = match pending {
            Pending::Mail(mail) => (address_key(&mail.address), mail_key(mail.id), mail.sweeps),
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

/// What cannot be read, as something that a newer version wrote, is told of and left to that version.
fn pending(item: Item) -> Option<Pending> {
    let erasure = text(&item, "sk").is_some_and(|sk| sk == ERASURE);
    let pending = if erasure { from_item(item).map(Pending::Erasure) } else { from_item(item).map(Pending::Mail) };
    pending
        .inspect_err(|error| tracing::error!(error.message = %Causes(error), "something pending cannot be read"))
        .ok()
}

/// Into the sparse index of what is pending; the first look comes when whoever wrote it has had time to do the work.
pub(super) fn mark_pending(item: &mut Item, id: &[u8; 16], created_at: Timestamp) {
    item.insert("pending_shard".into(), s(shard("PENDING", id)));
    item.insert("pending_at".into(), n(created_at.plus(sweep_after(0)).millis()));
}
