//! The second factor: something that only the owner has, beside the password.

use serde::{Deserialize, Serialize};

use super::id::{ChallengeId, DeviceId, UserId};
use super::mail::FactorChange;
use super::passkey::{PasskeyId, PasskeyUse};
use super::recovery::RecoveryHash;
use super::session::Session;
use super::totp::Step;
use super::user::User;
use crate::clock::Timestamp;
use crate::config::CHALLENGE_LIFE;

/// How somebody proved the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Totp,
    RecoveryCode,
    Passkey,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Passkey => "passkey",
        }
    }
}

/// The `amr` of an access token: methods of authentication by their names in RFC 8176, 2, those of the sign-in and of the last
/// step-up. A recovery code is none of the one-time passwords that the RFC means by `otp`. A passkey proves possession of a key
/// by a user who was there; whether hardware holds that key is not known, so it is neither `hwk` nor `swk`.
#[must_use]
pub fn amr(session: &Session) -> Vec<&'static str> {
    let again = session.reauthenticated;
    let second = [session.second_factor, again.and_then(|proof| proof.second_factor)];
    let password = !session.without_password || again.is_some_and(|proof| proof.second_factor.is_none());
    [
        (password, "pwd"),
        (second.contains(&Some(Method::Totp)), "otp"),
        (second.contains(&Some(Method::Passkey)), "pop"),
        (second.contains(&Some(Method::Passkey)), "user"),
        (second.iter().any(Option::is_some), "mfa"),
    ]
    .into_iter()
    .filter_map(|(used, name)| used.then_some(name))
    .collect()
}

/// A second factor as it is enrolled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totp {
    pub secret: SealedSecret,
    pub created_at: Timestamp,
    /// Until then a first code may confirm it.
    pub expires_at: Timestamp,
    #[serde(default)]
    pub confirmed_at: Option<Timestamp>,
    /// The step of the last code that was taken: only later ones are.
    #[serde(default)]
    pub last_step: Option<Step>,
    /// Whether a second factor was proved for it: nothing else adds to those that an account has.
    #[serde(default)]
    pub stepped_up: bool,
    /// The account's `session_epoch` when it was started: what ends sessions ends it, too.
    #[serde(default)]
    pub epoch: u32,
}

impl Totp {
    /// Whether it waits for its first code.
    #[must_use]
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.confirmed_at.is_none() && now < self.expires_at
    }

    /// Whether it may still be added to the account, which may have got a second factor since it was started.
    #[must_use]
    pub fn may_be_added_to(&self, user: &User) -> bool {
        self.epoch == user.session_epoch && (self.stepped_up || !user.has_second_factor())
    }
}

/// The secret of an authenticator app, encrypted for one account: base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub String);

/// What was right, and has to be marked as used by the very write that it authorises: so nothing is used twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// The code of a step, made with the secret that is enrolled.
    Step {
        secret: SealedSecret,
        step: Step,
    },
    RecoveryCode(RecoveryHash),
    Passkey(PasskeyUse),
}

impl Spent {
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Step { .. } => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
            Self::Passkey(_) => Method::Passkey,
        }
    }
}

/// What allows to take a factor off an account.
#[derive(Debug, Clone)]
pub enum Permission {
    /// A proof that came with the request.
    Proof(Spent),
    /// A session that proved the second factor recently; it must not have ended since.
    Session,
}

impl Permission {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proof(spent) => spent.method().as_str(),
            Self::Session => "session",
        }
    }
}

/// What can be taken off an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    Totp,
    Passkey(PasskeyId),
}

impl Factor {
    /// Whether the password alone signs in once this is gone: then the recovery codes go, too.
    #[must_use]
    pub const fn is_last_of(&self, user: &User) -> bool {
        match self {
            Self::Totp => user.passkeys == 0,
            Self::Passkey(_) => user.totp_since.is_none() && user.passkeys <= 1,
        }
    }

    /// What its owner is told once it is gone.
    #[must_use]
    pub const fn removal(&self, user: &User) -> FactorChange {
        let last = self.is_last_of(user);
        match self {
            Self::Totp => FactorChange::Removed { last },
            Self::Passkey(_) => FactorChange::PasskeyRemoved { last },
        }
    }
}

/// A sign-in whose password was right and whose second factor is still to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    pub id: ChallengeId,
    pub user: UserId,
    /// The account's `session_epoch` when the password was right. A new password raises it, and so does signing out
    /// everywhere: both end every sign-in that is half done.
    pub epoch: u32,
    /// The device that signs in, if it had signed in before: its failures are counted apart, as those of the password are.
    pub device: Option<DeviceId>,
    pub expires_at: Timestamp,
}

/// Wrong codes that a challenge takes.
pub const TRIES: u32 = 5;

impl Challenge {
    #[must_use]
    pub fn new(user: &User, device: Option<DeviceId>, now: Timestamp) -> Self {
        let expires_at = now.plus(CHALLENGE_LIFE);
        Self { id: ChallengeId::new(now), user: user.id, epoch: user.session_epoch, device, expires_at }
    }

    /// Whether the account is still as it was when the password was right, and may sign in.
    #[must_use]
    pub fn stands(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && !user.disabled && now < self.expires_at
    }
}
