//! Sessions, in their owner's partition.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::change::Change;
use super::schema::{PASSWORD_KIND, PROFILE, SESSION, impersonation_key, session_key, user_key};
use super::{Item, Store, delete, from_item, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::fingerprint::FingerprintHash;
use crate::domain::id::{SessionId, UserId};
use crate::domain::lockout::Bucket;
use crate::domain::mail::OutboxEmail;
use crate::domain::password::PasswordHash;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{
    ADDRESSES, DELETE, GET, GET_EACH, Grant, Grants, POPULATION, PUT, QUERY, UPDATE, USERS, WRITE_EACH,
};

pub(super) fn session_item(session: &Session) -> Result<Item> {
    let mut item = to_item(user_key(session.user), session_key(session.id), session)?;
    item.insert("ttl".into(), n(session.ends_at().seconds()));
    Ok(item)
}

/// A fingerprint that the account does not know, to be remembered with the session that it begins.
#[derive(Debug)]
pub struct NewFingerprint {
    /// What was remembered when it was looked at, and what is to be.
    pub before: Vec<FingerprintHash>,
    pub after: Vec<FingerprintHash>,
    /// To the owner, unless it is the very first.
    pub mail: Option<OutboxEmail>,
}

/// On condition that the account still remembers those of `before`.
fn remembering(change: Change, NewFingerprint { before, after, .. }: &NewFingerprint) -> Result<Change> {
    let same = if before.is_empty() {
        "(attribute_not_exists(known_clients) OR known_clients = :before)"
    } else {
        "known_clients = :before"
    };
    let change = change.and_set("known_clients = :after").only_if(same);
    Ok(change.value(":before", value(before)?).value(":after", value(after)?))
}

/// The state of an impersonation by a member of staff.
pub struct Impersonated {
    pub user: Option<User>,
    /// What they have of the user.
    pub session: Option<Session>,
    pub staff: Option<User>,
    /// The session in which they asked for it.
    pub staff_session: Option<Session>,
}

impl Store {
    pub const BEGIN_SESSION: Grants = &[Grant::table(&[WRITE_EACH], &[USERS, ADDRESSES])];

    /// Begins a session, and forgets the failed sign-ins of a device that is known, if it began on one, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session(&self, session: &Session, device: Option<Bucket<'_>>) -> Result<()> {
        self.put_and_forget(session_item(session)?, device).await
    }

    /// In addition to those of [`Self::begin_session_of_new_fingerprint`].
    pub const BEGIN_SESSION_WITH_HASH: Grants = &[Grant::table(&[UPDATE], &[POPULATION])];

    pub const BEGIN_SESSION_OF_NEW_FINGERPRINT: Grants = &[
        Grant::table(&[UPDATE], &[USERS]),
        Grant::table(&[PUT], &[USERS, ADDRESSES]),
        Grant::table(&[DELETE], &[ADDRESSES]),
    ];

    /// Like [`Self::begin_session`], and stores its fingerprint atomically together with the email about it. `false` if the
    /// account's fingerprints are no longer `before`, or it is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session_of_new_fingerprint(
        &self,
        session: &Session,
        device: Option<Bucket<'_>>,
        fingerprint: &NewFingerprint,
    ) -> Result<bool> {
        let mut items = self.remember(session.user, fingerprint)?;
        items.push(put(self.put_of(session_item(session)?))?);
        items.extend(device.map(|bucket| self.forget(bucket)).transpose()?);
        self.transact(items).await
    }

    /// As [`Self::begin_session_of_new_fingerprint`], with or without a new one; and replaces the account's hash. `false` also when
    /// another hash was put in the place of the one that the password was compared with, or the account moved to another address.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_session_with_hash(
        &self,
        user: &User,
        session: &Session,
        device: Option<Bucket<'_>>,
        fingerprint: Option<&NewFingerprint>,
        hash: &PasswordHash,
    ) -> Result<bool> {
        let change = fingerprint.map_or(Ok(Change::default()), |new| remembering(Change::default(), new))?;
        let mut begun = vec![put(self.put_of(session_item(session)?))?];
        if let Some(mail) = fingerprint.and_then(|fingerprint| fingerprint.mail.as_ref()) {
            begun.push(self.put_new(Self::email_item(mail)?)?);
        }
        self.begin_with_hash(user, hash, change, begun, device).await
    }

    /// Writes what a sign-in goes on with, and `hash` in the place of the account's, on condition that it is the one that was read;
    /// and forgets the attempts of a bucket if there is one.
    pub(super) async fn begin_with_hash(
        &self,
        user: &User,
        hash: &PasswordHash,
        change: Change,
        begun: Vec<TransactWriteItem>,
        device: Option<Bucket<'_>>,
    ) -> Result<bool> {
        let change = change
            .and_set("password_hash = :new")
            .remove(PASSWORD_KIND)
            .only_if("password_hash = :old")
            .value(":new", value(hash)?)
            .value(":old", value(&user.password_hash)?);
        let mut items = begun;
        items.push(update(change.into_update(self.update(user_key(user.id), PROFILE)))?);
        items.push(self.write_parameters(&user.email.normalized(), user.id, hash)?);
        items.extend(device.map(|bucket| self.forget(bucket)).transpose()?);
        self.transact_replacing(&user.password_hash, items).await
    }

    /// What remembers a fingerprint, if the account still remembers those of `before`, and enqueues the email about it.
    pub(super) fn remember(&self, user: UserId, fingerprint: &NewFingerprint) -> Result<Vec<TransactWriteItem>> {
        let change = remembering(Change::default(), fingerprint)?;
        let mut items = vec![update(change.into_update(self.update(user_key(user), PROFILE)))?];
        if let Some(mail) = &fingerprint.mail {
            items.push(self.put_new(Self::email_item(mail)?)?);
        }
        Ok(items)
    }

    pub const SESSIONS: Grants = &[Grant::table(&[QUERY], &[USERS])];

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

    pub const SESSION: Grants = &[Grant::table(&[GET], &[USERS])];

    /// One session of an account; it may be over.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn session(&self, user: UserId, session: SessionId) -> Result<Option<Session>> {
        self.get(user_key(user), &session_key(session)).await
    }

    pub const USER_AND_SESSION: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// An account and one of its sessions in one round trip: what every signed-in route starts with.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user_and_session(&self, user: UserId, session: SessionId) -> Result<(Option<User>, Option<Session>)> {
        let pk = user_key(user);
        let (user, session) = self.get_two((pk.clone(), PROFILE.into()), (pk, session_key(session))).await?;
        Ok((user.map(from_item).transpose()?, session.map(from_item).transpose()?))
    }

    /// An account, what a member of staff has of it, and the account and the session of that member, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user_and_impersonation(
        &self,
        user: UserId,
        session: SessionId,
        (staff, staff_session): (UserId, SessionId),
    ) -> Result<Impersonated> {
        let (pk, staff) = (user_key(user), user_key(staff));
        let keys = [
            (pk.clone(), PROFILE.into()),
            (pk, impersonation_key(session)),
            (staff.clone(), PROFILE.into()),
            (staff, session_key(staff_session)),
        ];
        let mut found = self.get_each(&keys).await?.into_iter();
        let mut next = || found.next().flatten();
        let (user, session, staff, staff_session) = (next(), next(), next(), next());
        Ok(Impersonated {
            user: user.map(from_item).transpose()?,
            session: session.map(from_item).transpose()?,
            staff: staff.map(from_item).transpose()?,
            staff_session: staff_session.map(from_item).transpose()?,
        })
    }

    pub const ROTATE_SESSION: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// Rotates the refresh token from its current number to the next, if it still has that number. `None` if another request
    /// rotated it first or the session has ended.
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

    pub const END_SESSION: Grants = &[Grant::table(&[DELETE, PUT], &[USERS])];

    /// Ends a session. Returns whether it was there.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn end_session(&self, user: UserId, session: SessionId, event: &DomainEvent) -> Result<bool> {
        let ended = self.delete_of(&user_key(user), &session_key(session)).condition_expression("attribute_exists(pk)");
        let mut items = vec![delete(ended)?];
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const FORGET_SESSION: Grants = &[Grant::table(&[DELETE], &[USERS])];

    /// Deletes a session that has ended with all others.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn forget_session(&self, user: UserId, session: SessionId) -> Result<()> {
        let delete = self.db.delete_item().table_name(&self.table);
        delete.key("pk", s(user_key(user))).key("sk", s(session_key(session))).send().await?;
        Ok(())
    }
}
