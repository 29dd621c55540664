//! Email addresses: as typed for display, and the key that they are found by.
//!
//! Only deliverable addresses are accepted: SES does not support SMTPUTF8, so the part before the `@` is ASCII
//! (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html>), and two addresses with one key are one
//! mailbox.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::visible;

/// RFC 5321 leaves 254 octets for an address once the path's angle brackets are taken off (errata 1690).
pub const MAX_BYTES: usize = 254;
/// RFC 5321, 4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;

/// A valid address, without surrounding invisible characters, otherwise as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

/// A normalized address, used as key: lowercase, with the domain in A-labels (RFC 5890). Two addresses with the same key belong
/// to one account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NormalizedEmail(String);

impl EmailAddress {
    /// # Errors
    /// `invalid_email` when no email can be delivered to it, with the reason; `too_long` beyond [`MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = visible::trim(text);
        if text.len() > MAX_BYTES {
            return Err(too_long());
        }
        let (local, domain) =
            text.rsplit_once('@').ok_or_else(|| invalid("Enter an email address in the form name@example.com."))?;
        check_local(local)?;
        let domain = deliverable_domain(domain)
            .ok_or_else(|| invalid("The part after the @ is not a valid domain for email."))?;
        if local.len() + 1 + domain.len() > MAX_BYTES {
            return Err(too_long());
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the address.
    #[must_use]
    pub fn normalized(&self) -> NormalizedEmail {
        NormalizedEmail(self.for_sending().to_lowercase())
    }

    /// The address as SES takes it: the domain in A-labels.
    ///
    /// Earlier versions accepted local parts beyond ASCII. They are normalized to NFKC here as in the key, so that email never goes
    /// to a mailbox other than the one that the key names.
    #[must_use]
    pub fn for_sending(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let domain = ascii_domain(domain).unwrap_or_else(|| domain.to_lowercase());
        if local.is_ascii() {
            return format!("{local}@{domain}");
        }
        format!("{}@{domain}", local.nfkc().flat_map(char::to_lowercase).nfkc().collect::<String>())
    }
}

fn invalid(detail: &str) -> Invalid {
    Invalid::new("invalid_email", detail)
}

fn too_long() -> Invalid {
    Invalid::new("too_long", format!("An email address can have at most {MAX_BYTES} bytes."))
}

/// A dot-atom (RFC 5322, 3.2.3). A quoted string would be a second spelling of a mailbox, or one that hardly any server accepts.
fn check_local(local: &str) -> Result<(), Invalid> {
    let is_atext = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext)) {
        return Err(invalid(
            "The part before the @ can contain the letters a to z, digits, the characters !#$%&'*+-/=?^_`{|}~ and single dots \
             between them. Other letters, spaces, quotes and comments are not supported.",
        ));
    }
    if local.len() > MAX_LOCAL_BYTES {
        return Err(invalid("The part before the @ can have at most 64 characters."));
    }
    Ok(())
}

/// The domain in A-labels, if it can be the domain of a mail server: a DNS name below a top-level domain of letters only.
fn deliverable_domain(domain: &str) -> Option<String> {
    // IDNA would drop invisible characters, so that the displayed address would differ from the compared one.
    if domain.chars().any(visible::is_blank) {
        return None;
    }
    let domain = ascii_domain(domain)?;
    let (_, top) = domain.rsplit_once('.')?;
    let of_letters = top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    (of_letters || top.starts_with("xn--")).then_some(domain)
}

/// IDNA (UTS 46), with the length and character limits of DNS.
fn ascii_domain(domain: &str) -> Option<String> {
    idna::domain_to_ascii_strict(domain).ok()
}

impl NormalizedEmail {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of an address that came from the table or a queue.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether SES can send to it, which is not the case for some addresses accepted by earlier versions.
    #[must_use]
    pub fn is_deliverable(&self) -> bool {
        self.0.is_ascii()
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
        let longest_local = format!("{}@example.com", "a".repeat(64));
        let longest_label = format!("ada@{}.com", "a".repeat(63));
        for text in [
            "ada@example.com",
            "  ada@example.com\n",
            "\u{feff}ada@example.com\u{200b}",
            "a+b.c@sub.example.co",
            "o'hara@example.com",
            "!#$%&'*+-/=?^_`{|}~@example.com",
            "ada@münchen.de",
            "ada@例え.テスト",
            "ada@xn--r8jz45g.xn--zckzah",
            "ada@example。com",
            "ada@EXAMPLE.Museum",
            "1@2.example",
            &longest_local,
            &longest_label,
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_delivered_is_refused_with_the_reason() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("ada@{}.com", "a".repeat(64));
        let long_name = format!("{}.{}.{}@example.com", "a", "b", "c".repeat(60)).replace('c', "é");
        for (text, reason) in [
            ("", "in the form"),
            (" ", "in the form"),
            ("ada", "in the form"),
            // Reported by users of fxa (issue 4643) and django-allauth (issue 2049): look-alikes.
            ("\u{ff41}da@example.com", "before the @"),
            ("\u{17f}am@example.com", "before the @"),
            ("\u{212a}elvin@example.com", "before the @"),
            ("jos\u{e9}@example.com", "before the @"),
            ("用户@example.com", "before the @"),
            ("a\u{200b}da@example.com", "before the @"),
            (&long_name, "before the @"),
            ("\"ada\"@example.com", "before the @"),
            ("\"ada lovelace\"@example.com", "before the @"),
            ("ada(comment)@example.com", "before the @"),
            ("@example.com", "before the @"),
            (".ada@example.com", "before the @"),
            ("ada.@example.com", "before the @"),
            ("a..da@example.com", "before the @"),
            ("a da@example.com", "before the @"),
            ("a\0@example.com", "before the @"),
            ("a@b@example.com", "before the @"),
            ("Ada <ada@example.com>", "before the @"),
            ("ada@example.com, bob@example.com", "before the @"),
            ("ada@example.com\r\nBcc: x@example.com", "before the @"),
            (&long_local, "at most 64"),
            ("ada@", "after the @"),
            ("ada@localhost", "after the @"),
            ("ada@example..com", "after the @"),
            ("ada@example.com.", "after the @"),
            ("ada@.example.com", "after the @"),
            ("ada@[127.0.0.1]", "after the @"),
            ("ada@127.0.0.1", "after the @"),
            ("ada@１２７.0.0.1", "after the @"),
            ("ada@example.123", "after the @"),
            ("ada@example.c0m", "after the @"),
            ("ada@example.c", "after the @"),
            ("ada@exa mple.com", "after the @"),
            ("ada@exam_ple.com", "after the @"),
            ("ada@-example.com", "after the @"),
            ("ada@example-.com", "after the @"),
            ("ada@exam\u{ad}ple.com", "after the @"),
            ("ada@exam\u{200b}ple.com", "after the @"),
            ("ada@xn--a.com", "after the @"),
            ("ada@xn--.com", "after the @"),
            ("ada@example.xn--", "after the @"),
            ("ada@example.com>", "after the @"),
            ("ada@example.com(comment)", "after the @"),
            (&long_label, "after the @"),
        ] {
            let refused = EmailAddress::parse(text).unwrap_err();
            assert_eq!(refused.code, "invalid_email", "{text:?}");
            assert!(refused.detail.contains(reason), "{text:?}: {}", refused.detail);
        }
    }

    #[test]
    fn an_address_has_254_octets_at_most_as_it_is_sent_to() {
        let of = |labels: usize, last: usize| {
            format!("{}@{}{}.com", "a".repeat(64), "a123456789.".repeat(labels), "b".repeat(last))
        };
        for (text, sent) in [(of(16, 9), 254), (of(16, 10), 255), (of(90, 9), 1068)] {
            assert_eq!(text.len(), sent);
            let parsed = EmailAddress::parse(&text);
            assert_eq!(parsed.map_err(|refused| refused.code).err(), (sent > 254).then_some("too_long"), "{sent}");
        }
        // It is counted in A-labels.
        let wide = format!("{}@{}de", "a".repeat(64), "üö.".repeat(27));
        assert!(wide.len() <= 254, "{}", wide.len());
        assert_eq!(EmailAddress::parse(&wide).unwrap_err().code, "too_long");
    }

    #[test]
    fn one_mailbox_has_one_key() {
        for (one, other) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("ada@MÜNCHEN.de", "ada@xn--mnchen-3ya.de"),
            ("ada@mu\u{308}nchen.de", "ada@münchen.de"),
            ("ada@ｅxample.com", "ada@example.com"),
            ("ada@example。com", "ada@example.com"),
        ] {
            let key = |text| EmailAddress::parse(text).unwrap().normalized();
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        for (one, other) in [("a.da@example.com", "ada@example.com"), ("ada@straße.de", "ada@strasse.de")] {
            assert_ne!(
                EmailAddress::parse(one).unwrap().normalized(),
                EmailAddress::parse(other).unwrap().normalized()
            );
        }
    }

    /// What an earlier version took is still found by its key, and email about it goes where that says.
    #[test]
    fn a_stored_address_of_an_earlier_version_keeps_its_key() {
        for (stored, key, deliverable) in [
            ("\u{ff41}da@example.com", "ada@example.com", true),
            ("\u{212a}elvin@Example.com", "kelvin@example.com", true),
            ("Jose\u{301}@example.com", "josé@example.com", false),
            ("\"ada\"@example.com", "\"ada\"@example.com", true),
        ] {
            let address = EmailAddress(stored.to_owned());
            assert_eq!(address.normalized().as_str(), key);
            assert_eq!(address.for_sending().to_lowercase(), key);
            assert_eq!(address.normalized().is_deliverable(), deliverable, "{stored}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_a_normalized_email_normalizes_to_itself(text in ".{0,80}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                let again = EmailAddress::parse(address.normalized().as_str()).unwrap();
                prop_assert_eq!(again.normalized(), address.normalized());
            }
        }

        /// No two mailboxes share a key: whatever is typed, email goes to the address that the key is the lower-case form of.
        #[test]
        fn addresses_with_one_key_differ_in_case_alone(
            local in "[a-cA-C\u{ff41}-\u{ff43}\u{17f}\u{212a}.\"]{1,4}",
            domain in "[a-cA-C\u{e4}\u{c4}\u{ff41}\u{200b}\u{3002}.]{1,5}\\.(com|COM|de)",
        ) {
            if let Ok(address) = EmailAddress::parse(&format!("{local}@{domain}")) {
                prop_assert!(address.for_sending().is_ascii());
                let (key, sent) = (address.normalized(), address.for_sending());
                prop_assert_eq!(key.as_str(), sent.to_ascii_lowercase());
                prop_assert_eq!(sent.split('@').next(), Some(local.as_str()));
            }
        }
    }
}
