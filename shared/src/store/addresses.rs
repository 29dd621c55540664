//! Who has an address, and moving an account from one to another. An address that an account left is reserved for it for a
//! week, so that a thief cannot give it to somebody else while its owner may take the change back.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::factors::same_factors;
use super::revocation::revoke_all;
use super::schema::{LAPSE, OWNER, PASSWORD_KIND, PROFILE, address_key, user_key};
use super::{Item, Store, delete, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::email::{EmailAddress, NormalizedEmail};
use crate::domain::event::DomainEvent;
use crate::domain::factor::{StoredFactors, TrustedFactors};
use crate::domain::id::UserId;
use crate::domain::link::LinkHash;
use crate::domain::mail::OutboxEmail;
use crate::domain::name::UserName;
use crate::domain::password::{HashParameters, PasswordHash};
use crate::domain::search::Indexed;
use crate::domain::user::{FormerEmail, User};
use crate::error::{Causes, Error, Result};
use crate::grant::{ADDRESSES, DELETE, FOUND_BY, GET, Grant, Grants, POPULATION, PUT, UPDATE, USERS};

#[derive(Serialize, Deserialize)]
pub(super) struct Owner {
    pub user: UserId,
    /// The account has left the address; until then nobody else gets it.
    #[serde(default)]
    pub reserved_until: Option<Timestamp>,
    /// Of the account's hash, for a sign-in to compute with while it reads the account. Whatever writes a hash writes these in the
    /// same transaction; where they are of another hash all the same, the next right password mends them.
    #[serde(default)]
    pub hash_parameters: Option<HashParameters>,
}

impl Owner {
    /// The account that has the address now.
    pub fn account(&self) -> Option<UserId> {
        self.reserved_until.is_none().then_some(self.user)
    }
}

/// A change of an account's address that a session asks for, with a new name if there is one.
#[derive(Debug, Clone, Copy)]
pub struct AddressRequest<'a> {
    pub user: &'a User,
    /// When the session signed in.
    pub signed_in_at: Timestamp,
    pub to: &'a EmailAddress,
    pub name: Option<&'a UserName>,
    /// To the new address.
    pub mail: &'a OutboxEmail,
    pub event: &'a DomainEvent,
}

/// The way back to an address that is reserved for an account.
#[derive(Debug, Clone, Copy)]
pub struct AddressRestoration<'a> {
    pub user: &'a User,
    pub stored: StoredFactors<'a>,
    pub to: &'a EmailAddress,
    /// In the place of the password.
    pub unusable: &'a PasswordHash,
    pub link: &'a LinkHash,
    /// To the address that the account has again.
    pub mail: &'a OutboxEmail,
    pub events: &'a [DomainEvent],
}

impl Store {
    pub const OWNER_OF: Grants = &[Grant::table(&[GET], &[ADDRESSES])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn owner_of(&self, address: &NormalizedEmail) -> Result<Option<UserId>> {
        let owner: Option<Owner> = self.get(address_key(address), OWNER).await?;
        Ok(owner.and_then(|owner| owner.account()))
    }

    pub const IS_TAKEN: Grants = &[Grant::table(&[GET], &[ADDRESSES])];

    /// Whether a newcomer cannot have the address: an account has it, or it is reserved for one that left it.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn is_taken(&self, address: &NormalizedEmail, now: Timestamp) -> Result<bool> {
        let owner: Option<Owner> = self.get(address_key(address), OWNER).await?;
        Ok(owner.is_some_and(|owner| owner.reserved_until.is_none_or(|until| now < until)))
    }

    /// As [`Self::is_taken`], for an account that may have it, or have it reserved.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn is_taken_by_another(&self, address: &NormalizedEmail, user: UserId, now: Timestamp) -> Result<bool> {
        let owner: Option<Owner> = self.get(address_key(address), OWNER).await?;
        let taken = |owner: Owner| owner.user != user && owner.reserved_until.is_none_or(|until| now < until);
        Ok(owner.is_some_and(taken))
    }

    /// For a transaction: the address becomes the account's, if no account has it and it is reserved for no other.
    pub(super) fn take_address(
        &self,
        address: &NormalizedEmail,
        user: &User,
        now: Timestamp,
    ) -> Result<TransactWriteItem> {
        let owner = self
            .put_of(owner_item(address, user.id, &user.password_hash)?)
            .condition_expression(
                "attribute_not_exists(pk) OR reserved_until <= :now OR (#user = :user AND attribute_exists(reserved_until))",
            )
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user.id)?)
            .expression_attribute_values(":now", n(now.millis()));
        put(owner)
    }

    /// For a transaction that gives the account another hash: what a sign-in computes with, if the account has the address. The
    /// item is written whole, so it has to be all that an owner's is.
    pub(super) fn write_parameters(
        &self,
        address: &NormalizedEmail,
        user: UserId,
        hash: &PasswordHash,
    ) -> Result<TransactWriteItem> {
        self.put_over_owner(owner_item(address, user, hash)?, user)
    }

    /// For a transaction: the account no longer has the address, and it is free at once.
    pub(super) fn leave_address(&self, address: &NormalizedEmail, user: UserId) -> Result<TransactWriteItem> {
        let owner = self
            .delete_of(&address_key(address), OWNER)
            .condition_expression("#user = :user AND attribute_not_exists(reserved_until)")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user)?);
        delete(owner)
    }

    /// For a transaction: the account no longer has the address, and it is reserved for the account until then.
    fn reserve_address(&self, address: &NormalizedEmail, user: UserId, until: Timestamp) -> Result<TransactWriteItem> {
        let mut item =
            to_item(address_key(address), OWNER, &Owner { user, reserved_until: Some(until), hash_parameters: None })?;
        item.insert("ttl".into(), n(until.seconds()));
        self.put_over_owner(item, user)
    }

    /// For a transaction: in place of what says that the account has the address, if that stands.
    fn put_over_owner(&self, item: Item, user: UserId) -> Result<TransactWriteItem> {
        let owner = self
            .put_of(item)
            .condition_expression("#user = :user AND attribute_not_exists(reserved_until)")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user)?);
        put(owner)
    }

    /// Frees an address that is reserved for the account, if it still is.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub(super) async fn free_reserved_address(&self, address: &NormalizedEmail, user: UserId) -> Result<()> {
        let delete = self
            .db
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(address_key(address)))
            .key("sk", s(OWNER))
            .condition_expression("#user = :user AND attribute_exists(reserved_until)")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user)?);
        if_condition_held(delete.send().await).map(|_| ())
    }

    pub const REQUEST_ADDRESS: Grants = &[
        Grant::table(&[UPDATE], &[USERS]),
        Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY]),
        Grant::table(&[DELETE], &[FOUND_BY]),
    ];

    /// Notes the address that an account is to have, with the mail to it and a new name if there is one. Whether somebody
    /// has the address is not looked at, so it cannot be told. `false` when the account is gone, or its epoch, its name or the
    /// time of its last wish is another than was read.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn request_address(&self, request: &AddressRequest<'_>, now: Timestamp) -> Result<bool> {
        let AddressRequest { user, signed_in_at, to, name, mail, event } = *request;
        let change = Change::set("pending_email = :to, email_asked_at = :now, email_asked_by_sign_in_at = :sign_in")
            .and_set("updated_at = :now")
            .value(":to", s(to.as_str()))
            .value(":sign_in", n(signed_in_at.millis()))
            .value(":now", n(now.millis()))
            .in_epoch_of(user);
        let change = match user.email_asked_at {
            Some(asked_at) => change.only_if("email_asked_at = :asked_at").value(":asked_at", n(asked_at.millis())),
            None => change.only_if("attribute_not_exists(email_asked_at)"),
        };
        let (change, entries) = self.rename(user, name, change, now)?;
        let profile = change.into_update(self.update(user_key(user.id), PROFILE));
        let mut items = vec![update(profile)?, self.put_new(Self::email_item(mail)?)?];
        items.extend(entries);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const MOVE_ADDRESS: Grants =
        &[Grant::table(&[UPDATE, PUT], &[USERS]), Grant::table(&[PUT, DELETE], &[ADDRESSES, FOUND_BY])];

    /// Uses a link and moves the account to the address it was mailed to; reserves the address before, and enqueues an
    /// email to it.
    /// `false` when somebody has the address, when the link was used or has expired, or when the account was changed in
    /// the meantime: its address, the one it is to have, its password.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn move_address(
        &self,
        user: &User,
        to: &EmailAddress,
        link: &LinkHash,
        mail: &OutboxEmail,
        event: &DomainEvent,
    ) -> Result<bool> {
        let now = event.at;
        let from = user.email.normalized();
        let former = user.former_emails_after(&to.normalized(), now);
        let left = match former.iter().find(|former| former.address == from) {
            Some(former) => self.reserve_address(&from, user.id, former.until)?,
            None => self.leave_address(&from, user.id)?,
        };
        let (change, entries) = self.readdress(user, to, now)?;
        let change = change
            .and_set("email = :to, email_confirmed = :yes, former_emails = :former, updated_at = :now")
            .remove("pending_email, contested_at, email_delivery")
            .remove(LAPSE)
            .only_if("pending_email = :to")
            .value(":to", s(to.as_str()))
            .value(":yes", value(&true)?)
            .value(":former", value(&former)?)
            .value(":now", n(now.millis()))
            .in_epoch_of(user);
        let mut items = vec![
            self.use_link(user.id, link, now)?,
            self.take_address(&to.normalized(), user, now)?,
            left,
            update(change.into_update(self.update(user_key(user.id), PROFILE)))?,
            self.emails_arrive(&to.normalized())?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        items.extend(entries);
        items.extend(self.record(event)?);
        if !self.transact(items).await? {
            return Ok(false);
        }
        self.free_all_but(user, &to.normalized(), &former).await;
        Ok(true)
    }

    /// Frees the addresses that were reserved for the account and no longer are. Afterwards and one by one: whether one of
    /// them has lapsed must not stand in the owner's way, nor must a failure. One that stays lapses within the week, and
    /// its own link is worth nothing any more.
    pub(super) async fn free_all_but(&self, user: &User, now_its: &NormalizedEmail, reserved: &[FormerEmail]) {
        let gone = |former: &&FormerEmail| former.address != *now_its && !reserved.contains(former);
        for former in user.former_emails.iter().filter(gone) {
            if let Err(error) = self.free_reserved_address(&former.address, user.id).await {
                tracing::warn!(error.message = %Causes(&error), "a former address stays reserved until it lapses");
            }
        }
    }

    /// A change that goes with another address, which is confirmed, and the entries of the index; on condition that address and name
    /// are those that were read.
    fn readdress(&self, user: &User, to: &EmailAddress, at: Timestamp) -> Result<(Change, Vec<TransactWriteItem>)> {
        let change = Change::default().only_if("email = :from").value(":from", s(user.email.as_str()));
        let indexed = user.indexed.clone().map(|indexed| Indexed { at, ..indexed });
        let change = match &indexed {
            Some(indexed) => change.indexed_as(user, indexed)?,
            None => change.while_indexed_as(user)?,
        };
        let moved = User { email: to.clone(), email_confirmed: true, indexed, ..user.clone() };
        Ok((change, self.reindex(user, &moved)?))
    }

    pub const RESTORE_ADDRESS: Grants = &[
        Grant::table(&[UPDATE], &[USERS, POPULATION]),
        Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY]),
        Grant::table(&[DELETE], &[USERS, ADDRESSES, FOUND_BY]),
    ];

    /// Uses a link and gives the account back an address that is reserved for it. Whatever came after is undone with it: the
    /// address since, every other that the account left later, whatever `store/revocation.rs` ends, the password,
    /// in whose place `unusable` comes, and the second factors that are not the owner's beyond doubt, of the app, the
    /// `recovery` codes and the `passkeys`. `false` when the link was used or has expired, when the address is no longer reserved,
    /// or when the account or its factors were changed in the meantime.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn restore_address(&self, restoration: &AddressRestoration<'_>, now: Timestamp) -> Result<bool> {
        let AddressRestoration { user, stored, to, unusable, link, mail, events } = *restoration;
        let address = to.normalized();
        let trusted = TrustedFactors::before_change_from(&address, user, stored);
        let former = user.former_emails_before(&address, now);
        let kept = u32::try_from(trusted.passkeys.len()).map_err(Error::internal)?;
        let (change, entries) = self.readdress(user, to, now)?;
        let mut change = revoke_all(change, now)?
            .and_set(
                "email = :to, email_confirmed = :yes, password_hash = :unusable, passkeys = :kept, updated_at = :now",
            )
            .remove(PASSWORD_KIND)
            .and_set("former_emails = :still")
            .remove("contested_at, email_delivery")
            .remove(LAPSE)
            .only_if("former_emails = :former")
            .value(":to", s(to.as_str()))
            .value(":former", value(&user.former_emails)?)
            .value(":still", value(&former)?)
            .value(":unusable", value(unusable)?)
            .value(":kept", n(kept))
            .value(":yes", value(&true)?)
            .value(":now", n(now.millis()));
        if !trusted.totp {
            change = change.remove("totp_since");
        }
        if kept == 0 {
            change = change.remove("passkeys_since");
        }
        let profile = change.into_update(self.update(user_key(user.id), PROFILE));
        let back = self
            .put_of(owner_item(&address, user.id, unusable)?)
            .condition_expression("#user = :user AND reserved_until > :now")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user.id)?)
            .expression_attribute_values(":now", n(now.millis()));
        let mut items = vec![
            self.use_link(user.id, link, now)?,
            put(back)?,
            self.leave_address(&user.email.normalized(), user.id)?,
            update(same_factors(profile, user))?,
            self.emails_arrive(&address)?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        items.extend(self.drop_distrusted(user, &trusted, stored)?);
        items.extend(entries);
        items.extend(self.record_all(events)?);
        if !self.transact_replacing(&user.password_hash, items).await? {
            return Ok(false);
        }
        self.free_all_but(user, &address, &former).await;
        Ok(true)
    }
}

/// The account has the address.
pub(super) fn owner_item(address: &NormalizedEmail, user: UserId, hash: &PasswordHash) -> Result<Item> {
    let owner = Owner { user, reserved_until: None, hash_parameters: hash.parameters() };
    to_item(address_key(address), OWNER, &owner)
}
