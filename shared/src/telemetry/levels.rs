//! What is logged: `LOG_LEVEL`.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// The log levels of libraries, in addition to `info` for everything else, unless `LOG_LEVEL` is set. The SDK's own lines are
/// excluded: it would log while shipping logs.
const LIBRARIES: [(&str, LevelFilter); 7] = [
    ("aws_config", LevelFilter::WARN),
    ("aws_smithy_runtime", LevelFilter::WARN),
    ("aws_sdk_firehose", LevelFilter::OFF),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    // What a caller sends is no error of ours; what came of it is in the audit log.
    ("webauthn_rs_core", LevelFilter::OFF),
];

/// The security events, which no level turns off.
const AUDIT: &str = "shared::telemetry::audit";

/// Levels by target: `info`, or `warn,shared::store=debug`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLevels(Targets);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a level (off, error, warn, info, debug, trace) or levels per target, such as `info,shared::store=debug`"
)]
pub struct LogLevelsError;

impl Default for LogLevels {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO).with_targets(LIBRARIES)).with_audit()
    }
}

impl FromStr for LogLevels {
    type Err = LogLevelsError;

    /// Stricter than [`Targets`], which takes any word for a target, of which it then logs everything, and of all others nothing.
    fn from_str(text: &str) -> Result<Self, LogLevelsError> {
        let known = |level: &str| !level.is_empty() && level.parse::<LevelFilter>().is_ok();
        let understood = |part: &str| match part.split_once('=') {
            Some((target, level)) => !target.trim().is_empty() && known(level.trim()),
            None => known(part),
        };
        if !text.split(',').all(|part| understood(part.trim())) {
            return Err(LogLevelsError);
        }
        let targets: Targets = text.parse().map_err(|_| LogLevelsError)?;
        Ok(Self(targets).with_audit())
    }
}

impl LogLevels {
    fn with_audit(self) -> Self {
        Self(self.0.with_target(AUDIT, LevelFilter::INFO))
    }

    #[must_use]
    pub fn into_filter(self) -> Targets {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_list_of_levels_is_understood_or_refused() {
        for (text, taken) in [
            ("info", true),
            ("WARN", true),
            ("off", true),
            ("info,shared::store=debug", true),
            ("warn, shared=trace", true),
            ("loud", false),
            ("shared::store", false),
            ("info,loud", false),
            ("shared=loud", false),
            ("=debug", false),
            ("a=b=c", false),
            ("info,", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<LogLevels>().is_ok(), taken, "{text}");
        }
    }

    #[test]
    fn security_events_are_logged_at_every_level() {
        for text in ["off", "error", "warn,shared=off", "shared::telemetry::audit=off"] {
            let filter = text.parse::<LogLevels>().unwrap().into_filter();
            assert!(filter.would_enable(AUDIT, &Level::INFO), "{text}");
            assert!(!filter.would_enable("shared::store", &Level::INFO), "{text}");
        }
        assert!(module_path!().starts_with("shared::telemetry::"), "{AUDIT} is where it was");
    }
}
