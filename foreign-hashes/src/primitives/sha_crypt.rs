//! SHA-256 and SHA-512 crypt (Ulrich Drepper's specification).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use sha_crypt::Params;

use super::{Output, Primitive, is_affordable};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::encoding::crypt64_value;
use crate::kind::Kind;
use crate::work;

/// SHA-crypt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShaCrypt {
    /// SHA-256 or SHA-512.
    pub(crate) digest: Digest,
    pub(crate) rounds: NonZeroU32,
    /// Text of at most 16 characters.
    pub(crate) salt: Bytes,
}

impl Primitive for ShaCrypt {
    fn check(&self) -> Result<(), Refused> {
        if !matches!(self.digest, Digest::Sha256 | Digest::Sha512) {
            return Err(Refused::Unsupported("SHA-crypt with this digest"));
        }
        if self.salt.len() > 16 {
            return Err(Refused::Malformed("the salt of SHA-crypt is over 16 characters"));
        }
        Params::new(self.rounds.get())
            .map(|_| ())
            .map_err(|_| Refused::Malformed("the rounds of SHA-crypt are not from 1,000 to 999,999,999"))
    }

    fn kind(&self) -> Kind {
        Kind::ShaCrypt { digest: self.digest, rounds: self.rounds, salt: self.salt.len().to_le_bytes()[0] }
    }

    fn output_len(&self) -> usize {
        self.digest.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        // Before the rounds, it hashes the password as often as the password has bytes.
        let times = u32::try_from(password.len()).unwrap_or(u32::MAX).saturating_add(self.rounds.get());
        if !is_affordable(times, password.len()) {
            return None;
        }
        work::call(self.digest.name(), &[self.rounds.get() as usize, self.salt.len(), password.len()]);
        let params = Params::new(self.rounds.get()).ok()?;
        Some(match self.digest {
            Digest::Sha512 => sha_crypt::sha512_crypt(password, &self.salt, params).to_vec().into(),
            _ => sha_crypt::sha256_crypt(password, &self.salt, params).to_vec().into(),
        })
    }
}

/// The output that a stored text holds: 43 or 86 characters, in which the bytes are shuffled.
pub(crate) fn output_from_text(digest: Digest, text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; digest.len()];
    let mut characters = text.bytes();
    for places in order(digest) {
        let mut value = 0;
        for position in 0..=places.len() {
            value |= u32::from(crypt64_value(characters.next()?)?) << (6 * position);
        }
        for place in places.into_iter().rev() {
            *bytes.get_mut(place)? = value.to_le_bytes()[0];
            value >>= 8;
        }
        if value != 0 {
            return None;
        }
    }
    characters.next().is_none().then_some(bytes)
}

/// Which bytes each group of characters holds, from the highest bits to the lowest: one of each third of the output,
/// which takes turns in being the first, and then what is left.
fn order(digest: Digest) -> Vec<Vec<usize>> {
    let third = digest.len() / 3;
    let mut groups: Vec<Vec<usize>> = (0..third).map(|n| vec![n, n + third, n + 2 * third]).collect();
    for (n, group) in groups.iter_mut().enumerate() {
        match digest {
            Digest::Sha512 => group.rotate_left(n % 3),
            _ => group.rotate_right(n % 3),
        }
    }
    groups.push((3 * third..digest.len()).rev().collect());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_specification_s() {
        assert_eq!(order(Digest::Sha256)[..3], [vec![0, 10, 20], vec![21, 1, 11], vec![12, 22, 2]]);
        assert_eq!(order(Digest::Sha256)[10], [31, 30]);
        assert_eq!(order(Digest::Sha512)[..3], [vec![0, 21, 42], vec![22, 43, 1], vec![44, 2, 23]]);
        assert_eq!(order(Digest::Sha512)[21], [63]);
    }

    #[test]
    fn a_text_of_another_length_has_no_output() {
        for length in [0, 42, 44, 85, 86, 87] {
            assert_eq!(output_from_text(Digest::Sha256, &".".repeat(length)), None);
        }
        assert_eq!(output_from_text(Digest::Sha512, &".".repeat(86)), Some(vec![0; 64]));
    }
}
