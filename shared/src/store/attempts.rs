//! Failed sign-ins with an address, counted whether or not an account has it.

use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, TransactWriteItem, WriteRequest};

use super::addresses::Owner;
use super::schema::{OWNER, PROFILE, address_key, sign_in_attempts_of, user_key};
use super::{Item, Store, delete, from_item, if_condition_held, n, s, to_item};
use crate::clock::Timestamp;
use crate::domain::device::Device;
use crate::domain::email::NormalizedEmail;
use crate::domain::id::UserId;
use crate::domain::lockout::{Attempts, Bucket, Counted};
use crate::domain::password::HashParameters;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::grant::{ADDRESSES, DELETE, GET, GET_EACH, Grant, Grants, PUT, UPDATE, USERS};

/// Longer than the longest lock and the idle time that resets the count.
const KEPT: Duration = Duration::from_hours(2);

/// How often a count is tried to be taken back.
const SUBTRACTIONS: u32 = 3;

/// What the table has at the start of a sign-in attempt.
#[derive(Debug, Clone)]
pub struct BeforeSignIn {
    /// The account that has the address.
    pub owner: Option<UserId>,
    /// The parameters of the owner's password hash, unless it was written before they were stored.
    pub parameters: Option<HashParameters>,
    /// Attempts of all unknown devices.
    pub by_anyone: Option<Attempts>,
    /// Attempts of the given device.
    pub by_device: Option<Attempts>,
    /// The account that the device claims to belong to, whichever account has the address.
    pub user_of_device: Option<User>,
}

impl Store {
    pub const BEFORE_SIGN_IN: Grants = &[Grant::table(&[GET_EACH], &[USERS, ADDRESSES])];

    /// The owner of an address, the attempts with it and the state of a device, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn before_sign_in(&self, address: &NormalizedEmail, device: Option<&Device>) -> Result<BeforeSignIn> {
        let pk = address_key(address);
        let mut keys = vec![(pk.clone(), OWNER.into()), (pk.clone(), sign_in_attempts_of(None))];
        if let Some(device) = device {
            keys.extend([(pk, sign_in_attempts_of(Some(device.id))), (user_key(device.user), PROFILE.into())]);
        }
        let mut found = self.get_each(&keys).await?.into_iter();
        let mut next = || found.next().flatten();
        let owner: Option<Owner> = next().map(from_item).transpose()?;
        Ok(BeforeSignIn {
            owner: owner.as_ref().and_then(Owner::account),
            parameters: owner.and_then(|owner| owner.hash_parameters),
            by_anyone: next().map(from_item).transpose()?,
            by_device: next().map(from_item).transpose()?,
            user_of_device: next().map(from_item).transpose()?,
        })
    }

    pub const ATTEMPTS: Grants = &[Grant::table(&[GET], &[ADDRESSES])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn attempts(&self, bucket: Bucket<'_>) -> Result<Option<Attempts>> {
        self.get(address_key(bucket.address), &sign_in_attempts_of(bucket.device)).await
    }

    pub const COUNT_ATTEMPT: Grants = &[Grant::table(&[PUT], &[ADDRESSES])];

    /// Counts a sign-in attempt before its result is revealed or acted on, if no other was counted since `earlier` was read: so
    /// concurrent guesses cannot bypass the lock. `false` if another was counted.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn count_attempt(&self, bucket: Bucket<'_>, earlier: Option<Attempts>, now: Attempts) -> Result<bool> {
        self.put_count(count_item(bucket, now)?, earlier).await
    }

    /// Replaces the count that was read, if no other attempt was counted since. `false` if one was.
    pub(super) async fn put_count(&self, item: Item, earlier: Option<Attempts>) -> Result<bool> {
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        let put = match earlier {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(earlier) => put
                .condition_expression("#count = :count AND last_at = :last_at")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":count", n(earlier.count))
                .expression_attribute_values(":last_at", n(earlier.last_at.millis())),
        };
        Ok(if_condition_held(put.send().await)?.is_some())
    }

    pub const TAKE_ATTEMPT_BACK: Grants = &[Grant::table(&[PUT, UPDATE, DELETE], &[ADDRESSES])];

    /// Undoes the count of one attempt that turned out to be correct, and keeps all others: to an observer it looks as if the
    /// attempt had never been made.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn take_attempt_back(&self, bucket: Bucket<'_>, counted: Counted) -> Result<()> {
        let Counted { before, after } = counted;
        let restored = match before {
            Some(before) => self.put_count(count_item(bucket, before)?, Some(after)).await?,
            None => self.delete_count(bucket, after.count, after.last_at).await?,
        };
        if restored {
            return Ok(());
        }
        // Another attempt was counted since: keep its time, and subtract only this one. Where both fail, the item is gone, or
        // changed in between.
        for _ in 0..SUBTRACTIONS {
            if self.subtract_attempt(bucket).await? || self.delete_last_attempt(bucket).await? {
                break;
            }
        }
        Ok(())
    }

    async fn subtract_attempt(&self, bucket: Bucket<'_>) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(attempts_key(bucket)))
            .update_expression("SET #count = #count - :one")
            .condition_expression("#count > :one")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", n(1));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    async fn delete_last_attempt(&self, bucket: Bucket<'_>) -> Result<bool> {
        let delete = self.delete_attempts(bucket).condition_expression("#count = :count");
        Ok(if_condition_held(delete.expression_attribute_values(":count", n(1)).send().await)?.is_some())
    }

    async fn delete_count(&self, bucket: Bucket<'_>, count: u32, last_at: Timestamp) -> Result<bool> {
        let delete = self
            .delete_attempts(bucket)
            .condition_expression("#count = :count AND last_at = :last_at")
            .expression_attribute_values(":count", n(count))
            .expression_attribute_values(":last_at", n(last_at.millis()));
        Ok(if_condition_held(delete.send().await)?.is_some())
    }

    /// For a condition on `#count`.
    fn delete_attempts(&self, bucket: Bucket<'_>) -> DeleteItemFluentBuilder {
        self.db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(attempts_key(bucket)))
            .expression_attribute_names("#count", "count")
    }

    pub const FORGET_ATTEMPTS: Grants = &[Grant::table(&[DELETE], &[ADDRESSES])];

    /// Resets the attempts of a bucket that belongs to one device, after a correct password.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn forget_attempts(&self, bucket: Bucket<'_>) -> Result<()> {
        self.db.delete_item().table_name(&self.table).set_key(Some(attempts_key(bucket))).send().await?;
        Ok(())
    }

    /// The same, for a transaction.
    pub(super) fn forget(&self, bucket: Bucket<'_>) -> Result<TransactWriteItem> {
        delete(self.delete_of(&address_key(bucket.address), &sign_in_attempts_of(bucket.device)))
    }

    /// Writes an item after a correct password and resets the attempts of a bucket, if there is one, in one round trip.
    pub(super) async fn put_and_forget(&self, item: Item, bucket: Option<Bucket<'_>>) -> Result<()> {
        let put = PutRequest::builder().set_item(Some(item)).build().map_err(Error::internal)?;
        let mut writes = vec![WriteRequest::builder().put_request(put).build()];
        if let Some(bucket) = bucket {
            let forget = DeleteRequest::builder().set_key(Some(attempts_key(bucket))).build();
            writes.push(WriteRequest::builder().delete_request(forget.map_err(Error::internal)?).build());
        }
        self.write_all(writes).await
    }
}

fn count_item(bucket: Bucket<'_>, count: Attempts) -> Result<Item> {
    let mut item = to_item(address_key(bucket.address), sign_in_attempts_of(bucket.device), &count)?;
    item.insert("ttl".into(), n(count.last_at.plus(KEPT).seconds()));
    Ok(item)
}

fn attempts_key(bucket: Bucket<'_>) -> Item {
    Item::from([("pk".into(), s(address_key(bucket.address))), ("sk".into(), s(sign_in_attempts_of(bucket.device)))])
}
