//! Supabase Auth: Go's bcrypt, and what it imports: Argon2 and Firebase's.

use super::{Read, as_typed, go_bcrypt};
use crate::fields::{Fields, Setting};
use crate::formats::{argon2, firebase};

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    match stored {
        _ if stored.starts_with("$argon2") => as_typed(argon2::parse(stored, None)?),
        _ if stored.starts_with("$fbscrypt$") => as_typed(firebase::supabase(stored)?),
        _ => go_bcrypt::read(stored, fields),
    }
}
