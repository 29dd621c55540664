//! The one place that draws randomness, always from the operating system's generator through AWS-LC.

use std::sync::LazyLock;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

use crate::clock::Timestamp;

static SOURCE: LazyLock<SystemRandom> = LazyLock::new(SystemRandom::new);

/// `N` unpredictable bytes.
///
/// # Panics
/// When the operating system has no randomness to give; nothing secret can be made then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SOURCE.fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// A version 7 UUID (RFC 9562): ids sort by the time they were made.
#[must_use]
pub fn uuid(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes()).into_uuid()
}
