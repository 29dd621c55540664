//! The rules, without HTTP and without AWS: values that can only be made valid, and decisions as pure functions.

pub mod breached;
pub mod device;
pub mod email;
pub mod email_delivery;
pub mod event;
pub mod factor;
pub mod fingerprint;
pub mod id;
pub mod idempotency;
pub mod imported;
pub mod invitation;
pub mod keys;
pub mod limit;
pub mod link;
pub mod lockout;
pub mod mail;
pub mod mailbox;
pub mod metadata;
pub mod name;
pub mod network;
pub mod passkey;
pub mod password;
pub mod picture;
pub mod population;
pub mod recovery;
pub mod role;
pub mod search;
pub mod session;
pub mod staff;
pub mod status;
pub mod totp;
pub mod user;
pub mod visible;
pub mod webhook;

use serde::{Deserialize, Deserializer};

/// Why a value is invalid: a stable code for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Invalid {
    pub code: &'static str,
    pub detail: String,
}

impl Invalid {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// For an optional member: `null` is not the same as absent, and is rejected unless `T` accepts it.
///
/// # Errors
/// Those of `T`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}
