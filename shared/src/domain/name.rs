//! A user's name.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::visible;

pub const MAX_CHARACTERS: usize = 100;

/// 1 to 100 characters in NFC, at least one of them visible, without control characters and without invisible characters at the
/// ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    /// # Errors
    /// `required` without a visible character, `too_long` beyond [`MAX_CHARACTERS`], `invalid_characters` for characters that
    /// control a terminal, an email header or the direction of surrounding text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if !visible::is_visible(text) {
            return Err(Invalid::new("required", "A name must contain at least one visible character."));
        }
        if text.trim().chars().any(is_control) {
            return Err(Invalid::new("invalid_characters", "A name cannot contain control characters."));
        }
        let name: String = visible::trim(text).nfc().collect();
        if name.chars().count() > MAX_CHARACTERS {
            return Err(Invalid::new("too_long", format!("A name can have at most {MAX_CHARACTERS} characters.")));
        }
        Ok(Self(name))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line and paragraph separators, and bidirectional overrides that disguise text (Trojan Source).
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_keeps_every_script() {
        for (text, name) in [
            ("  Ada Lovelace ", "Ada Lovelace"),
            ("Łukasz 王", "Łukasz 王"),
            ("e\u{301}", "é"),
            ("👩‍💻", "👩‍💻"),
            ("\u{200f}\u{2060} Ada\u{200b}\u{3164}", "Ada"),
        ] {
            assert_eq!(UserName::parse(text).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_are_refused() {
        let long = "a".repeat(101);
        for (text, code) in [
            ("", "required"),
            (" \t", "required"),
            ("\u{3164}", "required"),
            ("\u{2800} \u{200b}", "required"),
            ("\u{202e}", "required"),
            ("\u{301}", "required"),
            (&long, "too_long"),
            ("a\nb", "invalid_characters"),
            ("a\0", "invalid_characters"),
            ("a\u{202e}b", "invalid_characters"),
            ("Ada\u{202e}", "invalid_characters"),
        ] {
            assert_eq!(UserName::parse(text).unwrap_err().code, code, "{text:?}");
        }
        assert!(UserName::parse(&"ä".repeat(100)).is_ok());
    }
}
