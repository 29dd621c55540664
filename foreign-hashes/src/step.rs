//! What systems do with a password before they hash it.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::{to_base64, to_hex};
use crate::primitives::{MAX_SALT, Output};

/// What PHP's `trim` takes off both ends.
const TRIMMED: &[u8] = b" \t\n\r\0\x0b";

/// One step from a typed password to the bytes that are hashed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    /// The low byte of each UTF-16 unit, as JavaScript does that takes a string's units for bytes.
    Utf16LowBytes,
    /// A backslash before quotes and backslashes, and `\0` for NUL: PHP's `addslashes`.
    AddSlashes,
    /// PHP's `trim`.
    Trim,
    RefuseEmpty,
    RefuseNul,
    /// Passwords whose handling is not known.
    RefuseNonAscii,
    /// Passwords of more bytes.
    RefuseOver(u16),
    /// What is before the first NUL: C takes it for the end.
    CutAtNul,
    Append(Bytes),
    Prepend(Bytes),
    /// The digest in lower-case hex.
    Hex(Digest),
    /// HMAC in base64, with padding.
    HmacBase64 {
        digest: Digest,
        key: Bytes,
    },
    /// The digest in base64, with padding.
    Base64(Digest),
    /// Symfony's way around bcrypt's limits: SHA-512 in base64 where the password is over 72 bytes or has a NUL, and
    /// itself otherwise.
    Base64Sha512IfUnfit,
}

impl Step {
    /// # Errors
    /// Keys of absurd length.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        match self {
            Self::Append(bytes) | Self::Prepend(bytes) | Self::HmacBase64 { key: bytes, .. }
                if bytes.len() > MAX_SALT =>
            {
                Err(Refused::Malformed("a key is too long"))
            }
            _ => Ok(()),
        }
    }

    /// The bytes after this step; nothing where it refuses them.
    fn apply(&self, password: Output) -> Option<Output> {
        Some(match self {
            Self::Nfc => text(&password)?.nfc().collect::<String>().into_bytes().into(),
            Self::Nfd => text(&password)?.nfd().collect::<String>().into_bytes().into(),
            Self::Nfkc => text(&password)?.nfkc().collect::<String>().into_bytes().into(),
            Self::Nfkd => text(&password)?.nfkd().collect::<String>().into_bytes().into(),
            Self::Utf16LowBytes => {
                text(&password)?.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect::<Vec<u8>>().into()
            }
            Self::AddSlashes => add_slashes(&password),
            Self::Trim => trim(&password).to_vec().into(),
            Self::RefuseEmpty => return (!password.is_empty()).then_some(password),
            Self::RefuseNul => return (!password.contains(&0)).then_some(password),
            Self::RefuseNonAscii => return password.is_ascii().then_some(password),
            Self::RefuseOver(bytes) => return (password.len() <= usize::from(*bytes)).then_some(password),
            Self::CutAtNul => password.iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>().into(),
            Self::Append(bytes) => [&password, &**bytes].concat().into(),
            Self::Prepend(bytes) => [&**bytes, &password].concat().into(),
            Self::Hex(digest) => to_hex(&digest.of(&[&password])).into_bytes().into(),
            Self::HmacBase64 { digest, key } => to_base64(&digest.hmac(key, &password)).into_bytes().into(),
            Self::Base64(digest) => to_base64(&digest.of(&[&password])).into_bytes().into(),
            Self::Base64Sha512IfUnfit if password.len() <= 72 && !password.contains(&0) => password,
            Self::Base64Sha512IfUnfit => to_base64(&Digest::Sha512.of(&[&password])).into_bytes().into(),
        })
    }
}

/// All steps in order; nothing where one of them refuses the password.
pub(crate) fn prepare(steps: &[Step], typed: &str) -> Option<Output> {
    steps.iter().try_fold(Zeroizing::new(typed.as_bytes().to_vec()), |password, step| step.apply(password))
}

fn text(password: &[u8]) -> Option<&str> {
    std::str::from_utf8(password).ok()
}

fn add_slashes(password: &[u8]) -> Output {
    let mut slashed = Output::new(Vec::with_capacity(2 * password.len()));
    for &byte in password {
        match byte {
            b'\'' | b'"' | b'\\' => slashed.extend_from_slice(&[b'\\', byte]),
            0 => slashed.extend_from_slice(b"\\0"),
            _ => slashed.push(byte),
        }
    }
    slashed
}

fn trim(password: &[u8]) -> &[u8] {
    let kept = |byte: &u8| !TRIMMED.contains(byte);
    let start = password.iter().position(kept).unwrap_or(password.len());
    let end = password.iter().rposition(kept).map_or(start, |last| last + 1);
    &password[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(steps: &[Step], typed: &str) -> Option<Vec<u8>> {
        prepare(steps, typed).map(|password| password.to_vec())
    }

    #[test]
    fn php_slashes_and_trims() {
        for (typed, expected) in
            [("  it's \0", r"it\'s \0"), ("\x0b\t\r\n", ""), (r#"a\b"c"#, r#"a\\b\"c"#), ("  ", ""), (" a b ", "a b")]
        {
            assert_eq!(prepared(&[Step::AddSlashes, Step::Trim], typed), Some(expected.into()), "{typed:?}");
        }
    }

    #[test]
    fn a_refused_password_has_no_bytes() {
        for (step, typed) in [
            (Step::RefuseEmpty, ""),
            (Step::RefuseNul, "a\0b"),
            (Step::RefuseNonAscii, "ä"),
            (Step::RefuseOver(3), "four"),
        ] {
            assert_eq!(prepared(&[step], typed), None, "{typed:?}");
        }
    }

    #[test]
    fn symfony_hashes_what_bcrypt_cannot_take() {
        let step = [Step::Base64Sha512IfUnfit];
        let fitting = "x".repeat(72);
        assert_eq!(prepared(&step, &fitting), Some(fitting.clone().into_bytes()));
        assert_eq!(prepared(&step, &(fitting + "x")).map(|password| password.len()), Some(88));
        assert_eq!(prepared(&step, "\0").map(|password| password.len()), Some(88));
    }

    #[test]
    fn javascript_takes_the_low_bytes() {
        assert_eq!(prepared(&[Step::Utf16LowBytes], "aä日"), Some(vec![b'a', 0xe4, 0xe5]));
    }
}
