//! Challenge tokens: a sign-in that waits for its second factor, with a MAC over it. They open nothing by themselves.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::mac::{LENGTH, MacKey};
use crate::clock::Timestamp;
use crate::domain::factor::Challenge;
use crate::domain::id::{ChallengeId, DeviceId, UserId};

const MESSAGE: usize = 16 + 16 + 4 + 16 + 8;
/// Represents no device: an ID of version 7 is never all zeros.
const NO_DEVICE: [u8; 16] = [0; 16];

/// 123 characters of URL-safe base64.
#[must_use]
pub fn encode(challenge: &Challenge, key: &MacKey) -> SecretString {
    let mut token = [0; MESSAGE + LENGTH];
    token[..16].copy_from_slice(challenge.id.as_bytes());
    token[16..32].copy_from_slice(challenge.user.as_bytes());
    token[32..36].copy_from_slice(&challenge.epoch.to_be_bytes());
    token[36..52].copy_from_slice(challenge.device.as_ref().map_or(&NO_DEVICE, |device| device.as_bytes()));
    token[52..MESSAGE].copy_from_slice(&challenge.expires_at.millis().to_be_bytes());
    let mac = key.sign(&token[..MESSAGE]);
    token[MESSAGE..].copy_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(token).into()
}

/// `None` unless this service made it. Whether it is still valid is decided by [`Challenge::stands`] and the table.
#[must_use]
pub fn decode(text: &str, key: &MacKey) -> Option<Challenge> {
    let token: [u8; MESSAGE + LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (message, mac) = token.split_at(MESSAGE);
    if !key.verify(message, mac) {
        return None;
    }
    let device: [u8; 16] = message[36..52].try_into().ok()?;
    Some(Challenge {
        id: ChallengeId::from_bytes(message[..16].try_into().ok()?),
        user: UserId::from_bytes(message[16..32].try_into().ok()?),
        epoch: u32::from_be_bytes(message[32..36].try_into().ok()?),
        device: (device != NO_DEVICE).then(|| DeviceId::from_bytes(device)),
        expires_at: Timestamp::from_millis(i64::from_be_bytes(message[52..].try_into().ok()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::{ExposeSecret, SecretBox};

    fn key(byte: u8) -> MacKey {
        MacKey::new(&SecretBox::new(Box::new([byte; 32])))
    }

    fn challenge(device: bool) -> Challenge {
        let now = Timestamp::from_seconds(1_700_000_000);
        let device = device.then(|| DeviceId::new(now));
        Challenge { id: ChallengeId::new(now), user: UserId::new(now), epoch: 3, device, expires_at: now }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        for challenge in [challenge(true), challenge(false)] {
            let token = encode(&challenge, &key(1));
            assert_eq!(token.expose_secret().len(), 123);
            assert_eq!(decode(token.expose_secret(), &key(1)), Some(challenge));
        }
    }

    #[test]
    fn a_token_of_another_key_or_of_another_purpose_is_not_ours() {
        let token = encode(&challenge(true), &key(1).derive("challenge"));
        assert_eq!(decode(token.expose_secret(), &key(2).derive("challenge")), None);
        assert_eq!(decode(token.expose_secret(), &key(1).derive("device")), None);
        assert_eq!(decode(token.expose_secret(), &key(1)), None);
    }

    proptest! {
        #[test]
        fn a_token_with_any_bit_turned_is_not_ours(bit in 0_usize..((MESSAGE + LENGTH) * 8)) {
            let key = key(1);
            let mut bytes = URL_SAFE_NO_PAD.decode(encode(&challenge(true), &key).expose_secret()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes), &key), None);
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text in ".{0,200}") {
            prop_assert_eq!(decode(&text, &key(1)), None);
        }
    }
}
