//! How stored values write bytes: base64 in four alphabets, hex, and the little-endian base64 of crypt(3).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::Refused;

/// Padding is optional and spare bits are ignored, as most of the systems do: the bytes say what the output is.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// The alphabet of crypt(3), in the order of the values.
const CRYPT: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Base64 of RFC 4648, with or without padding.
pub(crate) fn base64(text: &str) -> Result<Vec<u8>, Refused> {
    STANDARD.decode(text).map_err(|_| Refused::Malformed("a part is not base64"))
}

/// Base64 in the standard or the URL-safe alphabet: both are exports of the same system.
pub(crate) fn any_base64(text: &str) -> Result<Vec<u8>, Refused> {
    base64(&text.replace('-', "+").replace('_', "/"))
}

/// passlib's base64: "." instead of "+", and no padding.
pub(crate) fn adapted_base64(text: &str) -> Result<Vec<u8>, Refused> {
    base64(&text.replace('.', "+"))
}

/// The base64 of bcrypt: its own alphabet, big-endian, no padding.
pub(crate) fn bcrypt_base64(text: &str) -> Result<Vec<u8>, Refused> {
    BCRYPT.decode(text).map_err(|_| Refused::Malformed("a part is not in bcrypt's base64"))
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Hex digits in either case.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, Refused> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| Refused::Malformed("a part is not hex"))
}

/// Lower-case hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    HEXLOWER_PERMISSIVE.encode(bytes)
}

/// The value of one character of crypt(3)'s alphabet.
pub(crate) fn crypt64_value(character: u8) -> Option<u8> {
    CRYPT.iter().zip(0..).find_map(|(&known, value)| (known == character).then_some(value))
}

/// A little-endian number in crypt(3)'s alphabet, at most five characters.
pub(crate) fn crypt64_number(text: &str) -> Option<u32> {
    if text.len() > 5 {
        return None;
    }
    text.bytes().rev().try_fold(0_u32, |number, character| Some(number << 6 | u32::from(crypt64_value(character)?)))
}

/// Bytes in crypt(3)'s alphabet: each four characters are three bytes, the lowest bits first.
pub(crate) fn crypt64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let number =
            group.iter().rev().try_fold(0_u32, |number, &it| Some(number << 6 | u32::from(crypt64_value(it)?)))?;
        let count = group.len() * 6 / 8;
        if count == 0 || number.checked_shr(8 * u32::try_from(count).ok()?).unwrap_or(0) != 0 {
            return None;
        }
        bytes.extend_from_slice(number.to_le_bytes().get(..count)?);
    }
    Some(bytes)
}

/// The reverse of [`crypt64`].
pub(crate) fn to_crypt64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut number = group.iter().rev().fold(0_usize, |number, &byte| number << 8 | usize::from(byte));
        for _ in 0..=group.len() {
            text.push(char::from(CRYPT[number & 63]));
            number >>= 6;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crypt64_is_reversible() {
        for len in 0..40_u8 {
            let bytes: Vec<u8> = (0..len).map(|n| n.wrapping_mul(37).wrapping_add(200)).collect();
            assert_eq!(crypt64(&to_crypt64(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn crypt64_refuses_a_lone_character_and_spare_bits() {
        for text in [".", "....z", "zz", "zzz", "!!!!"] {
            assert_eq!(crypt64(text), None, "{text}");
        }
    }

    #[test]
    fn crypt64_numbers_are_little_endian() {
        assert_eq!(crypt64_number("U...."), Some(32));
        assert_eq!(crypt64_number("./"), Some(64));
        assert_eq!(crypt64_number("......"), None);
    }
}
