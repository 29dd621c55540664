//! `$argon2id$v=19$m=65536,t=3,p=4$salt$output`: the PHC string format, in the dialects of the libraries.

use super::{Parsed, len, number};
use crate::Refused;
use crate::encoding::base64;
use crate::primitives::{Argon2, Variant};
use crate::scheme::Scheme;

/// The version of a string without `v=`: libargon2 wrote none before 1.3, and still reads it so.
const FIRST_VERSION: u8 = 16;

const NOT_ARGON2: Refused = Refused::Malformed("it is not of the form $argon2id$v=19$m=65536,t=3,p=4$salt$output");

/// Parameters in any order, with `data=` or without, and with the secret that the string does not show.
pub(crate) fn parse(text: &str, secret: Option<&str>) -> Result<Parsed, Refused> {
    let (variant, rest) = text.strip_prefix("$argon2").and_then(|rest| rest.split_once('$')).ok_or(NOT_ARGON2)?;
    let variant = Variant::of_name(variant).ok_or(NOT_ARGON2)?;
    let (version, rest) = match rest.strip_prefix("v=").and_then(|rest| rest.split_once('$')) {
        Some((version, rest)) => (self::version(version)?, rest),
        None => (FIRST_VERSION, rest),
    };
    let [parameters, salt, output] = super::parts(rest, '$')?;
    let Parameters { m, t, p, data } = self::parameters(parameters)?;
    let (Some(m), Some(t), Some(p)) = (m, t, p) else { return Err(NOT_ARGON2) };
    let output = base64(output)?;
    let scheme = Argon2 {
        variant,
        version,
        m,
        t,
        p,
        salt: base64(salt)?.into(),
        secret: secret.map(Into::into),
        data: data.map(Into::into),
        len: len(&output)?,
    };
    Ok((Scheme::Argon2(scheme), output))
}

fn version(text: &str) -> Result<u8, Refused> {
    match text {
        "16" => Ok(FIRST_VERSION),
        "19" => Ok(19),
        _ => Err(Refused::Malformed("the version of Argon2 is neither 16 nor 19")),
    }
}

#[derive(Default)]
struct Parameters {
    m: Option<u32>,
    t: Option<u32>,
    p: Option<u32>,
    data: Option<Vec<u8>>,
}

fn parameters(text: &str) -> Result<Parameters, Refused> {
    let mut found = Parameters::default();
    for parameter in text.split(',') {
        let (name, value) = parameter.split_once('=').ok_or(NOT_ARGON2)?;
        let twice = match name {
            "m" => found.m.replace(number(value)?).is_some(),
            "t" => found.t.replace(number(value)?).is_some(),
            "p" => found.p.replace(number(value)?).is_some(),
            "data" => found.data.replace(base64(value)?).is_some(),
            // It names a key, and is no input.
            "keyid" => false,
            _ => return Err(NOT_ARGON2),
        };
        if twice {
            return Err(NOT_ARGON2);
        }
    }
    Ok(found)
}
