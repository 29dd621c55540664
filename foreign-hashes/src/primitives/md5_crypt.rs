//! MD5 crypt (`$1$`), Poul-Henning Kamp's of FreeBSD.

use serde::{Deserialize, Serialize};

use super::{Output, Primitive};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::crypt64;
use crate::kind::Kind;

const ROUNDS: usize = 1000;

/// The order in which the text holds the bytes. 11 is alone at the end.
const ORDER: [usize; 16] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];

/// MD5 crypt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Md5Crypt {
    /// Text of at most 8 characters.
    pub(crate) salt: Bytes,
}

impl Md5Crypt {
    fn first(&self, password: &[u8]) -> Output {
        let inner = Digest::Md5.of(&[password, &self.salt, password]);
        let mut parts: Vec<&[u8]> = vec![password, b"$1$", &self.salt];
        parts.extend(inner.chunks(1).cycle().take(password.len()).collect::<Vec<_>>());
        let mut bits = password.len();
        while bits != 0 {
            // A zero for each set bit of the length, as the first implementation had cleared its buffer by then.
            parts.push(if bits & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
            bits >>= 1;
        }
        Digest::Md5.of(&parts)
    }

    fn further(&self, round: usize, previous: &[u8], password: &[u8]) -> Output {
        let odd = round % 2 == 1;
        let (first, last) = if odd { (password, previous) } else { (previous, password) };
        let salt: &[u8] = if round.is_multiple_of(3) { &[] } else { &self.salt };
        let again: &[u8] = if round.is_multiple_of(7) { &[] } else { password };
        Digest::Md5.of(&[first, salt, again, last])
    }
}

impl Primitive for Md5Crypt {
    fn check(&self) -> Result<(), Refused> {
        if self.salt.len() > 8 {
            return Err(Refused::Malformed("the salt of MD5 crypt is over 8 characters"));
        }
        Ok(())
    }

    fn kind(&self) -> Kind {
        Kind::Md5Crypt { salt: self.salt.len().to_le_bytes()[0] }
    }

    fn output_len(&self) -> usize {
        Digest::Md5.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let first = self.first(password);
        Some((0..ROUNDS).fold(first, |previous, round| self.further(round, &previous, password)))
    }
}

/// The output that a stored text of 22 characters holds.
pub(crate) fn output_from_text(text: &str) -> Option<Vec<u8>> {
    let shuffled = crypt64(text).filter(|bytes| bytes.len() == ORDER.len())?;
    let mut bytes = vec![0; ORDER.len()];
    for (place, byte) in ORDER.into_iter().zip(shuffled) {
        *bytes.get_mut(place)? = byte;
    }
    Some(bytes)
}
