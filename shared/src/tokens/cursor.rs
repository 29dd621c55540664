//! Cursors of lists: the last id of a page with a MAC, so that nobody can make one up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{LENGTH, MacKey};
use crate::domain::id::UserId;

#[must_use]
pub fn encode(last: UserId, key: &MacKey) -> String {
    URL_SAFE_NO_PAD.encode([last.as_bytes().as_slice(), &key.sign(last.as_bytes())].concat())
}

/// `None` unless this service made it.
#[must_use]
pub fn decode(text: &str, key: &MacKey) -> Option<UserId> {
    let bytes: [u8; 16 + LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (id, mac) = bytes.split_at(16);
    key.verify(id, mac).then(|| id.try_into().ok().map(UserId::from_bytes)).flatten()
}
