//! Sessions and the rotation of their refresh tokens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::factor::Method;
use super::fingerprint::FingerprintHash;
use super::id::{SessionId, UserId};
use super::user::User;
use crate::clock::Timestamp;

/// How long an access token lives.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(10);
/// How long a session lives without a refresh.
pub const REFRESH_IDLE_LIFE: Duration = Duration::from_hours(30 * 24);
/// The maximum lifetime of a session.
pub const SESSION_LIFE: Duration = Duration::from_hours(90 * 24);
/// How long after its rotation a refresh token still returns the current pair.
pub const REFRESH_REUSE_INTERVAL: Duration = Duration::from_secs(10);
/// How long an authentication counts as recent for sensitive routes (RFC 9470).
pub const RECENT_SIGN_IN: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    /// The user's `session_epoch` when this session started.
    pub epoch: u32,
    /// The number of rotations of the refresh token: the current token has this number.
    pub rotation: u32,
    pub rotated_at: Timestamp,
    /// Times of the rotations before the last one, newest first, within the reuse interval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_rotations: Vec<Timestamp>,
    pub signed_in_at: Timestamp,
    /// IP address and user agent of the sign-in, shown to the owner.
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    /// How the second factor was proved, if the account has one.
    #[serde(default)]
    pub second_factor: Option<Method>,
    /// Whether the sign-in was with a passkey alone.
    #[serde(default)]
    pub without_password: bool,
    /// The last authentication after the sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reauthenticated: Option<Reauthentication>,
    /// Set if the session belongs to a member of staff who impersonates the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonation: Option<Impersonation>,
}

/// A member of staff who impersonates a user, for the lifetime of one access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impersonation {
    pub by: UserId,
    /// The session that started it, with which it ends.
    pub by_session: SessionId,
    /// The `session_epoch` of their account at the start.
    pub by_epoch: u32,
    /// Whether they can make changes: never of passwords, factors or the address, and never a deletion.
    pub write: bool,
}

/// An authentication after the sign-in: by a step-up, or by adding a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reauthentication {
    pub at: Timestamp,
    /// How the second factor was proved; `None` if it was the password.
    #[serde(default)]
    pub second_factor: Option<Method>,
}

/// The maximum number of rotations that a session stores. It bounds the size of the item that every signed-in request reads, with
/// more rotations in ten seconds than the refresh limit allows an IP address on average. A session that rotates faster gets its
/// current token again, so no token is dropped within its ten seconds.
const ROTATIONS: usize = 32;

/// What to do with a genuine refresh token of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The current token: rotate, unless a concurrent request is first.
    Rotate,
    /// Rotated within the reuse interval: a lost response, or concurrent tabs. Return the current pair again.
    Repeat,
    /// Rotated before that: a token was stolen (RFC 9700, 4.14.2).
    Reused,
}

impl Session {
    /// A session that starts now.
    #[must_use]
    pub fn begin(user: &User, source_ip: Option<String>, user_agent: Option<String>, now: Timestamp) -> Self {
        Self {
            id: SessionId::new(now),
            user: user.id,
            epoch: user.session_epoch,
            rotation: 0,
            rotated_at: now,
            earlier_rotations: Vec::new(),
            signed_in_at: now,
            source_ip,
            user_agent,
            second_factor: None,
            without_password: false,
            reauthenticated: None,
            impersonation: None,
        }
    }

    /// The session of a member of staff who impersonates the user, from now on.
    #[must_use]
    pub fn impersonate(user: &User, impersonation: Impersonation, now: Timestamp) -> Self {
        Self { impersonation: Some(impersonation), ..Self::begin(user, None, None, now) }
    }

    /// The fingerprint of the sign-in of this session.
    #[must_use]
    pub fn fingerprint(&self) -> FingerprintHash {
        FingerprintHash::of(self.user, self.user_agent.as_deref(), self.source_ip.as_deref())
    }

    /// When the session expires unless it is refreshed: 30 days idle, 90 days in total.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        if self.impersonation.is_some() {
            return self.signed_in_at.plus(ACCESS_TOKEN_LIFE);
        }
        self.rotated_at.plus(REFRESH_IDLE_LIFE).min(self.signed_in_at.plus(SESSION_LIFE))
    }

    #[must_use]
    pub fn is_live(&self, user: &User, now: Timestamp) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && !user.is_disabled(now) && now < self.ends_at()
    }

    /// What to do with a token with number `presented`.
    #[must_use]
    pub fn rotation_of(&self, presented: u32, now: Timestamp) -> Rotation {
        match self.rotation.checked_sub(presented) {
            Some(0) if self.recent_rotations(now).count() < ROTATIONS => Rotation::Rotate,
            Some(0) => Rotation::Repeat,
            Some(behind) if is_forgiven(self.rotated_away(behind), now) => Rotation::Repeat,
            _ => Rotation::Reused,
        }
    }

    /// The session with its refresh token rotated.
    #[must_use]
    pub fn rotate(&self, now: Timestamp) -> Self {
        Self {
            rotation: self.rotation.saturating_add(1),
            rotated_at: now,
            earlier_rotations: self.recent_rotations(now).collect(),
            ..self.clone()
        }
    }

    /// Times of the rotations within the reuse interval, newest first.
    fn recent_rotations(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let last = (self.rotation > 0).then_some(self.rotated_at);
        last.into_iter().chain(self.earlier_rotations.iter().copied()).take_while(move |at| is_forgiven(Some(*at), now))
    }

    /// When the token was rotated that is that many rotations behind the current one, if stored.
    fn rotated_away(&self, behind: u32) -> Option<Timestamp> {
        match behind {
            0 => None,
            1 => Some(self.rotated_at),
            _ => self.earlier_rotations.get(usize::try_from(behind - 2).ok()?).copied(),
        }
    }

    /// When the user last authenticated: the `auth_time` of access tokens (RFC 9470, 5 and 6). 1970 for impersonation.
    #[must_use]
    pub fn authenticated_at(&self) -> Timestamp {
        if self.impersonation.is_some() {
            return Timestamp::from_seconds(0);
        }
        self.reauthenticated.map_or(self.signed_in_at, |proof| proof.at.max(self.signed_in_at))
    }

    /// The `amr` of its access tokens: the authentication methods (RFC 8176, 2) of the sign-in and of the last step-up. A recovery
    /// code is not a one-time password in the sense of `otp`. A passkey proves possession of a key and the presence of the user;
    /// whether the key is in hardware is unknown, so it is neither `hwk` nor `swk`.
    #[must_use]
    pub fn amr(&self) -> Vec<&'static str> {
        // The user did not authenticate.
        if self.impersonation.is_some() {
            return Vec::new();
        }
        let again = self.reauthenticated;
        let second = [self.second_factor, again.and_then(|proof| proof.second_factor)];
        let password = !self.without_password || again.is_some_and(|proof| proof.second_factor.is_none());
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

    /// Whether the user authenticated within [`RECENT_SIGN_IN`], with any factor.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.authenticated_at()) <= RECENT_SIGN_IN
    }

    /// Whether this included the second factor, if the account has one. A proof from before the current factors does not count: it
    /// was with a factor that has been removed.
    #[must_use]
    pub fn is_recent(&self, user: &User, now: Timestamp) -> bool {
        let proved_again = self.reauthenticated.filter(|proof| proof.second_factor.is_some()).map(|proof| proof.at);
        let proved_at = proved_again.or_else(|| self.second_factor.map(|_| self.signed_in_at));
        let since = user.second_factor_since();
        let counts = |at: Timestamp| now.since(at) <= RECENT_SIGN_IN && since.is_none_or(|since| since <= at);
        let second_factor = proved_at.is_some_and(counts);
        self.is_fresh(now) && (second_factor || !user.has_second_factor())
    }
}

/// Whether a token rotated at that time is still accepted.
fn is_forgiven(rotated_at: Option<Timestamp>, now: Timestamp) -> bool {
    rotated_at.is_some_and(|at| now.since(at) <= REFRESH_REUSE_INTERVAL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::email::EmailAddress;
    use crate::domain::name::UserName;
    use crate::domain::password::PasswordHash;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn session(rotation: u32) -> Session {
        Session {
            id: SessionId::new(START),
            user: UserId::new(START),
            epoch: 0,
            rotation,
            rotated_at: START,
            earlier_rotations: Vec::new(),
            signed_in_at: START,
            source_ip: None,
            user_agent: None,
            second_factor: None,
            without_password: false,
            reauthenticated: None,
            impersonation: None,
        }
    }

    fn user() -> User {
        let name = UserName::parse("Ada Lovelace").unwrap();
        let hash: PasswordHash = serde_json::from_str("\"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$b3V0cHV0\"").unwrap();
        User::new(name, EmailAddress::parse("ada@example.com").unwrap(), hash, START)
    }

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_is_forgiven_for_ten_seconds_after_its_own_rotation() {
        // Rotations 5, 6 and 7 were 9, 4 and 0 seconds before the start.
        let earlier = [4, 9].map(|seconds| START.minus(Duration::from_secs(seconds)));
        for (presented, seconds, meaning) in [
            (7, 0, Rotation::Rotate),
            (7, 1_000_000, Rotation::Rotate),
            (6, 0, Rotation::Repeat),
            (6, 10, Rotation::Repeat),
            (6, 11, Rotation::Reused),
            (5, 6, Rotation::Repeat),
            (5, 7, Rotation::Reused),
            (4, 1, Rotation::Repeat),
            (4, 2, Rotation::Reused),
            (3, 0, Rotation::Reused),
            (8, 0, Rotation::Reused),
            (u32::MAX, 0, Rotation::Reused),
        ] {
            let session = Session { earlier_rotations: earlier.to_vec(), ..session(7) };
            assert_eq!(session.rotation_of(presented, after(seconds)), meaning, "{presented} after {seconds} s");
        }
    }

    #[test]
    fn a_session_from_before_rotations_were_remembered_forgives_one_step() {
        let mut item = serde_json::to_value(session(7)).unwrap();
        assert!(item.as_object_mut().unwrap().remove("earlier_rotations").is_none(), "an empty list is not written");
        let session: Session = serde_json::from_value(item).unwrap();
        assert_eq!(session.rotation_of(6, after(10)), Rotation::Repeat);
        assert_eq!(session.rotation_of(5, after(0)), Rotation::Reused);
    }

    #[test]
    fn a_session_that_rotates_too_fast_keeps_its_token_and_forgets_none() {
        let mut session = session(0);
        for _ in 0..ROTATIONS {
            assert_eq!(session.rotation_of(session.rotation, START), Rotation::Rotate);
            session = session.rotate(START);
        }
        assert_eq!(session.rotation_of(session.rotation, after(10)), Rotation::Repeat);
        assert_eq!(session.rotation_of(0, after(10)), Rotation::Repeat);
        assert_eq!(session.rotation_of(session.rotation, after(11)), Rotation::Rotate);
        assert_eq!(session.rotation_of(0, after(11)), Rotation::Reused);
    }

    proptest! {
        /// Against a model that remembers every rotation.
        #[test]
        fn rotations_agree_with_a_memory_of_all(steps in prop::collection::vec((0_u64..6_000, 0_u32..40), 1..150)) {
            let (mut session, mut now, mut rotated) = (session(0), START, Vec::new());
            for (pause, behind) in steps {
                now = now.plus(Duration::from_millis(pause));
                let presented = session.rotation.saturating_sub(behind);
                let forgiven = |at: &Timestamp| now.since(*at) <= REFRESH_REUSE_INTERVAL;
                let expected = match rotated.get(usize::try_from(presented).unwrap()) {
                    Some(at) if forgiven(at) => Rotation::Repeat,
                    Some(_) => Rotation::Reused,
                    None if rotated.iter().filter(|at| forgiven(at)).count() < ROTATIONS => Rotation::Rotate,
                    None => Rotation::Repeat,
                };
                prop_assert_eq!(session.rotation_of(presented, now), expected);
                // As if every theft went unnoticed: what comes next has to be right all the same.
                if expected == Rotation::Rotate {
                    session = session.rotate(now);
                    rotated.push(now);
                }
                prop_assert!(session.earlier_rotations.len() < ROTATIONS);
            }
        }
    }

    #[test]
    fn a_session_is_recent_by_proofs_of_the_last_fifteen_minutes() {
        const LATE: u64 = 20 * 60;
        let again = |seconds, second_factor| Some(Reauthentication { at: after(seconds), second_factor });
        let (totp, passkey) = (Some(Method::Totp), Some(Method::Passkey));
        // The factor of the sign-in, what they proved afterwards, whether the account has a second factor,
        // and whether the session is recent 15 minutes after the sign-in, and twenty.
        for (second_factor, reauthenticated, has_second_factor, early, late) in [
            (None, None, false, true, false),
            (None, None, true, false, false),
            (totp, None, true, true, false),
            (totp, None, false, true, false),
            (None, again(600, None), false, true, true),
            (None, again(600, None), true, false, false),
            (None, again(600, passkey), true, true, true),
            (totp, again(600, None), true, true, false),
            (totp, again(600, totp), true, true, true),
            (totp, again(60, passkey), true, true, false),
        ] {
            let session = Session { second_factor, reauthenticated, ..session(0) };
            let user = User { totp_since: has_second_factor.then_some(START), ..user() };
            let recent = |seconds| session.is_recent(&user, after(seconds));
            assert_eq!((recent(900), recent(LATE)), (early, late), "{second_factor:?}, then {reauthenticated:?}");
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
