//! Passwords: the rules for new ones. They follow NIST SP 800-63B-4 section 3.1.1 and OWASP ASVS 5 chapter 6.2:
//! length only, no composition rules, none of the commonest, none that the account itself gives away.

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::Invalid;
use super::email::EmailAddress;
use super::name::UserName;

pub const MIN_CHARACTERS: usize = 8;
pub const MAX_CHARACTERS: usize = 128;

/// The passwords of at least eight characters among the 20,000 commonest that the Django project collected
/// (`django/contrib/auth/common-passwords.txt.gz`, BSD licence), in lower case, one a line.
static COMMONEST: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("common-passwords.txt").lines().collect());

/// A password as someone typed it, in NFC (NIST SP 800-63B-4, 3.1.1.2: normalise before hashing).
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Takes whatever was typed; only a [`NewPassword`] has rules.
    #[must_use]
    pub fn new(text: &SecretString) -> Self {
        Self(text.expose_secret().nfc().collect::<String>().into())
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// A password that may be set.
#[derive(Debug, Clone)]
pub struct NewPassword(Password);

impl NewPassword {
    /// # Errors
    /// `too_short`, `too_long`, `too_common`, or `too_similar` to the address or the name.
    pub fn parse(text: &SecretString, email: Option<&EmailAddress>, name: Option<&UserName>) -> Result<Self, Invalid> {
        let password = Password::new(text);
        let typed = password.0.expose_secret();
        match typed.chars().count() {
            0..MIN_CHARACTERS => {
                return Err(Invalid::new("too_short", format!("A password has at least {MIN_CHARACTERS} characters.")));
            }
            MIN_CHARACTERS..=MAX_CHARACTERS => {}
            _ => {
                return Err(Invalid::new("too_long", format!("A password has at most {MAX_CHARACTERS} characters.")));
            }
        }
        let folded = typed.to_lowercase();
        if COMMONEST.contains(folded.as_str()) {
            return Err(Invalid::new("too_common", "This is one of the commonest passwords. Choose another."));
        }
        let email = email.map(|email| email.as_str().to_lowercase());
        let local = email.as_deref().and_then(|email| email.split('@').next());
        let name = name.map(|name| name.as_str().to_lowercase());
        if [email.as_deref(), local, name.as_deref()].into_iter().flatten().any(|known| known == folded) {
            return Err(Invalid::new("too_similar", "A password must not be your address or your name."));
        }
        Ok(Self(password))
    }

    /// A password that is in use already, and so may stay whatever the rules are today.
    #[must_use]
    pub const fn known(password: Password) -> Self {
        Self(password)
    }

    #[must_use]
    pub const fn password(&self) -> &Password {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NewPassword, Invalid> {
        let email = EmailAddress::parse("Ada.Lovelace@example.com").unwrap();
        let name = UserName::parse("Ada Lovelace").unwrap();
        NewPassword::parse(&text.into(), Some(&email), Some(&name))
    }

    #[test]
    fn passwords_that_may_be_set() {
        for text in
            ["correct horse", "ääääääää", "        x", "nul\0nul\0", &"x".repeat(128), "パスワードを入力してください"]
        {
            assert!(parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn passwords_that_are_refused() {
        for (text, code) in [
            ("", "too_short"),
            ("1234567", "too_short"),
            (&"x".repeat(129), "too_long"),
            ("password1", "too_common"),
            ("PassWord1", "too_common"),
            ("ada.lovelace@EXAMPLE.com", "too_similar"),
            ("ada.lovelace", "too_similar"),
            ("ada lovelace", "too_similar"),
        ] {
            assert_eq!(parse(text).unwrap_err().code, code, "{text:?}");
        }
    }

    #[test]
    fn length_counts_characters_after_composition() {
        assert_eq!(parse(&"e\u{301}".repeat(7)).unwrap_err().code, "too_short");
        assert_eq!(parse(&"e\u{301}".repeat(8)).unwrap().password().as_bytes(), "é".repeat(8).as_bytes());
    }

    #[test]
    fn a_password_does_not_print() {
        assert!(!format!("{:?}", parse("correct horse").unwrap()).contains("correct"));
    }
}
