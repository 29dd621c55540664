//! What crypt(3) reads: bcrypt, yescrypt, scrypt, SHA-crypt, MD5 crypt, Sun's, DES.

use super::{Parsed, bcrypt, number, scrypt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::{crypt64, crypt64_value};
use crate::primitives::{
    Md5Crypt, ShaCrypt, SunMd5, Yescrypt, des_crypt_from_text, md5_crypt_output, sha_crypt_output,
};
use crate::scheme::Scheme;

/// SHA-crypt's rounds where the text does not name them.
const SHA_CRYPT_ROUNDS: u32 = 5_000;

const BAD_OUTPUT: Refused = Refused::Malformed("the output is not in the alphabet of crypt(3)");

/// Any scheme of libxcrypt that is still in use.
pub(crate) fn libxcrypt(text: &str) -> Result<Parsed, Refused> {
    match text {
        _ if bcrypt::is_bcrypt(text) => bcrypt::parse_of_crypt_blowfish(text),
        _ if text.starts_with("$y$") => yescrypt(text, false),
        _ if text.starts_with("$gy$") => yescrypt(text, true),
        _ if text.starts_with("$7$") => scrypt::crypt3(text),
        _ if text.starts_with("$md5") => sun_md5(text),
        _ => classic(text),
    }
}

/// The schemes that nearly every crypt(3) has: SHA-crypt, MD5 crypt and DES.
pub(crate) fn classic(text: &str) -> Result<Parsed, Refused> {
    match text {
        _ if text.starts_with("$6$") => sha_crypt(Digest::Sha512, text),
        _ if text.starts_with("$5$") => sha_crypt(Digest::Sha256, text),
        _ if text.starts_with("$1$") => md5_crypt(text),
        _ if text.starts_with('$') || text.starts_with('_') => Err(Refused::Unsupported("this prefix of crypt(3)")),
        _ => des(text),
    }
}

/// `$6$rounds=5000$salt$output`, or without the rounds.
pub(crate) fn sha_crypt(digest: Digest, text: &str) -> Result<Parsed, Refused> {
    const NOT_SHA_CRYPT: Refused = Refused::Malformed("it is not of the form $6$rounds=5000$salt$output");
    let rest = text.get(3..).ok_or(NOT_SHA_CRYPT)?;
    let (rounds, rest) = match rest.strip_prefix("rounds=").and_then(|rest| rest.split_once('$')) {
        Some((rounds, rest)) => (number(rounds)?, rest),
        None => (SHA_CRYPT_ROUNDS, rest),
    };
    let [salt, output] = super::parts(rest, '$')?;
    let rounds = rounds.try_into().map_err(|_| Refused::Malformed("the number of iterations is zero"))?;
    let output = sha_crypt_output(digest, output).ok_or(BAD_OUTPUT)?;
    Ok((Scheme::ShaCrypt(ShaCrypt { digest, rounds, salt: salt.into() }), output))
}

/// `$1$salt$output`.
pub(crate) fn md5_crypt(text: &str) -> Result<Parsed, Refused> {
    let rest = text.strip_prefix("$1$").ok_or(Refused::Malformed("it is not of the form $1$salt$output"))?;
    let [salt, output] = super::parts(rest, '$')?;
    Ok((Scheme::Md5Crypt(Md5Crypt { salt: salt.into() }), md5_crypt_output(output).ok_or(BAD_OUTPUT)?))
}

/// `$md5,rounds=5000$salt$$output`, or with one `$` before the output: the text that is hashed ends with the salt or
/// with the first of two. Without `,rounds=` there are none besides the 4,096 that there always are.
pub(crate) fn sun_md5(text: &str) -> Result<Parsed, Refused> {
    const NOT_SUN_MD5: Refused = Refused::Malformed("it is not of the form $md5,rounds=5000$salt$$output");
    let (setting, output) = text.rsplit_once('$').ok_or(NOT_SUN_MD5)?;
    let (parameters, _salt) = setting.strip_prefix("$md5").and_then(|rest| rest.split_once('$')).ok_or(NOT_SUN_MD5)?;
    let rounds = match parameters {
        "" => 0,
        _ => number(parameters.strip_prefix(",rounds=").ok_or(NOT_SUN_MD5)?)?,
    };
    Ok((Scheme::SunMd5(SunMd5 { rounds, setting: setting.into() }), md5_crypt_output(output).ok_or(BAD_OUTPUT)?))
}

/// 13 characters.
pub(crate) fn des(text: &str) -> Result<Parsed, Refused> {
    let (scheme, output) = des_crypt_from_text(text).ok_or(Refused::Malformed("it is not of any form of crypt(3)"))?;
    Ok((Scheme::DesCrypt(scheme), output))
}

/// `$y$parameters$salt$output`, and `$gy$`.
fn yescrypt(text: &str, gost: bool) -> Result<Parsed, Refused> {
    const NOT_YESCRYPT: Refused = Refused::Malformed("it is not of the form $y$parameters$salt$output");
    let (setting, output) = text.rsplit_once('$').ok_or(NOT_YESCRYPT)?;
    let (_, rest) = setting.get(1..).and_then(|rest| rest.split_once('$')).ok_or(NOT_YESCRYPT)?;
    let [parameters, salt] = super::parts(rest, '$')?;
    let scheme = Yescrypt {
        salt: crypt64(salt).ok_or(NOT_YESCRYPT)?.into(),
        gost: gost.then(|| Bytes::from(setting)),
        ..yescrypt_parameters(parameters)?
    };
    Ok((Scheme::Yescrypt(scheme), crypt64(output).ok_or(BAD_OUTPUT)?))
}

/// flavor, log N and r, then which of p, t, g and the ROM follow.
fn yescrypt_parameters(text: &str) -> Result<Yescrypt, Refused> {
    const BAD_PARAMETERS: Refused = Refused::Malformed("it does not have the parameters of yescrypt");
    let mut rest = text.as_bytes();
    let mut next = |min| variable_number(&mut rest, min).ok_or(BAD_PARAMETERS);
    let (flavor, log_n, r) = (next(0)?, next(1)?, next(1)?);
    let mut scheme = Yescrypt {
        flavor,
        log_n: u8::try_from(log_n).map_err(|_| BAD_PARAMETERS)?,
        r,
        p: 1,
        t: 0,
        salt: Bytes::default(),
        gost: None,
    };
    if rest.is_empty() {
        return Ok(scheme);
    }
    let mut next = |min| variable_number(&mut rest, min).ok_or(BAD_PARAMETERS);
    let have = next(1)?;
    if have & 1 != 0 {
        scheme.p = next(2)?;
    }
    if have & 2 != 0 {
        scheme.t = next(1)?;
    }
    if have > 3 {
        return Err(Refused::Unsupported("yescrypt with a ROM or an upgraded hash"));
    }
    rest.is_empty().then_some(scheme).ok_or(BAD_PARAMETERS)
}

/// One of yescrypt's numbers: the first character tells how many follow, and small numbers take one.
fn variable_number(text: &mut &[u8], min: u32) -> Option<u32> {
    let mut take = || {
        let (first, rest) = text.split_first()?;
        *text = rest;
        crypt64_value(*first).map(u32::from)
    };
    let first = take()?;
    let (mut start, mut end, mut bits) = (0, 47, 0);
    let mut number = min;
    while first > end {
        number = number.checked_add((end + 1 - start) << bits)?;
        start = end + 1;
        end = start + (62 - end) / 2;
        bits += 6;
    }
    number = number.checked_add((first - start).checked_mul(1 << bits)?)?;
    while bits > 0 {
        bits -= 6;
        number = number.checked_add(take()? << bits)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_yescrypt_are_of_any_length() {
        let read = |text| yescrypt_parameters(text).map(|it| (it.flavor, it.log_n, it.r, it.p, it.t)).ok();
        for (text, expected) in [
            ("j9T", Some((47, 12, 32, 1, 0))),
            ("jBT", Some((47, 14, 32, 1, 0))),
            ("j95.0", Some((47, 12, 8, 4, 0))),
            ("j95/0", Some((47, 12, 8, 1, 3))),
            ("j953/2", None),
            ("jC559", None),
            ("j9", None),
            ("j9T.", None),
            ("", None),
            ("zzzzzzzzz", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
