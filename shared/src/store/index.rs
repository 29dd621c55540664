//! What accounts are found by: entries of an index that are written in the transactions that change what they are of, so that a
//! search sees what the accounts are, and go with their account.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::schema::{OWNER, external_key, found_address_key, having_role, having_status, name_key};
use super::{Item, Store, delete, put, s, to_item};
use crate::clock::Timestamp;
use crate::domain::id::{ListKey, UserId};
use crate::domain::metadata::ExternalId;
use crate::domain::role::Role;
use crate::domain::search::Indexed;
use crate::domain::status::Status;
use crate::domain::user::User;
use crate::error::Result;

/// An entry by a word of a name or by an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub id: UserId,
    /// All words of the account's name: an account is listed under one of them.
    pub words: Vec<String>,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ExternalOwner {
    pub user: UserId,
}

/// The statuses that have entries. The others are nearly all accounts.
const LISTED: [Status; 2] = [Status::Unconfirmed, Status::Disabled];

/// Entries that a change puts and deletes, by their keys.
#[derive(Default)]
struct Entries(Vec<((String, String), Item)>);

impl Entries {
    /// Every entry of an account.
    fn of(user: &User) -> Result<Self> {
        let mut entries = Self::of_name_and_address(user)?;
        for role in user.roles.iter().filter(|role| **role != Role::USER) {
            entries.add((having_role(role), user.list_key().as_str().to_owned()), &())?;
        }
        for status in LISTED {
            let listed = match status {
                Status::Disabled => user.disabled.is_some(),
                _ => !user.email_confirmed,
            };
            if listed {
                entries.add((having_status(status), user.list_key().as_str().to_owned()), &())?;
            }
        }
        if let Some(external_id) = &user.external_id {
            entries.add((external_key(external_id), OWNER.to_owned()), &ExternalOwner { user: user.id })?;
        }
        Ok(entries)
    }

    fn of_name_and_address(user: &User) -> Result<Self> {
        let mut entries = Self::default();
        if let Some(Indexed { words, at }) = &user.indexed {
            let entry = Entry { id: user.id, words: words.clone(), at: *at };
            for word in words {
                entries.add(name_key(word, user.id), &entry)?;
            }
            entries.add(found_address_key(user.email.normalized().as_str(), user.id), &entry)?;
        }
        Ok(entries)
    }

    fn add(&mut self, (pk, sk): (String, String), body: &impl Serialize) -> Result<()> {
        let unit = serde_json::to_value(body).is_ok_and(|body| body.is_null());
        let item = if unit {
            Item::from([("pk".into(), s(&pk)), ("sk".into(), s(&sk))])
        } else {
            to_item(pk.clone(), &sk, body)?
        };
        self.0.push(((pk, sk), item));
        Ok(())
    }
}

impl Store {
    /// For the transaction that creates an account.
    pub(super) fn index(&self, user: &User) -> Result<Vec<TransactWriteItem>> {
        Entries::of(user)?.0.into_iter().map(|(key, item)| self.put_entry(key, item)).collect()
    }

    /// The entries of an account, for measurements that fill a table.
    pub(super) fn index_items(user: &User) -> Result<Vec<Item>> {
        Ok(Entries::of(user)?.0.into_iter().map(|(_, item)| item).collect())
    }

    /// For the transaction that deletes an account as it was read; of whatever status it is by then.
    pub(super) fn unindex(&self, user: &User) -> Result<Vec<TransactWriteItem>> {
        let listed = LISTED.map(|status| (having_status(status), user.list_key().as_str().to_owned()));
        let mut keys: Vec<_> = Entries::of(user)?.0.into_iter().map(|(key, _)| key).collect();
        keys.retain(|key| !listed.contains(key));
        keys.into_iter().chain(listed).map(|(pk, sk)| delete(self.delete_of(&pk, &sk))).collect()
    }

    /// For a transaction that changes what an account is found by, from what was read to what is then. The transaction has to hold
    /// the account to what was read of it.
    pub(super) fn reindex(&self, before: &User, after: &User) -> Result<Vec<TransactWriteItem>> {
        let (before, after) = (Entries::of(before)?.0, Entries::of(after)?.0);
        let gone = before.iter().filter(|(key, _)| after.iter().all(|(kept, _)| kept != key));
        let gone = gone.map(|((pk, sk), _)| delete(self.delete_of(pk, sk)));
        let new = after.iter().filter(|entry| !before.contains(entry)).cloned();
        gone.chain(new.map(|(key, item)| self.put_entry(key, item))).collect()
    }

    /// For a transaction in which an account becomes or ceases to be of a status that has entries.
    pub(super) fn list_under(&self, status: Status, key: &ListKey, listed: bool) -> Result<TransactWriteItem> {
        let (pk, sk) = (having_status(status), key.as_str());
        if listed {
            put(self.put_of(Item::from([("pk".into(), s(pk)), ("sk".into(), s(sk))])))
        } else {
            delete(self.delete_of(&pk, sk))
        }
    }

    /// For a transaction in which an account gets a role.
    pub(super) fn list_under_role(&self, role: &Role, key: &ListKey) -> Result<TransactWriteItem> {
        put(self.put_of(Item::from([("pk".into(), s(having_role(role))), ("sk".into(), s(key.as_str()))])))
    }

    fn put_entry(&self, (_, sk): (String, String), item: Item) -> Result<TransactWriteItem> {
        let entry = self.put_of(item);
        // The one entry that no two accounts can have.
        if sk != OWNER {
            return put(entry);
        }
        put(entry.condition_expression("attribute_not_exists(pk)"))
    }

    /// Whose the id of another system is.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn owner_of_external(&self, external_id: &ExternalId) -> Result<Option<UserId>> {
        let owner: Option<ExternalOwner> = self.get(external_key(external_id), OWNER).await?;
        Ok(owner.map(|owner| owner.user))
    }
}
