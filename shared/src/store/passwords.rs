//! Changing and resetting passwords: the hash, what a sign-in knows of it beforehand, the sessions that end with it and the mail
//! that tells of it, in one transaction.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::links::link_key;
use super::sessions::session_key;
use super::users::{PROFILE, user_key};
use super::{Store, n, s, update, value};
use crate::clock::Timestamp;
use crate::domain::id::UserId;
use crate::domain::link::LinkHash;
use crate::domain::mail::OwedMail;
use crate::domain::session::Session;
use crate::domain::user::{Role, User};
use crate::error::Result;
use crate::hashing::PasswordHash;

impl Store {
    /// Sets a new password, begins a new epoch, which ends every session, and takes this one session along. `false` when
    /// password or address were changed or the session ended in the meantime.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn change_password(
        &self,
        user: &User,
        session: &Session,
        new: &PasswordHash,
        mail: &OwedMail,
        now: Timestamp,
    ) -> Result<bool> {
        let next = user.session_epoch.saturating_add(1);
        let profile = self
            .update(user_key(user.id), PROFILE)
            .update_expression(
                "SET password_hash = :new, session_epoch = :next, updated_at = :now REMOVE pending_email",
            )
            .condition_expression("attribute_exists(pk) AND password_hash = :old AND session_epoch = :epoch")
            .expression_attribute_values(":new", value(new)?)
            .expression_attribute_values(":old", value(&user.password_hash)?)
            .expression_attribute_values(":epoch", n(user.session_epoch))
            .expression_attribute_values(":next", n(next))
            .expression_attribute_values(":now", n(now.millis()));
        let session = self
            .update(user_key(user.id), &session_key(session.id))
            .update_expression("SET epoch = :next")
            .condition_expression("attribute_exists(pk) AND epoch = :epoch")
            .expression_attribute_values(":epoch", n(user.session_epoch))
            .expression_attribute_values(":next", n(next));
        let items = vec![
            update(profile)?,
            self.write_parameters(&user.email.folded(), user.id, new)?,
            update(session)?,
            self.put_new(Self::mail_item(mail)?)?,
        ];
        self.transact(items).await
    }

    /// Replaces a hash by a fresh one of the same password, unless password or address were changed in the meantime.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn replace_password_hash(&self, user: &User, new: &PasswordHash) -> Result<()> {
        let profile = self
            .update(user_key(user.id), PROFILE)
            .update_expression("SET password_hash = :new")
            .condition_expression("password_hash = :old")
            .expression_attribute_values(":new", value(new)?)
            .expression_attribute_values(":old", value(&user.password_hash)?);
        let items = vec![update(profile)?, self.write_parameters(&user.email.folded(), user.id, new)?];
        self.transact(items).await.map(|_| ())
    }

    /// Uses a link and sets a new password: all sessions end, and the address counts as confirmed, for the link was mailed
    /// there. `false` when the link was used or has expired, or the password or address was changed in the meantime.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn reset_password(
        &self,
        user: &User,
        link: &LinkHash,
        new: &PasswordHash,
        roles: &[Role],
        mail: &OwedMail,
        now: Timestamp,
    ) -> Result<bool> {
        let profile = self
            .update(user_key(user.id), PROFILE)
            .update_expression(
                "SET password_hash = :new, session_epoch = :next, email_confirmed = :yes, #roles = :roles, \
                 updated_at = :now REMOVE pending_email",
            )
            .condition_expression("attribute_exists(pk) AND email = :email AND session_epoch = :epoch")
            .expression_attribute_names("#roles", "roles")
            .expression_attribute_values(":new", value(new)?)
            .expression_attribute_values(":email", s(user.email.as_str()))
            .expression_attribute_values(":epoch", n(user.session_epoch))
            .expression_attribute_values(":next", n(user.session_epoch.saturating_add(1)))
            .expression_attribute_values(":yes", value(&true)?)
            .expression_attribute_values(":roles", value(&roles)?)
            .expression_attribute_values(":now", n(now.millis()));
        let items = vec![
            self.use_link(user.id, link, now)?,
            update(profile)?,
            self.write_parameters(&user.email.folded(), user.id, new)?,
            self.put_new(Self::mail_item(mail)?)?,
        ];
        self.transact(items).await
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
