//! Changing and resetting passwords: the hash, its parameters for sign-ins, the sessions that end with it and the email
//! about it, in one transaction.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::change::Change;
use super::factors::same_factors;
use super::revocation::{revoke_all, revoke_others};
use super::schema::{LAPSE, PASSWORD_KIND, PROFILE, link_key, session_key, user_key};
use super::{Store, n, s, update, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::factor::{StoredFactors, TrustedFactors};
use crate::domain::id::UserId;
use crate::domain::link::LinkHash;
use crate::domain::mail::OutboxEmail;
use crate::domain::password::PasswordHash;
use crate::domain::role::Role;
use crate::domain::session::Session;
use crate::domain::status::Status;
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{ADDRESSES, DELETE, FOUND_BY, Grant, Grants, POPULATION, PUT, UPDATE, USERS};

/// The consequences of a password chosen through an emailed link for an account whose address was not proved that way before.
#[derive(Debug)]
pub struct FirstProof<'a> {
    /// Whether the account is an administrator's from then on.
    pub becomes_admin: bool,
    /// The existing factors, which may belong to someone else.
    pub stored: StoredFactors<'a>,
}

/// A new password through an emailed link.
#[derive(Debug, Clone, Copy)]
pub struct PasswordReset<'a> {
    pub user: &'a User,
    pub link: &'a LinkHash,
    pub new: &'a PasswordHash,
    pub proof: Option<&'a FirstProof<'a>>,
    pub mail: &'a OutboxEmail,
    pub events: &'a [DomainEvent],
}

impl Store {
    pub const CHANGE_PASSWORD: Grants =
        &[Grant::table(&[UPDATE], &[USERS, POPULATION]), Grant::table(&[PUT], &[USERS, ADDRESSES])];

    /// Sets a new password and ends whatever the old one began (`store/revocation.rs`), but for this one session.
    /// `false` when password or address were changed or the session ended in the meantime.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn change_password(
        &self,
        user: &User,
        session: &Session,
        new: &PasswordHash,
        mail: &OutboxEmail,
        events: &[DomainEvent],
        now: Timestamp,
    ) -> Result<bool> {
        let change = revoke_others(session, now)?
            .and_set("password_hash = :new, updated_at = :now")
            .remove(PASSWORD_KIND)
            .only_if("password_hash = :old AND session_epoch = :epoch")
            .value(":new", value(new)?)
            .value(":old", value(&user.password_hash)?)
            .value(":epoch", n(user.session_epoch))
            .value(":now", n(now.millis()));
        let mut items = vec![
            update(change.into_update(self.update(user_key(user.id), PROFILE)))?,
            self.write_parameters(&user.email.normalized(), user.id, new)?,
            self.take_along(session)?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        items.extend(self.record_all(events)?);
        self.transact_replacing(&user.password_hash, items).await
    }

    pub const RESET_PASSWORD: Grants = &[
        Grant::table(&[UPDATE], &[USERS, POPULATION]),
        Grant::table(&[PUT], &[USERS, ADDRESSES, FOUND_BY]),
        Grant::table(&[DELETE], &[USERS, ADDRESSES, FOUND_BY]),
    ];

    /// Uses a link, sets a new password and ends everything that started with the old one (`store/revocation.rs`). The address
    /// counts as confirmed, and the account's ownership as proved, because the person who knows the password receives the email.
    /// With `proof` all existing second factors are removed, and for an administrator the reservations of former addresses. `false`
    /// if the link was used or has expired, or if the address, the epoch, or with `proof` the factors, have changed.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn reset_password(&self, reset: &PasswordReset<'_>, now: Timestamp) -> Result<bool> {
        let PasswordReset { user, link, new, proof, mail, events } = *reset;
        let mut change = revoke_all(Change::default(), now)?
            .and_set("password_hash = :new, email_confirmed = :yes, updated_at = :now")
            .remove("contested_at, confirmed_by_link_alone_at, email_delivery")
            .remove(PASSWORD_KIND)
            .remove(LAPSE)
            .only_if("email = :email AND session_epoch = :epoch")
            .value(":new", value(new)?)
            .value(":email", s(user.email.as_str()))
            .value(":epoch", n(user.session_epoch))
            .value(":yes", value(&true)?)
            .value(":now", n(now.millis()));
        if let Some(proof) = proof {
            change = change.remove("totp_since, passkeys, passkeys_since");
            if proof.becomes_admin {
                // Whose address it was before has no way to take an administrator's account back.
                change = change
                    .remove("former_emails")
                    .and_set("#roles = list_append(#roles, :admin), made_admin_at = :now")
                    .only_if("NOT contains(#roles, :role)")
                    .name("#roles", "roles")
                    .value(":role", value(&Role::ADMIN)?)
                    .value(":admin", value(&[Role::ADMIN])?);
            }
        }
        let mut profile = change.into_update(self.update(user_key(user.id), PROFILE));
        let mut items = vec![
            self.use_link(user.id, link, now)?,
            self.write_parameters(&user.email.normalized(), user.id, new)?,
            self.emails_arrive(&user.email.normalized())?,
            self.put_new(Self::email_item(mail)?)?,
        ];
        if !user.email_confirmed {
            items.push(self.list_under(Status::Unconfirmed, &user.list_key(), false)?);
        }
        if let Some(FirstProof { stored, becomes_admin }) = proof {
            items.extend(becomes_admin.then(|| self.list_under_role(&Role::ADMIN, &user.list_key())).transpose()?);
            profile = same_factors(profile, user);
            items.extend(self.drop_distrusted(user, &TrustedFactors::default(), *stored)?);
        }
        items.push(update(profile)?);
        items.extend(self.record_all(events)?);
        if !self.transact_replacing(&user.password_hash, items).await? {
            return Ok(false);
        }
        if proof.is_some_and(|proof| proof.becomes_admin) {
            self.free_all_but(user, &user.email.normalized(), &[]).await;
        }
        Ok(true)
    }

    /// For a transaction that ends all sessions: this one goes on, in the next epoch.
    pub(super) fn take_along(&self, session: &Session) -> Result<TransactWriteItem> {
        let along = self
            .update(user_key(session.user), &session_key(session.id))
            .update_expression("SET epoch = :next")
            .condition_expression("attribute_exists(pk) AND epoch = :epoch")
            .expression_attribute_values(":epoch", n(session.epoch))
            .expression_attribute_values(":next", n(session.epoch.saturating_add(1)));
        update(along)
    }

    /// For a transaction that a link authorises: once, before it expires.
    pub(super) fn use_link(&self, user: UserId, link: &LinkHash, now: Timestamp) -> Result<TransactWriteItem> {
        let once = self
            .update(user_key(user), &link_key(link))
            .update_expression("SET used_at = :now")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(used_at) AND expires_at > :now")
            .expression_attribute_values(":now", n(now.millis()));
        update(once)
    }
}
