//! The life cycle of signing keys: published before use, used, kept until the last token they signed has expired.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::ACCESS_TOKEN_LIFE;
use crate::clock::Timestamp;

/// The signing algorithm of access tokens (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Algorithm {
    #[serde(rename = "ES256")]
    Es256,
    /// The only one that API Gateway's own JWT authorizer supports.
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// The `alg` of JOSE headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Es256, Self::Rs256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or("must be ES256, RS256 or EdDSA")
    }
}

/// The times that decide when a key signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTimes {
    pub kid: String,
    pub algorithm: Algorithm,
    pub created_at: Timestamp,
    /// It signs from then on, until a newer key does.
    pub active_from: Timestamp,
}

/// The rotation period of keys.
pub const ROTATION: Duration = Duration::from_hours(30 * 24);
/// A new key is published this long before it signs, so that every cache of the key set has it by then.
pub const PUBLISHED_AHEAD: Duration = Duration::from_hours(24);
/// A key that no longer signs stays published this much longer than a token lives.
const KEPT_LONGER: Duration = Duration::from_mins(50);

/// The key that signs now: the newest one that is active.
#[must_use]
pub fn signing(keys: &[KeyTimes], now: Timestamp) -> Option<&KeyTimes> {
    keys.iter().filter(|key| key.active_from <= now).max_by_key(|key| (key.active_from, key.kid.as_str()))
}

/// When a key created now would start to sign; `None` if no new key is needed.
/// If no key signs, because it is the first or because the last was revoked, it signs immediately; a key for a newly configured
/// algorithm is published first like any other.
#[must_use]
pub fn next_active_from(keys: &[KeyTimes], algorithm: Algorithm, now: Timestamp) -> Option<Timestamp> {
    signing(keys, now).map_or(Some(now), |_| succession(keys, algorithm, now))
}

fn succession(keys: &[KeyTimes], algorithm: Algorithm, now: Timestamp) -> Option<Timestamp> {
    let newest = keys.iter().max_by_key(|key| (key.active_from, key.kid.as_str()))?;
    let due = newest.algorithm != algorithm || newest.created_at.plus(ROTATION) <= now;
    due.then(|| now.plus(PUBLISHED_AHEAD))
}

/// When a key created early by an operator starts to sign: after the same delay as any other, because caches of the key set do not
/// have it sooner. `None` if the next key is already published.
#[must_use]
pub fn early_active_from(keys: &[KeyTimes], now: Timestamp) -> Option<Timestamp> {
    match signing(keys, now) {
        None => Some(now),
        Some(_) => waiting(keys, now).is_none().then(|| now.plus(PUBLISHED_AHEAD)),
    }
}

/// The key that signs next.
#[must_use]
pub fn waiting(keys: &[KeyTimes], now: Timestamp) -> Option<&KeyTimes> {
    keys.iter().filter(|key| now < key.active_from).min_by_key(|key| (key.active_from, key.kid.as_str()))
}

/// The keys that are no longer needed: their successor has signed for longer than any of their tokens lives.
#[must_use]
pub fn retired(keys: &[KeyTimes], now: Timestamp) -> Vec<&KeyTimes> {
    let Some(current) = signing(keys, now) else {
        return Vec::new();
    };
    let kept = ACCESS_TOKEN_LIFE + KEPT_LONGER;
    keys.iter()
        .filter(|key| {
            keys.iter().any(|successor| {
                (successor.active_from, &successor.kid) > (key.active_from, &key.kid)
                    && successor.active_from <= current.active_from
                    && successor.active_from.plus(kept) <= now
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn key(kid: &str, created: Duration, active: Duration) -> KeyTimes {
        KeyTimes {
            kid: kid.into(),
            algorithm: Algorithm::Es256,
            created_at: START.plus(created),
            active_from: START.plus(active),
        }
    }

    const fn hours(hours: u64) -> Duration {
        Duration::from_hours(hours)
    }

    #[test]
    fn a_key_signs_from_its_activation_to_that_of_the_next() {
        let keys = [key("a", hours(0), hours(0)), key("b", hours(720), hours(744))];
        for (after, kid) in [(0, "a"), (720, "a"), (743, "a"), (744, "b"), (9000, "b")] {
            assert_eq!(signing(&keys, START.plus(hours(after))).unwrap().kid, kid, "after {after} h");
        }
        assert_eq!(signing(&keys, START.minus(hours(1))), None);
    }

    #[test]
    fn a_key_is_created_if_missing_old_or_of_another_algorithm() {
        let keys = [key("a", hours(0), hours(0))];
        let at = |after| START.plus(hours(after));
        assert_eq!(next_active_from(&[], Algorithm::Es256, START), Some(START));
        assert_eq!(next_active_from(&keys, Algorithm::Es256, at(719)), None);
        assert_eq!(next_active_from(&keys, Algorithm::Es256, at(720)), Some(at(744)));
        assert_eq!(next_active_from(&keys, Algorithm::Rs256, at(1)), Some(at(25)));
    }

    #[test]
    fn a_new_key_signs_immediately_after_a_revocation_despite_a_waiting_one() {
        let waiting = [key("b", hours(720), hours(744))];
        assert_eq!(next_active_from(&waiting, Algorithm::Es256, START.plus(hours(721))), Some(START.plus(hours(721))));
        assert_eq!(next_active_from(&waiting, Algorithm::Es256, START.plus(hours(744))), None);
    }

    #[test]
    fn an_early_key_is_published_a_day_ahead_and_only_one_waits() {
        let keys = [key("a", hours(0), hours(0)), key("b", hours(720), hours(744))];
        let at = |after| START.plus(hours(after));
        assert_eq!(early_active_from(&keys[..1], at(100)), Some(at(124)));
        assert_eq!(early_active_from(&keys, at(721)), None);
        assert_eq!(waiting(&keys, at(721)).unwrap().kid, "b");
        assert_eq!(early_active_from(&keys, at(744)), Some(at(768)));
        // The one that signed was revoked.
        assert_eq!(early_active_from(&keys[1..], at(721)), Some(at(721)));
    }

    #[test]
    fn a_key_is_retired_an_hour_after_its_successor_began_to_sign() {
        let keys = [key("a", hours(0), hours(0)), key("b", hours(720), hours(744))];
        let retired =
            |after| retired(&keys, START.plus(hours(after))).iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
        assert!(retired(744).is_empty());
        assert_eq!(retired(745), ["a"]);
        assert_eq!(retired(99_999), ["a"]);
    }
}
