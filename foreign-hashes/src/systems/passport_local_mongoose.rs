//! passport-local-mongoose: PBKDF2 in a field `hash`, its salt's text in a field `salt`, and nothing of its parameters.

use super::{Read, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting, number, required_text, text};
use crate::formats::pbkdf2;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::optional("iterations", "The plugin's option of this name. Left out, it is 25000."),
    Setting::optional("keylen", "The same, in bytes. Left out, it is 512."),
    Setting::optional(
        "digest",
        "The plugin's `digestAlgorithm`: sha1, sha256, sha384 or sha512. Left out, it is sha256.",
    ),
    Setting::optional("encoding", "The plugin's option of this name: hex or base64. Left out, it is hex."),
];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    let salt = required_text(fields, "salt")?;
    let rounds =
        number(fields, "iterations")?.unwrap_or(25_000).try_into().map_err(|_| Refused::InvalidField("iterations"))?;
    let digest = text(fields, "digest")?.unwrap_or("sha256");
    let digest = Digest::of_name(&digest.to_ascii_lowercase()).ok_or(Refused::InvalidField("digest"))?;
    let output = match text(fields, "encoding")?.unwrap_or("hex") {
        "hex" => hex(stored)?,
        "base64" => base64(stored)?,
        _ => return Err(Refused::InvalidField("encoding")),
    };
    if usize::try_from(number(fields, "keylen")?.unwrap_or(512)).ok() != Some(output.len()) {
        return Err(Refused::Malformed("the output does not have the length of the plugin's keylen"));
    }
    as_typed(pbkdf2::build(digest, rounds, salt, output)?)
}
