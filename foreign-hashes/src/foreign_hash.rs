//! A hash of another system, and what a stored value may be.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::scheme::Scheme;
use crate::step::Step;
use crate::{Class, Recipe, Refused};

/// What a stored value says.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// The account cannot sign in with a password: Django's `!…`, `!` or `*` of crypt(3), an empty or null column.
    NoPassword,
    Hash(ForeignHash),
}

/// A recipe, and the output that the right password gives.
///
/// One whose output does not have the length that its recipe gives cannot be deserialized.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ForeignHash {
    recipe: Recipe,
    expected: Bytes,
}

/// A hash as JSON has it, before its output is measured.
#[derive(Deserialize)]
struct Unchecked {
    recipe: Recipe,
    expected: Bytes,
}

impl TryFrom<Unchecked> for ForeignHash {
    type Error = Refused;

    fn try_from(Unchecked { recipe, expected }: Unchecked) -> Result<Self, Refused> {
        Self::of(recipe, expected)
    }
}

impl ForeignHash {
    /// # Errors
    /// What makes the scheme impossible or too costly, and an output of another length than the scheme's.
    pub(crate) fn new(steps: Vec<Step>, scheme: Scheme, expected: Vec<u8>) -> Result<Self, Refused> {
        Self::of(Recipe::new(steps, scheme)?, expected.into())
    }

    /// # Errors
    /// An output of another length than the recipe's.
    fn of(recipe: Recipe, expected: Bytes) -> Result<Self, Refused> {
        if expected.len() != recipe.output_len() {
            return Err(Refused::Malformed("the output does not have the length of its scheme"));
        }
        Ok(Self { recipe, expected })
    }

    /// With an output of no bytes, which no recipe gives.
    pub(crate) fn impossible(recipe: Recipe) -> Self {
        Self { recipe, expected: Bytes::default() }
    }

    /// How a password becomes an output.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The output that the right password gives.
    #[must_use]
    pub fn expected(&self) -> &[u8] {
        &self.expected
    }

    /// Whether the password is one that the old system would have accepted. Outputs are compared in constant time.
    #[must_use]
    pub fn verify(&self, typed: &str) -> bool {
        self.recipe.derive(typed).is_some_and(|output| verify_slices_are_equal(&output, &self.expected).is_ok())
    }

    /// Whether a stolen table of such hashes gives up its passwords quickly, so that it is due for a slow hash around
    /// it.
    ///
    /// Weak are:
    /// - digests and HMACs, salted or not;
    /// - DES, MD5 and Sun MD5 crypt, and phpass with whatever digest (Drupal's too);
    /// - PBKDF2, SHA-crypt, SCRAM and iterated digests of fewer than 10,000 iterations, the floor of NIST SP 800-63B-3;
    /// - bcrypt of a cost below 10, OWASP's minimum;
    /// - Argon2, scrypt and yescrypt that fill less than 7 MiB, counted once for each pass: OWASP's smallest setting of
    ///   Argon2id is 7 MiB in five passes, and its smallest of scrypt 8 MiB.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.recipe.is_weak()
    }

    /// What decides how long a check takes.
    #[must_use]
    pub fn class(&self) -> Class {
        self.recipe.class()
    }
}

/// Without salt and output.
impl fmt::Debug for ForeignHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignHash").field(&self.recipe).finish()
    }
}
