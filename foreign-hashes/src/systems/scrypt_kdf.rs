//! scrypt-kdf of npm: the header of scrypt's file format.

use super::{Read, as_typed};
use crate::Refused;
use crate::encoding::{base64, hex};
use crate::fields::{Fields, Setting};
use crate::primitives::{ScryptCosts, ScryptMac};
use crate::scheme::Scheme;

pub(crate) const SETTINGS: &[Setting] = &[];

const MALFORMED: Refused = Refused::Malformed("it is not 96 bytes of scrypt's file format");

/// In base64, or in hex, which is longer.
pub(crate) fn read(stored: &str, _: &Fields) -> Read {
    let bytes = if stored.len() == 192 { hex(stored)? } else { base64(stored)? };
    let (header, mac) = bytes.split_at_checked(64).filter(|(_, mac)| mac.len() == 32).ok_or(MALFORMED)?;
    let [_, _, _, _, _, _, _, log_n, r0, r1, r2, r3, p0, p1, p2, p3, rest @ ..] = header else { return Err(MALFORMED) };
    let costs = ScryptCosts {
        log_n: *log_n,
        r: u32::from_be_bytes([*r0, *r1, *r2, *r3]),
        p: u32::from_be_bytes([*p0, *p1, *p2, *p3]),
    };
    let scheme = ScryptMac { costs, salt: rest.get(..32).ok_or(MALFORMED)?.into() };
    // Its name, its version and its checksum.
    if scheme.header() != header {
        return Err(MALFORMED);
    }
    as_typed((Scheme::ScryptMac(scheme), mac.to_vec()))
}
