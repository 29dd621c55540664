//! Identifiers: version 7 UUIDs (RFC 9562), so they sort by creation time; only imported accounts may have other versions. Each has
//! its own type, so that none can be used in place of another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                Self(crate::random::uuid(now))
            }

            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Accepts only the hyphenated form: keys must have a single form.
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse::<uuid::fmt::Hyphenated>().map(|id| Self(id.into_uuid()))
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

/// The sort key of an account in lists sorted by age: its ID, which begins with the time if it is of version 7. The ID of an
/// imported account may be of any version: then the creation time comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListKey(String);

impl ListKey {
    #[must_use]
    pub fn new(id: UserId, created_at: Timestamp) -> Self {
        if id.0.get_version_num() == 7 {
            return Self(id.to_string());
        }
        // Like the first 48 bits of version 7 (RFC 9562, 5.7), so that both kinds sort together.
        let time = format!("{:012x}", created_at.millis().max(0));
        let (high, low) = time.split_at(8);
        Self(format!("{high}-{low}-{id}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is stored.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The account of the key.
    #[must_use]
    pub fn id(&self) -> Option<UserId> {
        self.0.get(self.0.len().checked_sub(uuid::fmt::Hyphenated::LENGTH)?..)?.parse().ok()
    }
}

impl EventId {
    /// The creation time, from the first 48 bits (RFC 9562, 5.7).
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.as_bytes()[..6]);
        Timestamp::from_millis(i64::from_be_bytes(millis))
    }

    /// The smallest ID of a given time.
    #[must_use]
    pub fn first_at(time: Timestamp) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.millis().max(0).to_be_bytes()[2..]);
        bytes[6] = 0x70;
        bytes[8] = 0x80;
        Self::from_bytes(bytes)
    }
}

ids! {
    /// An account.
    UserId
    /// A session, from the sign-in through all refreshes: the `sid` of access tokens.
    SessionId
    /// A browser or app that has signed in to an account before.
    DeviceId
    /// A sign-in that waits for its second factor.
    ChallengeId
    /// A `WebAuthn` ceremony that waits for the authenticator's response.
    CeremonyId
    /// An email in the outbox.
    EmailId
    /// An upload of a picture.
    UploadId
    /// An attempt to read an upload.
    AttemptId
    /// A domain event.
    EventId
    /// An export of all accounts.
    ExportId
    /// An invitation.
    InvitationId
    /// An endpoint that events are delivered to.
    WebhookId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_sort_by_age_whatever_version_their_ids_have() {
        let id = |text: &str| text.parse::<UserId>().unwrap();
        let at = Timestamp::from_millis(1_700_000_000_000);
        let older = ListKey::new(id("0f3ad8bc-7a1e-4c0e-9d5c-5c8a1f0e2b11"), at);
        let newer = ListKey::new(UserId::new(at.plus(std::time::Duration::from_millis(1))), at);
        let newest =
            ListKey::new(id("00000000-0000-4000-8000-000000000000"), at.plus(std::time::Duration::from_mins(1)));
        assert_eq!(older.as_str(), "018bcfe5-6800-0f3ad8bc-7a1e-4c0e-9d5c-5c8a1f0e2b11");
        assert!(older < newer && newer < newest, "{older:?} {newer:?} {newest:?}");
        for key in [&older, &newer, &newest] {
            assert!(key.id().is_some_and(|id| key.as_str().ends_with(&id.to_string())));
        }
        assert_eq!(ListKey::stored("short").id(), None);
    }
}
