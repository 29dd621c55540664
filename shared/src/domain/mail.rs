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
    /// How often an emailer has claimed it.
    #[serde(default)]
    pub attempts: u32,
    /// How often the sweeper has enqueued it again.
    #[serde(default)]
    pub sweeps: u32,
    /// Claimed by one emailer until then.
    #[serde(default)]
    pub claimed_until: Option<Timestamp>,
}

/// One row per variant: its data and its name.
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
    /// The purpose of an email. Data that can change until it is sent is looked up then, not stored here.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum EmailKind {
        /// To the owner of a new account.
        ConfirmAddress { user: UserId } "confirm_address";
        /// Another confirmation email was requested for this address, whether or not an account waits for one.
        ConfirmationRequested "confirmation_requested";
        /// Someone tried to register with this address, which an account already has.
        AlreadyRegistered "already_registered";
        /// A sign-in with a user agent or from a network that the account has not seen. `source_ip` is the gateway's.
        NewSignIn { user: UserId, client: UserAgentFingerprint, source_ip: Option<String>, at: Timestamp } "new_sign_in";
        /// The account is gone, so the data for the email is included.
        AccountDeleted { to: EmailAddress, name: UserName } "account_deleted";
        /// A password reset was requested for this address, whether or not an account has it.
        ResetRequested "reset_requested";
        /// Requested by staff for an account; it is not throttled like emails that anyone can request.
        ResetByStaff { user: UserId } "reset_by_staff";
        /// The password was changed. The email goes to the address at that time, whichever account has it when it is sent.
        /// `factors` let the owner see whether someone else added one.
        PasswordChanged { to: EmailAddress, name: UserName, #[serde(default)] factors: FactorSummary } "password_changed";
        /// To the pending address of an account, to prove that the owner receives email there.
        ChangeAddress { user: UserId, to: EmailAddress } "change_address";
        /// To the previous address of an account, which can undo the change until then; not if the account changed back to an
        /// earlier address.
        AddressChanged { user: UserId, to: EmailAddress, name: UserName, undo_until: Option<Timestamp> } "address_changed";
        /// To the previous address of an account after staff changed it.
        AddressChangedByStaff { to: EmailAddress, name: UserName } "address_changed_by_staff";
        /// A member of staff acts as the user.
        Impersonated { to: EmailAddress, name: UserName, at: Timestamp, write: bool } "impersonated";
        /// To a person invited by staff, whether or not an account has the address.
        Invitation { id: InvitationId } "invitation";
        /// To a person for whom staff created an account: a link to choose a password.
        AccountCreated { user: UserId } "account_created";
        /// To the restored address of an account.
        AddressRestored { user: UserId } "address_restored";
        /// To an administrator: a webhook was disabled because its endpoint has failed since then. Only its host, because the path
        /// of the URL may be a secret.
        WebhookDisabled { to: EmailAddress, host: String, since: Timestamp } "webhook_disabled";
        /// To the owner of the address at the time, whatever has changed since.
        SecondFactorChanged { to: EmailAddress, name: UserName, change: FactorChange } "second_factor_changed";
    }
}

named! {
    /// A change of the second factor, of which the owner is notified. The name is also the key of the texts.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum FactorChange {
        /// An authenticator app, as the first.
        Added "second_factor_added";
        /// An authenticator app, in addition to passkeys.
        AddedBeside "second_factor_added";
        /// `last` if the password alone is now enough to sign in.
        Removed { last: bool } "second_factor_removed";
        PasskeyAdded { first: bool } "passkey_added";
        PasskeyRemoved { last: bool } "passkey_removed";
        /// At a sign-in; the number of remaining codes.
        RecoveryCodeUsed(usize) "recovery_code_used";
        RecoveryCodesRenewed "recovery_codes_renewed";
        RecoveryCodesRemoved "recovery_codes_removed";
    }
}

impl EmailKind {
    /// Whether it is also sent to an address with delivery problems: someone has just requested it and waits for it, or it is the
    /// way to undo a change.
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
            // The only way to undo a change by an attacker, although no one requested the email.
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

    /// The name in the log: for a change of the second factor, the name of the change.
    #[must_use]
    pub const fn log_name(&self) -> &'static str {
        match self {
            Self::SecondFactorChanged { change, .. } => change.name(),
            kind => kind.name(),
        }
    }
}

/// A dead emailer holds its email no longer than this; it is longer than the emailer can run.
pub const CLAIM: Duration = Duration::from_mins(1);
/// After this time an email that could not be sent is dropped.
pub const GIVE_UP: Duration = Duration::from_hours(24);
/// The minimum interval between emails for an account that anyone can request.
pub const ASK_INTERVAL: Duration = Duration::from_mins(1);

/// When the sweeper next checks a pending email: one minute, then doubling up to an hour.
#[must_use]
pub fn sweep_after(sweeps: u32) -> Duration {
    Duration::from_mins(1 << sweeps.min(6)).min(Duration::from_hours(1))
}

impl OutboxEmail {
    /// The email that notifies the owner of a change of the second factor.
    #[must_use]
    pub fn of_factor(user: &User, change: FactorChange, now: Timestamp) -> Self {
        let kind = EmailKind::SecondFactorChanged { to: user.email.clone(), name: user.name.clone(), change };
        Self::new(user.email.normalized(), kind, now)
    }

    #[must_use]
    pub fn new(address: NormalizedEmail, kind: EmailKind, now: Timestamp) -> Self {
        Self { id: EmailId::new(now), address, kind, created_at: now, attempts: 0, sweeps: 0, claimed_until: None }
    }

    /// Whether an emailer can claim it now.
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
    fn an_email_is_free_until_claimed_and_again_when_the_claim_expires() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let address = EmailAddress::parse("ada@example.com").unwrap().normalized();
        let mut mail = OutboxEmail::new(address, EmailKind::ConfirmationRequested, now);
        assert!(mail.is_free(now));
        mail.claimed_until = Some(now.plus(CLAIM));
        assert!(!mail.is_free(now));
        assert!(mail.is_free(now.plus(CLAIM)));
    }
}
