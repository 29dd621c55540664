//! Factors: passkeys, the authenticator app and recovery codes of an account.

pub mod add_passkey;
pub mod confirm_totp;
pub mod delete_passkey;
pub mod delete_totp;
pub mod get_factors;
mod qr;
pub mod rename_passkey;
pub mod renew_recovery_codes;
pub mod start_passkey;
pub mod start_totp;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::Result;
use shared::clock::Timestamp;
use shared::domain::event::{EventKind, FactorKind};
use shared::domain::passkey::{Passkey, PasskeyId, PasskeyName};
use shared::domain::recovery::RecoveryCode;
use shared::http::Area;
use shared::relying_party::credential_id;
use utoipa::{IntoParams, ToSchema};

pub const AREA: Area = Area {
    name: "factors",
    description: "Passkeys, authenticator apps and recovery codes",
    routes: &[
        get_factors::ROUTE,
        start_totp::ROUTE,
        confirm_totp::ROUTE,
        delete_totp::ROUTE,
        renew_recovery_codes::ROUTE,
        start_passkey::ROUTE,
        add_passkey::ROUTE,
        rename_passkey::ROUTE,
        delete_passkey::ROUTE,
    ],
    workers: &[],
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PasskeyPath {
    /// ID of the passkey.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Passkey)]
pub struct PasskeyView {
    #[schema(value_type = String, example = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    id: PasskeyId,
    /// The credential ID that browsers and password managers use, in URL-safe base64.
    #[schema(example = "SGVsbG8gdGhlcmUsIEkgYW0gYSBjcmVkZW50aWFs")]
    credential_id: String,
    #[schema(value_type = String, example = "Phone")]
    name: PasskeyName,
    /// Whether the passkey is backed up with its provider, as last reported: it then survives the loss of the device.
    backed_up: bool,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    /// When it was last used to sign in or to step up.
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    last_used_at: Option<String>,
}

impl PasskeyView {
    pub fn of(passkey: Passkey) -> Result<Self> {
        let credential_id = credential_id(&passkey)?;
        let Passkey { id, name, backed_up, created_at, last_used_at, .. } = passkey;
        let last_used_at = last_used_at.map(Timestamp::rfc3339);
        Ok(Self { id, credential_id, name, backed_up, created_at: created_at.rfc3339(), last_used_at })
    }
}

/// Ten recovery codes, as examples in the API's document.
pub const RECOVERY_CODES: [&str; 10] = [
    "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P",
    "2M9X-KT4V-81QC-H0ZR-6DNB-W3JF",
    "B5RN-0W7D-4XJP-9CTM-KV2H-Q8Z1",
    "F3ZC-T6HQ-M0VK-27PX-8RJ4-N9DB",
    "H8DV-1JXN-Z5RB-C4QT-0MKP-7W2F",
    "J0WP-9QCM-3F7Z-XR1K-BT5D-V4N8",
    "N4TB-V2RK-D9HX-5P0W-MJ7C-1ZQ6",
    "R6XF-8ZPD-Q1JN-W7MB-3VHC-0KT9",
    "V9HM-C5KT-0BWQ-J3ZX-P8RD-64FN",
    "X1QJ-N3VB-7KPM-Z0DT-4HWR-9C5F",
];

/// Recovery codes as their owner sees them.
#[must_use]
pub fn shown(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.encode().expose_secret().to_owned()).collect()
}

/// The event of new recovery codes, where there are some.
#[must_use]
pub fn codes_added(added: bool) -> Option<EventKind> {
    added.then_some(EventKind::FactorAdded { factor: FactorKind::RecoveryCodes, passkey_id: None })
}
