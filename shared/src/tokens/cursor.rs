//! Cursors of lists: the last id of a page with a MAC, so that nobody can make one up, nor use that of another list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{LENGTH, MacKey};

/// `of` names the list, and whose it is.
#[must_use]
pub fn encode(last: &[u8; 16], of: &str, key: &MacKey) -> String {
    URL_SAFE_NO_PAD.encode([last.as_slice(), &key.sign(&signed(last, of))].concat())
}

/// `None` unless this service made it for this list.
#[must_use]
pub fn decode(text: &str, of: &str, key: &MacKey) -> Option<[u8; 16]> {
    let bytes: [u8; 16 + LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (id, mac) = bytes.split_at(16);
    let id: [u8; 16] = id.try_into().ok()?;
    key.verify(&signed(&id, of), mac).then_some(id)
}

fn signed(last: &[u8; 16], of: &str) -> Vec<u8> {
    [last, of.as_bytes()].concat()
}
