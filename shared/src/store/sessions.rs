//! Sessions, in their owner's partition.

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, ReturnValue, WriteRequest};

use super::attempts::attempts_key;
use super::users::{PROFILE, user_key};
use super::{Item, Store, from_item, if_condition_held, n, s, to_item};
use crate::clock::Timestamp;
use crate::domain::id::{SessionId, UserId};
use crate::domain::lockout::Bucket;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Error, Result};

fn session_key(id: SessionId) -> String {
    format!("SESSION#{id}")
}

pub(super) fn session_item(session: &Session) -> Result<Item> {
    let mut item = to_item(user_key(session.user), session_key(session.id), session)?;
    item.insert("ttl".into(), n(session.ends_at().seconds()));
    Ok(item)
}

impl Store {
    /// Begins a session, and forgets the failed sign-ins that it was counted among, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session(&self, session: &Session, bucket: Bucket<'_>) -> Result<()> {
        let put = PutRequest::builder().set_item(Some(session_item(session)?)).build().map_err(Error::internal)?;
        let forget = DeleteRequest::builder().set_key(Some(attempts_key(bucket))).build().map_err(Error::internal)?;
        self.write_all(vec![
            WriteRequest::builder().put_request(put).build(),
            WriteRequest::builder().delete_request(forget).build(),
        ])
        .await
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
        let rotated = Session { rotation: session.rotation.saturating_add(1), rotated_at: now, ..session.clone() };
        let outcome = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(user_key(session.user)))
            .key("sk", s(session_key(session.id)))
            .update_expression("SET rotation = :next, rotated_at = :now, #ttl = :ttl")
            .condition_expression("rotation = :current")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":current", n(session.rotation))
            .expression_attribute_values(":next", n(rotated.rotation))
            .expression_attribute_values(":now", n(now.millis()))
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
