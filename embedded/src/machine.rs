//! The only place that takes time and randomness from the machine. The embedded servers keep real time
//! and make up their own ids, as AWS does, whatever clock the service under test is given.
#![allow(clippy::disallowed_methods, reason = "see above")]

use time::OffsetDateTime;
use uuid::Uuid;

/// The time now, in UTC.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// An id that no other object has.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().to_string()
}
