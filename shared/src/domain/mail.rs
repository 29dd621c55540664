//! Mails that are owed. One is written in the same transaction as the change that owes it, so none is lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::email::{EmailAddress, FoldedAddress};
use super::id::{MailId, UserId};
use super::name::UserName;
use super::user::{FactorSummary, User};
use crate::clock::Timestamp;

/// An owed mail, kept with the address that it goes to, until it is sent: then it is deleted, so a message
/// that the queue delivers twice finds nothing to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OwedMail {
    pub id: MailId,
    pub address: FoldedAddress,
    pub kind: MailKind,
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

/// What is owed. Whatever can change until the mail goes out is looked up then, not stored here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailKind {
    /// To a new account's owner.
    ConfirmAddress { user: UserId },
    /// Somebody asked for another confirmation mail to this address, whether or not an account waits for one.
    ConfirmationRequested,
    /// Somebody tried to register with this address, and an account has it.
    AlreadyRegistered,
    /// Somebody signed in with a client that the account has not seen. `source_ip` is the gateway's word.
    NewSignIn { user: UserId, client: Client, source_ip: Option<String>, at: Timestamp },
    /// The account is gone, so what the mail needs comes along.
    AccountDeleted { to: EmailAddress, name: UserName },
    /// Somebody forgot the password of this address, whether or not an account has it.
    ResetRequested,
    /// The password is another now. The mail goes to the address of that moment, whoever has it when it leaves.
    PasswordChanged {
        to: EmailAddress,
        name: UserName,
        /// The second factors that the account has, for the owner to see whether somebody else added one.
        #[serde(default)]
        factors: FactorSummary,
    },
    /// To the address that an account is to have, to see whether its owner reads there.
    ChangeAddress { user: UserId, to: EmailAddress },
    /// To the address that an account had, which can take the change back until then; or not, where the account went back to
    /// one that it had before.
    AddressChanged { user: UserId, to: EmailAddress, name: UserName, undo_until: Option<Timestamp> },
    /// To the address that an account has again.
    AddressRestored { user: UserId },
    /// To whom the address belonged at the time, whoever has changed what since.
    SecondFactorChanged { to: EmailAddress, name: UserName, change: FactorChange },
}

/// What an owner is told of their second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorChange {
    /// An authenticator app, as the first.
    Added,
    /// An authenticator app, beside passkeys.
    AddedBeside,
    /// `last` when the password alone signs in from now on.
    Removed {
        last: bool,
    },
    PasskeyAdded {
        first: bool,
    },
    PasskeyRemoved {
        last: bool,
    },
    /// At a sign-in; how many are left.
    RecoveryCodeUsed(usize),
    RecoveryCodesRenewed,
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

impl OwedMail {
    /// The mail that tells an owner of a change of their second factor.
    #[must_use]
    pub fn of_factor(user: &User, change: FactorChange, now: Timestamp) -> Self {
        let kind = MailKind::SecondFactorChanged { to: user.email.clone(), name: user.name.clone(), change };
        Self::new(user.email.folded(), kind, now)
    }

    #[must_use]
    pub fn new(address: FoldedAddress, kind: MailKind, now: Timestamp) -> Self {
        Self { id: MailId::new(now), address, kind, created_at: now, attempts: 0, sweeps: 0, claimed_until: None }
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
        let address = EmailAddress::parse("ada@example.com").unwrap().folded();
        let mut mail = OwedMail::new(address, MailKind::ConfirmationRequested, now);
        assert!(mail.is_free(now));
        mail.claimed_until = Some(now.plus(CLAIM));
        assert!(!mail.is_free(now));
        assert!(mail.is_free(now.plus(CLAIM)));
    }
}
