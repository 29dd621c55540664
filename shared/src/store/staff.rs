//! What staff do to accounts. Each act is one transaction: with what it ends, what the account is found by, its events, the emails
//! about it, and the check that who does it still may.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem};

use super::change::Change;
use super::factors::same_factors;
use super::revocation::revoke_all;
use super::schema::{
    LAPSE, PROFILE, RECOVERY, TOTP, UNCONFIRMED, factor_attempts_of, impersonation_key, passkey_key, session_key,
    shard, user_key,
};
use super::users::profile_item;
use super::{Store, delete, n, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::factor::FactorsToDrop;
use crate::domain::id::{SessionId, UserId};
use crate::domain::mail::OutboxEmail;
use crate::domain::role::Role;
use crate::domain::session::Session;
use crate::domain::staff::StaffMember;
use crate::domain::status::{Disabled, Status};
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::grant::{ADDRESSES, CHECK, DELETE, FOUND_BY, Grant, Grants, PUT, STAFF, UPDATE, USERS};

/// An act of staff on an account as it was read.
#[derive(Debug, Clone, Copy)]
pub struct StaffAct<'a> {
    pub user: &'a User,
    /// None of an operator, whom AWS vouches for.
    pub staff: Option<&'a StaffMember>,
    /// To the owner.
    pub mail: Option<&'a OutboxEmail>,
    pub events: &'a [DomainEvent],
    pub now: Timestamp,
}

impl Store {
    /// For the transaction of an act: who does it still has the role, and was not signed out everywhere. Not where the transaction
    /// writes that account itself, which is to hold them to it then: [`held_to`].
    pub(super) fn still_staff(
        &self,
        staff: Option<&StaffMember>,
        written: Option<UserId>,
    ) -> Result<Option<TransactWriteItem>> {
        let Some(staff) = staff.filter(|staff| Some(staff.id) != written) else { return Ok(None) };
        let held = held_to(Change::default(), Some(staff));
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", s(user_key(staff.id)))
            .key("sk", s(PROFILE))
            .condition_expression(held.condition())
            .set_expression_attribute_names(held.names)
            .set_expression_attribute_values(Some(held.values));
        Ok(Some(TransactWriteItem::builder().condition_check(check.build().map_err(Error::internal)?).build()))
    }

    /// One transaction: a change of the account, other items, and what every act has.
    pub(super) async fn act(&self, act: &StaffAct<'_>, change: Change, others: Vec<TransactWriteItem>) -> Result<bool> {
        let change = held_to(change, act.staff.filter(|staff| staff.id == act.user.id));
        let profile = change.into_update(self.update(user_key(act.user.id), PROFILE));
        let mut items = vec![update(profile)?];
        items.extend(others);
        self.conclude(act, items, Some(act.user.id)).await
    }

    /// The transaction of an act, with what each has besides. `written` is the account that it writes, if any.
    async fn conclude(
        &self,
        act: &StaffAct<'_>,
        mut items: Vec<TransactWriteItem>,
        written: Option<UserId>,
    ) -> Result<bool> {
        items.extend(act.mail.map(|mail| self.put_new(Self::email_item(mail)?)).transpose()?);
        items.extend(self.still_staff(act.staff, written)?);
        items.extend(self.record_all(act.events)?);
        self.transact(items).await
    }

    pub const DISABLE_USER: Grants = ACT;

    /// Disables an account, or changes why and until when. Everything that it holds ends (`store/revocation.rs`). One that waits
    /// for its confirmation lapses `lapses_at`, which is after it is enabled, or not at all. `false` when the account was disabled,
    /// enabled, signed out everywhere or deleted since it was read, or who does it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn disable_user(
        &self,
        act: &StaffAct<'_>,
        disabled: &Disabled,
        lapses_at: Option<Timestamp>,
    ) -> Result<bool> {
        let change = as_disabled(revoke_all(Change::default(), act.now)?, act.user)?
            .and_set("disabled = :disabled, updated_at = :now")
            .value(":disabled", value(disabled)?)
            .value(":now", n(act.now.millis()));
        let change = match lapses_at.filter(|_| !act.user.email_confirmed) {
            Some(lapses_at) => lapsing(as_confirmed(change, act.user)?, act.user, lapses_at),
            None => change.remove(LAPSE),
        };
        self.act(act, change, vec![self.list_under(Status::Disabled, &act.user.list_key(), true)?]).await
    }

    pub const ENABLE_USER: Grants = ACT;

    /// Enables an account; one that waits for its confirmation lapses `lapses_at`. `false` likewise.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn enable_user(&self, act: &StaffAct<'_>, lapses_at: Timestamp) -> Result<bool> {
        let change = as_disabled(Change::set("updated_at = :now"), act.user)?
            .remove("disabled")
            .value(":now", n(act.now.millis()));
        let change = as_confirmed(change, act.user)?;
        let change = if act.user.email_confirmed { change } else { lapsing(change, act.user, lapses_at) };
        self.act(act, change, vec![self.list_under(Status::Disabled, &act.user.list_key(), false)?]).await
    }

    pub const END_SESSIONS_OF: Grants = ACT;

    /// Signs an account out everywhere (`store/revocation.rs`). `false` when that was done since it was read, or who does it may
    /// not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn end_sessions_of(&self, act: &StaffAct<'_>) -> Result<bool> {
        let change = revoke_all(Change::default(), act.now)?.in_epoch_of(act.user);
        self.act(act, change, Vec::new()).await
    }

    pub const END_SESSION_OF: Grants = ACT;

    /// Ends one session of an account. `false` when it is not there, or who does it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn end_session_of(&self, act: &StaffAct<'_>, session: SessionId) -> Result<bool> {
        let pk = user_key(act.user.id);
        let gone = self.delete_of(&pk, &session_key(session)).condition_expression("attribute_exists(pk)");
        self.conclude(act, vec![delete(gone)?], None).await
    }

    pub const ENQUEUE_FOR: Grants = ACT;

    /// Enqueues an email to an account's owner. `false` when the account is gone or has another address than was read, or who does
    /// it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn enqueue_for(&self, act: &StaffAct<'_>) -> Result<bool> {
        let change =
            Change::set("email = :email").only_if("email = :email").value(":email", s(act.user.email.as_str()));
        self.act(act, change, Vec::new()).await
    }

    pub const CREATE_USER_AS_STAFF: Grants =
        &[Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY, STAFF]), Grant::table(&[CHECK], &[USERS])];

    /// Creates an account. `false` when its address or its external id is another's, or who does it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn create_user_as_staff(&self, act: &StaffAct<'_>) -> Result<bool> {
        let user = act.user;
        let mut items =
            vec![self.put_new(profile_item(user)?)?, self.take_address(&user.email.normalized(), user, act.now)?];
        items.extend(self.index(user)?);
        self.conclude(act, items, Some(user.id)).await
    }

    pub const PATCH_USER: Grants = &[
        Grant::table(&[UPDATE, PUT, CHECK], &[USERS]),
        Grant::table(&[PUT, DELETE], &[ADDRESSES, FOUND_BY]),
        Grant::table(&[PUT], &[STAFF]),
    ];

    /// Makes an account what it is to be, as far as administrators change it. Another address takes the place of the old one at
    /// once, with those that were reserved for the account; with `ends_sessions` everything that the account holds ends. `false`
    /// when any of that was changed since it was read, when the address or the external id is another's, or who does it may not any
    /// more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn patch_user(
        &self,
        act: &StaffAct<'_>,
        after: &User,
        mails: &[OutboxEmail],
        ends_sessions: bool,
    ) -> Result<bool> {
        let (before, now) = (act.user, act.now);
        let change = Change::set("updated_at = :now").value(":now", n(now.millis())).while_found_as(before)?;
        let change =
            change.same(&[("profile", &before.profile), ("app", &before.app), ("internal", &before.internal)])?;
        let change = as_confirmed(change, before)?
            .name("#name", "name")
            .only_if("#name = :name_before")
            .value(":name_before", value(&before.name)?);
        let mut change = if ends_sessions { revoke_all(change, now)? } else { change };
        let set: [(&str, bool, AttributeValue); 5] = [
            ("#name", before.name != after.name, value(&after.name)?),
            ("email", before.email != after.email, s(after.email.as_str())),
            ("#roles", before.roles != after.roles, value(&after.roles)?),
            ("app", before.app != after.app, value(&after.app)?),
            ("internal", before.internal != after.internal, value(&after.internal)?),
        ];
        for (name, changes, new) in set {
            if changes {
                let placeholder = format!(":{}", name.trim_start_matches('#'));
                change = change.and_set(format!("{name} = {placeholder}")).value(&placeholder, new);
            }
        }
        if let Some(indexed) = after.indexed.as_ref().filter(|_| after.indexed != before.indexed) {
            change = change.and_set("found_by = :indexed").value(":indexed", value(indexed)?);
        }
        if before.external_id != after.external_id {
            change = match &after.external_id {
                Some(id) => change.and_set("external_id = :external_id").value(":external_id", value(id)?),
                None => change.remove("external_id"),
            };
        }
        let moves = before.email.normalized() != after.email.normalized();
        if moves {
            change = change.remove("former_emails, email_delivery");
        }
        change = confirmed_as(change, before, after, now)?;
        let mut others = self.reindex(before, after)?;
        if moves {
            others.push(self.take_address(&after.email.normalized(), after, now)?);
            others.push(self.leave_address(&before.email.normalized(), before.id)?);
        }
        for mail in mails {
            others.push(self.put_new(Self::email_item(mail)?)?);
        }
        if !self.act(act, change, others).await? {
            return Ok(false);
        }
        if moves {
            self.free_all_but(before, &after.email.normalized(), &[]).await;
        }
        Ok(true)
    }

    pub const IMPERSONATE: Grants =
        &[Grant::table(&[UPDATE, PUT, CHECK], &[USERS]), Grant::table(&[PUT], &[ADDRESSES, STAFF])];

    /// Lets a member of staff act as the owner of an account. `false` when the account has another role or was signed out
    /// everywhere since it was read, or who does it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn impersonate(&self, act: &StaffAct<'_>, session: &Session) -> Result<bool> {
        let user = act.user;
        let change = Change::set("session_epoch = :epoch").in_epoch_of(user).only_if("#roles = :roles");
        let change = change.name("#roles", "roles").value(":roles", value(&user.roles)?);
        let mut item = to_item(user_key(user.id), impersonation_key(session.id), session)?;
        item.insert("ttl".into(), n(session.ends_at().seconds()));
        self.act(act, change, vec![self.put_new(item)?]).await
    }

    pub const DROP_FACTORS: Grants = ACT;

    /// Takes factors of an account away, and everything that may have begun with them (`store/revocation.rs`). `false` when the
    /// account's factors or sessions are not those of `user` any more, or who does it may not any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn drop_factors(&self, act: &StaffAct<'_>, dropped: &FactorsToDrop<'_>) -> Result<bool> {
        let (user, pk) = (act.user, user_key(act.user.id));
        let mut change = revoke_all(Change::default(), act.now)?;
        let mut going = Vec::new();
        if dropped.totp {
            change = change.remove("totp_since");
            going.push(TOTP.to_owned());
        }
        let kept = user.passkeys.saturating_sub(u32::try_from(dropped.passkeys.len()).map_err(Error::internal)?);
        if !dropped.passkeys.is_empty() {
            change = match kept {
                0 => change.remove("passkeys, passkeys_since"),
                kept => change.and_set("passkeys = :kept").value(":kept", n(kept)),
            };
            going.extend(dropped.passkeys.iter().map(|id| passkey_key(id)));
        }
        let left = (user.totp_since.is_some() && !dropped.totp) || kept > 0;
        if dropped.recovery || !left {
            going.push(RECOVERY.to_owned());
        }
        let profile = change.into_update(self.update(pk.clone(), PROFILE));
        let mut items =
            vec![update(same_factors(profile, user))?, delete(self.delete_of(&pk, &factor_attempts_of(None)))?];
        for sk in going {
            items.push(delete(self.delete_of(&pk, &sk))?);
        }
        self.conclude(act, items, Some(user.id)).await
    }
}

/// What an act may need.
const ACT: Grants = &[
    Grant::table(&[UPDATE, PUT, CHECK, DELETE], &[USERS]),
    Grant::table(&[PUT], &[ADDRESSES, STAFF]),
    Grant::table(&[PUT, DELETE], &[FOUND_BY]),
];

/// A change of the account of who acts, or a check of it, on condition that they still have the role and were not signed out
/// everywhere.
fn held_to(change: Change, staff: Option<&StaffMember>) -> Change {
    let Some(staff) = staff else { return change };
    let change = change.name("#roles", "roles").value(":acts_as", s(Role::ADMIN.as_str()));
    let change = change.only_if("session_epoch = :acts_in").value(":acts_in", n(staff.epoch));
    if staff.role == Role::ADMIN {
        change.only_if("contains(#roles, :acts_as)")
    } else {
        let change = change.value(":acts_also_as", s(staff.role.as_str()));
        change.only_if("(contains(#roles, :acts_as) OR contains(#roles, :acts_also_as))")
    }
}

/// What goes with an address that is confirmed or unconfirmed by staff. Of one that is disabled it stays when it lapses, if it
/// does.
fn confirmed_as(change: Change, before: &User, after: &User, now: Timestamp) -> Result<Change> {
    let lapses = if after.is_disabled(now) { before.lapses_at } else { after.lapses_at };
    let lapses = lapses.filter(|_| !after.email_confirmed);
    let change = match (before.email_confirmed, after.email_confirmed) {
        (true, true) => return Ok(change),
        (false, true) => change.remove("contested_at, confirmed_by_link_alone_at"),
        _ => change,
    };
    let change = change.and_set("email_confirmed = :confirmed").value(":confirmed", value(&after.email_confirmed)?);
    Ok(match lapses {
        Some(lapses_at) => lapsing(change, after, lapses_at),
        None => change.remove(LAPSE),
    })
}

/// A change of an account that waits for its confirmation, and lapses without it.
fn lapsing(change: Change, user: &User, lapses_at: Timestamp) -> Change {
    if !user.may_lapse() {
        return change;
    }
    change
        .and_set("pending_shard = :shard, pending_at = :lapses_at")
        .value(":shard", s(shard(UNCONFIRMED, user.id.as_bytes())))
        .value(":lapses_at", n(lapses_at.millis()))
}

/// On condition that the address is confirmed, or is not, as it was read.
fn as_confirmed(change: Change, user: &User) -> Result<Change> {
    Ok(change.only_if("email_confirmed = :confirmed_before").value(":confirmed_before", value(&user.email_confirmed)?))
}

/// On condition that the account is disabled, or is not, as it was read, and that nothing ended its sessions since.
fn as_disabled(change: Change, user: &User) -> Result<Change> {
    let change = change.in_epoch_of(user);
    Ok(match &user.disabled {
        // As earlier versions wrote it.
        Some(before) if before.at == Timestamp::from_seconds(0) => {
            change.only_if("disabled = :disabled_before").value(":disabled_before", value(&true)?)
        }
        Some(before) => change.only_if("disabled = :disabled_before").value(":disabled_before", value(before)?),
        None => change
            .only_if("(attribute_not_exists(disabled) OR disabled = :not_disabled)")
            .value(":not_disabled", value(&false)?),
    })
}
