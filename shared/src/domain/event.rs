//! Domain events: what changed, of whom, by whom. Each is written in the transaction of its change, is the owner's activity from
//! then on, and leaves as a `CloudEvent`. None holds a password, a token, a hash or a link.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::factor::{Factor, Method};
use super::id::{EventId, ExportId, InvitationId, SessionId, UserId, WebhookId};
use super::passkey::{Passkey, PasskeyId};
use super::role::Role;
use super::session::Session;
use super::status::Reason;
use super::user::User;
use crate::clock::Timestamp;

/// How long activity is kept unless `ACTIVITY_DAYS` says otherwise.
pub const ACTIVITY_LIFE: Duration = Duration::from_hours(90 * 24);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// Version 7, so that the ids of one subject's events sort as they happened, also those of one transaction.
    pub id: EventId,
    pub subject: Subject,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    User(UserId),
    Webhook(WebhookId),
    Invitation(InvitationId),
    Export(ExportId),
}

/// Who did it, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// The account, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// As the gateway saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// What the client says it is, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The owner of the account, signed in.
    User,
    /// A member of staff, signed in.
    Staff,
    /// Whoever has a link that was emailed.
    Link,
    /// Somebody who is not signed in.
    Anonymous,
    /// The service itself.
    System,
}

impl ActorKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Staff => "staff",
            Self::Link => "link",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }
}

impl Actor {
    /// The service itself.
    pub const SYSTEM: Self =
        Self { kind: ActorKind::System, id: None, session_id: None, source_ip: None, user_agent: None };
}

/// One row for a kind: its variant with what it carries, its type, and when it happens.
macro_rules! events {
    ($(#[$meta:meta])* pub enum $enum:ident { $(
        $variant:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? } $name:literal $when:literal;
    )* }) => {
        $(#[$meta])*
        pub enum $enum { $(
            #[doc = $when]
            #[serde(rename = $name)]
            $variant { $($(#[$attribute])* $field: $type),* },
        )* }

        impl $enum {
            /// Every type, with what its data holds beside the actor, and when it happens.
            pub const ALL: &[(&str, &[&str], &str)] = &[$(($name, &[$(stringify!($field)),*], $when)),*];

            /// The type of the `CloudEvent`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }
        }
    };
}

events! {
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "type", content = "data")]
    pub enum EventKind {
        Created { user: Snapshot } "user.created"
            "Somebody registered, and the address is still to be confirmed; or staff created the account.";
        Imported { user: Snapshot } "user.imported" "The account came from another system, or from an export of this one.";
        Confirmed {} "user.confirmed" "The address of the account was confirmed, by its owner or by staff.";
        Updated { changed: Changes } "user.updated"
            "Something of the account changed that has no type of its own. `changed` has the new values alone.";
        EmailChanged { from: String, to: String } "user.email_changed"
            "The account moved to another address, which its owner confirmed, or which staff gave it.";
        EmailChangeUndone { from: String, to: String } "user.email_change_undone"
            "The owner of the former address took the account back. Its password is unusable until another is chosen.";
        PasswordChanged { method: PasswordMethod } "user.password_changed"
            "The password was changed, by its owner who is signed in or by an emailed link.";
        Disabled {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            until: Option<String>,
        } "user.disabled" "Staff disabled the account, or changed why or until when. Whatever it held ended.";
        Enabled {} "user.enabled" "Staff enabled the account again.";
        Impersonated { reason: Reason, write: bool, until: String } "user.impersonated"
            "A member of staff acts as the user until then; without `write` they see what the user sees and change nothing.";
        Invited {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            email: Option<String>,
            roles: Vec<Role>,
        } "user.invited"
            "Staff had a link emailed, by which somebody chooses a password or gets roles. The subject is the account, or the invitation \
             where it is of no account.";
        InvitationRevoked {} "user.invitation_revoked" "Staff took an invitation back. The subject is the invitation.";
        PasswordResetSent {} "user.password_reset_sent" "Staff had a link emailed to choose a new password.";
        ConfirmationSent {} "user.confirmation_sent" "Staff had the link emailed that confirms the address.";
        Deleted { user: Snapshot, reason: DeletionReason } "user.deleted"
            "The account was deleted. `user` is as it was before.";
        SignedIn {
            session_id: SessionId,
            password: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            second_factor: Option<Method>,
        } "user.signed_in" "A session began.";
        Reauthenticated {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<SessionId>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            second_factor: Option<Method>,
        } "user.reauthenticated"
            "Somebody signed in proved again who they are; without `second_factor` by the password.";
        SessionEnded { session_id: SessionId, reason: SessionEnd } "user.session_ended"
            "One session was ended before its time.";
        SessionsEnded {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            except: Option<SessionId>,
            reason: SessionsEnd,
        } "user.sessions_ended" "All sessions were ended, but for `except` where there is one.";
        FactorAdded {
            factor: FactorKind,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            passkey_id: Option<PasskeyId>,
        } "user.factor_added" "A second factor was added, or new recovery codes were made.";
        FactorRemoved {
            factor: FactorKind,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            passkey_id: Option<PasskeyId>,
        } "user.factor_removed" "A factor was removed, by its owner, by staff, or because it was in doubt.";
        PictureChanged {
            status: PictureChange,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        } "user.picture_changed" "An upload was resized or rejected, or the picture was removed.";
        EmailBounced {
            permanent: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            diagnostic: Option<String>,
        } "user.email_bounced"
            "An email to the account's address came back. After a permanent one it gets only what its owner asks for.";
        EmailComplained {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            feedback: Option<String>,
        } "user.email_complained" "The recipient marked an email as spam. The address gets only what its owner asks for.";
        ExportStarted { recipients: Vec<String> } "export.started"
            "An operator has all accounts exported, with their hashes and secrets, encrypted to these public keys.";
        WebhookCreated { host: String, types: Vec<String> } "webhook.created" "An administrator added a webhook.";
        WebhookUpdated {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            host: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            types: Option<Vec<String>>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            enabled: Option<bool>,
        } "webhook.updated" "An administrator changed a webhook, or it was switched off after failing for three days.";
        WebhookSecretRotated {} "webhook.secret_rotated" "A webhook has a new secret. The old one signs as well for a day.";
        WebhookReplayed { since: String } "webhook.replayed" "An administrator had a webhook's deliveries sent again.";
        WebhookDeleted { host: String } "webhook.deleted" "An administrator deleted a webhook.";
    }
}

/// An account as it is when it comes and when it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    pub email: String,
    pub email_confirmed: bool,
    pub roles: Vec<Role>,
    /// RFC 3339.
    pub created_at: String,
}

impl From<&User> for Snapshot {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.to_string(),
            email: user.email.to_string(),
            email_confirmed: user.email_confirmed,
            roles: user.roles.clone(),
            created_at: user.created_at.rfc3339(),
        }
    }
}

/// New values of what changed, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `null` when a pending change of the address was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub pending_email: Option<Option<String>>,
    /// Another registration claimed the address before it was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// All of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Map<String, Value>>,
    /// All of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Map<String, Value>>,
    /// That it changed; what it holds never leaves staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<bool>,
    /// `null` when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub external_id: Option<Option<String>>,
    /// `false` when staff had the address confirmed once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_confirmed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<NamedPasskey>,
    /// `null` when staff cleared it. What SES reports has types of its own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub email_delivery: Option<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPasskey {
    pub id: PasskeyId,
    pub name: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),* }
    )*};
}

words! {
    PasswordMethod { Session, Link }
    DeletionReason { Requested, Unconfirmed }
    SessionEnd { SignedOut, EndedByOwner, EndedByStaff, RefreshTokenReused }
    /// What ended all sessions: a sign-out everywhere, or a change that leaves none in doubt.
    SessionsEnd {
        SignedOut, EndedByStaff, Disabled, PasswordChanged, EmailChangeUndone, FactorRemoved, RecoveryCodesRenewed, Contested
    }
    FactorKind { Totp, Passkey, RecoveryCodes }
    PictureChange { Ready, Rejected, Removed }
}

/// An event as it is read again: whatever its type, also of one that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvent {
    pub id: EventId,
    pub subject: Subject,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(rename = "type")]
    pub name: String,
    /// Not of what staff did to an account: that is in the account's own partition, and goes with it.
    #[serde(default)]
    pub data: Option<serde_json::Map<String, Value>>,
}

impl TryFrom<&DomainEvent> for RecordedEvent {
    type Error = serde_json::Error;

    fn try_from(event: &DomainEvent) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(event)?)
    }
}

impl DomainEvent {
    /// Whom it is about, if that is an account.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self.subject {
            Subject::User(user) => Some(user),
            Subject::Webhook(_) | Subject::Invitation(_) | Subject::Export(_) => None,
        }
    }

    #[must_use]
    pub fn new(subject: Subject, actor: &Actor, kind: EventKind, now: Timestamp) -> Self {
        Self { id: EventId::new(now), subject, at: now, actor: actor.clone(), kind }
    }

    /// Several of one transaction, whose ids sort in their order.
    #[must_use]
    pub fn of_user(
        user: UserId,
        actor: &Actor,
        kinds: impl IntoIterator<Item = EventKind>,
        now: Timestamp,
    ) -> Vec<Self> {
        let kinds: Vec<_> = kinds.into_iter().collect();
        let mut ids: Vec<_> = kinds.iter().map(|_| EventId::new(now)).collect();
        ids.sort_unstable();
        let event = |(id, kind)| Self { id, subject: Subject::User(user), at: now, actor: actor.clone(), kind };
        ids.into_iter().zip(kinds).map(event).collect()
    }

    /// What tells of a sign-in: the session that it began is its record, and the event has its id, so that no write is needed
    /// besides.
    #[must_use]
    pub fn of_sign_in(session: &Session) -> Self {
        Self {
            id: EventId::from_bytes(*session.id.as_bytes()),
            subject: Subject::User(session.user),
            at: session.signed_in_at,
            actor: Actor {
                kind: ActorKind::User,
                id: Some(session.user),
                session_id: Some(session.id),
                source_ip: session.source_ip.clone(),
                user_agent: session.user_agent.clone(),
            },
            kind: EventKind::SignedIn {
                session_id: session.id,
                password: !session.without_password,
                second_factor: session.second_factor,
            },
        }
    }

    /// Text by which the events of one subject sort: the extension `sequence` of `CloudEvents`.
    #[must_use]
    pub fn sequence(&self) -> String {
        self.id.to_string()
    }
}

impl EventKind {
    #[must_use]
    pub fn renamed(name: &(impl ToString + ?Sized)) -> Self {
        Self::Updated { changed: Changes { name: Some(name.to_string()), ..Changes::default() } }
    }

    #[must_use]
    pub fn factor_added(factor: &Factor) -> Self {
        let (factor, passkey_id) = FactorKind::of(factor);
        Self::FactorAdded { factor, passkey_id }
    }

    #[must_use]
    pub fn factor_removed(factor: &Factor) -> Self {
        let (factor, passkey_id) = FactorKind::of(factor);
        Self::FactorRemoved { factor, passkey_id }
    }

    #[must_use]
    pub fn passkey_renamed(passkey: &PasskeyId, name: &(impl ToString + ?Sized)) -> Self {
        let passkey = NamedPasskey { id: passkey.clone(), name: name.to_string() };
        Self::Updated { changed: Changes { passkey: Some(passkey), ..Changes::default() } }
    }

    /// Of the factors that go because they are in doubt: the app and passkeys that are there, but for those that are left.
    #[must_use]
    pub fn distrusted(user: &User, totp_left: bool, passkeys: &[Passkey], left: &[&PasskeyId]) -> Vec<Self> {
        let totp = (user.totp_since.is_some() && !totp_left).then(|| Self::factor_removed(&Factor::Totp));
        let gone = passkeys.iter().filter(|passkey| !left.contains(&&passkey.id));
        totp.into_iter().chain(gone.map(|gone| Self::factor_removed(&Factor::Passkey(gone.id.clone())))).collect()
    }
}

impl FactorKind {
    fn of(factor: &Factor) -> (Self, Option<PasskeyId>) {
        match factor {
            Factor::Totp => (Self::Totp, None),
            Factor::Passkey(id) => (Self::Passkey, Some(id.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_with_its_type_and_its_data_and_read_again() {
        let changed = Changes { name: Some("Ada".into()), pending_email: Some(None), ..Changes::default() };
        let kind = EventKind::Updated { changed };
        let json = serde_json::to_value(&kind).unwrap();
        let data = serde_json::json!({ "changed": { "name": "Ada", "pending_email": null } });
        assert_eq!(json, serde_json::json!({ "type": "user.updated", "data": data }));
        assert_eq!(serde_json::from_value::<EventKind>(json).unwrap(), kind);
    }

    #[test]
    fn events_of_one_transaction_sort_in_their_order() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let kinds = (0..50).map(|number: i32| EventKind::renamed(&number));
        let events = DomainEvent::of_user(UserId::new(now), &Actor::SYSTEM, kinds, now);
        assert!(events.windows(2).all(|pair| pair[0].sequence() < pair[1].sequence()));
        assert!(events.iter().enumerate().all(|(number, event)| event.kind == EventKind::renamed(&number)));
    }

    #[test]
    fn every_type_stands_once_and_names_its_subject() {
        for (at, (name, _, when)) in EventKind::ALL.iter().enumerate() {
            assert!(["user.", "webhook.", "export."].iter().any(|subject| name.starts_with(subject)), "{name}");
            assert!(when.ends_with('.'), "{name}");
            assert!(EventKind::ALL[..at].iter().all(|(other, ..)| other != name), "{name} stands twice");
        }
    }
}
