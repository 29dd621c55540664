//! Emails in the outbox. Each is written in the same transaction as the change that it is about, so none is lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::email::{EmailAddress, NormalizedEmail};
use super::fingerprint::UserAgentFingerprint;
use super::id::{EmailId, InvitationId, UserId};
use super::name::UserName;
use super::user::{FactorSummary, User};
use crate::clock::Timestamp;

/// An email in the outbox, stored with the address that it goes to until it is sent: then it is deleted, so a message that the
/// queue delivers twice finds nothing to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutboxEmail {
    pub id: EmailId,
    pub address: NormalizedEmail,
    pub kind: EmailKind,
    pub created_at: Timestamp,
    /// How often an emailer took it up.
    #[serde(default)]
    pub attempts: u32,
    /// How often the sweeper queued it again.
    #[serde(default)]
    pub sweeps: u32,
    /// Until then one emailer holds it, and no other takes it up.
    #[serde(default)]
    pub claimed_until: Option<Timestamp>,
}

/// One row for a variant: what it carries, and its name.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $enum:ident { $(
        $(#[$doc:meta])*
        $variant:ident $(($inner:ty))? $({ $($(#[$attribute:meta])* $field:ident: $type:ty),* })? $name:literal;
    )* }) => {
        $(#[$meta])*
        pub enum $enum { $($(#[$doc])* $variant $(($inner))? $({ $($(#[$attribute])* $field: $type),* })?,)* }

        impl $enum {
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }
        }
    };
}

named! {
    /// What the email is about. Whatever can change until it goes out is looked up then, not stored here.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum EmailKind {
        /// To a new account's owner.
        ConfirmAddress { user: UserId } "confirm_address";
        /// Somebody asked for another confirmation email to this address, whether or not an account waits for one.
        ConfirmationRequested "confirmation_requested";
        /// Somebody tried to register with this address, and an account has it.
        AlreadyRegistered "already_registered";
        /// A sign-in with a user agent or from a network that the account has not seen. `source_ip` is the gateway's.
        NewSignIn { user: UserId, client: UserAgentFingerprint, source_ip: Option<String>, at: Timestamp } "new_sign_in";
        /// The account is gone, so what the email needs comes along.
        AccountDeleted { to: EmailAddress, name: UserName } "account_deleted";
        /// Somebody forgot the password of this address, whether or not an account has it.
        ResetRequested "reset_requested";
        /// Staff send it to an account, and ask for it in their own name: it is not put off as what anybody may ask for is.
        ResetByStaff { user: UserId } "reset_by_staff";
        /// The password is another now. The email goes to the address of that moment, whichever account has it when it leaves.
        /// `factors` are for the owner to see whether somebody else added one.
        PasswordChanged { to: EmailAddress, name: UserName, #[serde(default)] factors: FactorSummary } "password_changed";
        /// To the address that an account is to have, to see whether its owner reads there.
        ChangeAddress { user: UserId, to: EmailAddress } "change_address";
        /// To the address that an account had, which can undo the change until then; or not, where the account went back to one
        /// that it had before.
        AddressChanged { user: UserId, to: EmailAddress, name: UserName, undo_until: Option<Timestamp> } "address_changed";
        /// To the address that an account had before staff gave it another.
        AddressChangedByStaff { to: EmailAddress, name: UserName } "address_changed_by_staff";
        /// A member of staff acts as the user.
        Impersonated { to: EmailAddress, name: UserName, at: Timestamp, write: bool } "impersonated";
        /// To somebody whom staff invited, whether or not an account has the address.
        Invitation { id: InvitationId } "invitation";
        /// To whom staff created an account for: a link to choose a password.
        AccountCreated { user: UserId } "account_created";
        /// To the address that an account has again.
        AddressRestored { user: UserId } "address_restored";
        /// To an administrator: an endpoint has failed since then, and nothing is delivered to it any more. Its host alone: the path
        /// of its URL may be a secret.
        WebhookDisabled { to: EmailAddress, host: String, since: Timestamp } "webhook_disabled";
        /// To the owner of the address at the time, whatever has changed since.
        SecondFactorChanged { to: EmailAddress, name: UserName, change: FactorChange } "second_factor_changed";
    }
}

named! {
    /// What an owner is told of their second factor. The name is that of the texts as well.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum FactorChange {
        /// An authenticator app, as the first.
        Added "second_factor_added";
        /// An authenticator app, in addition to passkeys.
        AddedBeside "second_factor_added";
        /// `last` when the password alone signs in from now on.
        Removed { last: bool } "second_factor_removed";
        PasskeyAdded { first: bool } "passkey_added";
        PasskeyRemoved { last: bool } "passkey_removed";
        /// At a sign-in; how many are left.
        RecoveryCodeUsed(usize) "recovery_code_used";
        RecoveryCodesRenewed "recovery_codes_renewed";
        RecoveryCodesRemoved "recovery_codes_removed";
    }
}

impl EmailKind {
    /// Whether it goes also to an address at which emails come back: somebody has just asked for it and waits for it, or it is the
    /// way to take a change back.
    #[must_use]
    pub const fn is_asked_for(&self) -> bool {
        match self {
            Self::ConfirmAddress { .. }
            | Self::ConfirmationRequested
            | Self::AlreadyRegistered
            | Self::ResetRequested
            | Self::ResetByStaff { .. }
            | Self::ChangeAddress { .. }
            | Self::AddressRestored { .. }
            | Self::AccountCreated { .. }
            | Self::Invitation { .. }
            // The one way back from a thief, whom nobody asked.
            | Self::AddressChanged { undo_until: Some(_), .. } => true,
            Self::NewSignIn { .. }
            | Self::AccountDeleted { .. }
            | Self::PasswordChanged { .. }
            | Self::AddressChanged { .. }
            | Self::AddressChangedByStaff { .. }
            | Self::Impersonated { .. }
            | Self::WebhookDisabled { .. }
            | Self::SecondFactorChanged { .. } => false,
        }
    }

    /// The name in the log: that of the change where a second factor changed.
    #[must_use]
    pub const fn log_name(&self) -> &'static str {
        match self {
            Self::SecondFactorChanged { change, .. } => change.name(),
            kind => kind.name(),
        }
    }
}

/// An emailer that dies holds its mail no longer than this; it is longer than the emailer may run.
pub const CLAIM: Duration = Duration::from_mins(1);
/// After that a mail that could not be sent is given up.
pub const GIVE_UP: Duration = Duration::from_hours(24);
/// Confirmation mails that anyone may ask for go out at most this often for an account.
pub const ASK_INTERVAL: Duration = Duration::from_mins(1);

/// When the sweeper looks at a pending mail next: one minute, then doubling up to an hour.
#[must_use]
pub fn sweep_after(sweeps: u32) -> Duration {
    Duration::from_mins(1 << sweeps.min(6)).min(Duration::from_hours(1))
}

impl OutboxEmail {
    /// The mail that tells an owner of a change of their second factor.
    #[must_use]
    pub fn of_factor(user: &User, change: FactorChange, now: Timestamp) -> Self {
        let kind = EmailKind::SecondFactorChanged { to: user.email.clone(), name: user.name.clone(), change };
        Self::new(user.email.normalized(), kind, now)
    }

    #[must_use]
    pub fn new(address: NormalizedEmail, kind: EmailKind, now: Timestamp) -> Self {
        Self { id: EmailId::new(now), address, kind, created_at: now, attempts: 0, sweeps: 0, claimed_until: None }
    }

    /// Whether an emailer may take it up now.
    #[must_use]
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.claimed_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_get_rarer_up_to_an_hour() {
        for (sweeps, minutes) in [(0, 1), (1, 2), (5, 32), (6, 60), (7, 60), (u32::MAX, 60)] {
            assert_eq!(sweep_after(sweeps), Duration::from_mins(minutes), "after {sweeps} sweeps");
        }
    }

    #[test]
    fn a_mail_is_free_until_claimed_and_again_when_the_claim_has_run_out() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let address = EmailAddress::parse("ada@example.com").unwrap().normalized();
        let mut mail = OutboxEmail::new(address, EmailKind::ConfirmationRequested, now);
        assert!(mail.is_free(now));
        mail.claimed_until = Some(now.plus(CLAIM));
        assert!(!mail.is_free(now));
        assert!(mail.is_free(now.plus(CLAIM)));
    }
}
