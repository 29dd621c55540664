//! What came of a request.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered, with any status: 302 and 500 are answers. The status says whether the message was received, so an
    /// answer counts even if its body never ends.
    Answered {
        status: u16,
        /// The beginning of the body: at most as many bytes as the limit, and those that came in time. U+FFFD replaces what is
        /// not UTF-8.
        body: String,
        /// From looking up the name to the last byte that was read.
        took: Duration,
        /// The answer's `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, counted from the answer's own `Date`. The receiver
        /// chooses it, so it has no upper limit here.
        retry_after: Option<Duration>,
    },
    /// There was no answer. The receiver may have the message all the same.
    Failed { reason: Reason },
}

/// Why there was no answer. An administrator may see it: it does not tell which address a name resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Requests must not go to the URL, or to any address of its host. No connection was made.
    AddressRefused,
    /// The host has no address, or its name could not be looked up.
    Dns,
    /// No address of the host accepted a TCP connection.
    Connect,
    /// The TLS handshake failed: most often the certificate is not from a trusted authority, has expired, or has another name.
    Tls,
    /// No answer came in time.
    Timeout,
    /// The head of the answer has more than 16 KiB or 100 fields.
    TooLarge,
    /// The connection ended before the head of an answer, or what came is not HTTP/1.1.
    Protocol,
}

impl Reason {
    pub const ALL: [Self; 7] =
        [Self::AddressRefused, Self::Dns, Self::Connect, Self::Tls, Self::Timeout, Self::TooLarge, Self::Protocol];

    /// Its stable name, for logs, tables and APIs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressRefused => "address_refused",
            Self::Dns => "dns_failed",
            Self::Connect => "connect_failed",
            Self::Tls => "tls_failed",
            Self::Timeout => "timed_out",
            Self::TooLarge => "answer_too_large",
            Self::Protocol => "protocol_error",
        }
    }
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let field = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let value = field(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let next = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(field(DATE)?).ok()?;
    Some(next.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";
        for (value, date, seconds) in [
            (Some("120"), None, Some(120)),
            (Some(" 0 "), None, Some(0)),
            (Some("18446744073709551615"), None, Some(u64::MAX)),
            (Some("18446744073709551616"), None, None),
            (Some("1.5"), None, None),
            (Some("-1"), None, None),
            (Some("soon"), Some(NOON), None),
            (Some("Sun, 06 Nov 1994 12:01:30 GMT"), Some(NOON), Some(90)),
            (Some("Sunday, 06-Nov-94 12:01:30 GMT"), Some(NOON), Some(90)),
            (Some("Sun, 06 Nov 1994 11:59:00 GMT"), Some(NOON), Some(0)),
            (Some("Sun, 06 Nov 1994 12:01:30 GMT"), None, None),
            (Some("Sun, 06 Nov 1994 12:01:30 GMT"), Some("noon"), None),
            (None, Some(NOON), None),
        ] {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert(RETRY_AFTER, value.parse().unwrap()));
            date.map(|date| headers.insert(DATE, date.parse().unwrap()));
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{value:?} {date:?}");
        }
    }
}
