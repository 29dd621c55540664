//! Slows down password guessing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::email::NormalizedEmail;
use super::id::{DeviceId, UserId};
use crate::clock::Timestamp;

/// Where attempts with an address are counted: together for all unknown devices, whether or not an account has the address, and
/// separately for each device that its owner has signed in with, so that strangers cannot lock the owner out.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a> {
    pub address: &'a NormalizedEmail,
    pub device: Option<DeviceId>,
}

impl<'a> Bucket<'a> {
    /// For callers who are signed in to the account, which strangers neither see nor affect. It is shared by all of them, like the
    /// bucket of a device: a stolen session adds no further guesses.
    #[must_use]
    pub const fn of_account(address: &'a NormalizedEmail, user: UserId) -> Self {
        Self { address, device: Some(DeviceId::from_bytes(*user.as_bytes())) }
    }
}

/// Consecutive attempts without a correct password, stored for each bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    pub count: u32,
    pub last_at: Timestamp,
}

/// After this long without an attempt the count restarts. It is longer than the longest lock, otherwise an attacker who waits for
/// that would restart the count: a thousand guesses a day would be possible instead of 300.
const QUIET: Duration = Duration::from_hours(1);
const FREE_ATTEMPTS: u32 = 5;
const LONGEST_LOCK: Duration = Duration::from_mins(15);

/// Lock after repeated failures: none for the first five, then 2^(n-5) seconds, at most 15 minutes.
/// The schedule is Amazon Cognito's; it slows guessing without letting a stranger lock an owner out for long.
#[must_use]
pub fn lock_after(failures: u32) -> Duration {
    match failures.saturating_sub(FREE_ATTEMPTS) {
        0 => Duration::ZERO,
        n => 2_u64.checked_pow(n).map_or(LONGEST_LOCK, |seconds| Duration::from_secs(seconds).min(LONGEST_LOCK)),
    }
}

/// How long the next attempt must wait; `None` if it need not.
#[must_use]
pub fn wait(attempts: Option<Attempts>, now: Timestamp) -> Option<Duration> {
    let attempts = attempts?;
    let until = attempts.last_at.plus(lock_after(attempts.count));
    (now < until).then(|| until.since(now))
}

/// A counted attempt: the state of its bucket before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub before: Option<Attempts>,
    pub after: Attempts,
}

/// The count with one more attempt, made now; it restarts after an hour without one.
#[must_use]
pub fn count_with_decay(attempts: Option<Attempts>, now: Timestamp) -> Attempts {
    let count = match attempts {
        Some(earlier) if now.since(earlier.last_at) < QUIET => earlier.count.saturating_add(1),
        _ => 1,
    };
    Attempts { count, last_at: now }
}

/// The count with one more attempt at a second factor, which does not restart after an idle hour: six digits are few. An attacker
/// who knows the password has about a hundred guesses a day this way; with an hourly restart it would be 300.
#[must_use]
pub fn count_without_decay(attempts: Option<Attempts>, now: Timestamp) -> Attempts {
    Attempts { count: attempts.map_or(0, |earlier| earlier.count).saturating_add(1), last_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_double_from_the_sixth_failure_up_to_fifteen_minutes() {
        for (failures, seconds) in
            [(0, 0), (1, 0), (5, 0), (6, 2), (7, 4), (10, 32), (14, 512), (15, 900), (40, 900), (u32::MAX, 900)]
        {
            assert_eq!(lock_after(failures), Duration::from_secs(seconds), "{failures} failures");
        }
    }

    #[test]
    fn a_lock_counts_from_the_last_attempt_and_failures_decay() {
        let start = Timestamp::from_seconds(1_700_000_000);
        let attempts = Some(Attempts { count: 7, last_at: start });
        assert_eq!(wait(None, start), None);
        assert_eq!(wait(attempts, start), Some(Duration::from_secs(4)));
        assert_eq!(wait(attempts, start.plus(Duration::from_secs(4))), None);
        assert_eq!(count_with_decay(attempts, start.plus(Duration::from_secs(4))).count, 8);
        assert_eq!(count_with_decay(attempts, start.plus(LONGEST_LOCK)).count, 8, "a count survives the longest lock");
        assert_eq!(count_with_decay(attempts, start.plus(QUIET)).count, 1);
        assert_eq!(count_without_decay(attempts, start.plus(QUIET)).count, 8);
        assert_eq!(count_without_decay(None, start).count, 1);
    }

    /// Guesses per day with that many in a row, each as soon as possible, followed by a wait until the count restarts.
    fn guesses_a_day(in_a_row: u32) -> u64 {
        let round = (1..in_a_row).map(lock_after).sum::<Duration>() + QUIET.max(lock_after(in_a_row));
        u64::from(in_a_row) * Duration::from_hours(24).as_secs() / round.as_secs()
    }

    #[test]
    fn no_pace_makes_more_than_300_guesses_a_day() {
        let best = (1..100).max_by_key(|in_a_row| guesses_a_day(*in_a_row)).unwrap();
        assert_eq!((best, guesses_a_day(best)), (14, 294));
    }
}
