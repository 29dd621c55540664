//! One-time codes of an authenticator app: TOTP (RFC 6238). This service creates secrets for what every app supports: SHA-1, six
//! digits and steps of 30 seconds. Imported secrets may have another [`TotpForm`]. HMAC and the comparison are from AWS-LC, as
//! everywhere here; the rest of the RFC is ten lines.

use std::fmt::Write;

use aws_lc_rs::{constant_time, hmac};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::clock::Timestamp;

/// 160 bits, as RFC 4226, 4 recommends.
const SECRET_LENGTH: usize = 20;
/// Length of an imported secret in bytes: some systems made 80 bits, and no hash here has a block longer than 128 bytes.
pub const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 10..=128;
/// Clocks may differ by one step in each direction (RFC 6238, 5.2).
const DRIFT: std::ops::RangeInclusive<i64> = -1..=1;

/// The shared secret of the app and this service, and the form of its codes.
#[derive(Debug)]
pub struct TotpSecret {
    bytes: SecretSlice<u8>,
    form: TotpForm,
}

/// The parameters of codes (RFC 6238, 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotpForm {
    pub algorithm: TotpAlgorithm,
    /// 6 or 8.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TotpAlgorithm {
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "SHA512")]
    Sha512,
}

impl Default for TotpForm {
    /// What every app supports.
    fn default() -> Self {
        Self { algorithm: TotpAlgorithm::Sha1, digits: 6, period: 30 }
    }
}

impl TotpForm {
    /// # Errors
    /// When no app supports it: digits other than 6 and 8, or steps shorter than 15 seconds or longer than two minutes.
    pub fn checked(self) -> Result<Self, Invalid> {
        if [6, 8].contains(&self.digits) && (15..=120).contains(&self.period) {
            return Ok(self);
        }
        Err(Invalid::new("invalid_totp", "Codes must have 6 or 8 digits, and the period must be 15 to 120 seconds."))
    }

    /// The step of a time.
    #[must_use]
    pub const fn step_at(self, now: Timestamp) -> Step {
        Step(now.seconds().div_euclid(self.period as i64))
    }

    /// The last step whose codes are no longer accepted.
    #[must_use]
    pub const fn step_before(self, now: Timestamp) -> Step {
        Step(self.step_at(now).0 - 2)
    }

    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A time step, 30 seconds by default, counted from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(i64);

impl Step {
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        TotpForm { algorithm: TotpAlgorithm::Sha1, digits: 6, period: 30 }.step_at(now)
    }

    /// A step from an export.
    #[must_use]
    pub const fn numbered(number: i64) -> Self {
        Self(number)
    }

    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// Six or eight digits as typed.
#[derive(Debug)]
pub struct TotpCode(SecretSlice<u8>);

impl TotpCode {
    /// Also accepts spaces between the digits, because apps display them.
    ///
    /// # Errors
    /// When there are neither six nor eight digits.
    pub fn parse(text: &SecretString) -> Result<Self, Invalid> {
        let digits: Vec<u8> = text.expose_secret().bytes().filter(|byte| *byte != b' ').collect();
        if [6, 8].contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
            return Ok(Self(digits.into()));
        }
        Err(Invalid::new("invalid_code_format", "A code must have six digits."))
    }
}

impl TotpSecret {
    #[must_use]
    pub fn new() -> Self {
        Self::from_bytes(crate::random::bytes::<SECRET_LENGTH>())
    }

    /// A secret with the default form.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of_form(bytes, TotpForm::default())
    }

    #[must_use]
    pub fn of_form(bytes: impl Into<Vec<u8>>, form: TotpForm) -> Self {
        Self { bytes: bytes.into().into(), form }
    }

    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// For manual entry into an app: 32 characters of base32 for secrets of this service.
    #[must_use]
    pub fn base32(&self) -> SecretString {
        BASE32_NOPAD.encode(self.expose()).into()
    }

    /// The content of the QR code, in the format supported by authenticator apps
    /// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    #[must_use]
    pub fn otpauth_url(&self, issuer: &str, account: &str) -> SecretString {
        // A colon separates issuer and account.
        let issuer = percent_encode(&issuer.replace(':', " "));
        let (account, secret) = (percent_encode(account), self.base32());
        let secret = secret.expose_secret();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={}&period={}",
            self.form.digits, self.form.period
        )
        .into()
    }

    /// The code of a step: HOTP (RFC 4226, 5.3) of its number.
    #[must_use]
    pub fn code(&self, step: Step) -> Vec<u8> {
        let algorithm = match self.form.algorithm {
            TotpAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            TotpAlgorithm::Sha256 => hmac::HMAC_SHA256,
            TotpAlgorithm::Sha512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, self.expose());
        let mac = hmac::sign(&key, &step.0.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[mac.len() - 1] & 0xf);
        let mut number = [0; 4];
        number.copy_from_slice(&mac[offset..offset + 4]);
        let mut number = u32::from_be_bytes(number) & 0x7fff_ffff;
        let mut digits = vec![b'0'; usize::from(self.form.digits)];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        digits
    }

    /// The step of `code`, if it is later than the last accepted one: a code can be used once (RFC 6238, 5.2). All steps are
    /// compared, in constant time; if two steps have the same code, it is used for both.
    #[must_use]
    pub fn accept(&self, code: &TotpCode, last: Option<Step>, now: Timestamp) -> Option<Step> {
        let steps = DRIFT.map(|drift| Step(self.form.step_at(now).0 + drift));
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

/// Encodes all but RFC 3986's unreserved characters: the `+` of form encoding would be displayed as a plus.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a `String` does not fail.
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

    fn typed(digits: impl Into<Vec<u8>>) -> TotpCode {
        TotpCode::parse(&String::from_utf8(digits.into()).unwrap().into()).unwrap()
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

    /// RFC 6238, appendix B, with the secrets of erratum 2866.
    #[test]
    fn imported_secrets_make_the_codes_of_their_form() {
        let digits = b"1234567890".repeat(7);
        for (algorithm, length, code) in [
            (TotpAlgorithm::Sha1, 20, b"94287082"),
            (TotpAlgorithm::Sha256, 32, b"46119246"),
            (TotpAlgorithm::Sha512, 64, b"90693936"),
        ] {
            let form = TotpForm { algorithm, digits: 8, period: 30 }.checked().unwrap();
            let secret = TotpSecret::of_form(&digits[..length], form);
            assert_eq!(secret.code(form.step_at(at(59))), code, "{algorithm:?}");
            assert!(secret.accept(&typed(*code), None, at(59)).is_some());
        }
        let minute = TotpForm { period: 60, ..TotpForm::default() };
        assert_eq!(minute.step_at(at(119)).number(), 1);
        for (digits, period) in [(7, 30), (6, 0), (6, 121)] {
            assert!(TotpForm { digits, period, ..TotpForm::default() }.checked().is_err(), "{digits} {period}");
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
        for text in ["", "28708", "2870822", "287082123", "28708a", "-28708", "２８７０８２", "287-082", "0x1234"]
        {
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
