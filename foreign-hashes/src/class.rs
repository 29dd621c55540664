//! What decides how long a check takes, and the bounds that it may not cross.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::primitives::{
    Argon2, Bcrypt, DesCrypt, Iterated, Md5Crypt, Order, Pbkdf2, Scrypt, ScryptCosts, ShaCrypt, SunMd5, TemplateDigest,
    Variant, Yescrypt,
};
use crate::scheme::Scheme;
use crate::{ForeignHash, Recipe, Refused};

/// A scheme and its cost, without salt and secret: what decides how long a check takes. Two hashes of one class cannot
/// be told apart by the time that they take.
///
/// As text: `bcrypt:12`, `pbkdf2-sha256:600000:32` (iterations, bytes), `argon2id:65536:3:4` (KiB, passes, lanes),
/// `scrypt:14:8:1` (the binary logarithm of N, r, p), `yescrypt:47:12:32:1:0` (flavor, the binary logarithm of N, r, p,
/// t), `sha512-crypt:5000`, `iterated-md5:8193`, `digest-sha1`, `md5-crypt`, `sun-md5:5000`, `des-crypt`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Class(pub(crate) Kind);

/// A scheme and its cost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Argon2 { variant: Variant, m: u32, t: u32, p: u32 },
    Bcrypt { cost: u8 },
    DesCrypt,
    Digest(Digest),
    Iterated { digest: Digest, rounds: NonZeroU32 },
    Md5Crypt,
    Pbkdf2 { digest: Digest, rounds: NonZeroU32, len: u16 },
    Scrypt { log_n: u8, r: u32, p: u32 },
    ShaCrypt { digest: Digest, rounds: NonZeroU32 },
    SunMd5 { rounds: u32 },
    Yescrypt { flavor: u32, log_n: u8, r: u32, p: u32, t: u32 },
}

/// That text names no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not the class of a hash.")]
pub struct UnknownClass;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// The most memory of one check.
const MAX_MEMORY: u64 = 256 * MIB;
/// The most memory that scrypt may fill in all, lane after lane.
const MAX_SCRYPT: u64 = GIB;
/// The most memory that Argon2 and yescrypt may fill, counted once for each pass.
const MAX_PASSES: u64 = 2 * GIB;
const MAX_LANES: u32 = 16;
/// The most memory of scrypt and yescrypt besides what they fill, which grows with r and p even where N is small.
const MAX_WORKING_MEMORY: u64 = 16 * MIB;
/// About three seconds of one core.
const MAX_BCRYPT_COST: u8 = 15;
/// Digests of PBKDF2: a few seconds of one core with any of them, and six times what Django asks for.
const MAX_ITERATIONS: u64 = 10_000_000;
/// Rounds of SHA-crypt, each of which is a longer digest.
const MAX_CRYPT_ROUNDS: u32 = 5_000_000;

/// NIST SP 800-63B-3, 5.1.1.2.
const ITERATION_FLOOR: u32 = 10_000;
/// OWASP's minimum for bcrypt.
const BCRYPT_FLOOR: u8 = 10;
/// OWASP's smallest setting of Argon2id.
const MEMORY_FLOOR: u64 = 7 * MIB;

impl Class {
    /// A hash of this class that no password has, made without randomness: what an account without a password is
    /// checked against, so that the answer takes as long as another's.
    ///
    /// Its expected output has no bytes, so that no output is equal to it.
    #[must_use]
    pub fn dummy(&self) -> ForeignHash {
        // A class is only made of a checked scheme, or of a text that was checked as one.
        let recipe = Recipe::unchecked(self.scheme());
        ForeignHash::impossible(recipe)
    }

    /// The scheme of this class with a salt of zeros.
    fn scheme(&self) -> Scheme {
        let salt = || vec![0; 16].into();
        match self.0 {
            Kind::Argon2 { variant, m, t, p } => Scheme::Argon2(Argon2 {
                variant,
                version: 19,
                m,
                t,
                p,
                salt: salt(),
                secret: None,
                data: None,
                len: 32,
            }),
            Kind::Bcrypt { cost } => Scheme::Bcrypt(Bcrypt { cost, salt: salt(), sign_extension: false }),
            Kind::DesCrypt => Scheme::DesCrypt(DesCrypt { salt: 0 }),
            Kind::Digest(digest) => Scheme::Digest(TemplateDigest::salt_first(digest, salt())),
            Kind::Iterated { digest, rounds } => {
                Scheme::Iterated(Iterated { digest, order: Order::PasswordSaltEachTime, rounds, salt: salt() })
            }
            Kind::Md5Crypt => Scheme::Md5Crypt(Md5Crypt { salt: vec![b'.'; 8].into() }),
            Kind::Pbkdf2 { digest, rounds, len } => Scheme::Pbkdf2(Pbkdf2 { digest, rounds, salt: salt(), len }),
            Kind::Scrypt { log_n, r, p } => {
                Scheme::Scrypt(Scrypt { costs: ScryptCosts { log_n, r, p }, salt: salt(), len: 32 })
            }
            Kind::ShaCrypt { digest, rounds } => {
                Scheme::ShaCrypt(ShaCrypt { digest, rounds, salt: vec![b'.'; 16].into() })
            }
            Kind::SunMd5 { rounds } => Scheme::SunMd5(SunMd5 { rounds, setting: salt() }),
            Kind::Yescrypt { flavor, log_n, r, p, t } => {
                Scheme::Yescrypt(Yescrypt { flavor, log_n, r, p, t, salt: salt(), gost: None })
            }
        }
    }

    /// # Errors
    /// [`Refused::TooCostly`] with the numbers, where a check would take more than 256 MiB or more than a few seconds
    /// of one core.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        let affordable = match self.0 {
            Kind::DesCrypt | Kind::Digest(_) | Kind::Md5Crypt => true,
            Kind::Argon2 { m, t, p, .. } => fits(u64::from(m) * KIB, t.into(), MAX_PASSES) && p <= MAX_LANES,
            Kind::Bcrypt { cost } => cost <= MAX_BCRYPT_COST,
            Kind::Iterated { rounds, .. } => u64::from(rounds.get()) <= MAX_ITERATIONS,
            Kind::Pbkdf2 { digest, rounds, len } => {
                u64::from(rounds.get()) * u64::from(len).div_ceil(digest.len() as u64) <= MAX_ITERATIONS
            }
            Kind::Scrypt { log_n, r, p } => fits(scrypt_memory(log_n, r), p.into(), MAX_SCRYPT) && works(r, p),
            Kind::ShaCrypt { rounds, .. } => rounds.get() <= MAX_CRYPT_ROUNDS,
            Kind::SunMd5 { rounds } => rounds <= MAX_CRYPT_ROUNDS,
            Kind::Yescrypt { log_n, r, p, t, .. } => {
                fits(scrypt_memory(log_n, r), u64::from(p).saturating_mul(u64::from(t) + 1), MAX_PASSES)
                    && p <= MAX_LANES
                    && works(r, p)
            }
        };
        if affordable { Ok(()) } else { Err(Refused::TooCostly(self.to_string())) }
    }

    /// The rule is [`ForeignHash::is_weak`]'s.
    pub(crate) fn is_weak(&self) -> bool {
        match self.0 {
            Kind::DesCrypt | Kind::Digest(_) | Kind::Md5Crypt | Kind::SunMd5 { .. } => true,
            Kind::Argon2 { m, t, .. } => (u64::from(m) * KIB).saturating_mul(t.into()) < MEMORY_FLOOR,
            Kind::Bcrypt { cost } => cost < BCRYPT_FLOOR,
            Kind::Iterated { rounds, .. } | Kind::Pbkdf2 { rounds, .. } | Kind::ShaCrypt { rounds, .. } => {
                rounds.get() < ITERATION_FLOOR
            }
            Kind::Scrypt { log_n, r, p } | Kind::Yescrypt { log_n, r, p, .. } => {
                scrypt_memory(log_n, r).saturating_mul(p.into()) < MEMORY_FLOOR
            }
        }
    }
}

/// Whether so much memory, so many times filled, is within both bounds.
fn fits(memory: u64, times: u64, max: u64) -> bool {
    memory <= MAX_MEMORY && memory.saturating_mul(times) <= max
}

/// Whether the blocks of all lanes and two more are within their bound.
fn works(r: u32, p: u32) -> bool {
    u64::from(r).saturating_mul(128 * (u64::from(p) + 2)) <= MAX_WORKING_MEMORY
}

/// Bytes that scrypt fills: 128 N r.
fn scrypt_memory(log_n: u8, r: u32) -> u64 {
    1_u64.checked_shl(log_n.into()).unwrap_or(u64::MAX).saturating_mul(128 * u64::from(r))
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Argon2 { variant, m, t, p } => write!(f, "argon2{}:{m}:{t}:{p}", variant.name()),
            Kind::Bcrypt { cost } => write!(f, "bcrypt:{cost}"),
            Kind::DesCrypt => f.write_str("des-crypt"),
            Kind::Digest(digest) => write!(f, "digest-{}", digest.name()),
            Kind::Iterated { digest, rounds } => write!(f, "iterated-{}:{rounds}", digest.name()),
            Kind::Md5Crypt => f.write_str("md5-crypt"),
            Kind::Pbkdf2 { digest, rounds, len } => write!(f, "pbkdf2-{}:{rounds}:{len}", digest.name()),
            Kind::Scrypt { log_n, r, p } => write!(f, "scrypt:{log_n}:{r}:{p}"),
            Kind::ShaCrypt { digest, rounds } => write!(f, "{}-crypt:{rounds}", digest.name()),
            Kind::SunMd5 { rounds } => write!(f, "sun-md5:{rounds}"),
            Kind::Yescrypt { flavor, log_n, r, p, t } => write!(f, "yescrypt:{flavor}:{log_n}:{r}:{p}:{t}"),
        }
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        let class = Self(kind(text).ok_or(UnknownClass)?);
        // One class, one text: no other spelling of its numbers.
        if class.to_string() != text {
            return Err(UnknownClass);
        }
        class.scheme().check().map(|()| class).map_err(|_| UnknownClass)
    }
}

fn kind(text: &str) -> Option<Kind> {
    let (name, numbers) = text.split_once(':').unwrap_or((text, ""));
    let numbers: Vec<u32> = numbers.split_terminator(':').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let byte = |number: u32| u8::try_from(number).ok();
    Some(match (name, &numbers[..]) {
        ("bcrypt", &[cost]) => Kind::Bcrypt { cost: byte(cost)? },
        ("des-crypt", []) => Kind::DesCrypt,
        ("md5-crypt", []) => Kind::Md5Crypt,
        ("scrypt", &[log_n, r, p]) => Kind::Scrypt { log_n: byte(log_n)?, r, p },
        ("sun-md5", &[rounds]) => Kind::SunMd5 { rounds },
        ("yescrypt", &[flavor, log_n, r, p, t]) => Kind::Yescrypt { flavor, log_n: byte(log_n)?, r, p, t },
        ("sha256-crypt", &[rounds]) => Kind::ShaCrypt { digest: Digest::Sha256, rounds: NonZeroU32::new(rounds)? },
        ("sha512-crypt", &[rounds]) => Kind::ShaCrypt { digest: Digest::Sha512, rounds: NonZeroU32::new(rounds)? },
        _ => return kind_of_family(name, &numbers),
    })
}

/// The kinds whose names end with a variant or a digest.
fn kind_of_family(name: &str, numbers: &[u32]) -> Option<Kind> {
    if let (Some(variant), &[m, t, p]) = (name.strip_prefix("argon2"), numbers) {
        return Some(Kind::Argon2 { variant: Variant::of_name(variant)?, m, t, p });
    }
    let (family, digest) = name.split_once('-')?;
    let digest = Digest::of_name(digest)?;
    Some(match (family, numbers) {
        ("digest", []) => Kind::Digest(digest),
        ("iterated", &[rounds]) => Kind::Iterated { digest, rounds: NonZeroU32::new(rounds)? },
        ("pbkdf2", &[rounds, len]) => {
            Kind::Pbkdf2 { digest, rounds: NonZeroU32::new(rounds)?, len: u16::try_from(len).ok()? }
        }
        _ => return None,
    })
}

impl TryFrom<String> for Class {
    type Error = UnknownClass;

    fn try_from(text: String) -> Result<Self, UnknownClass> {
        text.parse()
    }
}

impl From<Class> for String {
    fn from(class: Class) -> Self {
        class.to_string()
    }
}
