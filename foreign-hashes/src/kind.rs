//! A scheme and its cost: as text, and as a scheme again.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::UnknownClass;
use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::primitives::{
    Argon2, Bcrypt, DesCrypt, Hmac, Iterated, Md5Crypt, Order, Pbkdf2, Scrypt, ScryptCosts, ShaCrypt, SunMd5,
    TemplateDigest, Variant, Yescrypt,
};
use crate::scheme::Scheme;

/// A scheme with all that its time depends on besides the password. A salt's length is part of it where every round
/// hashes the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Version 1.0 (16) writes its blocks, 1.3 (19) reads them before.
    Argon2 {
        variant: Variant,
        m: u32,
        t: u32,
        p: u32,
        version: u8,
    },
    Bcrypt {
        cost: u8,
    },
    DesCrypt,
    /// Of so many passwords, and of so many times 64 other bytes.
    Digest {
        digest: Digest,
        passwords: u8,
        others: u8,
    },
    Hmac(Digest),
    /// Each digest is of the previous one and the password, and of a salt of so many bytes if there is one.
    Iterated {
        digest: Digest,
        rounds: NonZeroU32,
        salt: Option<u16>,
    },
    Md5Crypt {
        salt: u8,
    },
    /// Each digest is of the previous one alone.
    Pbkdf1 {
        digest: Digest,
        rounds: NonZeroU32,
    },
    Pbkdf2 {
        digest: Digest,
        rounds: NonZeroU32,
        len: u16,
    },
    /// The output's blocks are of 32 bytes, each a digest of all lanes' blocks.
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
        blocks: u8,
    },
    ShaCrypt {
        digest: Digest,
        rounds: NonZeroU32,
        salt: u8,
    },
    SunMd5 {
        rounds: u32,
    },
    Yescrypt {
        gost: bool,
        flavor: u32,
        log_n: u8,
        r: u32,
        p: u32,
        t: u32,
    },
}

/// The salt's length that a text does not name.
const MD5_CRYPT_SALT: u8 = 8;
const SHA_CRYPT_SALT: u8 = 16;
/// The version of Argon2 that a text does not name: 1.3.
const ARGON2_VERSION: u8 = 19;
/// Bytes of a block of scrypt's output.
pub(crate) const SCRYPT_BLOCK: u8 = 32;
/// What a text does not name: two blocks, or one, as most systems have. The second takes some microseconds.
pub(crate) const SCRYPT_BLOCKS: u8 = 2;

impl Kind {
    /// A scheme of this kind, whose salt is dots.
    pub(crate) fn scheme(self) -> Scheme {
        let dots = |len: u16| Bytes::from(vec![b'.'; len.into()]);
        let salt = dots(16);
        match self {
            Self::Argon2 { variant, m, t, p, version } => {
                Scheme::Argon2(Argon2 { variant, version, m, t, p, salt, secret: None, data: None, len: 32 })
            }
            Self::Bcrypt { cost } => Scheme::Bcrypt(Bcrypt { cost, salt, sign_extension: false }),
            Self::DesCrypt => Scheme::DesCrypt(DesCrypt { salt: 0 }),
            Self::Digest { digest, passwords, others } => {
                Scheme::Digest(TemplateDigest::of_shape(digest, passwords, u16::from(others) * 64))
            }
            Self::Hmac(digest) => Scheme::Hmac(Hmac { digest, key: salt }),
            Self::Iterated { digest, rounds, salt } => Scheme::Iterated(match salt {
                None => Iterated { digest, order: Order::SaltPasswordThenPassword, rounds, salt: dots(8) },
                Some(len) => Iterated { digest, order: Order::PasswordSaltEachTime, rounds, salt: dots(len) },
            }),
            Self::Md5Crypt { salt } => Scheme::Md5Crypt(Md5Crypt { salt: dots(salt.into()) }),
            Self::Pbkdf1 { digest, rounds } => {
                Scheme::Iterated(Iterated { digest, order: Order::SaltPasswordThenAlone, rounds, salt })
            }
            Self::Pbkdf2 { digest, rounds, len } => Scheme::Pbkdf2(Pbkdf2 { digest, rounds, salt, len }),
            Self::Scrypt { log_n, r, p, blocks } => {
                let len = u16::from(blocks) * u16::from(SCRYPT_BLOCK);
                Scheme::Scrypt(Scrypt { costs: ScryptCosts { log_n, r, p }, salt, len })
            }
            Self::ShaCrypt { digest, rounds, salt } => {
                Scheme::ShaCrypt(ShaCrypt { digest, rounds, salt: dots(salt.into()) })
            }
            Self::SunMd5 { rounds } => Scheme::SunMd5(SunMd5 { rounds, setting: salt }),
            Self::Yescrypt { gost, flavor, log_n, r, p, t } => {
                Scheme::Yescrypt(Yescrypt { flavor, log_n, r, p, t, salt, gost: gost.then(|| dots(32)) })
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Argon2 { variant, m, t, p, version } => {
                write!(f, "argon2{}:{m}:{t}:{p}{}", variant.name(), Unless(version, ARGON2_VERSION))
            }
            Self::Bcrypt { cost } => write!(f, "bcrypt:{cost}"),
            Self::DesCrypt => f.write_str("des-crypt"),
            Self::Digest { digest, passwords: 1, others: 0 } => write!(f, "digest-{}", digest.name()),
            Self::Digest { digest, passwords, others } => write!(f, "digest-{}:{passwords}:{others}", digest.name()),
            Self::Hmac(digest) => write!(f, "hmac-{}", digest.name()),
            Self::Iterated { digest, rounds, salt: None } => write!(f, "iterated-{}:{rounds}", digest.name()),
            Self::Iterated { digest, rounds, salt: Some(len) } => {
                write!(f, "iterated-{}:{rounds}:{len}", digest.name())
            }
            Self::Md5Crypt { salt } => write!(f, "md5-crypt{}", Unless(salt, MD5_CRYPT_SALT)),
            Self::Pbkdf1 { digest, rounds } => write!(f, "pbkdf1-{}:{rounds}", digest.name()),
            Self::Pbkdf2 { digest, rounds, len } => write!(f, "pbkdf2-{}:{rounds}:{len}", digest.name()),
            Self::Scrypt { log_n, r, p, blocks } => {
                write!(f, "scrypt:{log_n}:{r}:{p}{}", Unless(blocks, SCRYPT_BLOCKS))
            }
            Self::ShaCrypt { digest, rounds, salt } => {
                write!(f, "{}-crypt:{rounds}{}", digest.name(), Unless(salt, SHA_CRYPT_SALT))
            }
            Self::SunMd5 { rounds } => write!(f, "sun-md5:{rounds}"),
            Self::Yescrypt { gost, flavor, log_n, r, p, t } => {
                write!(f, "{}yescrypt:{flavor}:{log_n}:{r}:{p}:{t}", if gost { "gost-" } else { "" })
            }
        }
    }
}

/// A further number, unless it is the usual one.
struct Unless(u8, u8);

impl fmt::Display for Unless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, usual) = self;
        if number == usual { Ok(()) } else { write!(f, ":{number}") }
    }
}

impl FromStr for Kind {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Vec<u32> = numbers
            .split_terminator(':')
            .map(|number| number.parse().map_err(|_| UnknownClass))
            .collect::<Result<_, _>>()?;
        alone(name, &numbers).or_else(|| of_family(name, &numbers)).ok_or(UnknownClass)
    }
}

/// The kinds whose names are the same for each of them.
fn alone(name: &str, numbers: &[u32]) -> Option<Kind> {
    Some(match (name, numbers) {
        ("bcrypt", &[cost]) => Kind::Bcrypt { cost: byte(cost)? },
        ("des-crypt", []) => Kind::DesCrypt,
        ("md5-crypt", []) => Kind::Md5Crypt { salt: MD5_CRYPT_SALT },
        ("md5-crypt", &[salt]) => Kind::Md5Crypt { salt: byte(salt)? },
        ("scrypt", &[log_n, r, p]) => Kind::Scrypt { log_n: byte(log_n)?, r, p, blocks: SCRYPT_BLOCKS },
        ("scrypt", &[log_n, r, p, blocks]) => Kind::Scrypt { log_n: byte(log_n)?, r, p, blocks: byte(blocks)? },
        ("sun-md5", &[rounds]) => Kind::SunMd5 { rounds },
        ("yescrypt" | "gost-yescrypt", &[flavor, log_n, r, p, t]) => {
            Kind::Yescrypt { gost: name != "yescrypt", flavor, log_n: byte(log_n)?, r, p, t }
        }
        _ => return None,
    })
}

/// The kinds whose names have a variant or a digest.
fn of_family(name: &str, numbers: &[u32]) -> Option<Kind> {
    if let Some(variant) = name.strip_prefix("argon2") {
        return argon2(Variant::of_name(variant)?, numbers);
    }
    if let Some(digest) = name.strip_suffix("-crypt") {
        return sha_crypt(Digest::of_name(digest)?, numbers);
    }
    let (family, digest) = name.split_once('-')?;
    let digest = Digest::of_name(digest)?;
    let rounds = NonZeroU32::new;
    Some(match (family, numbers) {
        ("digest", []) => Kind::Digest { digest, passwords: 1, others: 0 },
        ("digest", &[passwords, others]) => Kind::Digest { digest, passwords: byte(passwords)?, others: byte(others)? },
        ("hmac", []) => Kind::Hmac(digest),
        ("iterated", &[count]) => Kind::Iterated { digest, rounds: rounds(count)?, salt: None },
        ("iterated", &[count, salt]) => {
            Kind::Iterated { digest, rounds: rounds(count)?, salt: Some(u16::try_from(salt).ok()?) }
        }
        ("pbkdf1", &[count]) => Kind::Pbkdf1 { digest, rounds: rounds(count)? },
        ("pbkdf2", &[count, len]) => Kind::Pbkdf2 { digest, rounds: rounds(count)?, len: u16::try_from(len).ok()? },
        _ => return None,
    })
}

fn argon2(variant: Variant, numbers: &[u32]) -> Option<Kind> {
    let (m, t, p, version) = match *numbers {
        [m, t, p] => (m, t, p, ARGON2_VERSION),
        [m, t, p, version] => (m, t, p, byte(version)?),
        _ => return None,
    };
    Some(Kind::Argon2 { variant, m, t, p, version })
}

fn sha_crypt(digest: Digest, numbers: &[u32]) -> Option<Kind> {
    let (rounds, salt) = match *numbers {
        [rounds] => (rounds, SHA_CRYPT_SALT),
        [rounds, salt] => (rounds, byte(salt)?),
        _ => return None,
    };
    Some(Kind::ShaCrypt { digest, rounds: NonZeroU32::new(rounds)?, salt })
}

fn byte(number: u32) -> Option<u8> {
    u8::try_from(number).ok()
}
