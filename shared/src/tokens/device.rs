//! Device tokens: device, account, epoch and expiry with a MAC, stored only by the client.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::mac::{LENGTH, MacKey};
use crate::clock::Timestamp;
use crate::domain::device::Device;
use crate::domain::id::{DeviceId, UserId};

const MESSAGE: usize = 16 + 16 + 4 + 8;

/// 102 characters of URL-safe base64.
#[must_use]
pub fn encode(device: &Device, key: &MacKey) -> SecretString {
    let mut token = [0; MESSAGE + LENGTH];
    token[..16].copy_from_slice(device.id.as_bytes());
    token[16..32].copy_from_slice(device.user.as_bytes());
    token[32..36].copy_from_slice(&device.epoch.to_be_bytes());
    token[36..MESSAGE].copy_from_slice(&device.expires_at.millis().to_be_bytes());
    let mac = key.sign(&token[..MESSAGE]);
    token[MESSAGE..].copy_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(token).into()
}

/// `None` unless this service made it. Whether it still counts is [`Device::belongs_to`]'s to say.
#[must_use]
pub fn decode(text: &str, key: &MacKey) -> Option<Device> {
    let token: [u8; MESSAGE + LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (message, mac) = token.split_at(MESSAGE);
    if !key.verify(message, mac) {
        return None;
    }
    Some(Device {
        id: DeviceId::from_bytes(message[..16].try_into().ok()?),
        user: UserId::from_bytes(message[16..32].try_into().ok()?),
        epoch: u32::from_be_bytes(message[32..36].try_into().ok()?),
        expires_at: Timestamp::from_millis(i64::from_be_bytes(message[36..].try_into().ok()?)),
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

    fn device() -> Device {
        let now = Timestamp::from_seconds(1_700_000_000);
        Device { id: DeviceId::new(now), user: UserId::new(now), epoch: 3, expires_at: now }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let token = encode(&device(), &key(1));
        assert_eq!(token.expose_secret().len(), 102);
        let device = decode(token.expose_secret(), &key(1)).unwrap();
        assert_eq!(encode(&device, &key(1)).expose_secret(), token.expose_secret());
        assert_eq!((device.epoch, device.expires_at), (3, Timestamp::from_seconds(1_700_000_000)));
    }

    #[test]
    fn a_token_of_another_key_or_of_another_purpose_is_not_ours() {
        let token = encode(&device(), &key(1));
        assert_eq!(decode(token.expose_secret(), &key(2)), None);
        assert_eq!(decode(token.expose_secret(), &key(1).derive("device")), None);
        let token = encode(&device(), &key(1).derive("device"));
        assert_eq!(decode(token.expose_secret(), &key(1).derive("devices")), None);
        assert_eq!(decode(token.expose_secret(), &key(1)), None);
    }

    proptest! {
        #[test]
        fn a_token_with_any_bit_turned_is_not_ours(bit in 0_usize..((MESSAGE + LENGTH) * 8)) {
            let key = key(1);
            let mut bytes = URL_SAFE_NO_PAD.decode(encode(&device(), &key).expose_secret()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(&URL_SAFE_NO_PAD.encode(bytes), &key), None);
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text in ".{0,200}") {
            prop_assert_eq!(decode(&text, &key(1)), None);
        }
    }
}
