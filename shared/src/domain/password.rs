//! Passwords: how they are stored, and the rules for new ones. These follow NIST SP 800-63B-4 section 3.1.1 and OWASP ASVS 5
//! chapter 6.2: a minimum length, no composition rules, no common passwords, none derived from the account itself.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::email::EmailAddress;
use super::name::UserName;
use super::{Invalid, breached};

pub const MAX_CHARACTERS: usize = 128;

/// The minimum length of new passwords in characters, 8 to 64: 8 is OWASP ASVS 5, 6.2.1; NIST SP 800-63B-4, 3.1.1.2, requires 15
/// if the password is the only factor, and that 64 are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinLength(usize);

impl MinLength {
    #[must_use]
    pub const fn characters(self) -> usize {
        self.0
    }
}

impl Default for MinLength {
    fn default() -> Self {
        Self(8)
    }
}

impl FromStr for MinLength {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.parse().ok().filter(|length| (8..=64).contains(length));
        length.map(Self).ok_or("must be a number from 8 to 64")
    }
}

/// A password as typed.
#[derive(Debug, Clone)]
pub struct Password {
    /// In NFC (NIST SP 800-63B-4, 3.1.1.2: normalize before hashing).
    normalized: SecretString,
    typed: SecretString,
}

impl Password {
    /// Accepts any input; only a [`NewPassword`] has rules.
    #[must_use]
    pub fn new(text: &SecretString) -> Self {
        Self { normalized: text.expose_secret().nfc().collect::<String>().into(), typed: text.clone() }
    }

    /// What this service hashes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.normalized.expose_secret().as_bytes()
    }

    /// As typed: hashes of other systems have their own normalization.
    #[must_use]
    pub fn typed(&self) -> &str {
        self.typed.expose_secret()
    }
}

/// A stored password hash: a PHC string of argon2id, which contains its cost, or an
/// [`ImportedPassword`](super::imported::ImportedPassword) as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(HashText);

/// A text that cannot be printed, but compared.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct HashText(SecretString);

impl PartialEq for HashText {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for HashText {}

impl fmt::Debug for HashText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Serialize for PasswordHash {
    /// For the store, the only place it is written to.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl PasswordHash {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(HashText(text.into()))
    }

    /// The PHC string, or the text of an imported password.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.0.expose_secret()
    }

    /// Whether it was imported, and not yet replaced after a successful sign-in.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.imported_kind().is_some()
    }

    /// Its kind in the counts of password kinds, if it is imported.
    #[must_use]
    pub fn imported_kind(&self) -> Option<&str> {
        self.expose().strip_prefix(IMPORTED)?.split_once(' ').map(|(kind, _)| kind)
    }

    /// A PHC string without its output; none for imported passwords.
    #[must_use]
    pub fn parameters(&self) -> Option<HashParameters> {
        if self.is_imported() {
            return None;
        }
        let text = self.expose();
        Some(HashParameters(text.rsplit_once('$').map_or(text, |(parameters, _)| parameters).to_owned()))
    }
}

/// The prefix of an imported password, followed by its kind, a space and JSON; a PHC string begins with `$`.
pub(crate) const IMPORTED: &str = "imported:";

/// The inputs of a hash besides the password: algorithm, version, cost and salt, as a PHC string without its output. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashParameters(String);

impl HashParameters {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password that satisfies the rules for new passwords.
#[derive(Debug, Clone)]
pub struct NewPassword(Password);

/// Context of the account that a password must not be derived from (NIST SP 800-63B-4, 3.1.1.2: "context-specific words, such as
/// the name of the service, the username, and derivatives thereof").
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub email: Option<&'a EmailAddress>,
    pub name: Option<&'a UserName>,
    pub product: Option<&'a str>,
}

impl NewPassword {
    /// # Errors
    /// `too_short`, `too_long`, `too_common` if it is in the [`breached`] list, or `too_similar` to the context.
    pub fn parse(text: &SecretString, shortest: MinLength, known: Known<'_>) -> Result<Self, Invalid> {
        let password = Password::new(text);
        let typed = password.normalized.expose_secret();
        let length = typed.chars().count();
        if length < shortest.0 {
            return Err(Invalid::new("too_short", format!("A password must have at least {} characters.", shortest.0)));
        }
        if length > MAX_CHARACTERS {
            return Err(Invalid::new("too_long", format!("A password can have at most {MAX_CHARACTERS} characters.")));
        }
        let folded = Zeroizing::new(fold(typed));
        if breached::contains(&folded) {
            return Err(Invalid::new("too_common", "This password is too common. Choose another one."));
        }
        if known.is(&folded) {
            let detail = "A password cannot be your email address, your name or the name of this service.";
            return Err(Invalid::new("too_similar", detail));
        }
        Ok(Self(password))
    }

    /// A password that is already in use, which remains valid whatever the current rules are.
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
    /// Whether a folded password is one of these, ignoring surrounding digits and signs, and signs inside.
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

/// Normalizes case and Unicode form.
fn fold(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// The letters and digits of a folded text, without digits at its ends: "adalovelace" for "ada-lovelace1815!".
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
        NewPassword::parse(&text.into(), MinLength::default(), known)
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
    fn the_shortest_length_is_8_to_64() {
        for text in ["", "7", "65", "-8", "8.5", "eight"] {
            assert!(text.parse::<MinLength>().is_err(), "{text}");
        }
        for length in [8, 15, 64] {
            let shortest = length.to_string().parse().unwrap();
            let parse = |length| NewPassword::parse(&"\u{e4}".repeat(length).into(), shortest, Known::default());
            assert!(parse(length).is_ok());
            let invalid = parse(length - 1).unwrap_err();
            assert_eq!(invalid.code, "too_short");
            assert!(invalid.detail.contains(&length.to_string()), "{}", invalid.detail);
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
