//! How a password becomes an output.

use std::fmt;
use std::hint::black_box;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::scheme::Scheme;
use crate::shape::Shape;
use crate::step::{self, Prepared, Step};
use crate::{Class, Refused};

/// The longest password that is hashed at all, in bytes of UTF-8: Symfony and passlib have the same limit.
const MAX_PASSWORD: usize = 4096;

/// The most steps that a recipe may have. The longest of the systems has four.
const MAX_STEPS: usize = 8;

/// How a password becomes an output: preparing steps, then one scheme with its salt and cost.
///
/// In JSON it has the names of its steps and of its scheme, and bytes as base64. The names are never given another
/// meaning, so a stored recipe stays readable; one whose cost or form [`System::read`](crate::System::read) would
/// refuse cannot be deserialized.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Recipe {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prepare: Vec<Step>,
    scheme: Scheme,
}

/// A recipe as JSON has it, before anything is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    #[serde(default)]
    prepare: Vec<Step>,
    scheme: Scheme,
}

impl TryFrom<Unchecked> for Recipe {
    type Error = Refused;

    fn try_from(Unchecked { prepare, scheme }: Unchecked) -> Result<Self, Refused> {
        Self::new(prepare, scheme)
    }
}

impl Recipe {
    pub(crate) fn new(prepare: Vec<Step>, scheme: Scheme) -> Result<Self, Refused> {
        if prepare.len() > MAX_STEPS {
            return Err(Refused::Malformed("a recipe has too many steps"));
        }
        prepare.iter().try_for_each(Step::check)?;
        step::check_order(&prepare)?;
        scheme.check()?;
        Ok(Self { prepare, scheme })
    }

    /// Of what its caller has checked.
    pub(crate) fn unchecked(prepare: Vec<Step>, scheme: Scheme) -> Self {
        Self { prepare, scheme }
    }

    /// What the password gives, which the same password always gives.
    ///
    /// `None` where the system refuses it (a NUL, too long, empty), after the same work as for any other password.
    ///
    /// `None` without any work for all passwords over 4,096 bytes, and for those that are so long that a scheme which
    /// hashes them in every round would hash more than a GiB: at passlib's 656,000 rounds of SHA-512 crypt, over 1,632
    /// bytes. Either is the same for all recipes of a class.
    #[must_use]
    pub fn derive(&self, typed: &str) -> Option<Zeroizing<Vec<u8>>> {
        if typed.len() > MAX_PASSWORD {
            return None;
        }
        let Prepared { password, refused } = step::prepare(&self.prepare, typed);
        // The compiler may not leave out what is thrown away.
        let output = black_box(self.scheme.derive(&password));
        output.filter(|_| !refused)
    }

    /// What decides how long a check takes.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::new(self.scheme.kind(), self.prepare.iter().filter_map(Shape::of).collect())
    }

    pub(crate) fn is_weak(&self) -> bool {
        self.scheme.is_weak()
    }

    pub(crate) fn output_len(&self) -> usize {
        self.scheme.output_len()
    }
}

/// Without salts and keys: the scheme is shown as its kind.
impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("prepare", &self.prepare)
            .field("scheme", &format_args!("{}", self.scheme.kind()))
            .finish()
    }
}
