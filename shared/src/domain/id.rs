//! Identifiers: version 7 UUIDs (RFC 9562), so they sort by the time they were made. A type each, so that none
//! can stand where another belongs.

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

            /// Takes the hyphenated form only: what stands in keys must stand there in one form.
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

impl EventId {
    /// When it was made, by its first 48 bits (RFC 9562, 5.7).
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.as_bytes()[..6]);
        Timestamp::from_millis(i64::from_be_bytes(millis))
    }

    /// The first id that can be made at a time.
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
    /// A sign-in and what was refreshed from it: the `sid` of access tokens.
    SessionId
    /// A browser or app that has signed in to an account before.
    DeviceId
    /// A sign-in that waits for its second factor.
    ChallengeId
    /// A ceremony of `WebAuthn` that waits for its authenticator's answer.
    CeremonyId
    /// An email in the outbox.
    EmailId
    /// An upload of a picture.
    UploadId
    /// An attempt at reading an upload.
    AttemptId
    /// A domain event.
    EventId
    /// An invitation.
    InvitationId
    /// An endpoint that events are delivered to.
    WebhookId
}
