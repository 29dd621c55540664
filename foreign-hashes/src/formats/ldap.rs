//! `{SSHA}` and its family (RFC 2307): base64 of digest(password + salt), and the salt after it.

use super::Parsed;
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::base64;
use crate::primitives::TemplateDigest;
use crate::scheme::Scheme;

/// What is in the braces, and what is after them.
pub(crate) fn tagged(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('{')?.split_once('}')
}

/// The digest of a tag, and whether there is a salt. Tags are of either case.
pub(crate) fn digest_of(tag: &str) -> Option<(Digest, bool)> {
    Some(match &*tag.to_ascii_uppercase() {
        "MD5" => (Digest::Md5, false),
        "SMD5" => (Digest::Md5, true),
        "SHA" => (Digest::Sha1, false),
        "SSHA" => (Digest::Sha1, true),
        "SHA256" => (Digest::Sha256, false),
        "SSHA256" => (Digest::Sha256, true),
        "SHA384" => (Digest::Sha384, false),
        "SSHA384" => (Digest::Sha384, true),
        "SHA512" => (Digest::Sha512, false),
        "SSHA512" => (Digest::Sha512, true),
        _ => return None,
    })
}

/// `{SSHA}base64` and the like.
pub(crate) fn parse(text: &str) -> Result<Parsed, Refused> {
    let (tag, rest) = tagged(text).ok_or(Refused::Malformed("it does not begin with a scheme in braces"))?;
    let (digest, salted) = digest_of(tag).ok_or(Refused::Unsupported("the scheme in braces"))?;
    build(digest, salted, base64(rest)?)
}

/// From the bytes of the digest and of the salt after it.
pub(crate) fn build(digest: Digest, salted: bool, mut bytes: Vec<u8>) -> Result<Parsed, Refused> {
    if bytes.len() < digest.len() || (bytes.len() == digest.len()) == salted {
        return Err(Refused::Malformed("the value does not have the length of its digest and salt"));
    }
    let salt = bytes.split_off(digest.len());
    let template = if salted { TemplateDigest::salt_last(digest, salt) } else { TemplateDigest::plain(digest) };
    Ok((Scheme::Digest(template), bytes))
}
