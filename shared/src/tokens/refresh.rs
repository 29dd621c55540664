//! Refresh tokens: user, session and rotation with a MAC over them. The current token of a session can be derived
//! again, so it is stored nowhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::mac::{LENGTH, MacKey};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;

/// What a genuine refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    pub user: UserId,
    pub session: SessionId,
    pub rotation: u32,
}

const MESSAGE: usize = 16 + 16 + 4;

/// The current refresh token of a session: 91 characters of URL-safe base64.
#[must_use]
pub fn encode(session: &Session, key: &MacKey) -> SecretString {
    let mut token = [0; MESSAGE + LENGTH];
    token[..16].copy_from_slice(session.user.as_bytes());
    token[16..32].copy_from_slice(session.id.as_bytes());
    token[32..MESSAGE].copy_from_slice(&session.rotation.to_be_bytes());
    let mac = key.sign(&token[..MESSAGE]);
    token[MESSAGE..].copy_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(token).into()
}

/// `None` unless this service made it.
#[must_use]
pub fn decode(text: &str, key: &MacKey) -> Option<RefreshToken> {
    let token: [u8; MESSAGE + LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (message, mac) = token.split_at(MESSAGE);
    if !key.verify(message, mac) {
        return None;
    }
    Some(RefreshToken {
        user: UserId::from_bytes(message[..16].try_into().ok()?),
        session: SessionId::from_bytes(message[16..32].try_into().ok()?),
        rotation: u32::from_be_bytes(message[32..].try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;
    use secrecy::{ExposeSecret, SecretBox};

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    fn session() -> Session {
        let now = Timestamp::from_seconds(1_700_000_000);
        Session {
            id: SessionId::new(now),
            user: UserId::new(now),
            epoch: 0,
            rotation: 7,
            rotated_at: now,
            earlier_rotations: Vec::new(),
            signed_in_at: now,
            source_ip: None,
            user_agent: None,
            second_factor: None,
            without_password: false,
            reauthenticated: None,
            impersonation: None,
        }
    }

    #[test]
    fn a_token_decodes_to_its_session_and_is_the_same_each_time() {
        let (session, key) = (session(), key(1));
        let token = encode(&session, &key);
        assert_eq!(encode(&session, &key).expose_secret(), token.expose_secret());
        let said = decode(token.expose_secret(), &key).unwrap();
        assert_eq!((said.user, said.session, said.rotation), (session.user, session.id, 7));
    }

    #[test]
    fn a_token_of_another_key_is_not_ours() {
        assert_eq!(decode(encode(&session(), &key(1)).expose_secret(), &key(2)), None);
    }

    proptest! {
        #[test]
        fn a_token_with_any_bit_turned_is_not_ours(bit in 0..(MESSAGE + LENGTH) * 8) {
            let key = key(1);
            let mut bytes = URL_SAFE_NO_PAD.decode(encode(&session(), &key).expose_secret()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes), &key), None);
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text in ".{0,200}") {
            prop_assert_eq!(decode(&text, &key(1)), None);
        }
    }
}
