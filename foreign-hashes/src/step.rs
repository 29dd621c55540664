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

    /// Whether this step refuses the bytes.
    fn refuses(&self, password: &[u8]) -> bool {
        match self {
            Self::Nfc | Self::Nfd | Self::Nfkc | Self::Nfkd | Self::Utf16LowBytes => text(password).is_none(),
            Self::RefuseEmpty => password.is_empty(),
            Self::RefuseNul => password.contains(&0),
            Self::RefuseNonAscii => !password.is_ascii(),
            Self::RefuseOver(bytes) => password.len() > usize::from(*bytes),
            _ => false,
        }
    }

    /// The bytes after this step: the same where it refuses them.
    fn apply(&self, password: Output) -> Output {
        match self {
            Self::Nfc => of_text(password, |text| text.nfc().collect::<String>().into_bytes()),
            Self::Nfd => of_text(password, |text| text.nfd().collect::<String>().into_bytes()),
            Self::Nfkc => of_text(password, |text| text.nfkc().collect::<String>().into_bytes()),
            Self::Nfkd => of_text(password, |text| text.nfkd().collect::<String>().into_bytes()),
            Self::Utf16LowBytes => {
                of_text(password, |text| text.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect())
            }
            Self::AddSlashes => add_slashes(&password),
            Self::Trim => trim(&password).to_vec().into(),
            Self::RefuseEmpty | Self::RefuseNul | Self::RefuseNonAscii | Self::RefuseOver(_) => password,
            Self::CutAtNul => password.iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>().into(),
            Self::Append(bytes) => [&password, &**bytes].concat().into(),
            Self::Prepend(bytes) => [&**bytes, &password].concat().into(),
            Self::Hex(digest) => to_hex(&digest.of(&[&password])).into_bytes().into(),
            Self::HmacBase64 { digest, key } => to_base64(&digest.hmac(key, &password)).into_bytes().into(),
            Self::Base64(digest) => to_base64(&digest.of(&[&password])).into_bytes().into(),
            Self::Base64Sha512IfUnfit if password.len() <= 72 && !password.contains(&0) => password,
            Self::Base64Sha512IfUnfit => to_base64(&Digest::Sha512.of(&[&password])).into_bytes().into(),
        }
    }

    /// Whether what it makes has the same length for all passwords of a length, and for all keys.
    const fn is_digest(&self) -> bool {
        matches!(self, Self::Hex(_) | Self::HmacBase64 { .. } | Self::Base64(_))
    }

    /// Whether the length of what it makes depends on what the bytes are.
    const fn looks_at_bytes(&self) -> bool {
        matches!(
            self,
            Self::Nfc
                | Self::Nfd
                | Self::Nfkc
                | Self::Nfkd
                | Self::Utf16LowBytes
                | Self::AddSlashes
                | Self::Trim
                | Self::CutAtNul
                | Self::Base64Sha512IfUnfit
        )
    }
}

/// # Errors
/// Steps whose time would depend on a key: no system changes a key together with the password.
pub(crate) fn check_order(steps: &[Step]) -> Result<(), Refused> {
    let mut has_key = false;
    for step in steps {
        if has_key && step.looks_at_bytes() {
            return Err(Refused::Unsupported("a step that changes a key"));
        }
        has_key = !step.is_digest() && (has_key || matches!(step, Step::Append(_) | Step::Prepend(_)));
    }
    Ok(())
}

/// What all steps made of a password.
pub(crate) struct Prepared {
    pub(crate) password: Output,
    /// Whether one of them refused it. The others went on all the same, so that refusing takes as long.
    pub(crate) refused: bool,
}

/// All steps in order.
pub(crate) fn prepare(steps: &[Step], typed: &str) -> Prepared {
    let typed = Prepared { password: Zeroizing::new(typed.as_bytes().to_vec()), refused: false };
    steps.iter().fold(typed, |Prepared { password, refused }, step| Prepared {
        refused: refused | step.refuses(&password),
        password: step.apply(password),
    })
}

fn of_text(password: Output, change: impl FnOnce(&str) -> Vec<u8>) -> Output {
    let changed = text(&password).map(change);
    changed.map_or(password, Output::from)
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
        let Prepared { password, refused } = prepare(steps, typed);
        (!refused).then(|| password.to_vec())
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
    fn a_refused_password_stays_refused() {
        for (step, typed) in [
            (Step::RefuseEmpty, ""),
            (Step::RefuseNul, "a\0b"),
            (Step::RefuseNonAscii, "ä"),
            (Step::RefuseOver(3), "four"),
        ] {
            assert_eq!(prepared(&[step, Step::Trim, Step::Hex(Digest::Md5)], typed), None, "{typed:?}");
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
    fn no_step_changes_a_key() {
        let key = || Step::Append("key".into());
        assert_eq!(check_order(&[Step::Nfkc, key(), Step::RefuseNul, Step::Prepend("key".into())]), Ok(()));
        assert_eq!(check_order(&[key(), Step::Hex(Digest::Md5), Step::Trim]), Ok(()));
        assert!(check_order(&[key(), Step::RefuseNul, Step::Trim]).is_err());
    }

    #[test]
    fn javascript_takes_the_low_bytes() {
        assert_eq!(prepared(&[Step::Utf16LowBytes], "aä日"), Some(vec![b'a', 0xe4, 0xe5]));
    }
}
