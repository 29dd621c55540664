//! Sun's MD5 crypt (`$md5$`), Alec Muffett's of Solaris 9.

use serde::{Deserialize, Serialize};

use super::{Output, Primitive, check_salt};
use crate::Refused;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::kind::Kind;

/// What each round adds to the rounds that the string names.
const BASIC_ROUNDS: u32 = 4096;

/// Hamlet, act 3, scene 1, in Project Gutenberg's edition. The C string's end is part of it.
const HAMLET: &[u8] = b"To be, or not to be,--that is the question:--\n\
Whether 'tis nobler in the mind to suffer\n\
The slings and arrows of outrageous fortune\n\
Or to take arms against a sea of troubles,\n\
And by opposing end them?--To die,--to sleep,--\n\
No more; and by a sleep to say we end\n\
The heartache, and the thousand natural shocks\n\
That flesh is heir to,--'tis a consummation\n\
Devoutly to be wish'd. To die,--to sleep;--\n\
To sleep! perchance to dream:--ay, there's the rub;\n\
For in that sleep of death what dreams may come,\n\
When we have shuffled off this mortal coil,\n\
Must give us pause: there's the respect\n\
That makes calamity of so long life;\n\
For who would bear the whips and scorns of time,\n\
The oppressor's wrong, the proud man's contumely,\n\
The pangs of despis'd love, the law's delay,\n\
The insolence of office, and the spurns\n\
That patient merit of the unworthy takes,\n\
When he himself might his quietus make\n\
With a bare bodkin? who would these fardels bear,\n\
To grunt and sweat under a weary life,\n\
But that the dread of something after death,--\n\
The undiscover'd country, from whose bourn\n\
No traveller returns,--puzzles the will,\n\
And makes us rather bear those ills we have\n\
Than fly to others that we know not of?\n\
Thus conscience does make cowards of us all;\n\
And thus the native hue of resolution\n\
Is sicklied o'er with the pale cast of thought;\n\
And enterprises of great pith and moment,\n\
With this regard, their currents turn awry,\n\
And lose the name of action.--Soft you now!\n\
The fair Ophelia!--Nymph, in thy orisons\n\
Be all my sins remember'd.\n\0";

/// Sun's MD5 crypt. Each round tosses a coin with bits of the previous digest, and hashes Hamlet if it comes up heads:
/// so that the rounds cannot be laid out in advance.
///
/// Here each round hashes Hamlet, and once more without, and keeps the one that the coin chooses. Otherwise the time
/// would tell how often heads came up for this password and salt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SunMd5 {
    /// As the string names them, without the 4,096 that there always are.
    pub(crate) rounds: u32,
    /// The stored text up to the salt's end, which is hashed as it is: `$md5,rounds=5000$salt$`.
    pub(crate) setting: Bytes,
}

impl SunMd5 {
    fn all_rounds(&self) -> u32 {
        BASIC_ROUNDS.saturating_add(self.rounds)
    }
}

impl Primitive for SunMd5 {
    fn check(&self) -> Result<(), Refused> {
        check_salt(&self.setting)
    }

    fn kind(&self) -> Kind {
        Kind::SunMd5 { rounds: self.rounds }
    }

    fn output_len(&self) -> usize {
        Digest::Md5.len()
    }

    fn derive(&self, password: &[u8]) -> Option<Output> {
        let mut digest = Digest::Md5.of(&[password, &self.setting]);
        for round in 0..self.all_rounds() {
            let heads = coin(&digest, round)?;
            let number = round.to_string();
            let with = Digest::Md5.of(&[&digest, HAMLET, number.as_bytes()]);
            let without = Digest::Md5.of(&[&digest, number.as_bytes()]);
            digest = if heads { with } else { without };
        }
        Some(digest)
    }
}

/// Whether this round comes up heads.
fn coin(digest: &[u8], round: u32) -> Option<bool> {
    let digest = <&[u8; 16]>::try_from(digest).ok()?;
    let round = round as usize;
    let a = bit(digest, usize::from(indirect(digest, 0)) >> bit(digest, round) & 0x7f);
    let b = bit(digest, usize::from(indirect(digest, 8)) >> bit(digest, round + 64) & 0x7f);
    Some(a != b)
}

/// Eight bits of the digest, from places that eight of its bytes choose.
fn indirect(digest: &[u8; 16], start: usize) -> u8 {
    (0..8).fold(0, |bits, n| {
        let (i, j) = (start + n, (start + n + 3) % 16);
        let chosen = digest[usize::from(digest[i] >> (digest[j] % 5)) & 0x0f];
        let place = chosen >> (digest[j] >> (digest[i] & 7) & 1) & 0x7f;
        bits | bit(digest, place.into()) << n
    })
}

/// One bit of the digest, 0 or 1, counted from the lowest of the first byte.
const fn bit(digest: &[u8; 16], place: usize) -> u8 {
    digest[place / 8 % 16] >> (place % 8) & 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_has_its_length() {
        assert_eq!(HAMLET.len(), 1517);
    }
}
