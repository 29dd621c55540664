//! Passkeys: key pairs whose private key is kept by an authenticator and used only after user verification (`WebAuthn` level 3).
//!
//! Protocol data is opaque here: only `relying_party` reads it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::id::UserId;
use super::name::UserName;
use super::user::User;
use crate::clock::Timestamp;

/// Maximum number of passkeys per account: more than a person has devices, and few enough to list them all.
pub const PASSKEYS: u32 = 10;
/// How long a ceremony waits for the authenticator's response.
pub const CEREMONY_LIFE: Duration = Duration::from_mins(5);

/// Identifies a passkey of an account: the SHA-256 of the credential ID, 43 characters of URL-safe base64.
///
/// The credential ID itself may be longer than a key of the table. Because this is its hash, no look-up is needed: a presented
/// credential leads to its item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasskeyId(String);

impl PasskeyId {
    #[must_use]
    pub fn of(credential_id: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, credential_id)))
    }
}

impl FromStr for PasskeyId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_hash = URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == SHA256.output_len());
        is_hash
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| Invalid::new("invalid_id", "This is not a valid passkey ID."))
    }
}

impl fmt::Display for PasskeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owner's name for a passkey, with the rules for a user's name.
pub type PasskeyName = UserName;

/// How a passkey can be reached, from `getTransports()` of the browser when it was added: hints for browsers that request it later
/// (`WebAuthn` level 3, 5.8.3). Unknown names are kept, because browsers ignore names that they do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transports(Vec<String>);

impl Transports {
    const MOST: usize = 8;
    const LONGEST: usize = 32;

    /// Plausible names of transports, without duplicates, and no more than any browser reports.
    #[must_use]
    pub fn of(said: Vec<String>) -> Self {
        let is_name = |name: &String| {
            let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=Self::LONGEST).contains(&name.len()) && name.bytes().all(of_a_name)
        };
        let mut names = Vec::new();
        for name in said.into_iter().filter(is_name) {
            if names.len() < Self::MOST && !names.contains(&name) {
                names.push(name);
            }
        }
        Self(names)
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A passkey of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Passkey {
    pub id: PasskeyId,
    pub name: PasskeyName,
    /// Public key and the like, as `relying_party` wrote them.
    pub credential: Credential,
    #[serde(default, skip_serializing_if = "Transports::is_empty")]
    pub transports: Transports,
    /// The authenticator's signature counter at the last use; it stays 0 for synchronized passkeys.
    pub sign_count: u32,
    /// Whether it is backed up with its provider, as last reported by the authenticator.
    pub backed_up: bool,
    pub created_at: Timestamp,
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The user handle if it is not the account's ID, for imported passkeys. URL-safe base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<String>,
}

impl Passkey {
    /// Whether a user handle belongs to this passkey of this account.
    #[must_use]
    pub fn is_of(&self, handle: &[u8], user: UserId) -> bool {
        match &self.user_handle {
            Some(imported) => URL_SAFE_NO_PAD.encode(handle) == *imported,
            // Some systems use the text of an ID as user handle.
            None => handle == user.as_bytes() || handle == user.to_string().as_bytes(),
        }
    }
}

/// The public part of a credential: JSON that only `relying_party` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credential(pub String);

/// The state of a ceremony: JSON that only `relying_party` reads. It must be used by the first response, right or wrong, or
/// together with its sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CeremonyState(pub String);

/// A `WebAuthn` ceremony that waits for the authenticator's response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ceremony {
    pub state: CeremonyState,
    pub expires_at: Timestamp,
    /// Whether a second factor was proved for it, which is required if the account already has one.
    #[serde(default)]
    pub stepped_up: bool,
    /// The account's `session_epoch` at the start, if it adds a passkey: ending all sessions ends it, too.
    #[serde(default)]
    pub epoch: u32,
}

impl Ceremony {
    /// A ceremony to request a passkey, whose account is known only from the response.
    #[must_use]
    pub fn begin(state: CeremonyState, now: Timestamp) -> Self {
        Self { state, expires_at: now.plus(CEREMONY_LIFE), stepped_up: false, epoch: 0 }
    }

    /// A ceremony to add a passkey to the account.
    #[must_use]
    pub fn begin_for(user: &User, state: CeremonyState, stepped_up: bool, now: Timestamp) -> Self {
        Self { stepped_up, epoch: user.session_epoch, ..Self::begin(state, now) }
    }

    /// Whether it can still add a passkey to the account, which may have got a second factor since it started.
    #[must_use]
    pub fn may_add_to(&self, user: &User) -> bool {
        self.epoch == user.session_epoch && (self.stepped_up || !user.has_second_factor())
    }
}

/// The change to a passkey by its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyUse {
    pub id: PasskeyId,
    /// The updated credential.
    pub credential: Credential,
    pub sign_count: u32,
    pub backed_up: bool,
    pub used_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_kept_as_a_browser_says_them_and_nothing_else() {
        let said = ["usb", "smart-card", "usb", "from_the-future9", "", "in ternal", "internal\0", "hybrid"];
        let said = said.map(String::from).into_iter().chain(["x".repeat(33)]).collect();
        let kept = Transports::of(said);
        assert_eq!(kept.0, ["usb", "smart-card", "from_the-future9", "hybrid"]);
        assert_eq!(Transports::of((0..100).map(|at| at.to_string()).collect()).0.len(), Transports::MOST);
        assert!(Transports::of(Vec::new()).is_empty());
    }

    #[test]
    fn an_id_is_a_hash_of_the_credential_and_nothing_else_parses() {
        let id = PasskeyId::of(b"credential");
        assert_eq!(id.to_string().len(), 43);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "abc", &"a".repeat(44), &"a".repeat(42), "../../../../../../../../../../../../../../../"] {
            assert!(text.parse::<PasskeyId>().is_err(), "{text}");
        }
    }
}
