//! The shape of a preparing step: all of it that time depends on, so without its key.

use std::fmt;
use std::str::FromStr;

use crate::UnknownClass;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::step::Step;

/// A step that changes a password, without its key. The steps that only refuse passwords have no shape: they cost
/// nothing, and what they refuse is hashed like anything else.
///
/// As text, `nfkc`, `hex-sha256`, `append-32` (bytes) and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shape {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Utf16LowBytes,
    AddSlashes,
    Trim,
    CutAtNul,
    /// So many bytes: what follows hashes them as well.
    Append(u16),
    Prepend(u16),
    Hex(Digest),
    /// Of a key of any length, which is hashed once.
    HmacBase64(Digest),
    Base64(Digest),
    Base64Sha512IfUnfit,
}

const PLAIN: [(Shape, &str); 9] = [
    (Shape::Nfc, "nfc"),
    (Shape::Nfd, "nfd"),
    (Shape::Nfkc, "nfkc"),
    (Shape::Nfkd, "nfkd"),
    (Shape::Utf16LowBytes, "utf16-low-bytes"),
    (Shape::AddSlashes, "add-slashes"),
    (Shape::Trim, "trim"),
    (Shape::CutAtNul, "cut-at-nul"),
    (Shape::Base64Sha512IfUnfit, "base64-sha512-if-unfit"),
];

impl Shape {
    /// `None` for the steps that only refuse passwords.
    pub(crate) fn of(step: &Step) -> Option<Self> {
        Some(match step {
            Step::RefuseEmpty | Step::RefuseNul | Step::RefuseNonAscii | Step::RefuseOver(_) => return None,
            Step::Nfc => Self::Nfc,
            Step::Nfd => Self::Nfd,
            Step::Nfkc => Self::Nfkc,
            Step::Nfkd => Self::Nfkd,
            Step::Utf16LowBytes => Self::Utf16LowBytes,
            Step::AddSlashes => Self::AddSlashes,
            Step::Trim => Self::Trim,
            Step::CutAtNul => Self::CutAtNul,
            Step::Append(bytes) => Self::Append(len(bytes)),
            Step::Prepend(bytes) => Self::Prepend(len(bytes)),
            Step::Hex(digest) => Self::Hex(*digest),
            Step::HmacBase64 { digest, .. } => Self::HmacBase64(*digest),
            Step::Base64(digest) => Self::Base64(*digest),
            Step::Base64Sha512IfUnfit => Self::Base64Sha512IfUnfit,
        })
    }

    /// A step of this shape, whose key is dots.
    pub(crate) fn step(self) -> Step {
        let dots = |len: u16| Bytes::from(vec![b'.'; len.into()]);
        match self {
            Self::Nfc => Step::Nfc,
            Self::Nfd => Step::Nfd,
            Self::Nfkc => Step::Nfkc,
            Self::Nfkd => Step::Nfkd,
            Self::Utf16LowBytes => Step::Utf16LowBytes,
            Self::AddSlashes => Step::AddSlashes,
            Self::Trim => Step::Trim,
            Self::CutAtNul => Step::CutAtNul,
            Self::Append(len) => Step::Append(dots(len)),
            Self::Prepend(len) => Step::Prepend(dots(len)),
            Self::Hex(digest) => Step::Hex(digest),
            Self::HmacBase64(digest) => Step::HmacBase64 { digest, key: dots(32) },
            Self::Base64(digest) => Step::Base64(digest),
            Self::Base64Sha512IfUnfit => Step::Base64Sha512IfUnfit,
        }
    }
}

/// A key's length, which [`Step::check`] bounds far below the largest.
fn len(key: &[u8]) -> u16 {
    u16::try_from(key.len()).unwrap_or(u16::MAX)
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(len) => write!(f, "append-{len}"),
            Self::Prepend(len) => write!(f, "prepend-{len}"),
            Self::Hex(digest) => write!(f, "hex-{}", digest.name()),
            Self::HmacBase64(digest) => write!(f, "hmac-base64-{}", digest.name()),
            Self::Base64(digest) => write!(f, "base64-{}", digest.name()),
            _ => f.write_str(PLAIN.iter().find(|(shape, _)| shape == self).map_or("", |&(_, name)| name)),
        }
    }
}

impl FromStr for Shape {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        if let Some(&(shape, _)) = PLAIN.iter().find(|&&(_, name)| name == text) {
            return Ok(shape);
        }
        let (name, rest) = text.rsplit_once('-').ok_or(UnknownClass)?;
        let len = || rest.parse().map_err(|_| UnknownClass);
        let digest = || Digest::of_name(rest).ok_or(UnknownClass);
        match name {
            "append" => len().map(Self::Append),
            "prepend" => len().map(Self::Prepend),
            "hex" => digest().map(Self::Hex),
            "hmac-base64" => digest().map(Self::HmacBase64),
            "base64" => digest().map(Self::Base64),
            _ => Err(UnknownClass),
        }
    }
}
