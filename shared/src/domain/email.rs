//! Email addresses: as typed for display and sending, folded for comparison.

use std::fmt;
use std::str::FromStr;

use email_address::Options;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::Invalid;

/// RFC 5321 leaves 254 octets for an address once the path's angle brackets are taken off (errata 1690).
pub const MAX_BYTES: usize = 254;

/// A valid address, trimmed, otherwise as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

/// An address without regard to case and Unicode form: two addresses with the same folded form are one account's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FoldedAddress(String);

impl EmailAddress {
    /// # Errors
    /// `invalid_email` when it is not an address, `too_long` beyond [`MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(Invalid::new("too_long", format!("An email address has at most {MAX_BYTES} bytes.")));
        }
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let invalid = || Invalid::new("invalid_email", "This is not a valid email address.");
        // The parser takes "ë" for a letter, but not "e" with a combining mark: composed, both are the same address.
        let composed: String = text.nfc().collect();
        let parsed = email_address::EmailAddress::parse_with_options(&composed, options).map_err(|_| invalid())?;
        let domain = ascii_domain(parsed.domain()).ok_or_else(invalid)?;
        // Quoted local parts may hold what would break a mail header or a log line.
        if text.chars().any(char::is_control) || domain.is_empty() {
            return Err(invalid());
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Case and compatibility forms folded in the local part, the domain in its ASCII form (IDNA, UTS 46).
    #[must_use]
    pub fn folded(&self) -> FoldedAddress {
        let (local, domain) = self.parts();
        let local: String = local.nfkc().flat_map(char::to_lowercase).nfkc().collect();
        FoldedAddress(format!("{local}@{}", ascii_domain(domain).unwrap_or_else(|| domain.to_lowercase())))
    }

    /// The address as SES takes it: the domain in its ASCII form.
    #[must_use]
    pub fn for_sending(&self) -> String {
        let (local, domain) = self.parts();
        format!("{local}@{}", ascii_domain(domain).unwrap_or_else(|| domain.to_owned()))
    }

    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }
}

fn ascii_domain(domain: &str) -> Option<String> {
    idna::domain_to_ascii_strict(domain).ok()
}

impl FoldedAddress {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folded form of an address that came from a key or a queue, where it is folded already.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_are_taken() {
        for text in [
            "ada@example.com",
            "  ada@example.com\n",
            "a+b.c@sub.example.co",
            "o'hara@example.com",
            "ada@münchen.de",
            "用户@example.com",
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_refused() {
        let long = format!("{}@example.com", "a".repeat(300));
        for text in [
            "",
            " ",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@example..com",
            "ada@[127.0.0.1]",
            "ada@exa mple.com",
            "Ada <ada@example.com>",
            "ada@example.com, bob@example.com",
            "ada@example.com\r\nBcc: x@example.com",
            "a\0@example.com",
            "ada@-example.com",
            "ada@example.com>",
            &long,
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn one_address_in_many_forms_folds_to_one() {
        for (one, other) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("ada@MÜNCHEN.de", "ada@xn--mnchen-3ya.de"),
            ("jose\u{301}@example.com", "jos\u{e9}@example.com"),
            ("\u{ff41}da@example.com", "ada@example.com"),
        ] {
            assert_eq!(
                EmailAddress::parse(one).unwrap().folded(),
                EmailAddress::parse(other).unwrap().folded(),
                "{one} {other}"
            );
        }
        assert_ne!(
            EmailAddress::parse("a.da@example.com").unwrap().folded(),
            EmailAddress::parse("ada@example.com").unwrap().folded()
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_folding_is_stable(text in ".{0,80}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                let folded = address.folded();
                if let Ok(again) = EmailAddress::parse(folded.as_str()) {
                    prop_assert_eq!(again.folded(), folded);
                }
            }
        }
    }
}
