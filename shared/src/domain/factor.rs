//! The second factor: something that only the owner has, beside the password.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::email::NormalizedEmail;
use super::id::{ChallengeId, DeviceId, UserId};
use super::mail::FactorChange;
use super::passkey::{CEREMONY_LIFE, Passkey, PasskeyId, PasskeyUse};
use super::recovery::{RecoveryHash, RecoverySet};
use super::totp::{Step, TotpForm};
use super::user::User;
use crate::clock::Timestamp;

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

/// How long a sign-in waits for its second factor: as long as a passkey that it may ask for.
pub const CHALLENGE_LIFE: Duration = CEREMONY_LIFE;
/// How long an authenticator app may wait for its first code.
pub const ENROLMENT_LIFE: Duration = Duration::from_mins(15);

/// A second factor as it is enrolled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totp {
    pub secret: SealedSecret,
    #[serde(default, skip_serializing_if = "TotpForm::is_default")]
    pub form: TotpForm,
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

/// What the use of a code changes of an authenticator app: the code was that of the step, made with this secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpUse {
    pub secret: SealedSecret,
    pub step: Step,
}

/// A proof that was right, and has to be marked as used by the very write that it authorises: so none is used twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsedProof {
    Totp(TotpUse),
    RecoveryCode(RecoveryHash),
    Passkey(PasskeyUse),
}

impl UsedProof {
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
            Self::Passkey(_) => Method::Passkey,
        }
    }
}

/// Factors that staff take off an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactorsToDrop<'a> {
    pub totp: bool,
    pub recovery: bool,
    pub passkeys: Vec<&'a PasskeyId>,
}

/// What allows to take a factor off an account.
#[derive(Debug, Clone)]
pub enum Permission {
    /// A proof that came with the request.
    Proof(UsedProof),
    /// A session that proved the second factor recently; it must not have ended since.
    Session,
}

impl Permission {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proof(proof) => proof.method().as_str(),
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

/// What is stored of an account's second factors, in addition to the account itself, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct StoredFactors<'a> {
    pub recovery: Option<&'a RecoverySet>,
    pub passkeys: &'a [Passkey],
}

/// Those of an account's second factors that are its owner's beyond doubt.
#[derive(Debug, Default)]
pub struct TrustedFactors<'a> {
    pub totp: bool,
    pub passkeys: Vec<&'a PasskeyId>,
    pub recovery: bool,
}

impl<'a> TrustedFactors<'a> {
    /// Of an account whose change away from this address is undone: what was there before that change was in reach.
    #[must_use]
    pub fn before_change_from(address: &NormalizedEmail, user: &User, stored: StoredFactors<'a>) -> Self {
        let from = user.distrusted_from(address);
        let trusted = |at: Timestamp| from.is_none_or(|from| at < from);
        let totp = user.totp_since.is_some_and(trusted);
        let passkeys: Vec<_> =
            stored.passkeys.iter().filter(|passkey| trusted(passkey.created_at)).map(|passkey| &passkey.id).collect();
        // Without a factor they stand in for nothing.
        let recovery = (totp || !passkeys.is_empty()) && stored.recovery.is_some_and(|set| trusted(set.created_at));
        Self { totp, passkeys, recovery }
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
        self.user == user.id && self.epoch == user.session_epoch && !user.is_disabled(now) && now < self.expires_at
    }
}
