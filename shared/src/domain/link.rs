//! Links in emails. Only the hash of a link's secret is stored; the link itself exists only in the email.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::email::EmailAddress;
use super::id::UserId;
use crate::clock::Timestamp;

/// How long a link to confirm an address works.
pub const CONFIRMATION_LIFE: Duration = Duration::from_hours(24);
/// How long a link to choose a new password works: short, because it is as powerful as the password.
pub const RESET_LIFE: Duration = Duration::from_mins(30);
/// How long the link of an invitation works.
pub const INVITATION_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long the previous address can undo a change; it is reserved until then.
pub const UNDO_LIFE: Duration = Duration::from_hours(7 * 24);

/// The user's ID and 256 bits, random except that the last six are one of the 62 of 64 values that encode a letter or digit, so
/// 255.95 bits are unknown. The ID leads to the user's partition and is not secret; the bits are.
#[derive(Debug)]
pub struct LinkToken {
    pub user: UserId,
    secret: SecretBox<[u8; 32]>,
}

impl LinkToken {
    #[must_use]
    pub fn new(user: UserId) -> Self {
        // Email clients treat `-` and `_` at the end of a link as part of the sentence, and exclude them from it.
        loop {
            let mut secret = Box::new(crate::random::bytes());
            if ends_in_letter_or_digit(&secret) {
                return Self { user, secret: SecretBox::new(secret) };
            }
            secret.zeroize();
        }
    }

    /// The form in the URL: 64 characters of URL-safe base64, of which the last is a letter or digit.
    #[must_use]
    pub fn encode(&self) -> SecretString {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(self.user.as_bytes());
        bytes[16..].copy_from_slice(self.secret.expose_secret());
        URL_SAFE_NO_PAD.encode(bytes).into()
    }

    /// `None` if it cannot be a token of this service.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 48] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (user, secret) = bytes.split_at(16);
        Some(Self {
            user: UserId::from_bytes(user.try_into().ok()?),
            secret: SecretBox::new(Box::new(secret.try_into().ok()?)),
        })
    }

    /// The link's key: a look-up compares hashes, so its timing reveals nothing about a secret.
    #[must_use]
    pub fn hash(&self) -> LinkHash {
        LinkHash(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.secret.expose_secret())))
    }
}

/// The last six bits are a base64 character of their own, as 48 bytes are 64 characters. 62 and 63 are `-` and `_`.
fn ends_in_letter_or_digit(secret: &[u8; 32]) -> bool {
    secret[31] & 0b11_1111 < 62
}

/// SHA-256 of a link's secret, base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkHash(String);

impl LinkHash {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A link that was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    pub purpose: LinkPurpose,
    pub expires_at: Timestamp,
    #[serde(default)]
    pub used_at: Option<Timestamp>,
    /// The account's `session_epoch` when the link was made.
    #[serde(default)]
    pub epoch: u32,
}

/// The purpose of a link, and the state of the account that it requires. A password change, a reset and a sign-out everywhere
/// start a new epoch, which invalidates links sent before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Valid while the epoch is that of the link.
    ConfirmAddress,
    /// To choose a new password: valid while this is the account's address and epoch.
    ResetPassword { email: EmailAddress, epoch: u32 },
    /// To confirm a new address: valid while it is the pending address and the epoch is unchanged.
    ChangeAddress { email: EmailAddress, epoch: u32 },
    /// To restore a previous address: valid while it is reserved. No epoch, because an attacker can start a new one.
    UndoAddressChange { email: EmailAddress },
}

/// Why a link cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    Used,
    Expired,
}

impl Link {
    /// # Errors
    /// When it was used before or has expired.
    pub fn usable(&self, now: Timestamp) -> Result<(), Unusable> {
        if self.used_at.is_some() {
            Err(Unusable::Used)
        } else if self.expires_at <= now {
            Err(Unusable::Expired)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_survives_its_url_and_does_not_print() {
        let token = LinkToken::new(UserId::new(Timestamp::from_seconds(1_700_000_000)));
        let text = token.encode();
        let again = LinkToken::decode(text.expose_secret()).unwrap();
        assert_eq!((again.user, again.hash()), (token.user, token.hash()));
        assert!(format!("{token:?}").contains("REDACTED"));
    }

    #[test]
    fn a_link_is_usable_until_it_is_used_or_expires() {
        let expires_at = Timestamp::from_seconds(1_700_000_000);
        let just_before = expires_at.minus(Duration::from_millis(1));
        let link = Link { purpose: LinkPurpose::ConfirmAddress, expires_at, used_at: None, epoch: 0 };
        let used = Link { used_at: Some(just_before), ..link.clone() };
        for (link, now, outcome) in [
            (&link, just_before, Ok(())),
            (&link, expires_at, Err(Unusable::Expired)),
            (&used, just_before, Err(Unusable::Used)),
            (&used, expires_at, Err(Unusable::Used)),
        ] {
            assert_eq!(link.usable(now), outcome);
        }
    }

    /// Reported by users of devise (issue 501) and etesync (issue 77): an email client left the last character out.
    #[test]
    fn a_link_ends_in_a_letter_or_digit_whatever_is_drawn() {
        let user = UserId::new(Timestamp::from_seconds(1_700_000_000));
        for last in 0..=u8::MAX {
            let mut secret = [0; 32];
            secret[31] = last;
            let text = LinkToken { user, secret: SecretBox::new(Box::new(secret)) }.encode();
            let good = text.expose_secret().ends_with(|c: char| c.is_ascii_alphanumeric());
            assert_eq!(ends_in_letter_or_digit(&secret), good, "{last}");
        }
        for _ in 0..2_000 {
            let text = LinkToken::new(user).encode();
            assert!(text.expose_secret().ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", text.expose_secret());
        }
    }

    proptest! {
        #[test]
        fn nothing_else_decodes(text in ".{0,100}") {
            prop_assume!(text.len() != 64);
            prop_assert!(LinkToken::decode(&text).is_none());
        }
    }
}
