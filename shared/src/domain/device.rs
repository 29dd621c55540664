//! Browsers and apps that have signed in before.

use std::time::Duration;

use super::id::{DeviceId, UserId};
use super::user::User;
use crate::clock::Timestamp;

/// How long a device is remembered without a sign-in; each sign-in restarts it.
pub const DEVICE_LIFE: Duration = Duration::from_hours(180 * 24);

/// The content of a device token: the device has signed in to this account with the correct password. Its failures are counted
/// separately, so no one else can lock it out. The token grants no access by itself.
///
/// The device of OWASP's "device cookies"
/// (<https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    pub user: UserId,
    /// The account's `session_epoch` at the sign-in. Ending all sessions (signing out everywhere, a new password) increments it,
    /// which also ends the trust in all devices: an attacker's device must not keep a separate count.
    pub epoch: u32,
    pub expires_at: Timestamp,
}

impl Device {
    /// The device that just signed in: the known one, if it sent its token, or a new one.
    #[must_use]
    pub fn signed_in(known: Option<DeviceId>, user: &User, now: Timestamp) -> Self {
        let id = known.unwrap_or_else(|| DeviceId::new(now));
        Self { id, user: user.id, epoch: user.session_epoch, expires_at: now.plus(DEVICE_LIFE) }
    }

    /// Whether it is still valid for this account.
    #[must_use]
    pub fn belongs_to(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && now < self.expires_at
    }

    /// Whether it signed in after the account got its second factor, and so with it. Older tokens needed only the password, which
    /// allows any number of them: with a separate count of code guesses for each there would be no limit.
    #[must_use]
    pub fn proved_second_factor(&self, user: &User) -> bool {
        user.second_factor_since().is_some_and(|since| since < self.expires_at.minus(DEVICE_LIFE))
    }
}
