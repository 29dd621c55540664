//! Browsers and apps that have signed in before.

use std::time::Duration;

use super::id::{DeviceId, UserId};
use super::user::User;
use crate::clock::Timestamp;

/// How long a device that does not sign in is remembered; each sign-in begins it anew.
pub const DEVICE_LIFE: Duration = Duration::from_hours(180 * 24);

/// What a device token says: the device signed in to this account, with the right password. Its failures are counted
/// apart from those of everyone else, so no stranger locks it out. It opens nothing by itself.
///
/// The device of OWASP's "device cookies" (<https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    pub user: UserId,
    /// The account's `session_epoch` at the sign-in. What ends all sessions (signing out everywhere, a new password)
    /// raises it, and ends the trust in all devices with them: a thief's device must not go on guessing apart.
    pub epoch: u32,
    pub expires_at: Timestamp,
}

impl Device {
    /// The device that just signed in: the one that it was, if it said so, or a new one.
    #[must_use]
    pub fn signed_in(known: Option<DeviceId>, user: &User, now: Timestamp) -> Self {
        let id = known.unwrap_or_else(|| DeviceId::new(now));
        Self { id, user: user.id, epoch: user.session_epoch, expires_at: now.plus(DEVICE_LIFE) }
    }

    /// Whether it still counts as one of this account's.
    #[must_use]
    pub fn belongs_to(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && now < self.expires_at
    }

    /// Whether it signed in since the account has its second factor, and so with it. Tokens from before are had by the
    /// password alone, as many as one likes: each with codes to guess of its own, they would be no limit.
    #[must_use]
    pub fn proved_second_factor(&self, user: &User) -> bool {
        user.second_factor_since().is_some_and(|since| since < self.expires_at.minus(DEVICE_LIFE))
    }
}
