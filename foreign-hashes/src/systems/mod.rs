//! The systems, one file each: which forms it stores, and what it does to a password before it hashes it.

pub(crate) mod argon2;
pub(crate) mod aspnet_identity;
pub(crate) mod auth0;
pub(crate) mod better_auth;
pub(crate) mod crypt;
pub(crate) mod devise;
pub(crate) mod django;
pub(crate) mod dovecot;
pub(crate) mod drupal;
pub(crate) mod firebase;
pub(crate) mod flask_bcrypt;
pub(crate) mod flask_security;
pub(crate) mod go_bcrypt;
pub(crate) mod keycloak;
pub(crate) mod kratos;
pub(crate) mod laravel;
pub(crate) mod lucia;
pub(crate) mod mediawiki;
pub(crate) mod meteor;
pub(crate) mod node_bcrypt;
pub(crate) mod node_phpass;
pub(crate) mod node_wordpress;
pub(crate) mod oslo;
pub(crate) mod passlib;
pub(crate) mod passport_local_mongoose;
pub(crate) mod php;
pub(crate) mod pwdlib;
pub(crate) mod rails;
pub(crate) mod redmine;
pub(crate) mod scrypt_kdf;
pub(crate) mod supabase;
pub(crate) mod symfony;
pub(crate) mod werkzeug;
pub(crate) mod wordpress;

use crate::formats::Parsed;
use crate::step::Step;
use crate::{ForeignHash, Refused};

/// What reading a stored value gives.
pub(crate) type Read = Result<ForeignHash, Refused>;

/// A prefix that the system does not have.
const UNKNOWN: Refused = Refused::Unsupported("the system does not store hashes with this prefix");

/// The scheme, and what is done to a password before.
fn after(steps: &[Step], (scheme, expected): Parsed) -> Read {
    ForeignHash::new(steps.to_vec(), scheme, expected)
}

/// The scheme of the password as it is typed.
fn as_typed(parsed: Parsed) -> Read {
    after(&[], parsed)
}
