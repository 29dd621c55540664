//! Logs: `tracing` events as ECS JSON lines on standard output, and the same lines to Firehose after the answer.

pub mod audit;
mod ecs;
mod extension;
mod shipper;

pub use ecs::Ecs;
pub use extension::{Extension, Finished, Invocations};
pub use shipper::{Records, Shipper};

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

use crate::clock::Clock;

/// What is logged of the libraries, beside `info` of everything else, unless `LOG_LEVEL` says otherwise. The SDK's own
/// lines are left out: it logs while it ships logs.
const LEVELS: [(&str, LevelFilter); 7] = [
    ("aws_config", LevelFilter::WARN),
    ("aws_smithy_runtime", LevelFilter::WARN),
    ("aws_sdk_firehose", LevelFilter::OFF),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    // What a caller sends is no error of ours; what came of it is in the audit log.
    ("webauthn_rs_core", LevelFilter::OFF),
];

/// A subscriber that writes every event to standard output, if asked to, and to `records`.
#[must_use]
pub fn subscriber(clock: Clock, records: Records, stdout: bool) -> impl Subscriber + Send + Sync {
    // An empty variable counts as missing, as everywhere.
    let levels = std::env::var("LOG_LEVEL").ok().filter(|levels| !levels.trim().is_empty());
    let levels = levels.and_then(|levels| levels.parse::<Targets>().ok());
    tracing_subscriber::registry()
        .with(levels.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO).with_targets(LEVELS)))
        .with(Ecs::new(clock, records, stdout))
}
