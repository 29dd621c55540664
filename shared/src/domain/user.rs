//! An account.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::email::{EmailAddress, NormalizedEmail};
use super::email_delivery::EmailDelivery;
use super::fingerprint::FingerprintHash;
use super::id::{ListKey, UserId};
use super::link::{CONFIRMATION_LIFE, UNDO_LIFE};
use super::metadata::{ExternalId, Metadata};
use super::name::UserName;
use super::password::PasswordHash;
use super::picture::PictureState;
use super::role::Role;
use super::search::Indexed;
use super::status::{self, Disabled, Status};
use crate::clock::Timestamp;

/// How long an account can remain unconfirmed unless `UNCONFIRMED_DAYS` is set.
pub const UNCONFIRMED_LIFE: Duration = Duration::from_hours(14 * 24);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: UserName,
    pub email: EmailAddress,
    pub email_confirmed: bool,
    /// When a link without a password confirmed the address. Absent once a password was chosen through an emailed link, which
    /// proves that the person who knows the password also receives the email.
    #[serde(default)]
    pub confirmed_by_link_alone_at: Option<Timestamp>,
    /// When another registration claimed the address before it was confirmed: it is unknown which of the two owns the mailbox, so
    /// only a password chosen through an emailed link makes the account usable.
    #[serde(default)]
    pub contested_at: Option<Timestamp>,
    /// When the account is erased unless its address is confirmed.
    #[serde(default, rename = "pending_at")]
    pub lapses_at: Option<Timestamp>,
    pub roles: Vec<Role>,
    /// When the configured address made it an administrator: only once, so that a former administrator does not become one again by
    /// choosing a password.
    #[serde(default)]
    pub made_admin_at: Option<Timestamp>,
    pub password_hash: PasswordHash,
    /// Set by staff. While set, the account cannot sign in; the write that set it also ended its sessions, tokens and links.
    #[serde(default, deserialize_with = "status::since_when")]
    pub disabled: Option<Disabled>,
    /// Sessions of older epochs have ended: incrementing it signs out everywhere.
    #[serde(default)]
    pub session_epoch: u32,
    /// Fingerprints of previous sign-ins: the owner is emailed about a sign-in with any other.
    #[serde(default)]
    pub known_clients: Vec<FingerprintHash>,
    /// Whether the owner is notified even of the first stored client: a change of the address was undone, or sessions were ended,
    /// so that client may be an attacker's.
    #[serde(default)]
    pub tell_first_client: bool,
    /// When the authenticator app was added.
    #[serde(default)]
    pub totp_since: Option<Timestamp>,
    /// Number of passkeys, and since when there is any.
    #[serde(default)]
    pub passkeys: u32,
    #[serde(default)]
    pub passkeys_since: Option<Timestamp>,
    #[serde(default)]
    pub picture: PictureState,
    /// The address that replaces `email` once it is confirmed.
    #[serde(default)]
    pub pending_email: Option<EmailAddress>,
    /// When a change of the address was last requested.
    #[serde(default)]
    pub email_asked_at: Option<Timestamp>,
    /// When the requesting session signed in.
    #[serde(default)]
    pub email_asked_by_sign_in_at: Option<Timestamp>,
    /// Previous addresses of the last week, which can undo a change and are reserved for this account.
    #[serde(default)]
    pub former_emails: Vec<FormerEmail>,
    /// Why emails to its address cannot be delivered, if so.
    #[serde(default)]
    pub email_delivery: Option<EmailDelivery>,
    /// Its ID in another system of the team.
    #[serde(default)]
    pub external_id: Option<ExternalId>,
    /// When it was imported. The deletion of such an account is recorded, otherwise the next import of its file would restore it.
    #[serde(default)]
    pub imported_at: Option<Timestamp>,
    /// Stored by the owner.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub profile: Metadata,
    /// Stored by administrators, visible to the owner.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub app: Metadata,
    /// Stored by administrators, visible to staff only.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub internal: Metadata,
    /// Its search entries in the index. None for an account from before the index existed.
    #[serde(default, rename = "found_by")]
    pub indexed: Option<Indexed>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A previous address of the account, reserved for it until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerEmail {
    pub address: NormalizedEmail,
    pub until: Timestamp,
    /// When the session signed in that requested the change away from the address. An owner who undoes the change did not make it,
    /// so second factors added by that session or later are not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_by_sign_in_at: Option<Timestamp>,
}

/// Maximum number of addresses reserved for an account. More changes within a week must wait, because no other account can have a
/// reserved address.
const FORMER_EMAILS: usize = 3;
/// The minimum interval between requests to change the address: each sends an email to an address chosen by the caller.
const ASK_AGAIN: Duration = Duration::from_mins(1);

impl User {
    /// An account at registration: its address is not confirmed.
    #[must_use]
    pub fn new(name: UserName, email: EmailAddress, password_hash: PasswordHash, now: Timestamp) -> Self {
        Self {
            id: UserId::new(now),
            indexed: Some(Indexed::new(&name, now)),
            name,
            email,
            email_confirmed: false,
            confirmed_by_link_alone_at: None,
            contested_at: None,
            lapses_at: None,
            roles: vec![Role::USER],
            made_admin_at: None,
            password_hash,
            disabled: None,
            session_epoch: 0,
            known_clients: Vec::new(),
            tell_first_client: false,
            totp_since: None,
            passkeys: 0,
            passkeys_since: None,
            picture: PictureState::default(),
            pending_email: None,
            email_asked_at: None,
            email_asked_by_sign_in_at: None,
            former_emails: Vec::new(),
            email_delivery: None,
            external_id: None,
            imported_at: None,
            profile: Metadata::default(),
            app: Metadata::default(),
            internal: Metadata::default(),
            created_at: now,
            updated_at: now,
        }
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::ADMIN)
    }

    /// Its sort key in lists sorted by age.
    #[must_use]
    pub fn list_key(&self) -> ListKey {
        ListKey::new(self.id, self.created_at)
    }

    /// Whether it is erased unless its address is confirmed. An imported account is not: otherwise a stranger who registers with
    /// its address could have it erased.
    #[must_use]
    pub fn may_lapse(&self) -> bool {
        self.imported_at.is_none() || self.lapses_at.is_some()
    }

    /// Whether it can manage other accounts.
    #[must_use]
    pub fn is_support(&self) -> bool {
        self.is_admin() || self.roles.contains(&Role::SUPPORT)
    }

    /// Identifies the state of everything that staff can change, for `If-Match`: 22 characters of base64.
    #[must_use]
    pub fn etag(&self) -> String {
        let Self { name, email, email_confirmed, roles, external_id, app, internal, .. } = self;
        let state = (name, email, email_confirmed, roles, external_id, app, internal);
        let state = serde_json::to_vec(&state).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, &state).as_ref()[..16])
    }

    #[must_use]
    pub fn is_disabled(&self, now: Timestamp) -> bool {
        self.disabled.as_ref().is_some_and(|disabled| disabled.lasts(now))
    }

    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        status_of(self.disabled.as_ref(), self.email_confirmed, now)
    }

    /// Whether the password alone is not enough to sign in.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.second_factor_since().is_some()
    }

    /// Since when it has had a second factor, considering its current factors.
    #[must_use]
    pub fn second_factor_since(&self) -> Option<Timestamp> {
        [self.totp_since, self.passkeys_since].into_iter().flatten().min()
    }

    /// The pending address, while a link to confirm it can still be valid.
    #[must_use]
    pub fn pending_email(&self, now: Timestamp) -> Option<&EmailAddress> {
        let asked_at = self.email_asked_at?;
        self.pending_email.as_ref().filter(|_| now < asked_at.plus(CONFIRMATION_LIFE))
    }

    /// How long the next change of the address must wait; `None` if it need not.
    #[must_use]
    pub fn wait_for_address_change(&self, now: Timestamp) -> Option<Duration> {
        let again = self.email_asked_at.map(|asked_at| asked_at.plus(ASK_AGAIN));
        let reserved: Vec<Timestamp> = self.reserved_emails(now).map(|former| former.until).collect();
        let room = reserved.iter().min().copied().filter(|_| reserved.len() >= FORMER_EMAILS);
        let until = [again, room].into_iter().flatten().max()?;
        (now < until).then(|| until.since(now))
    }

    /// The former addresses after this account moves from its address to `to`, now.
    ///
    /// When moving back to a former address, later addresses are no longer reserved, including the current one: otherwise an
    /// attacker who moved the account once could undo the owner's change for a week.
    #[must_use]
    pub fn former_emails_after(&self, to: &NormalizedEmail, now: Timestamp) -> Vec<FormerEmail> {
        if self.reserved_emails(now).any(|former| former.address == *to) {
            return self.former_emails_before(to, now);
        }
        let left = FormerEmail {
            address: self.email.normalized(),
            until: now.plus(UNDO_LIFE),
            left_by_sign_in_at: self.email_asked_by_sign_in_at,
        };
        self.reserved_emails(now).cloned().chain([left]).collect()
    }

    /// The former addresses that the account left before `address`. They take precedence: each of them can still undo the change to
    /// it.
    #[must_use]
    pub fn former_emails_before(&self, address: &NormalizedEmail, now: Timestamp) -> Vec<FormerEmail> {
        self.reserved_emails(now).take_while(|former| former.address != *address).cloned().collect()
    }

    /// Whether an unconfirmed account can be confirmed only with a password chosen through the emailed link, not with the plain
    /// link. That is the case if two people registered, for the configured address of an administrator, and for staff: opening a
    /// link proves who receives the email, but not that they chose the password.
    #[must_use]
    pub fn needs_chosen_password(&self, admin: Option<&EmailAddress>) -> bool {
        self.contested_at.is_some() || self.has_address_of(admin) || self.is_support()
    }

    /// Whether the password may be known to someone who does not own the mailbox, although the address is confirmed.
    #[must_use]
    pub fn has_doubted_password(&self) -> bool {
        self.email_confirmed && self.confirmed_by_link_alone_at.is_some()
    }

    /// Whether the account becomes an administrator when its password is chosen through a link that was emailed to its address:
    /// only for the configured address, and only the first time.
    #[must_use]
    pub fn becomes_admin(&self, admin: Option<&EmailAddress>) -> bool {
        self.has_address_of(admin) && !self.is_admin() && self.made_admin_at.is_none()
    }

    fn has_address_of(&self, admin: Option<&EmailAddress>) -> bool {
        admin.is_some_and(|admin| self.email.normalized() == admin.normalized())
    }

    /// From when on second factors are not trusted; `None` if all are. An attacker may sign in again between adding one and
    /// changing the address, so it is a week before that sign-in: within a week an owner may not have read the email about it.
    #[must_use]
    pub fn distrusted_from(&self, address: &NormalizedEmail) -> Option<Timestamp> {
        let left = self.former_emails.iter().find(|former| former.address == *address)?;
        left.left_by_sign_in_at.map(|at| at.minus(UNDO_LIFE))
    }

    fn reserved_emails(&self, now: Timestamp) -> impl Iterator<Item = &FormerEmail> {
        self.former_emails.iter().filter(move |former| now < former.until)
    }
}

/// The second factors of an account, for its owner to recognize them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorSummary {
    /// Whether there is an authenticator app.
    pub totp: bool,
    /// Number of passkeys.
    pub passkeys: u32,
}

impl FactorSummary {
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.totp && self.passkeys == 0
    }
}

impl From<&User> for FactorSummary {
    fn from(user: &User) -> Self {
        Self { totp: user.totp_since.is_some(), passkeys: user.passkeys }
    }
}

/// The part of an account shown in lists, which the list index contains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListedUser {
    pub id: UserId,
    pub name: UserName,
    pub email: EmailAddress,
    pub email_confirmed: bool,
    pub roles: Vec<Role>,
    #[serde(default, deserialize_with = "status::since_when")]
    pub disabled: Option<Disabled>,
    #[serde(default)]
    pub external_id: Option<ExternalId>,
    #[serde(default)]
    pub picture: PictureState,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ListedUser {
    /// Its sort key in lists sorted by age.
    #[must_use]
    pub fn list_key(&self) -> ListKey {
        ListKey::new(self.id, self.created_at)
    }

    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        status_of(self.disabled.as_ref(), self.email_confirmed, now)
    }
}

fn status_of(disabled: Option<&Disabled>, email_confirmed: bool, now: Timestamp) -> Status {
    match disabled.is_some_and(|disabled| disabled.lasts(now)) {
        true => Status::Disabled,
        false if email_confirmed => Status::Active,
        false => Status::Unconfirmed,
    }
}

impl From<User> for ListedUser {
    fn from(user: User) -> Self {
        let User {
            id,
            name,
            email,
            email_confirmed,
            roles,
            disabled,
            external_id,
            picture,
            created_at,
            updated_at,
            ..
        } = user;
        Self { id, name, email, email_confirmed, roles, disabled, external_id, picture, created_at, updated_at }
    }
}
