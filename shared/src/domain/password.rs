//! Passwords: the rules for new ones. They follow NIST SP 800-63B-4 section 3.1.1 and OWASP ASVS 5 chapter 6.2:
//! length only, no composition rules, none of the commonest, none that the account itself gives away.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::email::EmailAddress;
use super::name::UserName;
use super::{Invalid, breached};

pub const MIN_CHARACTERS: usize = 8;
pub const MAX_CHARACTERS: usize = 128;

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

/// What is known of whom a password is for, so that it is none of that (NIST SP 800-63B-4, 3.1.1.2: "context-specific
/// words, such as the name of the service, the username, and derivatives thereof").
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub email: Option<&'a EmailAddress>,
    pub name: Option<&'a UserName>,
    pub product: Option<&'a str>,
}

impl NewPassword {
    /// # Errors
    /// `too_short`, `too_long`, `too_common` when it is in the [`breached`] list, or `too_similar` to what is known.
    pub fn parse(text: &SecretString, known: Known<'_>) -> Result<Self, Invalid> {
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
        let folded = Zeroizing::new(fold(typed));
        if breached::contains(&folded) {
            return Err(Invalid::new("too_common", "This is one of the commonest passwords. Choose another."));
        }
        if known.is(&folded) {
            let detail = "A password must not be your address, your name, or what this service is called.";
            return Err(Invalid::new("too_similar", detail));
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

impl Known<'_> {
    /// Whether a folded password is one of these, be it with digits or signs around it or without those inside.
    fn is(&self, password: &str) -> bool {
        let email = self.email.map(EmailAddress::as_str);
        let local = email.and_then(|email| email.rsplit_once('@')).map(|(local, _)| local);
        let all = [email, local, self.name.map(UserName::as_str), self.product];
        let password_core = core(password);
        all.into_iter().flatten().map(fold).any(|known| {
            let core = core(&known);
            known == password || (!core.is_empty() && core == password_core)
        })
    }
}

/// Without regard to case and Unicode form.
fn fold(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// The letters and digits of a folded text, without the digits at its ends: "adalovelace" of "ada-lovelace1815!".
fn core(folded: &str) -> Zeroizing<String> {
    let plain: Zeroizing<String> = Zeroizing::new(folded.chars().filter(|c| c.is_alphanumeric()).collect());
    Zeroizing::new(plain.trim_matches(char::is_numeric).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NewPassword, Invalid> {
        let email = EmailAddress::parse("Ada.Lovelace@example.com").unwrap();
        let name = UserName::parse("Ada Byron King").unwrap();
        let known = Known { email: Some(&email), name: Some(&name), product: Some("K\u{f6}rner & Söhne") };
        NewPassword::parse(&text.into(), known)
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
            ("ada byron king", "too_similar"),
            ("AdaByronKing1815!", "too_similar"),
            ("\u{ff21}\u{ff24}\u{ff21}.LOVELACE", "too_similar"),
            ("K\u{d6}RNER&S\u{d6}HNE", "too_similar"),
            ("ko\u{308}rner & söhne 2026", "too_similar"),
            ("\u{ff50}assword1", "too_common"),
            ("wykliuk123", "too_common"),
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
