//! Sessions, in their owner's partition.

use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};

use super::attempts::sign_in_attempts_of;
use super::users::{PROFILE, address_key, user_key};
use super::{Item, Store, delete, from_item, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::client::Fingerprint;
use crate::domain::id::{SessionId, UserId};
use crate::domain::lockout::Bucket;
use crate::domain::mail::OwedMail;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::Result;

pub(super) fn session_key(id: SessionId) -> String {
    format!("{SESSION}{id}")
}

const SESSION: &str = "SESSION#";

pub(super) fn session_item(session: &Session) -> Result<Item> {
    let mut item = to_item(user_key(session.user), session_key(session.id), session)?;
    item.insert("ttl".into(), n(session.ends_at().seconds()));
    Ok(item)
}

/// A client that the account's owner has not signed in with, to be remembered with the session that it begins.
#[derive(Debug)]
pub struct NewClient {
    /// What was remembered when it was looked at, and what is to be.
    pub before: Vec<Fingerprint>,
    pub after: Vec<Fingerprint>,
    /// Owed to the owner, unless it is the very first.
    pub mail: Option<OwedMail>,
}

impl Store {
    /// Begins a session, and forgets the failed sign-ins of a device that is known, if it began on one, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session(&self, session: &Session, device: Option<Bucket<'_>>) -> Result<()> {
        self.put_and_forget(session_item(session)?, device).await
    }

    /// As [`Self::begin_session`], and remembers the client that it began with: all or nothing, with the mail that is owed
    /// for it. `false` when the account remembers others than `before` meanwhile, or is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session_of_client(
        &self,
        session: &Session,
        device: Option<Bucket<'_>>,
        client: &NewClient,
    ) -> Result<bool> {
        let mut items = self.remember(session.user, client)?;
        items.push(put(self.put_of(session_item(session)?))?);
        if let Some(bucket) = device {
            items.push(delete(self.delete_of(&address_key(bucket.address), &sign_in_attempts_of(bucket.device)))?);
        }
        self.transact(items).await
    }

    /// What remembers a client, if the account still remembers those of `before`, and owes the mail for it.
    pub(super) fn remember(&self, user: UserId, client: &NewClient) -> Result<Vec<TransactWriteItem>> {
        let NewClient { before, after, mail } = client;
        let same = if before.is_empty() {
            "(attribute_not_exists(known_clients) OR known_clients = :before)"
        } else {
            "known_clients = :before"
        };
        let profile = self
            .update(user_key(user), PROFILE)
            .update_expression("SET known_clients = :after")
            .condition_expression(format!("attribute_exists(pk) AND {same}"))
            .expression_attribute_values(":before", value(before)?)
            .expression_attribute_values(":after", value(after)?);
        let mut items = vec![update(profile)?];
        if let Some(mail) = mail {
            items.push(self.put_new(Self::mail_item(mail)?)?);
        }
        Ok(items)
    }

    /// The sessions of an account, newest first: of more than fit into one page of DynamoDB's, which is thousands, the
    /// newest. Those that are over may be among them.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :session)")
            .expression_attribute_values(":pk", s(user_key(user)))
            .expression_attribute_values(":session", s(SESSION))
            .scan_index_forward(false)
            .consistent_read(true);
        query.send().await?.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    /// An account and one of its sessions in one round trip: what every signed-in route starts with.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user_and_session(&self, user: UserId, session: SessionId) -> Result<(Option<User>, Option<Session>)> {
        let pk = user_key(user);
        let (user, session) = self.get_two((pk.clone(), PROFILE.into()), (pk, session_key(session))).await?;
        Ok((user.map(from_item).transpose()?, session.map(from_item).transpose()?))
    }

    /// Rotates the refresh token: from its current number to the next, if it still has that number. `None` when
    /// another request rotated it first or the session is over.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn rotate_session(&self, session: &Session, now: Timestamp) -> Result<Option<Session>> {
        let rotated = session.rotate(now);
        let outcome = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(user_key(session.user)))
            .key("sk", s(session_key(session.id)))
            .update_expression("SET rotation = :next, rotated_at = :now, earlier_rotations = :earlier, #ttl = :ttl")
            .condition_expression("rotation = :current")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":current", n(session.rotation))
            .expression_attribute_values(":next", n(rotated.rotation))
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":earlier", value(&rotated.earlier_rotations)?)
            .expression_attribute_values(":ttl", n(rotated.ends_at().seconds()))
            .send()
            .await;
        Ok(if_condition_held(outcome)?.map(|_| rotated))
    }

    /// Ends a session. Returns whether it was there.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn end_session(&self, user: UserId, session: SessionId) -> Result<bool> {
        let answer = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(user_key(user)))
            .key("sk", s(session_key(session)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await?;
        Ok(answer.attributes.is_some())
    }
}
