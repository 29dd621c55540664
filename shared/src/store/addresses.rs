//! Ownership of email addresses, and moving an account from one to another. The previous address of an account is reserved for
//! it for a week, so that an attacker cannot give it to another account while the owner can still undo the change.

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
    /// The account has left the address; it is reserved until then.
    #[serde(default)]
    pub reserved_until: Option<Timestamp>,
    /// The parameters of the account's password hash, so that a sign-in can compute while it reads the account. They are written in
    /// the same transaction as the hash; if they differ nevertheless, the next correct password fixes them.
    #[serde(default)]
    pub hash_parameters: Option<HashParameters>,
}

impl Owner {
    /// The current owner of the address.
    pub fn account(&self) -> Option<UserId> {
        self.reserved_until.is_none().then_some(self.user)
    }
}

/// A change of the account's address requested by a session, with a new name if there is one.
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

/// The restoration of an address that is reserved for an account.
#[derive(Debug, Clone, Copy)]
pub struct AddressRestoration<'a> {
    pub user: &'a User,
    pub stored: StoredFactors<'a>,
    pub to: &'a EmailAddress,
    /// Replaces the password.
    pub unusable: &'a PasswordHash,
    pub link: &'a LinkHash,
    /// To the restored address.
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

    /// Whether a new account cannot have the address: another account has it, or it is reserved for one.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn is_taken(&self, address: &NormalizedEmail, now: Timestamp) -> Result<bool> {
        let owner: Option<Owner> = self.get(address_key(address), OWNER).await?;
        Ok(owner.is_some_and(|owner| owner.reserved_until.is_none_or(|until| now < until)))
    }

    /// Like [`Self::is_taken`], but ignores the given account's own ownership or reservation.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn is_taken_by_another(&self, address: &NormalizedEmail, user: UserId, now: Timestamp) -> Result<bool> {
        let owner: Option<Owner> = self.get(address_key(address), OWNER).await?;
        let taken = |owner: Owner| owner.user != user && owner.reserved_until.is_none_or(|until| now < until);
        Ok(owner.is_some_and(taken))
    }

    /// For a transaction: assigns the address to the account, if no account has it and it is not reserved for another.
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

    /// For a transaction that changes the account's hash: writes the parameters for sign-ins, if the account has the address. The
    /// whole item is written, so it must contain everything that an owner's item has.
    pub(super) fn write_parameters(
        &self,
        address: &NormalizedEmail,
        user: UserId,
        hash: &PasswordHash,
    ) -> Result<TransactWriteItem> {
        self.put_over_owner(owner_item(address, user, hash)?, user)
    }

    /// For a transaction: releases the address of the account immediately.
    pub(super) fn leave_address(&self, address: &NormalizedEmail, user: UserId) -> Result<TransactWriteItem> {
        let owner = self
            .delete_of(&address_key(address), OWNER)
            .condition_expression("#user = :user AND attribute_not_exists(reserved_until)")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user)?);
        delete(owner)
    }

    /// For a transaction: releases the address of the account, and reserves it for the account until `until`.
    fn reserve_address(&self, address: &NormalizedEmail, user: UserId, until: Timestamp) -> Result<TransactWriteItem> {
        let mut item =
            to_item(address_key(address), OWNER, &Owner { user, reserved_until: Some(until), hash_parameters: None })?;
        item.insert("ttl".into(), n(until.seconds()));
        self.put_over_owner(item, user)
    }

    /// For a transaction: replaces the item that assigns the address to the account, if it still does.
    fn put_over_owner(&self, item: Item, user: UserId) -> Result<TransactWriteItem> {
        let owner = self
            .put_of(item)
            .condition_expression("#user = :user AND attribute_not_exists(reserved_until)")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", value(&user)?);
        put(owner)
    }

    /// Releases the reservation of an address for the account, if it still exists.
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

    /// Stores the pending address of an account, with the email to it and a new name if there is one. It does not check whether
    /// another account has the address, so it cannot reveal that. `false` if the account is gone, or its epoch, its name or the
    /// time of its last request has changed since it was read.
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

    /// Uses a link and moves the account to the address it was sent to; reserves the previous address and enqueues an email to it.
    /// `false` if another account has the address, if the link was used or has expired, or if the account's address, pending
    /// address or password has changed.
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

    /// Releases former addresses that are no longer reserved for the account. Afterwards and one by one: neither an expired
    /// reservation nor a failure must prevent the change. A reservation that remains expires within the week, and its link is no
    /// longer valid.
    pub(super) async fn free_all_but(&self, user: &User, now_its: &NormalizedEmail, reserved: &[FormerEmail]) {
        let gone = |former: &&FormerEmail| former.address != *now_its && !reserved.contains(former);
        for former in user.former_emails.iter().filter(gone) {
            if let Err(error) = self.free_reserved_address(&former.address, user.id).await {
                tracing::warn!(error.message = %Causes(&error), "failed to release a former address; it stays reserved until it expires");
            }
        }
    }

    /// The change to another, confirmed address, and the entries of the index; on condition that address and name have not changed
    /// since they were read.
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

    /// Uses a link and restores an address that is reserved for the account. Everything after it is undone: the current address,
    /// all addresses that the account left later, everything that `store/revocation.rs` ends, the password, which `unusable`
    /// replaces, and the second factors that cannot be trusted, of the app, the `recovery` codes and the `passkeys`. `false` if the
    /// link was used or has expired, if the address is no longer reserved, or if the account or its factors have changed.
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

/// The item that assigns the address to the account.
pub(super) fn owner_item(address: &NormalizedEmail, user: UserId, hash: &PasswordHash) -> Result<Item> {
    let owner = Owner { user, reserved_until: None, hash_parameters: hash.parameters() };
    to_item(address_key(address), OWNER, &owner)
}
