//! The front of the API, if there is one.

use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

/// `FRONT_SECRET_SHA256`: the SHA-256 in hex of the secret that CloudFront sends with each request; two, separated by a comma,
/// while the secret is rotated. Secrets are 256 random bits, which need no slow hash.
#[derive(Debug, Clone)]
pub struct Front(Vec<[u8; 32]>);

impl Front {
    /// Whether a request with this secret came through the front; the time does not depend on which configured secret it is.
    #[must_use]
    pub fn sends(&self, secret: &[u8]) -> bool {
        let hash = digest(&SHA256, secret);
        self.0.iter().fold(false, |known, expected| known | verify_slices_are_equal(hash.as_ref(), expected).is_ok())
    }
}

impl FromStr for Front {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hashes = text.split(',').map(|hash| sha256(hash.trim())).collect::<Option<_>>();
        hashes.map(Self).ok_or("must be one SHA-256 of 64 hex digits, or two separated by a comma")
    }
}

/// Parses a SHA-256 in hex.
pub(super) fn sha256(hex: &str) -> Option<[u8; 32]> {
    let whole = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate().take_while(|_| whole) {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    whole.then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_is_known_by_its_own_secrets_alone() {
        // `printf first | sha256sum`, `printf second | sha256sum`
        let first = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
        let second = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";
        let front: Front = format!("{first},{second}").parse().unwrap();
        for (secret, known) in [("first", true), ("second", true), ("third", false), ("", false), (first, false)] {
            assert_eq!(front.sends(secret.as_bytes()), known, "{secret}");
        }
        for text in ["first", &first[1..], &format!("{first},"), &format!("{first} {second}")] {
            assert!(text.parse::<Front>().is_err(), "{text}");
        }
    }
}
