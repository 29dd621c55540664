//! A fingerprint of a sign-in for noticing an unknown client: program, system and network.

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::id::UserId;

/// The program and system of a user agent, as our own description: its raw text is untrusted and is not put in emails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAgentFingerprint {
    pub program: Program,
    pub system: System,
}

macro_rules! known_by_name {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal [$($mark:literal),*])* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant,)* Other }

        impl $name {
            /// The first whose marker is in the user agent: the order matters, because many also claim to be others.
            fn of(user_agent: &str) -> Self {
                $(if [$($mark),*].iter().any(|mark| user_agent.contains(mark)) { return Self::$variant; })*
                Self::Other
            }

            const fn as_str(self) -> Option<&'static str> {
                match self { $(Self::$variant => Some($text),)* Self::Other => None }
            }
        }
    };
}

known_by_name! {
    Program {
        Edge "Edge" ["Edg/", "EdgA/", "EdgiOS/"]
        Opera "Opera" ["OPR/", "OPT/"]
        Samsung "Samsung Internet" ["SamsungBrowser/"]
        Firefox "Firefox" ["Firefox/", "FxiOS/"]
        Chrome "Chrome" ["Chrome/", "CriOS/", "Chromium/"]
        Safari "Safari" ["Safari/"]
        Curl "curl" ["curl/"]
    }
}

known_by_name! {
    System {
        Android "Android" ["Android"]
        Ios "iOS" ["iPhone", "iPad", "iOS"]
        Windows "Windows" ["Windows"]
        MacOs "macOS" ["Macintosh", "Mac OS X", "Darwin"]
        ChromeOs "ChromeOS" ["CrOS"]
        Linux "Linux" ["Linux"]
    }
}

impl UserAgentFingerprint {
    /// Versions are ignored, so that an update does not change the fingerprint.
    #[must_use]
    pub fn of(user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.unwrap_or_default();
        Self { program: Program::of(user_agent), system: System::of(user_agent) }
    }
}

impl fmt::Display for UserAgentFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.as_str().unwrap_or("an unknown browser or app");
        match self.system.as_str() {
            Some(system) => write!(f, "{program} on {system}"),
            None => f.write_str(program),
        }
    }
}

/// What an account stores of a sign-in: a hash of program, system and network, so that its item does not list where the owner has
/// been. Networks are an IPv4 /24 or an IPv6 /48, the size of a household or office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FingerprintHash(String);

impl FingerprintHash {
    #[must_use]
    pub fn of(user: UserId, user_agent: Option<&str>, source_ip: Option<&str>) -> Self {
        let UserAgentFingerprint { program, system } = UserAgentFingerprint::of(user_agent);
        let network = source_ip.and_then(|ip| ip.parse().ok()).map(network);
        let whole = digest(&SHA256, format!("{user} {program:?} {system:?} {network:?}").as_bytes());
        Self(URL_SAFE_NO_PAD.encode(&whole.as_ref()[..16]))
    }
}

fn network(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets()[..3].to_vec(),
        IpAddr::V6(ip) => ip.octets()[..6].to_vec(),
    }
}

/// How many fingerprints an account stores: the most recent ones.
pub const REMEMBERED: usize = 10;

/// Whether an account knows the fingerprint of a sign-in, and the fingerprints to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognition {
    Known,
    /// The first stored one: there were none before, or all were deleted.
    First(Vec<FingerprintHash>),
    /// A new one, of which the owner is notified.
    New(Vec<FingerprintHash>),
}

/// Sign-ins are rare, because sessions last for weeks: an email for each new program or network is not too much.
#[must_use]
pub fn recognize(known: &[FingerprintHash], fingerprint: &FingerprintHash) -> Recognition {
    if known.contains(fingerprint) {
        return Recognition::Known;
    }
    let forgotten = (known.len() + 1).saturating_sub(REMEMBERED);
    let remembered = known.iter().skip(forgotten).chain([fingerprint]).cloned().collect();
    if known.is_empty() { Recognition::First(remembered) } else { Recognition::New(remembered) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

    #[test]
    fn a_user_agent_is_called_by_words_of_ours() {
        let edge = format!("{CHROME} Edg/143.0.0.0");
        for (user_agent, called) in [
            (FIREFOX, "Firefox on Linux"),
            (CHROME, "Chrome on Windows"),
            (edge.as_str(), "Edge on Windows"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
                "Safari on iOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/143.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("Call 1 800 555 0100 now", "an unknown browser or app"),
            ("", "an unknown browser or app"),
        ] {
            assert_eq!(UserAgentFingerprint::of(Some(user_agent)).to_string(), called, "{user_agent}");
        }
        assert_eq!(UserAgentFingerprint::of(None).to_string(), "an unknown browser or app");
    }

    #[test]
    fn a_fingerprint_survives_updates_and_other_addresses_of_its_network() {
        let user = UserId::new(Timestamp::from_seconds(1_700_000_000));
        let of = |user_agent: &str, ip: &str| FingerprintHash::of(user, Some(user_agent), Some(ip));
        let own = of(FIREFOX, "203.0.113.7");
        for (same, user_agent, ip) in [
            (true, FIREFOX.replace("146", "147").as_str(), "203.0.113.7"),
            (true, FIREFOX, "203.0.113.200"),
            (true, FIREFOX, "::ffff:203.0.113.7"),
            (false, FIREFOX, "203.0.114.7"),
            (false, FIREFOX, "2001:db8::7"),
            (false, CHROME, "203.0.113.7"),
            (false, "", "203.0.113.7"),
            (false, FIREFOX, "no address"),
        ] {
            assert_eq!(of(user_agent, ip) == own, same, "{user_agent} {ip}");
        }
        assert_eq!(of(FIREFOX, "2001:db8:1:2::3"), of(FIREFOX, "2001:db8:1:ffff::1"));
        assert_ne!(of(FIREFOX, "2001:db8:1:2::3"), of(FIREFOX, "2001:db8:2:2::3"));
        let other = UserId::new(Timestamp::from_seconds(1_700_000_000));
        assert_ne!(
            FingerprintHash::of(other, Some(FIREFOX), Some("203.0.113.7")),
            own,
            "no two accounts are seen to share one"
        );
    }

    #[test]
    fn a_new_fingerprint_is_remembered_and_reported_unless_it_is_the_first() {
        let hash = |number: usize| FingerprintHash(number.to_string());
        let hashes = |numbers: std::ops::Range<usize>| numbers.map(hash).collect::<Vec<_>>();
        for (known, number, expected) in [
            (0..0, 0, Recognition::First(hashes(0..1))),
            (0..1, 0, Recognition::Known),
            (0..1, 1, Recognition::New(hashes(0..2))),
            (0..10, 3, Recognition::Known),
            (0..10, 10, Recognition::New(hashes(1..11))),
        ] {
            assert_eq!(recognize(&hashes(known.clone()), &hash(number)), expected, "{number} after {known:?}");
        }
    }
}
