//! Cursors of lists: the last ID of a page with a MAC, so that they can neither be forged nor used for another list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{LENGTH, MacKey};
use crate::error::{Error, Result};
use crate::store::Position;

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

/// As [`encode`], of a list whose pages end at more than an id.
///
/// # Errors
/// Never: a position can be written.
pub fn encode_position(last: &Position, of: &str, key: &MacKey) -> Result<String> {
    let last = serde_json::to_vec(last).map_err(Error::internal)?;
    let mac = key.sign(&signed_position(&last, of));
    Ok(URL_SAFE_NO_PAD.encode([mac.as_slice(), &last].concat()))
}

/// `None` unless this service made it for this list.
#[must_use]
pub fn decode_position(text: &str, of: &str, key: &MacKey) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (mac, last) = bytes.split_at_checked(LENGTH)?;
    key.verify(&signed_position(last, of), mac).then(|| serde_json::from_slice(last).ok()).flatten()
}

/// JSON ends where its braces or quotes do, so what comes after it is told apart.
fn signed_position(last: &[u8], of: &str) -> Vec<u8> {
    [last, b"\n", of.as_bytes()].concat()
}

fn signed(last: &[u8; 16], of: &str) -> Vec<u8> {
    [last, of.as_bytes()].concat()
}
