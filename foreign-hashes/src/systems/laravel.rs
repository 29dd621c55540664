//! Laravel: PHP's `password_hash`.

use super::{Read, php};
use crate::fields::{Fields, Setting};

pub(crate) const SETTINGS: &[Setting] = &[];

pub(crate) fn read(stored: &str, fields: &Fields) -> Read {
    php::read(stored, fields)
}
