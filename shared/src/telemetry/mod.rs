//! Logs: `tracing` events as ECS JSON lines on standard output, and the same lines to Firehose after the answer.

pub mod audit;
mod ecs;
mod extension;
mod levels;
mod shipper;

pub use ecs::Ecs;
pub use extension::{Extension, Finished, Invocations};
pub use levels::LogLevels;
pub use shipper::{Records, Shipper};

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

use crate::clock::Clock;

/// A subscriber that writes every event to standard output, if asked to, and to `records`.
#[must_use]
pub fn subscriber(clock: Clock, records: Records, stdout: bool) -> impl Subscriber + Send + Sync {
    // Read before the rest of the configuration, which refuses what is none; an empty variable counts as missing.
    let levels = std::env::var("LOG_LEVEL").ok().and_then(|levels| levels.parse::<LogLevels>().ok());
    tracing_subscriber::registry().with(levels.unwrap_or_default().into_filter()).with(Ecs::new(clock, records, stdout))
}
