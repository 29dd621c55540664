//! The second factor: something that only the owner has, in addition to the password.

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

/// How the second factor was proved.
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

/// How long a sign-in waits for its second factor: as long as the ceremony of a passkey.
pub const CHALLENGE_LIFE: Duration = CEREMONY_LIFE;
/// How long an authenticator app can remain unconfirmed.
pub const ENROLMENT_LIFE: Duration = Duration::from_mins(15);

/// An enrolled authenticator app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totp {
    pub secret: SealedSecret,
    #[serde(default, skip_serializing_if = "TotpForm::is_default")]
    pub form: TotpForm,
    pub created_at: Timestamp,
    /// A first code can confirm it until then.
    pub expires_at: Timestamp,
    #[serde(default)]
    pub confirmed_at: Option<Timestamp>,
    /// The step of the last accepted code: only later ones are accepted.
    #[serde(default)]
    pub last_step: Option<Step>,
    /// Whether a second factor was proved for it, which is required if the account already has one.
    #[serde(default)]
    pub stepped_up: bool,
    /// The account's `session_epoch` when it was started: ending all sessions ends it, too.
    #[serde(default)]
    pub epoch: u32,
}

impl Totp {
    /// Whether it waits for its first code.
    #[must_use]
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.confirmed_at.is_none() && now < self.expires_at
    }

    /// Whether it can still be added to the account, which may have got a second factor since it was started.
    #[must_use]
    pub fn may_be_added_to(&self, user: &User) -> bool {
        self.epoch == user.session_epoch && (self.stepped_up || !user.has_second_factor())
    }
}

/// The secret of an authenticator app, encrypted for one account: base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedSecret(pub String);

/// The change to an authenticator app by the use of a code: the code's step, and the secret it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpUse {
    pub secret: SealedSecret,
    pub step: Step,
}

/// A correct proof, which must be marked as used by the same write that it authorizes, so that none is used twice.
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

/// Factors that staff remove from an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactorsToDrop<'a> {
    pub totp: bool,
    pub recovery: bool,
    pub passkeys: Vec<&'a PasskeyId>,
}

/// What authorizes the removal of a factor.
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

/// A factor that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    Totp,
    Passkey(PasskeyId),
}

impl Factor {
    /// Whether the password alone is enough to sign in without this factor: then the recovery codes are removed, too.
    #[must_use]
    pub const fn is_last_of(&self, user: &User) -> bool {
        match self {
            Self::Totp => user.passkeys == 0,
            Self::Passkey(_) => user.totp_since.is_none() && user.passkeys <= 1,
        }
    }

    /// The notification to the owner after its removal.
    #[must_use]
    pub const fn removal(&self, user: &User) -> FactorChange {
        let last = self.is_last_of(user);
        match self {
            Self::Totp => FactorChange::Removed { last },
            Self::Passkey(_) => FactorChange::PasskeyRemoved { last },
        }
    }
}

/// The stored second factors of an account, in addition to the account itself, as read.
#[derive(Debug, Clone, Copy)]
pub struct StoredFactors<'a> {
    pub recovery: Option<&'a RecoverySet>,
    pub passkeys: &'a [Passkey],
}

/// The second factors of an account that can be trusted.
#[derive(Debug, Default)]
pub struct TrustedFactors<'a> {
    pub totp: bool,
    pub passkeys: Vec<&'a PasskeyId>,
    pub recovery: bool,
}

impl<'a> TrustedFactors<'a> {
    /// For undoing a change away from this address: the factors that were added before an attacker could have changed it.
    #[must_use]
    pub fn before_change_from(address: &NormalizedEmail, user: &User, stored: StoredFactors<'a>) -> Self {
        let from = user.distrusted_from(address);
        let trusted = |at: Timestamp| from.is_none_or(|from| at < from);
        let totp = user.totp_since.is_some_and(trusted);
        let passkeys: Vec<_> =
            stored.passkeys.iter().filter(|passkey| trusted(passkey.created_at)).map(|passkey| &passkey.id).collect();
        // Without a factor they have no use.
        let recovery = (totp || !passkeys.is_empty()) && stored.recovery.is_some_and(|set| trusted(set.created_at));
        Self { totp, passkeys, recovery }
    }
}

/// A sign-in with the correct password that still needs the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    pub id: ChallengeId,
    pub user: UserId,
    /// The account's `session_epoch` when the password was verified. A new password or signing out everywhere increments it, which
    /// ends all pending sign-ins.
    pub epoch: u32,
    /// The device, if it has signed in before: its failures are counted separately, as for the password.
    pub device: Option<DeviceId>,
    pub expires_at: Timestamp,
}

/// Maximum number of wrong codes for a challenge.
pub const TRIES: u32 = 5;

impl Challenge {
    #[must_use]
    pub fn new(user: &User, device: Option<DeviceId>, now: Timestamp) -> Self {
        let expires_at = now.plus(CHALLENGE_LIFE);
        Self { id: ChallengeId::new(now), user: user.id, epoch: user.session_epoch, device, expires_at }
    }

    /// Whether the account has not changed since the password was verified, and can sign in.
    #[must_use]
    pub fn stands(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && !user.is_disabled(now) && now < self.expires_at
    }
}
