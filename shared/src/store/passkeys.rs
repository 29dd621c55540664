//! Passkeys, in their owner's partition, and the ceremonies that wait for an authenticator.

use aws_sdk_dynamodb::types::ReturnValue;

use super::factors::same_factors;
use super::schema::{PASSKEY, PROFILE, RECOVERY, ceremony_key, passkey_key, user_key};
use super::{Item, Store, from_item, if_condition_held, n, put, s, to_item, update};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::id::{CeremonyId, UserId};
use crate::domain::mail::OutboxEmail;
use crate::domain::passkey::{Ceremony, Passkey, PasskeyId, PasskeyName};
use crate::domain::recovery::RecoverySet;
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{ADDRESSES, CEREMONIES, DELETE, GET, GET_EACH, Grant, Grants, PUT, QUERY, UPDATE, USERS};

impl Store {
    pub const BEGIN_CEREMONY: Grants = &[Grant::table(&[PUT], &[USERS])];
    /// [`Self::begin_ceremony`] of no account in particular.
    pub const BEGIN_OPEN_CEREMONY: Grants = &[Grant::table(&[PUT], &[CEREMONIES])];

    /// Stores a ceremony: to add a passkey to this account, or to request a passkey of any account.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn begin_ceremony(&self, user: Option<UserId>, id: CeremonyId, ceremony: &Ceremony) -> Result<()> {
        let item = Self::ceremony_item(user, id, ceremony)?;
        self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    pub(super) fn ceremony_item(user: Option<UserId>, id: CeremonyId, ceremony: &Ceremony) -> Result<Item> {
        let (pk, sk) = ceremony_key(user, id);
        let mut item = to_item(pk, sk, ceremony)?;
        item.insert("ttl".into(), n(ceremony.expires_at.seconds()));
        Ok(item)
    }

    pub const TAKE_CEREMONY: Grants = &[Grant::table(&[DELETE], &[USERS])];
    /// [`Self::take_ceremony`] of no account in particular.
    pub const TAKE_OPEN_CEREMONY: Grants = &[Grant::table(&[DELETE], &[CEREMONIES])];

    /// Removes and returns a ceremony: exactly one of several concurrent responses gets it. `None` for the others, and once it has
    /// expired.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn take_ceremony(
        &self,
        user: Option<UserId>,
        id: CeremonyId,
        now: Timestamp,
    ) -> Result<Option<Ceremony>> {
        let (pk, sk) = ceremony_key(user, id);
        let delete = self.db.delete_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk));
        let taken = delete
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":now", n(now.millis()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        if_condition_held(taken)?.and_then(|answer| answer.attributes).map(from_item).transpose()
    }

    pub const PASSKEYS: Grants = &[Grant::table(&[QUERY], &[USERS])];

    /// The passkeys of an account, by their ids.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn passkeys(&self, user: UserId) -> Result<Vec<Passkey>> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :passkey)")
            .expression_attribute_values(":pk", s(user_key(user)))
            .expression_attribute_values(":passkey", s(PASSKEY))
            .consistent_read(true);
        query.send().await?.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    pub const PASSKEY: Grants = &[Grant::table(&[GET], &[USERS])];

    /// One of an account's passkeys.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn passkey(&self, user: UserId, id: &PasskeyId) -> Result<Option<Passkey>> {
        self.get(user_key(user), &passkey_key(id)).await
    }

    pub const USER_AND_PASSKEY: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// An account and one of its passkeys, in one round trip: what a passkey that signs in alone leads to.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user_and_passkey(&self, user: UserId, id: &PasskeyId) -> Result<(Option<User>, Option<Passkey>)> {
        let pk = user_key(user);
        let (user, passkey) = self.get_two((pk.clone(), PROFILE.into()), (pk, passkey_key(id))).await?;
        Ok((user.map(from_item).transpose()?, passkey.map(from_item).transpose()?))
    }

    pub const ADD_PASSKEY: Grants = &[Grant::table(&[PUT], &[USERS, ADDRESSES]), Grant::table(&[UPDATE], &[USERS])];

    /// Adds a passkey and enqueues an email to the owner; with the first second factor come recovery codes. `false` when
    /// the account's factors are not those of `user` any more, or the passkey is there already.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn add_passkey(
        &self,
        user: &User,
        passkey: &Passkey,
        recovery: Option<&RecoverySet>,
        mail: &OutboxEmail,
        events: &[DomainEvent],
    ) -> Result<bool> {
        let pk = user_key(user.id);
        let profile = self
            .update(pk.clone(), PROFILE)
            .update_expression("SET passkeys = :more, passkeys_since = :since")
            .expression_attribute_values(":more", n(user.passkeys.saturating_add(1)))
            .expression_attribute_values(":since", n(user.passkeys_since.unwrap_or(passkey.created_at).millis()));
        let mut items = vec![
            update(same_factors(profile, user))?,
            self.put_new(to_item(pk.clone(), passkey_key(&passkey.id), passkey)?)?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        if let Some(recovery) = recovery {
            items.push(put(self.put_of(to_item(pk, RECOVERY, recovery)?))?);
        }
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    pub const RENAME_PASSKEY: Grants = &[Grant::table(&[UPDATE, PUT, GET], &[USERS])];

    /// Names a passkey anew; `None` when it is not there.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn rename_passkey(
        &self,
        user: UserId,
        id: &PasskeyId,
        name: &PasskeyName,
        event: &DomainEvent,
    ) -> Result<Option<Passkey>> {
        let renamed = self
            .update(user_key(user), &passkey_key(id))
            .update_expression("SET #name = :name")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", s(name.as_str()));
        let mut items = vec![update(renamed)?];
        items.extend(self.record(event)?);
        if self.transact(items).await? { self.passkey(user, id).await } else { Ok(None) }
    }
}
