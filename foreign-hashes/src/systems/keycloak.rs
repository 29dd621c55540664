//! Keycloak's credential: JSON whose `secretData` and `credentialData` are JSON in strings.

use serde::Deserialize;

use super::{Read, as_typed};
use crate::Refused;
use crate::digest::Digest;
use crate::encoding::base64;
use crate::fields::{Fields, Setting};
use crate::formats::{Parsed, len, number, pbkdf2};
use crate::primitives::{Argon2, Variant};
use crate::scheme::Scheme;

pub(crate) const SETTINGS: &[Setting] = &[];

const MALFORMED: Refused = Refused::Malformed("it does not have the parts of Keycloak's credential");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(rename = "type")]
    kind: Option<String>,
    secret_data: String,
    credential_data: String,
}

#[derive(Deserialize)]
struct SecretData {
    value: String,
    salt: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialData {
    hash_iterations: u32,
    algorithm: String,
    #[serde(default)]
    additional_parameters: Additional,
}

/// Argon2's, each a list of one text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Additional {
    #[serde(rename = "type")]
    variant: Vec<String>,
    version: Vec<String>,
    memory: Vec<String>,
    parallelism: Vec<String>,
}

pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let credential: Stored = json(stored)?;
    if credential.kind.is_some_and(|kind| kind != "password") {
        return Err(Refused::Unsupported("the credential is no password"));
    }
    let SecretData { value, salt } = json(&credential.secret_data)?;
    let data: CredentialData = json(&credential.credential_data)?;
    let (salt, output) = (base64(&salt)?, base64(&value)?);
    as_typed(match &*data.algorithm {
        "argon2" => argon2(&data, salt, output)?,
        "pbkdf2" => pbkdf2(Digest::Sha1, &data, salt, output)?,
        "pbkdf2-sha256" => pbkdf2(Digest::Sha256, &data, salt, output)?,
        "pbkdf2-sha512" => pbkdf2(Digest::Sha512, &data, salt, output)?,
        _ => return Err(Refused::Unsupported("this algorithm of Keycloak")),
    })
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refused> {
    serde_json::from_str(text).map_err(|_| MALFORMED)
}

/// Keycloak fills passwords of less than 14 characters up with NULs here. HMAC does so with its keys anyway.
fn pbkdf2(digest: Digest, data: &CredentialData, salt: Vec<u8>, output: Vec<u8>) -> Result<Parsed, Refused> {
    pbkdf2::build(digest, data.hash_iterations.try_into().map_err(|_| MALFORMED)?, salt, output)
}

fn argon2(data: &CredentialData, salt: Vec<u8>, output: Vec<u8>) -> Result<Parsed, Refused> {
    let Additional { variant, version, memory, parallelism } = &data.additional_parameters;
    let scheme = Argon2 {
        variant: Variant::of_name(single(variant)?).ok_or(MALFORMED)?,
        version: match single(version)? {
            "1.0" => 16,
            "1.3" => 19,
            _ => return Err(MALFORMED),
        },
        m: number(single(memory)?)?,
        t: data.hash_iterations,
        p: number(single(parallelism)?)?,
        salt: salt.into(),
        secret: None,
        data: None,
        len: len(&output)?,
    };
    Ok((Scheme::Argon2(scheme), output))
}

fn single(values: &[String]) -> Result<&str, Refused> {
    match values {
        [value] => Ok(value),
        _ => Err(MALFORMED),
    }
}
