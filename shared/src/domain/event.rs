//! Domain events: what changed, for which account, by whom. Each is written in the transaction of its change, becomes part of the
//! owner's activity, and is published as a `CloudEvent`. None contains a password, a token, a hash or a link.

use std::time::Duration;

use serde::de::{Deserializer, Error as _};
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

/// An event that occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// Version 7, so that the IDs of one subject's events sort chronologically, also within one transaction.
    pub id: EventId,
    pub subject: Subject,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The subject of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    User(UserId),
    Webhook(WebhookId),
    Invitation(InvitationId),
    Export(ExportId),
}

/// Who caused the event, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// The account, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// As seen by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// The `User-Agent`, truncated.
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
    /// The holder of an emailed link.
    Link,
    /// A caller who is not signed in.
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

/// One row per kind: its variant with its data, its type and its description.
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
            /// Every type, with the fields of its data (besides the actor) and its description.
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
            "A user registered, with the address not confirmed yet, or staff created the account.";
        Imported { user: Snapshot } "user.imported" "The account was imported from another system, or from an export of this one.";
        Confirmed {} "user.confirmed" "The address of the account was confirmed, by its owner or by staff.";
        Updated { changed: Changes } "user.updated"
            "The account changed in a way that has no event type of its own. `changed` has only the new values.";
        EmailChanged { from: String, to: String } "user.email_changed"
            "The email address changed: the owner confirmed the new one, or staff set it.";
        EmailChangeUndone { from: String, to: String } "user.email_change_undone"
            "The owner of the former address undid the change. The password is unusable until a new one is chosen.";
        PasswordChanged { method: PasswordMethod } "user.password_changed"
            "The password was changed, by the signed-in owner or through an emailed link.";
        Disabled {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            until: Option<String>,
        } "user.disabled"
            "Staff disabled the account, or changed the reason or the end. Its sessions, tokens and links were revoked.";
        Enabled {} "user.enabled" "Staff enabled the account again.";
        Impersonated { reason: Reason, write: bool, until: String } "user.impersonated"
            "A member of staff acts as the user until `until`; without `write` with read access only.";
        Invited {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            email: Option<String>,
            roles: Vec<Role>,
        } "user.invited"
            "Staff sent a link to choose a password or to accept roles. The subject is the account, or the invitation if there is no \
             account.";
        InvitationRevoked {} "user.invitation_revoked" "Staff revoked an invitation. The subject is the invitation.";
        PasswordResetSent {} "user.password_reset_sent" "Staff sent a password reset link.";
        ConfirmationSent {} "user.confirmation_sent" "Staff sent a link to confirm the email address.";
        Deleted { user: Snapshot, reason: DeletionReason } "user.deleted"
            "The account was deleted. `user` is its last state.";
        SignedIn {
            session_id: SessionId,
            password: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            second_factor: Option<Method>,
        } "user.signed_in" "A session started.";
        Reauthenticated {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<SessionId>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            second_factor: Option<Method>,
        } "user.reauthenticated"
            "A signed-in user authenticated again; without `second_factor`, with the password.";
        SessionEnded { session_id: SessionId, reason: SessionEnd } "user.session_ended"
            "A session was ended before it expired.";
        SessionsEnded {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            except: Option<SessionId>,
            reason: SessionsEnd,
        } "user.sessions_ended" "All sessions were ended, except `except` if present.";
        FactorAdded {
            factor: FactorKind,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            passkey_id: Option<PasskeyId>,
        } "user.factor_added" "A second factor was added, or new recovery codes were created.";
        FactorRemoved {
            factor: FactorKind,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            passkey_id: Option<PasskeyId>,
        } "user.factor_removed" "A second factor was removed, by the owner, by staff, or because it was no longer trusted.";
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
            "An email to the account's address bounced. After a permanent bounce only emails that the owner requests are sent.";
        EmailComplained {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            feedback: Option<String>,
        } "user.email_complained"
            "The recipient marked an email as spam. Only emails that the owner requests are sent from now on.";
        ExportStarted { recipients: Vec<String> } "export.started"
            "An operator started an export of all accounts with their hashes and secrets, encrypted to these public keys.";
        WebhookCreated { host: String, types: Vec<String> } "webhook.created" "An administrator added a webhook.";
        WebhookUpdated {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            host: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            types: Option<Vec<String>>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            enabled: Option<bool>,
        } "webhook.updated" "An administrator changed a webhook, or it was disabled after failing for three days.";
        WebhookSecretRotated {} "webhook.secret_rotated" "The secret of a webhook was rotated. The old secret also signs for one more day.";
        WebhookReplayed { since: String } "webhook.replayed" "An administrator started a replay of a webhook's deliveries.";
        WebhookDeleted { host: String } "webhook.deleted" "An administrator deleted a webhook.";
    }
}

/// An account at its creation or deletion.
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

/// The new values of what changed, and nothing else.
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
    /// Only that it changed; its content is visible to staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<bool>,
    /// `null` when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::present")]
    pub external_id: Option<Option<String>>,
    /// `false` if staff required the address to be confirmed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_confirmed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<NamedPasskey>,
    /// `null` if staff cleared it. Reports from SES have types of their own.
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
    /// What ended all sessions: a sign-out everywhere, or a change after which no existing session is trusted.
    SessionsEnd {
        SignedOut, EndedByStaff, Disabled, PasswordChanged, EmailChangeUndone, FactorRemoved, RecoveryCodesRenewed, Contested
    }
    FactorKind { Totp, Passkey, RecoveryCodes }
    PictureChange { Ready, Rejected, Removed }
}

/// An event as read from the table: of any type, including those unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEvent {
    pub id: EventId,
    pub subject: Subject,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(rename = "type")]
    pub name: String,
    /// Absent for staff actions on an account: their data is in the account's own partition, and is deleted with it.
    #[serde(default, deserialize_with = "object_or_text")]
    pub data: Option<Map<String, Value>>,
}

/// An object, or the JSON text of one, which is how the table stores it.
fn object_or_text<'de, D: Deserializer<'de>>(data: D) -> Result<Option<Map<String, Value>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Data {
        Object(Map<String, Value>),
        Text(String),
    }
    match Option::deserialize(data)? {
        Some(Data::Object(object)) => Ok(Some(object)),
        Some(Data::Text(text)) => serde_json::from_str(&text).map(Some).map_err(D::Error::custom),
        None => Ok(None),
    }
}

impl TryFrom<&DomainEvent> for RecordedEvent {
    type Error = serde_json::Error;

    fn try_from(event: &DomainEvent) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(event)?)
    }
}

impl DomainEvent {
    /// The account that it is about, if any.
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

    /// Several events of one transaction, whose IDs sort in their order.
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

    /// The event of a sign-in. The session is its record, and the event has the session's ID, so that no additional write is
    /// needed.
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

    /// A text that sorts the events of one subject: the extension `sequence` of `CloudEvents`.
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

    /// The events for factors removed because they are not trusted: the existing app and passkeys, except those that are left.
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
    fn an_event_kind_round_trips_through_its_type_and_data() {
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
    fn every_type_is_listed_once_and_names_its_subject() {
        for (at, (name, _, when)) in EventKind::ALL.iter().enumerate() {
            assert!(["user.", "webhook.", "export."].iter().any(|subject| name.starts_with(subject)), "{name}");
            assert!(when.ends_with('.'), "{name}");
            assert!(EventKind::ALL[..at].iter().all(|(other, ..)| other != name), "{name} occurs twice");
        }
    }
}
