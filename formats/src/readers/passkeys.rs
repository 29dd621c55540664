//! Passkeys and security keys of other systems.

use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

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

/// The passkey with its id, public key and user handle in base64url. `None`, with a note, where its id or public key is not
/// base64. `account` is the id that the account keeps.
pub(crate) fn passkey(
    passkey: Passkey,
    purpose: Purpose,
    account: Option<&str>,
    fields: &mut Fields,
) -> Option<Passkey> {
    let (Ok(id), Ok(public_key)) = (base64url(&passkey.id), base64url(&passkey.public_key)) else {
        fields.note("a passkey is left out: its id or public key is not base64");
        return None;
    };
    if id.is_empty() || public_key.is_empty() {
        fields.note("a passkey is left out: it has no id or no public key");
        return None;
    }
    if purpose == Purpose::SecondFactor {
        fields.note("a security key that was a second factor is imported as a passkey");
    }
    let user_handle = passkey.user_handle.as_deref().and_then(|handle| user_handle(handle, account, fields));
    Some(Passkey { id, public_key, user_handle, ..passkey })
}

/// The handle in base64url. Authenticators give nothing else at a sign-in without an email address, so the account is found
/// only by a handle that is its id.
fn user_handle(handle: &str, account: Option<&str>, fields: &mut Fields) -> Option<String> {
    let handle = base64url(handle).ok().filter(|handle| !handle.is_empty());
    match &handle {
        None => fields.note("the user handle of a passkey is left out: it is not base64"),
        Some(handle) if is_id(handle, account) => {}
        Some(_) => fields.note(
            "a passkey is only a second factor and cannot sign in alone: its user handle is not the account's ID",
        ),
    }
    handle
}

/// Whether a handle in base64url is the id: its 16 bytes, or its text.
fn is_id(handle: &str, account: Option<&str>) -> bool {
    let Some(id) = account.and_then(|id| Uuid::try_parse(id).ok()) else { return false };
    let text = id.hyphenated().to_string();
    [&id.as_bytes()[..], text.as_bytes()].iter().any(|form| BASE64URL_NOPAD.encode(form) == handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Members;

    const ID: &str = "a0839b1c-c4d5-46e7-91a8-293a4b5c6d7e";

    fn key(user_handle: Option<&str>) -> Passkey {
        Passkey {
            id: "AQID".to_owned(),
            public_key: "pQEC".to_owned(),
            user_handle: user_handle.map(ToOwned::to_owned),
            ..Passkey::default()
        }
    }

    #[test]
    fn a_passkey_signs_in_alone_only_by_the_accounts_id() {
        let alone =
            "a passkey is only a second factor and cannot sign in alone: its user handle is not the account's ID";
        let left_out = "the user handle of a passkey is left out: it is not base64";
        let text = "YTA4MzliMWMtYzRkNS00NmU3LTkxYTgtMjkzYTRiNWM2ZDdl";
        for (handle, account, taken, note) in [
            (None, Some(ID), None, None),
            (Some("oIObHMTVRueRqCk6S1xtfg=="), Some(ID), Some("oIObHMTVRueRqCk6S1xtfg"), None),
            (Some(text), Some(ID), Some(text), None),
            (Some(text), None, Some(text), Some(alone)),
            (Some("-_8="), Some(ID), Some("-_8"), Some(alone)),
            (Some("+/8="), Some(ID), Some("-_8"), Some(alone)),
            (Some("hunter2!"), Some(ID), None, Some(left_out)),
            (Some("="), Some(ID), None, Some(left_out)),
        ] {
            let mut fields = Fields::new(Members::new());
            let found = passkey(key(handle), Purpose::SignIn, account, &mut fields).unwrap();
            assert_eq!(found.user_handle.as_deref(), taken, "{handle:?}");
            assert_eq!(fields.into_notes().first().map(String::as_str), note, "{handle:?}");
        }
    }
}
