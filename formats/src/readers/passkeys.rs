//! Passkeys and security keys of other systems.

use super::{fields::Fields, parts::base64url};
use crate::Passkey;

/// What a key was registered for where it comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To sign in with it alone.
    SignIn,
    /// As a second factor after a password.
    SecondFactor,
}

/// The passkey with its id and public key in base64url. `None`, with a note, where one of them is not base64.
pub(crate) fn passkey(passkey: Passkey, purpose: Purpose, fields: &mut Fields) -> Option<Passkey> {
    let (Ok(id), Ok(public_key)) = (base64url(&passkey.id), base64url(&passkey.public_key)) else {
        fields.note("a passkey is left out: its id or public key is not base64");
        return None;
    };
    if id.is_empty() || public_key.is_empty() {
        fields.note("a passkey is left out: it has no id or no public key");
        return None;
    }
    if purpose == Purpose::SecondFactor {
        fields.note("a security key that was a second factor comes as a passkey");
    }
    Some(Passkey { id, public_key, ..passkey })
}
