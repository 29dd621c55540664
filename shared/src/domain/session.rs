//! Sessions and the rotation of their refresh tokens.

use serde::{Deserialize, Serialize};

use super::factor::Method;
use super::id::{SessionId, UserId};
use super::user::User;
use crate::clock::Timestamp;
use crate::config::{REFRESH_IDLE_LIFE, REFRESH_REUSE_INTERVAL, SESSION_LIFE};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    /// The user's `session_epoch` when this session began.
    pub epoch: u32,
    /// How often the refresh token was rotated: the current token is the one with this number.
    pub rotation: u32,
    pub rotated_at: Timestamp,
    /// When the user proved who they are: the `auth_time` of access tokens.
    pub signed_in_at: Timestamp,
    /// Where and with what the user signed in, for the owner's eyes.
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    /// What proved the second factor, for an account that has one.
    #[serde(default)]
    pub second_factor: Option<Method>,
    /// A passkey signed in alone.
    #[serde(default)]
    pub without_password: bool,
}

/// What to do with a genuine refresh token of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The current token: rotate, if nobody else does first.
    Rotate,
    /// One step behind and within the reuse interval: the client lost the answer, or two tabs raced. Same pair again.
    Repeat,
    /// Used before: somebody has a token that they should not have (RFC 9700, 4.14.2).
    Reused,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn begin(user: &User, source_ip: Option<String>, user_agent: Option<String>, now: Timestamp) -> Self {
        Self {
            id: SessionId::new(now),
            user: user.id,
            epoch: user.session_epoch,
            rotation: 0,
            rotated_at: now,
            signed_in_at: now,
            source_ip,
            user_agent,
            second_factor: None,
            without_password: false,
        }
    }

    /// When the session ends unless it is refreshed before: 30 days idle, 90 days in all.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.rotated_at.plus(REFRESH_IDLE_LIFE).min(self.signed_in_at.plus(SESSION_LIFE))
    }

    #[must_use]
    pub fn is_live(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && !user.disabled && now < self.ends_at()
    }

    /// What a token with number `presented` means now.
    #[must_use]
    pub fn rotation_of(&self, presented: u32, now: Timestamp) -> Rotation {
        if presented == self.rotation {
            Rotation::Rotate
        } else if presented.checked_add(1) == Some(self.rotation)
            && now.since(self.rotated_at) <= REFRESH_REUSE_INTERVAL
        {
            Rotation::Repeat
        } else {
            Rotation::Reused
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn session(rotation: u32) -> Session {
        Session {
            id: SessionId::new(START),
            user: UserId::new(START),
            epoch: 0,
            rotation,
            rotated_at: START,
            signed_in_at: START,
            source_ip: None,
            user_agent: None,
            second_factor: None,
            without_password: false,
        }
    }

    #[test]
    fn a_token_means_what_its_distance_and_age_say() {
        for (current, presented, seconds, meaning) in [
            (0, 0, 0, Rotation::Rotate),
            (7, 7, 1_000_000, Rotation::Rotate),
            (7, 6, 0, Rotation::Repeat),
            (7, 6, 10, Rotation::Repeat),
            (7, 6, 11, Rotation::Reused),
            (7, 5, 0, Rotation::Reused),
            (7, 8, 0, Rotation::Reused),
            (0, u32::MAX, 0, Rotation::Reused),
        ] {
            let now = START.plus(Duration::from_secs(seconds));
            assert_eq!(
                session(current).rotation_of(presented, now),
                meaning,
                "{presented} of {current} after {seconds} s"
            );
        }
    }

    #[test]
    fn a_session_ends_when_idle_or_old() {
        let mut session = session(0);
        assert_eq!(session.ends_at().since(START), Duration::from_hours(30 * 24));
        session.rotated_at = START.plus(Duration::from_hours(80 * 24));
        assert_eq!(session.ends_at().since(START), Duration::from_hours(90 * 24));
    }
}
