//! Accounts that come from another system, each in one transaction with all that came along: an import that is interrupted has
//! whole accounts or none, and may simply be repeated.

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};

use super::schema::{
    ERASURE, OWNER, PROFILE, RECOVERY, TOTP, address_key, deleted_key, external_key, passkey_key, user_key,
};
use super::users::profile_item;
use super::{Store, s, to_item};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::factor::Totp;
use crate::domain::id::UserId;
use crate::domain::passkey::Passkey;
use crate::domain::recovery::RecoverySet;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::grant::{ADDRESSES, CHECK, DELETED, FOUND_BY, GET_EACH, Grant, Grants, PUT, USERS};

/// An account with its factors, as it is to be.
#[derive(Debug, Clone)]
pub struct ImportedUser {
    pub user: User,
    pub totp: Option<Totp>,
    pub recovery: Option<RecoverySet>,
    pub passkeys: Vec<Passkey>,
    pub event: DomainEvent,
}

/// What there is of an account before it is imported, or why it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing of it.
    Nothing,
    /// An earlier import made it: by its id in the other system, or by its id here.
    Account(UserId),
    /// An earlier import made it, and it was deleted since.
    Deleted,
    /// Another account has the address, or it is reserved for one.
    AddressOf(UserId),
}

impl Store {
    pub const IMPORT_USER: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY]), Grant::table(&[CHECK], &[USERS, DELETED])];

    /// Creates an account with all that came along. `false` when its id, its address or its id in the other system is there
    /// already.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn import_user(&self, imported: &ImportedUser) -> Result<bool> {
        self.transact(self.writes_of(imported)?).await
    }

    /// The writes of [`Self::import_user`], also for measurements that make them alone.
    ///
    /// # Errors
    /// Never: an account can be written.
    pub fn writes_of(&self, imported: &ImportedUser) -> Result<Vec<TransactWriteItem>> {
        let ImportedUser { user, totp, recovery, passkeys, event } = imported;
        let pk = || user_key(user.id);
        let mut items =
            vec![self.put_new(profile_item(user)?)?, self.take_address(&user.email.normalized(), user, event.at)?];
        items.extend(self.not_deleted(user.id)?);
        items.extend(self.index(user)?);
        if let Some(totp) = totp {
            items.push(self.put_new(to_item(pk(), TOTP, totp)?)?);
        }
        if let Some(recovery) = recovery {
            items.push(self.put_new(to_item(pk(), RECOVERY, recovery)?)?);
        }
        for passkey in passkeys {
            items.push(self.put_new(to_item(pk(), passkey_key(&passkey.id), passkey)?)?);
        }
        items.extend(self.record(event)?);
        Ok(items)
    }

    /// The rest of a deleted account is erased within minutes, which would also erase a new account with the same ID; and a deleted
    /// imported account must not be restored by the next import.
    fn not_deleted(&self, id: UserId) -> Result<[TransactWriteItem; 2]> {
        let absent = |(pk, sk): (String, String)| {
            let check = ConditionCheck::builder()
                .table_name(&self.table)
                .key("pk", s(pk))
                .key("sk", s(sk))
                .condition_expression("attribute_not_exists(pk)");
            let check = check.build().map_err(Error::internal)?;
            Ok::<_, Error>(TransactWriteItem::builder().condition_check(check).build())
        };
        Ok([absent((user_key(id), ERASURE.to_owned()))?, absent(deleted_key(id))?])
    }

    pub const EXISTING: Grants = &[Grant::table(&[GET_EACH], &[USERS, ADDRESSES, FOUND_BY, DELETED])];

    /// What there is already of accounts that are to be imported, in their order.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn existing(&self, users: &[&User], now: Timestamp) -> Result<Vec<Existing>> {
        let mut found = Vec::with_capacity(users.len());
        // Four keys each, of the hundred that a batch takes.
        for users in users.chunks(25) {
            let mut keys = Vec::with_capacity(users.len() * 4);
            for user in users {
                keys.push((user_key(user.id), PROFILE.to_owned()));
                keys.push((address_key(&user.email.normalized()), OWNER.to_owned()));
                keys.push(deleted_key(user.id));
                keys.extend(user.external_id.as_ref().map(|id| (external_key(id), OWNER.to_owned())));
            }
            // Rows of a file may name the same account or address twice; a batch must not.
            let mut distinct = keys.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let items = self.get_each(&distinct).await?;
            let is_there = |key: &(String, String)| {
                distinct.binary_search(key).is_ok_and(|at| items.get(at).is_some_and(Option::is_some))
            };
            let owner = |pk: String, sk: &str| {
                let at = distinct.binary_search(&(pk, sk.to_owned())).ok()?;
                let item = items.get(at)?.as_ref()?;
                // One that was reserved, and is free by now.
                let until = item.get("reserved_until").and_then(|until| until.as_n().ok()?.parse().ok());
                if until.is_some_and(|until: i64| until <= now.millis()) {
                    return None;
                }
                let id = super::text(item, if sk == PROFILE { "id" } else { "user" })?;
                id.parse::<UserId>().ok()
            };
            for user in users {
                let external = user.external_id.as_ref().and_then(|id| owner(external_key(id), OWNER));
                let account = external.or_else(|| owner(user_key(user.id), PROFILE));
                found.push(match (account, owner(address_key(&user.email.normalized()), OWNER)) {
                    (Some(id), _) => Existing::Account(id),
                    (None, _) if is_there(&deleted_key(user.id)) => Existing::Deleted,
                    (None, Some(id)) => Existing::AddressOf(id),
                    (None, None) => Existing::Nothing,
                });
            }
        }
        if found.len() == users.len() { Ok(found) } else { Err(Error::internal("not all accounts were looked up")) }
    }
}
