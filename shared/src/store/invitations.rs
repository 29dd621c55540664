//! Invitations: a list of them, and for each address which one it has.

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::factors::same_factors;
use super::revocation::revoke_all;
use super::schema::{INVITATION, INVITATIONS, LAPSE, PASSWORD_KIND, PROFILE, address_key, user_key};
use super::users::profile_item;
use super::{Store, delete, from_item, if_condition_held, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::factor::{StoredFactors, TrustedFactors};
use crate::domain::id::InvitationId;
use crate::domain::invitation::Invitation;
use crate::domain::link::LinkHash;
use crate::domain::mail::OutboxEmail;
use crate::domain::password::PasswordHash;
use crate::domain::role::Role;
use crate::domain::staff::StaffMember;
use crate::domain::status::Status;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::grant::{
    ADDRESSES, CHECK, DELETE, FOUND_BY, GET, Grant, Grants, INVITATIONS as PARTITION, POPULATION, PUT, QUERY, STAFF,
    UPDATE, USERS,
};

/// Which invitation an address has.
#[derive(Serialize, Deserialize)]
struct Pointer {
    id: InvitationId,
    expires_at: Timestamp,
}

/// How an account takes an invitation.
#[derive(Debug, Clone, Copy)]
pub enum Acceptance<'a> {
    /// There was none: it is made, and its address counts as confirmed.
    New(&'a User),
    /// It has the roles as well.
    Known { before: &'a User, after: &'a User },
    /// Its ownership is not proved: the recipient of the email chooses its password, and its sessions, tokens and links end.
    Doubted {
        before: &'a User,
        after: &'a User,
        stored: StoredFactors<'a>,
        hash: &'a PasswordHash,
        mail: &'a OutboxEmail,
    },
}

impl Store {
    pub const CREATE_INVITATION: Grants =
        &[Grant::table(&[PUT], &[PARTITION, ADDRESSES, STAFF]), Grant::table(&[CHECK], &[USERS])];

    /// Invites an address, with the email about it. `false` when it has an invitation that is pending, or who does it may not any
    /// more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn create_invitation(
        &self,
        invitation: &Invitation,
        staff: &StaffMember,
        mail: &OutboxEmail,
        event: &DomainEvent,
    ) -> Result<bool> {
        let mut item = to_item(INVITATIONS.to_owned(), invitation.id.to_string(), invitation)?;
        item.insert("ttl".into(), n(invitation.expires_at.seconds()));
        let pointer = Pointer { id: invitation.id, expires_at: invitation.expires_at };
        let mut pointer = to_item(address_key(&invitation.email.normalized()), INVITATION, &pointer)?;
        pointer.insert("ttl".into(), n(invitation.expires_at.seconds()));
        let pointer = self
            .put_of(pointer)
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(event.at.millis()));
        let mut items = vec![self.put_new(item)?, put(pointer)?, self.put_new(Self::email_item(mail)?)?];
        items.extend(self.still_staff(Some(staff), None)?);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const INVITATION: Grants = &[Grant::table(&[GET], &[PARTITION])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn invitation(&self, id: InvitationId) -> Result<Option<Invitation>> {
        self.get(INVITATIONS.to_owned(), &id.to_string()).await
    }

    pub const INVITATIONS: Grants = &[Grant::table(&[QUERY], &[PARTITION])];

    /// Invitations, newest first, at most `limit` older than `before`; those that expired are forgotten some time.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn invitations(&self, before: Option<InvitationId>, limit: usize) -> Result<Vec<Invitation>> {
        let mut before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let mut invitations = Vec::new();
        // A read ends after 1 MB, however many items were to come.
        while invitations.len() < limit {
            let query = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk < :before")
                .expression_attribute_values(":pk", s(INVITATIONS))
                .expression_attribute_values(":before", s(before))
                .scan_index_forward(false)
                .consistent_read(true)
                .limit(i32::try_from(limit - invitations.len()).unwrap_or(i32::MAX));
            let page = query.send().await?;
            for item in page.items.unwrap_or_default() {
                invitations.push(from_item::<Invitation>(item)?);
            }
            match page.last_evaluated_key.and_then(|key| super::text(&key, "sk").cloned()) {
                Some(last) => before = last,
                None => break,
            }
        }
        Ok(invitations)
    }

    pub const RESEND_INVITATION: Grants = &[
        Grant::table(&[UPDATE], &[PARTITION]),
        Grant::table(&[PUT], &[ADDRESSES, STAFF]),
        Grant::table(&[CHECK], &[USERS]),
    ];

    /// Enqueues the email about an invitation once more, which then lives for another seven days and is offered by who sent it.
    /// `false` when it is not pending any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn resend_invitation(
        &self,
        invitation: &Invitation,
        staff: &StaffMember,
        expires_at: Timestamp,
        mail: &OutboxEmail,
        event: &DomainEvent,
    ) -> Result<bool> {
        let extended = self
            .update(INVITATIONS.to_owned(), &invitation.id.to_string())
            .update_expression("SET expires_at = :expires_at, invited_by = :staff, #ttl = :ttl")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(accepted_at) AND expires_at > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":expires_at", n(expires_at.millis()))
            .expression_attribute_values(":staff", value(&staff.id)?)
            .expression_attribute_values(":ttl", n(expires_at.seconds()))
            .expression_attribute_values(":now", n(event.at.millis()));
        let pointer = Pointer { id: invitation.id, expires_at };
        let mut pointer = to_item(address_key(&invitation.email.normalized()), INVITATION, &pointer)?;
        pointer.insert("ttl".into(), n(expires_at.seconds()));
        let mut items = vec![update(extended)?, put(self.put_of(pointer))?, self.put_new(Self::email_item(mail)?)?];
        items.extend(self.still_staff(Some(staff), None)?);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const REVOKE_INVITATION: Grants = &[
        Grant::table(&[DELETE], &[PARTITION, ADDRESSES]),
        Grant::table(&[PUT], &[STAFF]),
        Grant::table(&[CHECK], &[USERS]),
    ];

    /// Takes an invitation back. `false` when it was accepted, or is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn revoke_invitation(
        &self,
        invitation: &Invitation,
        staff: &StaffMember,
        event: &DomainEvent,
    ) -> Result<bool> {
        let gone = self
            .delete_of(INVITATIONS, &invitation.id.to_string())
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(accepted_at)");
        let mut items = vec![delete(gone)?, self.forget_pointer(invitation)?];
        items.extend(self.still_staff(Some(staff), None)?);
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    /// That who offered it may still. Whether it is their own account is looked at before, as an item is once in a transaction.
    fn still_offered(
        &self,
        invitation: &Invitation,
        acceptance: &Acceptance<'_>,
        now: Timestamp,
    ) -> Result<Option<TransactWriteItem>> {
        if acceptance.before().is_some_and(|before| before.id == invitation.invited_by) {
            return Ok(None);
        }
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", s(user_key(invitation.invited_by)))
            .key("sk", s(PROFILE))
            .condition_expression(
                "contains(#roles, :admin) AND (attribute_not_exists(disabled) OR disabled = :no OR disabled.#until <= :now)",
            )
            .expression_attribute_names("#roles", "roles")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":now", n(now.millis()))
            .expression_attribute_values(":no", value(&false)?)
            .expression_attribute_values(":admin", s(Role::ADMIN.as_str()));
        Ok(Some(TransactWriteItem::builder().condition_check(check.build().map_err(Error::internal)?).build()))
    }

    /// That the address has this invitation; of another nothing is forgotten, which fails the transaction.
    fn forget_pointer(&self, invitation: &Invitation) -> Result<TransactWriteItem> {
        let pointer = self
            .delete_of(&address_key(&invitation.email.normalized()), INVITATION)
            .condition_expression("attribute_not_exists(pk) OR id = :id")
            .expression_attribute_values(":id", value(&invitation.id)?);
        delete(pointer)
    }

    pub const PUT_INVITATION_LINK: Grants = &[Grant::table(&[UPDATE], &[PARTITION])];

    /// Notes the link that is about to be emailed: from then on it is the one that works. `false` when the invitation is not
    /// pending any more.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn put_invitation_link(&self, id: InvitationId, link: &LinkHash, now: Timestamp) -> Result<bool> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(INVITATIONS))
            .key("sk", s(id.to_string()))
            .update_expression("SET link = :link")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(accepted_at) AND expires_at > :now")
            .expression_attribute_values(":link", s(link.as_str()))
            .expression_attribute_values(":now", n(now.millis()));
        Ok(if_condition_held(update.send().await)?.is_some())
    }

    pub const ACCEPT_INVITATION: Grants = &[
        Grant::table(&[UPDATE], &[PARTITION, POPULATION]),
        Grant::table(&[UPDATE, PUT, DELETE, CHECK], &[USERS]),
        Grant::table(&[PUT, DELETE], &[ADDRESSES, FOUND_BY]),
    ];

    /// Accepts an invitation by its link, once. `false` if it was accepted, was revoked or has expired, if its link was replaced,
    /// if the account has changed since it was read, or if its creator is no longer an administrator.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn accept_invitation(
        &self,
        invitation: &Invitation,
        link: &LinkHash,
        acceptance: Acceptance<'_>,
        events: &[DomainEvent],
        now: Timestamp,
    ) -> Result<bool> {
        let accepted = self
            .update(INVITATIONS.to_owned(), &invitation.id.to_string())
            .update_expression("SET accepted_at = :now REMOVE link")
            .condition_expression("link = :link AND expires_at > :now AND attribute_not_exists(accepted_at)")
            .expression_attribute_values(":link", s(link.as_str()))
            .expression_attribute_values(":now", n(now.millis()));
        // Without the role, its creator cannot grant it to themselves again. The transaction checks that they still have it.
        if acceptance.before().is_some_and(|before| before.id == invitation.invited_by && !before.is_admin()) {
            return Ok(false);
        }
        let mut items = vec![update(accepted)?, self.forget_pointer(invitation)?];
        items.extend(self.still_offered(invitation, &acceptance, now)?);
        items.extend(match acceptance {
            Acceptance::New(user) => {
                let owner = self.take_address(&user.email.normalized(), user, now)?;
                let mut items = vec![self.put_new(profile_item(user)?)?, owner];
                items.extend(self.index(user)?);
                items
            }
            Acceptance::Known { before, after } => {
                let change = granted(before, after, now)?.in_epoch_of(before);
                let mut items = vec![update(change.into_update(self.update(user_key(before.id), PROFILE)))?];
                items.extend(self.reindex(before, after)?);
                items
            }
            Acceptance::Doubted { before, after, stored, hash, mail } => {
                let change = revoke_all(granted(before, after, now)?, now)?
                    .and_set("password_hash = :hash, email_confirmed = :yes")
                    .remove(PASSWORD_KIND)
                    .remove("contested_at, confirmed_by_link_alone_at, email_delivery, totp_since, passkeys, passkeys_since")
                    .remove(LAPSE)
                    .value(":hash", value(hash)?)
                    .value(":yes", value(&true)?);
                let profile = change.into_update(self.update(user_key(before.id), PROFILE));
                let address = before.email.normalized();
                let mut items = vec![
                    update(same_factors(profile, before))?,
                    self.write_parameters(&address, before.id, hash)?,
                    self.emails_arrive(&address)?,
                    self.put_new(Self::email_item(mail)?)?,
                    self.list_under(Status::Unconfirmed, &before.list_key(), false)?,
                ];
                items.extend(self.drop_distrusted(before, &TrustedFactors::default(), stored)?);
                let unlisted = User { email_confirmed: before.email_confirmed, ..after.clone() };
                items.extend(self.reindex(before, &unlisted)?);
                items
            }
        });
        items.extend(self.record_all(events)?);
        if items.len() > 100 {
            return Err(Error::internal("an account has more factors than one transaction can remove"));
        }
        let accepted = self.transact(items).await?;
        if let (true, Acceptance::Doubted { before, .. }) = (accepted, &acceptance) {
            self.count_out(&before.password_hash, true).await;
        }
        Ok(accepted)
    }
}

impl Acceptance<'_> {
    const fn before(&self) -> Option<&User> {
        match self {
            Self::New(_) => None,
            Self::Known { before, .. } | Self::Doubted { before, .. } => Some(before),
        }
    }
}

/// The roles and the metadata that come with an invitation, for an account that is found by what was read.
fn granted(before: &User, after: &User, now: Timestamp) -> Result<Change> {
    let change = Change::set("#roles = :roles, app = :app, updated_at = :now")
        .value(":roles", value(&after.roles)?)
        .value(":app", value(&after.app)?)
        .value(":now", n(now.millis()))
        .while_found_as(before)?;
    change.same(&[("profile", &before.profile), ("app", &before.app), ("internal", &before.internal)])
}
