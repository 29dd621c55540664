//! scrypt as text: of the PHC form, of crypt(3), and `salt:key` in hex.

use super::{Parsed, len, number, parts};
use crate::Refused;
use crate::encoding::{base64, crypt64, crypt64_number, crypt64_value, hex};
use crate::primitives::{Scrypt, ScryptCosts};
use crate::scheme::Scheme;

const NOT_SCRYPT: Refused = Refused::Malformed("it does not have the parameters of scrypt");

/// The logarithm of N, which has to be a power of two.
pub(crate) fn costs_of_n(n: u32, r: u32, p: u32) -> Result<ScryptCosts, Refused> {
    let log_n = n.is_power_of_two().then(|| n.ilog2()).ok_or(Refused::Malformed("N of scrypt is no power of two"))?;
    costs(log_n, r, p)
}

pub(crate) fn costs(log_n: u32, r: u32, p: u32) -> Result<ScryptCosts, Refused> {
    Ok(ScryptCosts { log_n: u8::try_from(log_n).map_err(|_| NOT_SCRYPT)?, r, p })
}

pub(crate) fn build(costs: ScryptCosts, salt: &[u8], output: Vec<u8>) -> Result<Parsed, Refused> {
    Ok((Scheme::Scrypt(Scrypt { costs, salt: salt.into(), len: len(&output)? }), output))
}

/// Three numbers of the form `ln=16,r=8,p=1`.
pub(crate) fn parameters(text: &str) -> Result<[u32; 3], Refused> {
    let [n, r, p] = parts(text, ',')?;
    let value = |text: &str, name| number(text.strip_prefix(name).ok_or(NOT_SCRYPT)?);
    Ok([value(n, "ln=")?, value(r, "r=")?, value(p, "p=")?])
}

/// `$scrypt$ln=16,r=8,p=1$salt$output`, where `ln` is the logarithm: passlib's.
pub(crate) fn phc(text: &str) -> Result<Parsed, Refused> {
    let [parameters, salt, output] = parts(text.strip_prefix("$scrypt$").ok_or(NOT_SCRYPT)?, '$')?;
    let [log_n, r, p] = self::parameters(parameters)?;
    build(costs(log_n, r, p)?, &base64(salt)?, base64(output)?)
}

/// `$7$`, one character of log N, five of r, five of p, the salt, `$` and the output: of libxcrypt and passlib.
pub(crate) fn crypt3(text: &str) -> Result<Parsed, Refused> {
    let (setting, output) = text.strip_prefix("$7$").and_then(|rest| rest.split_once('$')).ok_or(NOT_SCRYPT)?;
    let cut = |range: std::ops::Range<usize>| setting.get(range).ok_or(NOT_SCRYPT);
    let log_n = cut(0..1)?.bytes().next().and_then(crypt64_value).ok_or(NOT_SCRYPT)?;
    let r = crypt64_number(cut(1..6)?).ok_or(NOT_SCRYPT)?;
    let p = crypt64_number(cut(6..11)?).ok_or(NOT_SCRYPT)?;
    let salt = cut(11..setting.len())?;
    let output = crypt64(output).ok_or(Refused::Malformed("the output is not in the alphabet of crypt(3)"))?;
    build(ScryptCosts { log_n, r, p }, salt.as_bytes(), output)
}

/// `salt:output` in hex, where the salt's characters are the salt: Node's crypto as Lucia and its successors call it. N
/// is 2^14, p is 1.
pub(crate) fn hex_pair(text: &str, r: u32) -> Result<Parsed, Refused> {
    let [salt, output] = parts(text, ':')?;
    hex(salt)?;
    build(ScryptCosts { log_n: 14, r, p: 1 }, salt.as_bytes(), hex(output)?)
}
