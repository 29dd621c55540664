//! Rate limits per client network and route.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;

macro_rules! limits {
    ($($variant:ident $name:literal $variable:literal $default:literal $counted:literal)*) => {
        /// What is limited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Limit { $($variant),* }

        impl Limit {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Used in keys of the table, in the log, and as the policy name in responses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The variable that sets the rate.
            #[must_use]
            pub const fn variable(self) -> &'static str {
                match self { $(Self::$variant => $variable),* }
            }

            /// The default rate.
            #[must_use]
            pub const fn default_rate(self) -> &'static str {
                match self { $(Self::$variant => $default),* }
            }

            /// What is counted, as the beginning of a sentence.
            #[must_use]
            pub const fn counted(self) -> &'static str {
                match self { $(Self::$variant => $counted),* }
            }
        }
    };
}

// A whole office or mobile carrier may share one IPv4 address, so the rates are far above normal use and far below what guessing
// needs; guesses at one account are slowed by `lockout` much sooner.
limits! {
    Register "register" "LIMIT_REGISTER_PER_IP" "30/1h" "Registrations"
    Send     "send"     "LIMIT_SEND_PER_IP"     "20/1h" "Requests for another confirmation email"
    Forgot   "forgot"   "LIMIT_FORGOT_PER_IP"   "20/1h" "Password reset requests"
    Login    "login"    "LIMIT_LOGIN_PER_IP"    "30/5m" "Sign-ins"
    SecondFactor "second_factor" "LIMIT_SECOND_FACTOR_PER_IP" "30/5m" "Second-factor attempts"
    PasskeyOptions "passkey_options" "LIMIT_PASSKEY_OPTIONS_PER_IP" "60/5m" "Requests for passkey options"
    Passkey  "passkey"  "LIMIT_PASSKEY_PER_IP"  "30/5m" "Passkey sign-ins"
    Refresh  "refresh"  "LIMIT_REFRESH_PER_IP"  "600/5m" "Refreshes"
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number of requests per window of time, written `30/5m`: requests, a number, and `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: u32,
    pub window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `off`, or a number of requests and a window of at most a day (s, m, h or d), such as `30/5m`")]
pub struct RateError;

const LONGEST_WINDOW: Duration = Duration::from_hours(24);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (requests, window) = text.split_once('/').ok_or(RateError)?;
        let unit = match window.bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 60 * 60,
            Some(b'd') => 24 * 60 * 60,
            _ => return Err(RateError),
        };
        let (requests, count) = (number(requests)?, number(&window[..window.len() - 1])?);
        let window = Duration::from_secs(u64::from(count) * unit);
        if window > LONGEST_WINDOW { Err(RateError) } else { Ok(Self { requests, window }) }
    }
}

/// Digits only, and not zero: a plus sign or a space is a mistake.
fn number(text: &str) -> Result<u32, RateError> {
    let number = text.parse().map_err(|_| RateError)?;
    if number > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(number) } else { Err(RateError) }
}

/// A window of time in which requests are counted. Windows are aligned to the epoch, so every instance of a function computes the
/// same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Rate {
    #[must_use]
    pub fn window_at(self, now: Timestamp) -> Window {
        let length = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        let starts_at = Timestamp::from_millis(now.millis().div_euclid(length) * length);
        Window { starts_at, ends_at: starts_at.plus(self.window) }
    }
}

/// The count of a client network after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub limit: Limit,
    pub rate: Rate,
    /// Requests in this window, including this one.
    pub used: u32,
    /// Until the window ends.
    pub resets_in: Duration,
}

impl Standing {
    #[must_use]
    pub const fn is_exceeded(&self) -> bool {
        self.used > self.rate.requests
    }

    /// Remaining requests in this window.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        self.rate.requests.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for (text, requests, seconds) in
            [("30/5m", 30, 300), ("1/1s", 1, 1), ("600/1h", 600, 3600), ("10/1d", 10, 86400), ("7/24h", 7, 86400)]
        {
            let window = Duration::from_secs(seconds);
            assert_eq!(text.parse(), Ok(Rate { requests, window }), "{text}");
        }
        for text in [
            "",
            "30",
            "30/",
            "/5m",
            "30/m",
            "30/5",
            "30/5w",
            "0/5m",
            "30/0m",
            "-1/5m",
            "+30/5m",
            "30/+5m",
            "30 / 5m",
            "30/5M",
            "30/5min",
            "3.5/5m",
            "30/2d",
            "30/25h",
            "30/4294967296s",
            "4294967296/1s",
            "30/5m/1h",
            "30/5µ",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }

    #[test]
    fn every_default_is_a_rate_and_names_and_variables_are_unique() {
        for (at, limit) in Limit::ALL.iter().enumerate() {
            assert!(limit.default_rate().parse::<Rate>().is_ok(), "{limit}");
            for other in &Limit::ALL[..at] {
                assert_ne!(limit.as_str(), other.as_str());
                assert_ne!(limit.variable(), other.variable());
            }
        }
    }

    #[test]
    fn windows_follow_one_another_without_a_gap() {
        let rate: Rate = "30/5m".parse().unwrap();
        let at = |seconds| rate.window_at(Timestamp::from_seconds(seconds));
        assert_eq!(at(600).starts_at, Timestamp::from_seconds(600));
        assert_eq!(at(600).ends_at, Timestamp::from_seconds(900));
        assert_eq!(at(899), at(600));
        assert_eq!(at(900).starts_at, at(600).ends_at);
        assert_eq!(rate.window_at(Timestamp::from_millis(899_999)), at(600));
    }

    #[test]
    fn the_last_request_of_a_window_passes_and_the_next_does_not() {
        let rate: Rate = "3/1m".parse().unwrap();
        for (used, remaining, exceeded) in
            [(1, 2, false), (2, 1, false), (3, 0, false), (4, 0, true), (u32::MAX, 0, true)]
        {
            let standing = Standing { limit: Limit::Login, rate, used, resets_in: Duration::ZERO };
            assert_eq!((standing.remaining(), standing.is_exceeded()), (remaining, exceeded), "{used} used");
        }
    }
}
