//! Recovery codes: single-use codes for an account whose second factor is lost.
//!
//! 120 random bits each. From 112 bits on, OWASP ASVS 5 (6.5.2) requires only a plain hash instead of a slow one, because guessing
//! is infeasible: so verifying a code takes no time, and creating ten does not need ten password hashes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::{Encoding, Specification};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::clock::Timestamp;

/// Codes in a set.
pub const CODES: usize = 10;
const LENGTH: usize = 15;
const GROUP: usize = 4;

/// Douglas Crockford's base32 (<https://www.crockford.com/base32.html>): no letter looks like a digit, and look-alikes are decoded
/// as the digit. Hyphens and spaces are separators.
static ALPHABET: LazyLock<Encoding> = LazyLock::new(|| {
    let mut alphabet = Specification::new();
    alphabet.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    alphabet.translate.from.push_str("abcdefghjkmnpqrstvwxyzIiLlOo");
    alphabet.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ111100");
    alphabet.ignore.push_str("- ");
    alphabet.encoding().expect("the alphabet is one")
});

/// A code of this service or of another system.
#[derive(Debug)]
pub struct RecoveryCode {
    /// The bytes, if it can be a code of this service.
    own: Option<SecretBox<[u8; LENGTH]>>,
    folded: SecretString,
}

/// Lengths of codes of other systems, without separators.
const IMPORTED_LENGTHS: std::ops::RangeInclusive<usize> = 6..=64;

impl RecoveryCode {
    #[must_use]
    pub fn new() -> Self {
        let bytes = SecretBox::new(Box::new(crate::random::bytes()));
        let folded = fold(&ALPHABET.encode(bytes.expose_secret()));
        Self { own: Some(bytes), folded }
    }

    /// The displayed form: six groups of four characters.
    #[must_use]
    pub fn encode(&self) -> SecretString {
        let text = SecretString::from(self.folded().to_uppercase());
        let groups: Vec<_> = text
            .expose_secret()
            .as_bytes()
            .chunks(GROUP)
            .map(|group| std::str::from_utf8(group).unwrap_or_default())
            .collect();
        groups.join("-").into()
    }

    /// # Errors
    /// When it can be neither a code of this service nor of another system.
    pub fn parse(text: &SecretString) -> Result<Self, Invalid> {
        let text = text.expose_secret();
        let own = ALPHABET.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let folded = fold(text);
        let length = folded.expose_secret().len();
        let another =
            IMPORTED_LENGTHS.contains(&length) && folded.expose_secret().bytes().all(|c| c.is_ascii_alphanumeric());
        if own.is_none() && !another {
            let detail = "A recovery code has 24 letters and digits, in groups of four.";
            return Err(Invalid::new("invalid_recovery_code_format", detail));
        }
        Ok(Self { own: own.map(|bytes| SecretBox::new(Box::new(bytes))), folded })
    }

    /// The stored hash of a code of this service. A look-up compares hashes, so its timing reveals nothing about a code.
    #[must_use]
    pub fn hash(&self) -> Option<RecoveryHash> {
        let own = self.own.as_ref()?;
        Some(RecoveryHash::of_bytes(digest::digest(&digest::SHA256, own.expose_secret()).as_ref()))
    }

    /// Its letters and digits in lowercase, which identify codes of other systems.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.folded.expose_secret()
    }
}

fn fold(text: &str) -> SecretString {
    text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_lowercase()).collect::<String>().into()
}

impl Default for RecoveryCode {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of a code, base64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryHash(String);

impl RecoveryHash {
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An exported hash of a code of this service.
    ///
    /// # Errors
    /// When it is not 32 bytes of URL-safe base64.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let valid = URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == digest::SHA256_OUTPUT_LEN);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("invalid_hash", "A hash must be a SHA-256 in URL-safe base64."))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The remaining codes of a set. A map, so that a single write removes one of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverySet {
    codes: BTreeMap<RecoveryHash, bool>,
    pub created_at: Timestamp,
    /// For codes of another system: they are short, so a MAC of each is stored, made with this encrypted key of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_key: Option<String>,
}

impl RecoverySet {
    /// A new set, and its codes for the owner, which are stored nowhere.
    #[must_use]
    pub fn new(now: Timestamp) -> (Self, [RecoveryCode; CODES]) {
        let codes = std::array::from_fn(|_| RecoveryCode::new());
        let hashes = codes.iter().filter_map(RecoveryCode::hash);
        (Self::of_hashes(hashes, None, now), codes)
    }

    /// A set from hashes of the remaining codes.
    #[must_use]
    pub fn of_hashes(
        hashes: impl IntoIterator<Item = RecoveryHash>,
        sealed_key: Option<String>,
        created_at: Timestamp,
    ) -> Self {
        Self { codes: hashes.into_iter().map(|hash| (hash, true)).collect(), created_at, sealed_key }
    }

    /// The hashes of the remaining codes.
    pub fn hashes(&self) -> impl Iterator<Item = &RecoveryHash> {
        self.codes.keys()
    }

    #[must_use]
    pub fn has(&self, hash: &RecoveryHash) -> bool {
        self.codes.contains_key(hash)
    }

    #[must_use]
    pub fn left(&self) -> usize {
        self.codes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = RecoveryCode::new();
        let text = code.encode().expose_secret().to_owned();
        assert_eq!(text.len(), 29);
        assert!(text.split('-').all(|group| group.len() == 4) && text.split('-').count() == 6, "{text}");
        for written in [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!(" {text} "),
            text.replace('0', "O").replace('1', "l"),
            text.replace('0', "o").replace('1', "I"),
        ] {
            assert_eq!(RecoveryCode::parse(&written.clone().into()).unwrap().hash(), code.hash(), "{written}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused_by_its_form() {
        let short = RecoveryCode::new().encode().expose_secret()[..28].to_owned();
        for text in ["287082", "UUUU-UUUU-UUUU-UUUU-UUUU-UUUU", &short, &format!("{short}00")] {
            assert_eq!(RecoveryCode::parse(&text.into()).unwrap().hash(), None, "{text} is another system's");
        }
        for text in ["", "0", "28708", "ümlaut-code", "a+b+c+d+e+f", &"x".repeat(65)] {
            assert_eq!(RecoveryCode::parse(&text.into()).unwrap_err().code, "invalid_recovery_code_format", "{text}");
        }
    }

    #[test]
    fn a_set_has_ten_different_codes_and_shows_none() {
        let (set, codes) = RecoverySet::new(Timestamp::from_seconds(1_700_000_000));
        assert_eq!(set.left(), CODES);
        assert!(codes.iter().all(|code| set.has(&code.hash().unwrap())));
        assert!(!set.has(&RecoveryCode::new().hash().unwrap()));
        assert!(format!("{codes:?}").contains("REDACTED"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in ".{0,40}") {
            let _ = RecoveryCode::parse(&text.into());
        }
    }
}
