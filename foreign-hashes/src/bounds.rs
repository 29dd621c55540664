//! What a check may cost, and what it has to cost at least.

use crate::Refused;
use crate::kind::Kind;
use crate::primitives::is_affordable;

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
/// Rounds of Sun's MD5 crypt, each of which hashes 1.5 KB: about three seconds of one core.
const MAX_SUN_MD5_ROUNDS: u32 = 1_000_000;

/// NIST SP 800-63B-3, 5.1.1.2.
const ITERATION_FLOOR: u32 = 10_000;
/// OWASP's minimum for bcrypt.
const BCRYPT_FLOOR: u8 = 10;
/// OWASP's smallest setting of Argon2id.
const MEMORY_FLOOR: u64 = 7 * MIB;

impl Kind {
    /// # Errors
    /// [`Refused::TooCostly`] with the numbers, where a check would take more than 256 MiB or more than a few seconds
    /// of one core.
    pub(crate) fn check(self) -> Result<(), Refused> {
        let affordable = match self {
            Self::DesCrypt | Self::Digest { .. } | Self::Hmac(_) | Self::Md5Crypt { .. } => true,
            Self::Argon2 { m, t, p, .. } => fits(u64::from(m) * KIB, t.into(), MAX_PASSES) && p <= MAX_LANES,
            Self::Bcrypt { cost } => cost <= MAX_BCRYPT_COST,
            Self::Iterated { rounds, salt, .. } => {
                u64::from(rounds.get()) <= MAX_ITERATIONS && is_affordable(rounds.get(), salt.unwrap_or(0).into())
            }
            Self::Pbkdf1 { rounds, .. } => u64::from(rounds.get()) <= MAX_ITERATIONS,
            Self::Pbkdf2 { digest, rounds, len } => {
                u64::from(rounds.get()) * u64::from(len).div_ceil(digest.len() as u64) <= MAX_ITERATIONS
            }
            Self::Scrypt { log_n, r, p, .. } => fits(scrypt_memory(log_n, r), p.into(), MAX_SCRYPT) && works(r, p),
            Self::ShaCrypt { rounds, .. } => rounds.get() <= MAX_CRYPT_ROUNDS,
            Self::SunMd5 { rounds } => rounds <= MAX_SUN_MD5_ROUNDS,
            Self::Yescrypt { log_n, r, p, t, .. } => {
                fits(scrypt_memory(log_n, r), u64::from(p).saturating_mul(u64::from(t) + 1), MAX_PASSES)
                    && p <= MAX_LANES
                    && works(r, p)
            }
        };
        if affordable { Ok(()) } else { Err(Refused::TooCostly(self.to_string())) }
    }

    /// The rule is [`ForeignHash::is_weak`](crate::ForeignHash::is_weak)'s.
    pub(crate) fn is_weak(self) -> bool {
        match self {
            Self::DesCrypt | Self::Digest { .. } | Self::Hmac(_) | Self::Md5Crypt { .. } | Self::SunMd5 { .. } => true,
            Self::Argon2 { m, t, .. } => (u64::from(m) * KIB).saturating_mul(t.into()) < MEMORY_FLOOR,
            Self::Bcrypt { cost } => cost < BCRYPT_FLOOR,
            Self::Iterated { rounds, .. }
            | Self::Pbkdf1 { rounds, .. }
            | Self::Pbkdf2 { rounds, .. }
            | Self::ShaCrypt { rounds, .. } => rounds.get() < ITERATION_FLOOR,
            Self::Scrypt { log_n, r, p, .. } | Self::Yescrypt { log_n, r, p, .. } => {
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
