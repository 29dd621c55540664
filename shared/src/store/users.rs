//! Accounts and their email addresses.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};

use super::addresses::owner_item;
use super::change::Change;
use super::revocation::revoke_all;
use super::schema::{
    LAPSE, PASSWORD_KIND, PROFILE, UNCONFIRMED, USERS as LISTED, deleted_key, nobody_key, shard, user_key,
};
use super::{Erasure, Item, Store, delete, from_item, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::email::EmailAddress;
use crate::domain::event::DomainEvent;
use crate::domain::id::{EmailId, ListKey, UserId};
use crate::domain::link::LinkHash;
use crate::domain::mail::{ASK_INTERVAL, OutboxEmail};
use crate::domain::metadata::Metadata;
use crate::domain::name::UserName;
use crate::domain::picture::{Attempt, Next, Requested, Settled, Shown};
use crate::domain::role::Role;
use crate::domain::search::Indexed;
use crate::domain::staff::StaffMember;
use crate::domain::status::Status;
use crate::domain::user::{ListedUser, User};
use crate::error::{Error, Result};
use crate::grant::{
    ADDRESSES, CHECK, DELETE, DELETED, FOUND_BY, GET, Grant, Grants, NOBODY, POPULATION, PUT, Resource, STAFF, UPDATE,
    USERS,
};

/// The number of attempts at a change of search entries when the account changes concurrently.
const UPDATES: usize = 5;

/// Changes that the owner of an account can make without a link.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnUpdate<'a> {
    pub name: Option<&'a UserName>,
    /// Replaces the stored one.
    pub profile: Option<&'a Metadata>,
    /// Whether the address stays and a pending change of it is dropped.
    pub drops_pending_email: bool,
}

/// The result of creating an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Yes,
    AddressTaken,
}

/// Emails that anyone can request are throttled by their purpose, so that repeated registrations with an address do not keep its
/// owner from getting a password reset link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailThrottle {
    Registration,
    Reset,
}

/// Neither `:upload` nor a newer upload is settled.
const UNSETTLED: &str = "(attribute_not_exists(picture.settled.upload) OR picture.settled.upload < :upload)";

impl Store {
    pub const CREATE_USER: Grants = &[Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY])];

    /// Writes account, address, search entries and email in one transaction: the condition on the address makes addresses unique.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn create_user(&self, user: &User, mail: &OutboxEmail, event: &DomainEvent) -> Result<Created> {
        let owner = self.take_address(&user.email.normalized(), user, user.created_at)?;
        let mut items = vec![self.put_new(profile_item(user)?)?, owner, self.put_new(Self::email_item(mail)?)?];
        items.extend(self.index(user)?);
        items.extend(self.record(event)?);
        Ok(if self.transact(items).await? { Created::Yes } else { Created::AddressTaken })
    }

    /// The items that [`Self::create_user`] leaves once the email is sent: the account, its search entries and its address. Also
    /// for benchmarks that fill a table with more accounts than could register.
    ///
    /// # Errors
    /// Never: an account can be serialized.
    pub fn items_of(user: &User) -> Result<Vec<Item>> {
        let mut items = Self::index_items(user)?;
        items.extend([profile_item(user)?, owner_item(&user.email.normalized(), user.id, &user.password_hash)?]);
        Ok(items)
    }

    pub const ENQUEUE_EMAIL_TO_OWNER: Grants = &[Grant::table(&[PUT], &[ADDRESSES, NOBODY])];

    /// Enqueues an email to an address that is in use. The transaction has as many items as [`Self::create_user`], so that
    /// registration takes as long for an address in use as for a free one; but the items belong to no account and soon expire. It
    /// does not touch the account's own items, otherwise repeated registrations would conflict with the owner's writes.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn enqueue_email_to_owner(
        &self,
        mail: &OutboxEmail,
        not_created: &User,
        event: &DomainEvent,
    ) -> Result<()> {
        let mut account = Self::items_of(not_created)?;
        account.push(to_item(String::new(), "", event)?);
        let nobody = nobody_key(mail.created_at);
        let fillers = account.iter().enumerate().map(|(number, item)| {
            self.put_new(Item::from([
                ("pk".into(), s(&nobody)),
                ("sk".into(), s(format!("{number:02}"))),
                ("filler".into(), s("-".repeat(length(item)))),
                ("ttl".into(), n(mail.created_at.seconds())),
            ]))
        });
        let mut items = vec![self.put_new(Self::email_item(mail)?)?];
        items.extend(fillers.collect::<Result<Vec<_>>>()?);
        self.transact(items).await.map(|_| ())
    }

    pub const USER: Grants = &[Grant::table(&[GET], &[USERS])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.get(user_key(id), PROFILE).await
    }

    pub const UPDATE_USER: Grants = &[
        Grant::table(&[UPDATE, PUT, GET], &[USERS]),
        Grant::table(&[PUT, DELETE], &[FOUND_BY]),
        Grant::table(&[PUT], &[STAFF]),
    ];

    /// Applies changes that need no link to an account as it was read, and returns the updated account. `None` if its sessions were
    /// ended or it is gone.
    ///
    /// # Errors
    /// [`Error::TemporarilyUnavailable`] when the account kept changing concurrently; otherwise only when the table
    /// cannot be read or written.
    pub async fn update_user(&self, user: &User, update: &OwnUpdate<'_>, event: &DomainEvent) -> Result<Option<User>> {
        let mut before = user.clone();
        for _ in 0..UPDATES {
            let change = Change::set("updated_at = :now").value(":now", n(event.at.millis()));
            let change = if update.drops_pending_email { change.remove("pending_email") } else { change };
            let change = match update.profile {
                Some(profile) => change.set_profile(&before, profile)?,
                None => change,
            };
            let (change, entries) = self.rename(&before, update.name, change, event.at)?;
            if self.change_and_record(user.id, change.in_epoch_of(user), entries, std::slice::from_ref(event)).await? {
                return Ok(self.user(user.id).await?.filter(|now| now.session_epoch == user.session_epoch));
            }
            match self.user(user.id).await?.filter(|now| now.session_epoch == user.session_epoch) {
                Some(now) => before = now,
                None => return Ok(None),
            }
        }
        Err(Error::TemporarilyUnavailable("the account kept changing concurrently".into()))
    }

    /// A change of the name, if there is one, and of the index entries that depend on it.
    pub(super) fn rename(
        &self,
        user: &User,
        name: Option<&UserName>,
        change: Change,
        at: Timestamp,
    ) -> Result<(Change, Vec<TransactWriteItem>)> {
        let Some(name) = name else {
            return Ok((change, Vec::new()));
        };
        let indexed = Indexed::new(name, at);
        let change = change.and_set("#name = :name").name("#name", "name").value(":name", value(name)?);
        // The entry of the address contains the name, too.
        let change = change
            .indexed_as(user, &indexed)?
            .only_if("email = :indexed_email")
            .value(":indexed_email", s(user.email.as_str()));
        let renamed = User { name: name.clone(), indexed: Some(indexed), ..user.clone() };
        Ok((change, self.reindex(user, &renamed)?))
    }

    pub const END_ALL_SESSIONS: Grants = &[Grant::table(&[UPDATE, PUT], &[USERS])];

    /// Ends all sessions of the account, unless that happened since it was read (`store/revocation.rs`).
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn end_all_sessions(&self, user: &User, event: &DomainEvent) -> Result<bool> {
        let change = revoke_all(Change::default(), event.at)?.in_epoch_of(user);
        self.change_and_record(user.id, change, Vec::new(), std::slice::from_ref(event)).await
    }

    pub const CONFIRM_ADDRESS: Grants =
        &[Grant::table(&[UPDATE, PUT], &[USERS]), Grant::table(&[DELETE], &[ADDRESSES, FOUND_BY])];

    /// Uses a link and confirms the account's address atomically. `false` if the link was used or has expired, if another link
    /// confirmed the address first, if the account is contested or has a staff role, or if it is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn confirm_address(&self, user: &User, epoch: u32, link: &LinkHash, event: &DomainEvent) -> Result<bool> {
        let (now, id) = (event.at, user.id);
        let change = Change::set("email_confirmed = :yes, confirmed_by_link_alone_at = :now, updated_at = :now")
            .remove(LAPSE)
            .remove("email_delivery")
            .only_if("email_confirmed = :no")
            .only_if("attribute_not_exists(contested_at) AND session_epoch = :epoch")
            .only_if("NOT (contains(#roles, :admin) OR contains(#roles, :support))")
            .name("#roles", "roles")
            .value(":admin", s(Role::ADMIN.as_str()))
            .value(":support", s(Role::SUPPORT.as_str()))
            .value(":epoch", n(epoch))
            .value(":yes", value(&true)?)
            .value(":no", value(&false)?)
            .value(":now", n(now.millis()));
        let profile = change.into_update(self.update(user_key(id), PROFILE));
        let listed = self.list_under(Status::Unconfirmed, &user.list_key(), false)?;
        let mut items = vec![
            self.use_link(id, link, now)?,
            update(profile)?,
            listed,
            self.emails_arrive(&user.email.normalized())?,
        ];
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const CONTEST: Grants = &[Grant::table(&[UPDATE, PUT, GET], &[USERS]), Grant::table(&[PUT], &[FOUND_BY])];

    /// Records that someone else claimed the account's address before it was proved: by registering with it or by requesting a
    /// change to it. From then on only a password chosen through an emailed link makes the account usable. If a plain link
    /// confirmed it after the claim but before this write, everything that followed ends (`store/revocation.rs`). The email about
    /// the claim holds the throttle of its kind. `None` if the claim came too late, the account was already contested, or it is
    /// gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn contest(
        &self,
        user: &User,
        mail: &OutboxEmail,
        lapses_at: Timestamp,
        events: &[DomainEvent],
        now: Timestamp,
    ) -> Result<Option<User>> {
        let change = revoke_all(Change::default(), now)?
            .and_set("contested_at = :now, email_confirmed = :no, mail_turn_at = :now, mail_turn_of = :mail")
            .and_set("updated_at = :now")
            .only_if("email = :email")
            .only_if("attribute_not_exists(contested_at)")
            .only_if("(email_confirmed = :no OR confirmed_by_link_alone_at > :claimed_at)")
            .value(":no", value(&false)?)
            .value(":mail", s(mail.id.to_string()))
            .value(":email", s(user.email.as_str()))
            .value(":claimed_at", n(mail.created_at.millis()))
            .value(":now", n(now.millis()));
        let change = if user.may_lapse() {
            change
                .and_set("pending_shard = :shard, pending_at = :lapses_at")
                .value(":shard", s(shard(UNCONFIRMED, user.id.as_bytes())))
                .value(":lapses_at", n(lapses_at.millis()))
        } else {
            change
        };
        let listed = vec![self.list_under(Status::Unconfirmed, &user.list_key(), true)?];
        if self.change_and_record(user.id, change, listed, events).await? { self.user(user.id).await } else { Ok(None) }
    }

    pub const PASS_EMAIL_THROTTLE: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// Whether an email that anyone can request may be sent now: at most one per [`EmailThrottle`] and [`ASK_INTERVAL`]. The email
    /// that passed holds the throttle, so a retry of the same email passes as well.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn pass_email_throttle(
        &self,
        id: UserId,
        throttle: EmailThrottle,
        mail: &OutboxEmail,
        now: Timestamp,
    ) -> Result<bool> {
        let (at, of) = match throttle {
            EmailThrottle::Registration => ("mail_turn_at", "mail_turn_of"),
            EmailThrottle::Reset => ("reset_turn_at", "reset_turn_of"),
        };
        let change = Change::set("#at = :now, #of = :mail")
            .only_if("(attribute_not_exists(#at) OR #at <= :before OR #of = :mail)")
            .name("#at", at)
            .name("#of", of)
            .value(":now", n(now.millis()))
            .value(":before", n(now.minus(ASK_INTERVAL).millis()))
            .value(":mail", s(mail.id.to_string()));
        self.change_user(id, change).await.map(|user| user.is_some())
    }

    pub const REQUEST_UPLOAD: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn request_upload(&self, user: &User, requested: &Requested) -> Result<Option<User>> {
        let change = Change::set("picture.requested = :requested").value(":requested", value(requested)?);
        self.change_user(user.id, change.in_epoch_of(user)).await
    }

    pub const BEGIN_ATTEMPT: Grants = &[Grant::table(&[GET, UPDATE], &[USERS])];

    /// Starts reading an upload, if that is the next step; `None` if the account is gone. The conditional record of the attempt
    /// ensures that it is the only one.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn begin_attempt(&self, id: UserId, attempt: &Attempt) -> Result<Option<Next>> {
        let change = Change::set("picture.attempt = :attempt")
            .only_if(UNSETTLED)
            // The same attempt may be repeated after a lost response.
            .only_if(
                "(attribute_not_exists(picture.attempt) OR picture.attempt.upload <> :upload OR picture.attempt.id = :id)",
            )
            .value(":attempt", value(attempt)?)
            .value(":upload", value(&attempt.upload)?)
            .value(":id", value(&attempt.id)?);
        if self.change_user(id, change).await?.is_some() {
            return Ok(Some(Next::Read));
        }
        let next = self.user(id).await?.map(|user| user.picture.next(attempt.upload, attempt.at));
        // An attempt that has just disappeared was ended by a failure: the next delivery starts again.
        Ok(next.map(|next| if next == Next::Read { Next::Wait } else { next }))
    }

    pub const FORGET_ATTEMPT: Grants = &[Grant::table(&[UPDATE], &[USERS])];

    /// Deletes the record of an attempt that an internal failure ended, so that the next delivery starts again.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn forget_attempt(&self, id: UserId, attempt: &Attempt) -> Result<()> {
        let change = Change::default()
            .remove("picture.attempt")
            .only_if("picture.attempt.id = :id")
            .value(":id", value(&attempt.id)?);
        self.change_user(id, change).await.map(drop)
    }

    pub const SETTLE_PICTURE: Grants = &[Grant::table(&[UPDATE, PUT], &[USERS])];

    /// Records the result of an upload, unless a newer one is settled or the account is gone: then `false`. With `shown` the
    /// current picture changes too.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn settle_picture(
        &self,
        id: UserId,
        settled: &Settled,
        shown: Option<&Shown>,
        event: &DomainEvent,
    ) -> Result<bool> {
        let change = match shown {
            Some(shown) => Change::set("picture.settled = :settled, updated_at = :now, picture.shown = :shown")
                .value(":shown", value(shown)?),
            None => Change::set("picture.settled = :settled, updated_at = :now"),
        };
        self.settle(id, change, settled, event).await
    }

    pub const REMOVE_PICTURE: Grants = &[Grant::table(&[UPDATE, PUT], &[USERS]), Grant::table(&[PUT], &[STAFF])];

    /// Removes the current picture and all uploads that were requested before. `false` if the picture has changed since it was
    /// read, a newer upload is settled, or the account is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn remove_picture(&self, user: &User, event: &DomainEvent) -> Result<bool> {
        let settled = Settled::all_before(event.at);
        let change =
            Change::set("picture.settled = :settled, updated_at = :now").remove("picture.shown, picture.requested");
        let change = match &user.picture.shown {
            Some(shown) => change.only_if("picture.shown = :shown").value(":shown", value(shown)?),
            None => change.only_if("attribute_not_exists(picture.shown)"),
        };
        self.settle(user.id, change, &settled, event).await
    }

    async fn settle(&self, id: UserId, change: Change, settled: &Settled, event: &DomainEvent) -> Result<bool> {
        let change = change
            .only_if(UNSETTLED)
            .value(":settled", value(settled)?)
            .value(":upload", value(&settled.upload)?)
            .value(":now", n(event.at.millis()));
        self.change_and_record(id, change, Vec::new(), std::slice::from_ref(event)).await
    }

    pub const DELETE_USER: Grants = &[
        Grant::table(&[PUT, DELETE], &[USERS, ADDRESSES]),
        Grant::table(&[PUT], &[STAFF]),
        Grant::table(&[DELETE], &[FOUND_BY]),
        Grant::table(&[CHECK], &[USERS]),
        Grant::table(&[UPDATE], &[POPULATION]),
        Grant::table(&[PUT], &[DELETED]),
    ];

    /// Deletes the account and releases its address; enqueues the farewell email and records what is left to erase. Without `staff`
    /// it is requested by a session of the account, which must have the current epoch: an owner who regains the account must not
    /// lose it to a concurrent request. `None` if the epoch differs, if staff are no longer authorized, if the account is already
    /// gone, or if its address, name or roles have changed since it was read.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn delete_user(
        &self,
        user: &User,
        staff: Option<&StaffMember>,
        farewell: &OutboxEmail,
        event: &DomainEvent,
    ) -> Result<Option<Erasure>> {
        let now = event.at;
        let erasure = Erasure {
            user: user.id,
            address: farewell.address.clone(),
            // Addresses that are no longer reserved may belong to another account by now.
            former: user
                .former_emails
                .iter()
                .filter(|former| now < former.until)
                .map(|former| former.address.clone())
                .collect(),
            pending: user.pending_email.as_ref().map(EmailAddress::normalized),
            farewell: farewell.id,
            sweeps: 0,
        };
        // If the account has moved to another address since it was read, that address would keep a missing owner, and its index
        // entries would remain.
        let change = Change::default().while_found_as(user)?;
        let change = if staff.is_none() { change.in_epoch_of(user) } else { change };
        let mut items = vec![
            delete(change.into_delete(self.delete_of(&user_key(user.id), PROFILE)))?,
            self.leave_address(&farewell.address, user.id)?,
            self.put_new(Self::email_item(farewell)?)?,
            self.put_new(Self::erasure_item(&erasure, now)?)?,
        ];
        items.extend(self.unindex(user)?);
        items.extend(self.still_staff(staff, Some(user.id))?);
        items.extend(self.record(event)?);
        self.erased(user, erasure, items).await
    }

    pub const LAPSE_USER: Grants = &[
        Grant::table(&[PUT], &[USERS]),
        Grant::table(&[DELETE], &[USERS, ADDRESSES, FOUND_BY]),
        Grant::table(&[UPDATE], &[POPULATION]),
        Grant::table(&[PUT], &[DELETED]),
    ];

    /// Deletes an expired account that was never confirmed, releases its address, and records what is left to erase. No email is
    /// sent: the address was never proved. `None` if the account was confirmed, contested or deleted concurrently.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn lapse_user(&self, user: &User, event: &DomainEvent) -> Result<Option<Erasure>> {
        let now = event.at;
        let address = user.email.normalized();
        // All emails to the address so far were about this account.
        let erasure = Erasure {
            user: user.id,
            address: address.clone(),
            former: Vec::new(),
            pending: None,
            farewell: EmailId::new(now),
            sweeps: 0,
        };
        let change = Change::default()
            .while_found_as(user)?
            .only_if("email_confirmed = :no AND pending_at <= :now")
            .only_if("(attribute_not_exists(disabled) OR disabled = :no OR disabled.#until <= :now)")
            .name("#until", "until")
            .value(":no", value(&false)?)
            .value(":now", n(now.millis()));
        let mut items = vec![
            delete(change.into_delete(self.delete_of(&user_key(user.id), PROFILE)))?,
            self.leave_address(&address, user.id)?,
            self.put_new(Self::erasure_item(&erasure, now)?)?,
        ];
        items.extend(self.unindex(user)?);
        items.extend(self.record(event)?);
        self.erased(user, erasure, items).await
    }

    /// The transaction that deletes an account.
    async fn erased(
        &self,
        user: &User,
        erasure: Erasure,
        mut items: Vec<TransactWriteItem>,
    ) -> Result<Option<Erasure>> {
        if user.imported_at.is_some() {
            let (pk, sk) = deleted_key(user.id);
            items.push(put(self.put_of(Item::from([("pk".into(), s(pk)), ("sk".into(), s(sk))])))?);
        }
        if !self.transact(items).await? {
            return Ok(None);
        }
        self.count_out(&user.password_hash, false).await;
        Ok(Some(erasure))
    }

    /// A query of all accounts in the index `list`.
    pub(super) fn list(&self) -> QueryFluentBuilder {
        self.db
            .query()
            .table_name(&self.table)
            .index_name("list")
            .key_condition_expression("listed_in = :list")
            .expression_attribute_values(":list", s(LISTED))
    }

    pub const LIST_USERS: Grants = &[Grant::index(Resource::ListIndex, &[LISTED])];

    /// Accounts older than `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn list_users(&self, limit: usize, before: Option<ListKey>) -> Result<Vec<ListedUser>> {
        let mut query = self.list().scan_index_forward(false);
        if let Some(before) = before {
            query = query
                .key_condition_expression("listed_in = :list AND listed_as < :before")
                .expression_attribute_values(":before", s(before.as_str()));
        }
        let (mut users, mut from) = (Vec::new(), None);
        // A query returns at most 1 MB, so a long page may need several.
        loop {
            let left = i32::try_from(limit - users.len()).unwrap_or(i32::MAX);
            let page = query.clone().limit(left).set_exclusive_start_key(from).send().await?;
            for item in page.items.unwrap_or_default() {
                users.push(from_item(item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() || users.len() >= limit {
                return Ok(users);
            }
        }
    }

    /// Updates an existing account together with other items and its events; `false` if the account does not exist, or the change's
    /// own condition failed.
    pub(super) async fn change_and_record(
        &self,
        id: UserId,
        change: Change,
        others: Vec<TransactWriteItem>,
        events: &[DomainEvent],
    ) -> Result<bool> {
        let mut items = vec![update(change.into_update(self.update(user_key(id), PROFILE)))?];
        items.extend(others);
        items.extend(self.record_all(events)?);
        self.transact(items).await
    }

    /// Updates an existing account without an event; `None` if it does not exist, or the change's own condition failed.
    async fn change_user(&self, id: UserId, change: Change) -> Result<Option<User>> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(user_key(id)))
            .key("sk", s(PROFILE))
            .update_expression(change.expression())
            .condition_expression(change.condition())
            .set_expression_attribute_names(change.names)
            .set_expression_attribute_values(Some(change.values))
            .return_values(ReturnValue::AllNew);
        let changed = if_condition_held(update.send().await)?;
        changed.and_then(|answer| answer.attributes).map(from_item).transpose()
    }
}

/// Approximate size of its values in bytes.
fn length(item: &Item) -> usize {
    item.values().map(|value| value.as_s().map_or(16, String::len)).sum()
}

pub(super) fn profile_item(user: &User) -> Result<Item> {
    let mut profile = to_item(user_key(user.id), PROFILE, user)?;
    profile.insert("listed_in".into(), s(LISTED));
    profile.insert("listed_as".into(), s(user.list_key().as_str()));
    if let Some(kind) = user.password_hash.imported_kind() {
        profile.insert(PASSWORD_KIND.into(), s(kind));
    }
    if user.lapses_at.is_some() {
        // Together with `pending_at`, this makes it pending for the sweeper.
        profile.insert("pending_shard".into(), s(shard(UNCONFIRMED, user.id.as_bytes())));
    }
    Ok(profile)
}
