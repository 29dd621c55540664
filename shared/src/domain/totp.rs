//! One-time codes of an authenticator app: TOTP (RFC 6238) as every app has it, with SHA-1, six digits and steps of 30
//! seconds. HMAC and the comparison are AWS-LC's, as everywhere here; what is left of the RFC is ten lines.

use std::fmt::Write;

use aws_lc_rs::{constant_time, hmac};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::clock::Timestamp;

/// 160 bits, as RFC 4226, 4 recommends.
pub const SECRET_LENGTH: usize = 20;
const DIGITS: usize = 6;
const PERIOD_SECONDS: i64 = 30;
/// Clocks may be apart by one step in each direction (RFC 6238, 5.2).
const DRIFT: std::ops::RangeInclusive<i64> = -1..=1;

/// What the app and this service share.
#[derive(Debug)]
pub struct TotpSecret(SecretBox<[u8; SECRET_LENGTH]>);

/// A stretch of 30 seconds, counted from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(i64);

impl Step {
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self(now.seconds().div_euclid(PERIOD_SECONDS))
    }

    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// Six digits that somebody typed.
#[derive(Debug)]
pub struct TotpCode(SecretBox<[u8; DIGITS]>);

impl TotpCode {
    /// Takes the digits with spaces between them, too: apps show them so.
    ///
    /// # Errors
    /// When they are not six digits.
    pub fn parse(text: &SecretString) -> Result<Self, Invalid> {
        let digits: Vec<u8> = text.expose_secret().bytes().filter(|byte| *byte != b' ').collect();
        match <[u8; DIGITS]>::try_from(digits) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(SecretBox::new(Box::new(digits)))),
            _ => Err(Invalid::new("invalid_code_format", "A code has six digits.")),
        }
    }
}

impl TotpSecret {
    #[must_use]
    pub fn new() -> Self {
        Self::from_bytes(crate::random::bytes())
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; SECRET_LENGTH]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    #[must_use]
    pub fn expose(&self) -> &[u8; SECRET_LENGTH] {
        self.0.expose_secret()
    }

    /// For whoever types it into an app: 32 characters of base32.
    #[must_use]
    pub fn base32(&self) -> SecretString {
        BASE32_NOPAD.encode(self.expose()).into()
    }

    /// What the QR code says, in the form that authenticator apps agree on
    /// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    #[must_use]
    pub fn otpauth_url(&self, issuer: &str, account: &str) -> SecretString {
        // A colon divides issuer and account.
        let issuer = percent_encode(&issuer.replace(':', " "));
        let (account, secret) = (percent_encode(account), self.base32());
        let secret = secret.expose_secret();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={PERIOD_SECONDS}"
        )
        .into()
    }

    /// The code of a step: HOTP (RFC 4226, 5.3) of its number.
    #[must_use]
    pub fn code(&self, step: Step) -> [u8; DIGITS] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.expose());
        let mac = hmac::sign(&key, &step.0.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[mac.len() - 1] & 0xf);
        let mut number = [0; 4];
        number.copy_from_slice(&mac[offset..offset + 4]);
        let mut number = u32::from_be_bytes(number) & 0x7fff_ffff;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        digits
    }

    /// The step that `code` belongs to, if it is later than the last that was taken: a code counts once (RFC 6238, 5.2).
    /// All steps are compared, in constant time; should the code be that of two, it is used up for both.
    #[must_use]
    pub fn accept(&self, code: &TotpCode, last: Option<Step>, now: Timestamp) -> Option<Step> {
        let steps = DRIFT.map(|drift| Step(Step::at(now).0 + drift));
        let same =
            |step: &Step| constant_time::verify_slices_are_equal(&self.code(*step), code.0.expose_secret()).is_ok();
        steps.filter(same).max().filter(|step| last.is_none_or(|last| *step > last))
    }
}

impl Default for TotpSecret {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything but RFC 3986's unreserved characters: a form's `+` for a space would be shown as a plus.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a text does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    fn typed(digits: [u8; DIGITS]) -> TotpCode {
        TotpCode::parse(&String::from_utf8(digits.to_vec()).unwrap().into()).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, b"287082"),
            (1_111_111_109, b"081804"),
            (1_111_111_111, b"050471"),
            (1_234_567_890, b"005924"),
            (2_000_000_000, b"279037"),
            (20_000_000_000, b"353130"),
        ] {
            assert_eq!(&secret().code(Step::at(at(seconds))), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_not_two() {
        let now = at(1_234_567_890);
        let step = Step::at(now);
        for (drift, taken) in [(-3, false), (-2, false), (-1, true), (0, true), (1, true), (2, false), (3, false)] {
            let of = Step(step.0 + drift);
            let accepted = secret().accept(&typed(secret().code(of)), None, now);
            assert_eq!(accepted, taken.then_some(of), "{drift}");
        }
    }

    #[test]
    fn only_a_step_later_than_the_last_is_taken() {
        let now = at(1_234_567_890);
        let step = Step::at(now);
        for (last, taken) in [(-2, true), (-1, true), (0, false), (1, false)] {
            let last = Some(Step(step.0 + last));
            assert_eq!(secret().accept(&typed(secret().code(step)), last, now).is_some(), taken, "{last:?}");
        }
    }

    #[test]
    fn a_code_is_typed_with_or_without_spaces_and_is_six_digits() {
        for text in ["287082", "287 082", " 287082 ", "2 8 7 0 8 2"] {
            assert!(TotpCode::parse(&text.into()).is_ok(), "{text}");
        }
        for text in ["", "28708", "2870822", "28708a", "-28708", "２８７０８２", "287-082", "0x1234"] {
            assert_eq!(TotpCode::parse(&text.into()).unwrap_err().code, "invalid_code_format", "{text}");
        }
    }

    #[test]
    fn the_url_is_what_apps_read_whatever_product_and_address_hold() {
        let url = secret().otpauth_url("Smith & Sons: Tools", "ada+x@example.com");
        assert_eq!(
            url.expose_secret(),
            "otpauth://totp/Smith%20%26%20Sons%20%20Tools:ada%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Smith%20%26%20Sons%20%20Tools&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn neither_secret_nor_code_prints() {
        let (secret, code) = (TotpSecret::new(), typed(*b"287082"));
        assert!(format!("{secret:?}").contains("REDACTED"));
        assert!(format!("{code:?}").contains("REDACTED"));
        assert_ne!(secret.expose(), TotpSecret::new().expose());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in ".{0,20}") {
            let _ = TotpCode::parse(&text.into());
        }
    }
}
