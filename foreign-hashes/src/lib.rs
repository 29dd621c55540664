//! Password hashes as other software stores them, and how each is verified.
//!
//! [`System::read`] takes one stored value and what else its system needs, and answers a [`ForeignHash`]: a [`Recipe`]
//! and the output that the right password gives. The system is named once for a whole file, because a string alone is
//! not enough: `$2b$12$…` may be bcrypt of a password, of its SHA-256 in hex, or of its NFKC form. Inside a system the
//! string's own prefix decides. What does not fit is [`Refused`], and never guessed at.
//!
//! A recipe does exactly what its system did, faults included: a password that the system cut at 72 bytes is cut here,
//! one that it refused is refused. So the password is passed as the person typed it, not normalized.
//!
//! The string also chooses what its check costs. `read` refuses costs that no sane installation has
//! ([`Refused::TooCostly`]) before it computes anything, and everything that would make a primitive fail, so that
//! [`Recipe::derive`] only fails where the system would have refused the password.
//!
//! # Time
//!
//! The time of a check tells its [`Class`], and nothing else that an attacker could not know: [`Recipe::derive`] computes as
//! much for a password that the system would have refused, and every check of a class computes as much as that of
//! [`Class::dummy`]. So an address without an account, checked against a dummy, takes as long as one that has such a hash.
//!
//! # Weak hashes
//!
//! A hash that a stolen table gives up quickly ([`ForeignHash::is_weak`]) can be wrapped at once, without the password:
//! store the recipe and a slow hash of [`ForeignHash::expected`], and compare with the slow hash of [`Recipe::derive`]
//! at sign-in.

mod bounds;
mod bytes;
mod class;
mod digest;
mod encoding;
mod fields;
mod foreign_hash;
mod formats;
mod kind;
mod primitives;
mod recipe;
mod refused;
mod scheme;
mod shape;
mod step;
mod system;
mod systems;
pub mod vectors;
mod work;

pub use class::{Class, UnknownClass};
pub use fields::{Fields, Setting};
pub use foreign_hash::{ForeignHash, Stored};
pub use recipe::Recipe;
pub use refused::Refused;
pub use system::{System, UnknownSystem};
