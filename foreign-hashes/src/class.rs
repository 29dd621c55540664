//! What decides how long a check takes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::shape::Shape;
use crate::{ForeignHash, Recipe};

/// All of a recipe that decides how long a check takes: the scheme with its cost, and the steps before it, without
/// salts and keys. For any one password, every check of a class computes the same. The exception is what is hashed only
/// once, such as the salt of PBKDF2: a few blocks of a digest, about a microsecond. SHA-crypt also repeats its salt once,
/// up to 271 times, as often as a byte of a digest says.
///
/// As text it has letters, digits, and `:`, `+` and `-`. First comes the scheme:
///
/// - `argon2id:65536:3:4`: KiB, passes, lanes; and `:16` after them for version 1.0
/// - `bcrypt:12`
/// - `pbkdf2-sha256:600000:32`: iterations, bytes of output
/// - `scrypt:14:8:1`: the binary logarithm of N, r, p; and `:16` after them for 16 times 32 bytes of output instead of
///   at most 64
/// - `yescrypt:47:12:32:1:0`: flavor, the binary logarithm of N, r, p, t; `gost-yescrypt` inside HMAC-GOST
/// - `sha512-crypt:5000`, `md5-crypt`: with a salt of the greatest length; of another, it follows, `sha512-crypt:5000:8`
/// - `pbkdf1-sha256:480000`: a digest of the previous digest
/// - `iterated-md5:8193`: a digest of the previous digest and the password
/// - `iterated-sha512:5000:33`: a digest of the previous digest, the password and a salt of so many bytes
/// - `digest-sha1`: of one password; `digest-sha1:2:0` if it is of two, or of more than 63 other bytes (in units of 64)
/// - `hmac-sha256`, `sun-md5:5000`, `des-crypt`
///
/// Then come the steps in their order, as in `bcrypt:12+nfkc` or `iterated-sha512:65537+hex-md5`. Steps that only refuse
/// passwords are left out, as they do not change the time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Class {
    kind: Kind,
    steps: Vec<Shape>,
}

/// That text names no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not the class of a hash.")]
pub struct UnknownClass;

impl Class {
    pub(crate) fn new(kind: Kind, steps: Vec<Shape>) -> Self {
        Self { kind, steps }
    }

    /// A hash of this class that no password has, made without randomness: what an account without a password is
    /// checked against, so that the answer takes as long as another's.
    ///
    /// Its expected output has no bytes, so that no output is equal to it. For the same reason it cannot be
    /// deserialized: store the class instead.
    #[must_use]
    pub fn dummy(&self) -> ForeignHash {
        // A class is only made of a checked recipe, or of a text that was checked as one.
        ForeignHash::impossible(Recipe::unchecked(self.prepare().collect(), self.kind.scheme()))
    }

    fn prepare(&self) -> impl Iterator<Item = crate::step::Step> {
        self.steps.iter().map(|shape| shape.step())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.steps.iter().try_for_each(|step| write!(f, "+{step}"))
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
        let mut parts = text.split('+');
        let kind = parts.next().unwrap_or_default().parse()?;
        let class = Self { kind, steps: parts.map(str::parse).collect::<Result<_, _>>()? };
        let recipe = Recipe::new(class.prepare().collect(), class.kind.scheme()).map_err(|_| UnknownClass)?;
        // One class, one text: no other spelling of its numbers.
        if recipe.class() != class || class.to_string() != text {
            return Err(UnknownClass);
        }
        Ok(class)
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::vectors::Vector;
    use crate::work::{self, Work};
    use crate::{Fields, ForeignHash, Stored, System};

    /// What one check hashes only once, such as the salt of PBKDF2, may differ within a class by so many blocks.
    const ONCE: usize = 16;

    fn vectors() -> impl Iterator<Item = Vector> {
        include_str!("../vectors/vectors.jsonl").lines().map(|line| serde_json::from_str(line).unwrap())
    }

    fn hash(stored: Stored) -> ForeignHash {
        match stored {
            Stored::Hash(hash) => hash,
            Stored::NoPassword => panic!("there is no password"),
        }
    }

    /// The same hash with the least costs, so that there is time for all of them.
    fn cheap(hash: &ForeignHash) -> ForeignHash {
        let mut json = serde_json::to_value(hash).unwrap();
        for scheme in json["recipe"]["scheme"].as_object_mut().unwrap().values_mut() {
            for (name, most) in [("cost", 4), ("m", 128), ("t", 1), ("rounds", 1000), ("log_n", 8), ("log_rounds", 7)] {
                if let Some(Value::Number(number)) = scheme.get_mut(name) {
                    *number = number.as_u64().unwrap().min(most).into();
                }
            }
        }
        serde_json::from_value(json).unwrap()
    }

    /// One of each recipe of each system, whatever its costs, salts and keys.
    fn hashes() -> Vec<(System, ForeignHash)> {
        let upgraded = format!("U$S$512345678{}", ".".repeat(43));
        let clerk = format!("$2a$10${}", ".".repeat(53));
        let further = [(System::Drupal, &upgraded), (System::Clerk, &clerk)]
            .map(|(system, stored)| (system, hash(system.read(stored, &Fields::new()).unwrap())));
        let mut seen = BTreeSet::new();
        vectors()
            .map(|vector| (vector.system().unwrap(), hash(vector.read().unwrap())))
            .chain(further)
            .map(|(system, hash)| (system, cheap(&hash)))
            .filter(|(system, hash)| seen.insert((*system, hash.class(), format!("{hash:?}"))))
            .collect()
    }

    fn passwords() -> Vec<String> {
        let of_length = |length| "x".repeat(length);
        ["", "short", "  it's \\ ", "nul\0inside", "\0", "äöü", "日本語", "cafe\u{301} \u{fdfa}", "\0\u{10ffff}'"]
            .map(str::to_owned)
            .into_iter()
            .chain([55, 56, 72, 73, 80, 128, 512, 2000, 4096, 4097].map(of_length))
            .chain([format!("{}\0", of_length(2000)), "ä".repeat(1000)])
            .collect()
    }

    fn assert_alike(real: &Work, dummy: &Work, what: &str) {
        for (key, done) in real.iter().chain(dummy) {
            let [real, dummy] = [real, dummy].map(|work| work.get(key).copied().unwrap_or_default());
            let few = if key.1.is_empty() { ONCE } else { 0 };
            assert!(real.abs_diff(dummy) <= few, "{what}: {key:?}, {done}: {real} and {dummy}");
        }
    }

    #[test]
    fn every_password_costs_a_hash_and_its_dummy_the_same() {
        let hashes = hashes();
        let systems: BTreeSet<_> = hashes.iter().map(|(system, _)| *system).collect();
        assert_eq!(systems.len(), System::ALL.len(), "{systems:?}");
        for (system, hash) in &hashes {
            let dummy = hash.class().dummy();
            for password in passwords() {
                let of_dummy = work::of(|| assert!(!dummy.verify(&password)));
                let what = format!("{system}, {hash:?}, {} bytes, {password:.20?}", password.len());
                assert_alike(&work::of(|| hash.verify(&password)), &of_dummy, &what);
                assert_eq!(of_dummy.is_empty(), password.len() > 4096, "{what}");
            }
        }
    }

    #[test]
    fn a_refused_password_costs_as_much_as_another() {
        for (system, hash) in hashes() {
            for (refused, other) in [("a\0b", "aab"), ("\0\0", "aa"), ("ü", "aa")] {
                let what = format!("{system}, {hash:?}, {refused:?}");
                let derived = hash.recipe().derive(refused);
                if derived.is_none() {
                    let [refused, other] = [refused, other].map(|password| work::of(|| hash.verify(password)));
                    assert_alike(&refused, &other, &what);
                }
            }
        }
    }

    #[test]
    fn a_password_too_long_for_its_rounds_costs_neither_anything() {
        for (system, stored, length) in [
            (System::Passlib, format!("$P$L12345678{}", ".".repeat(22)), 129),
            (System::Passlib, format!("$6$rounds=656000$salt${}", ".".repeat(86)), 1633),
        ] {
            let hash = hash(system.read(&stored, &Fields::new()).unwrap());
            let work = [&hash, &hash.class().dummy()].map(|hash| work::of(|| hash.verify(&"x".repeat(length))));
            assert_eq!(work, [Work::new(), Work::new()], "{hash:?}");
        }
    }

    #[test]
    fn every_class_is_read_from_its_text_and_is_its_dummy_s() {
        for (system, hash) in vectors()
            .map(|it| (it.system(), self::hash(it.read().unwrap())))
            .chain(hashes().into_iter().map(|(system, hash)| (Some(system), hash)))
        {
            let class = hash.class();
            let text = class.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&class), "{system:?}");
            assert_eq!(class.dummy().class(), class, "{system:?}");
            let allowed = |it: char| it.is_ascii_alphanumeric() || ":+-".contains(it);
            assert!(text.len() < 100 && text.chars().all(allowed), "{text}");
        }
    }
}
