//! An account of an export, in the format that an import reads.

use data_encoding::BASE32_NOPAD;
use formats::record::{Members, Passkey as PasskeyRecord, Password, Totp as TotpRecord};
use formats::{Algorithm, Digits, Record, RecoveryCodes};
use serde_json::Value;
use shared::domain::factor::Totp;
use shared::domain::metadata::{ExternalId, Metadata};
use shared::domain::passkey::Passkey;
use shared::domain::recovery::RecoverySet;
use shared::domain::totp::{Step, TotpAlgorithm};
use shared::domain::user::User;
use shared::relying_party::credential_id;
use shared::tokens::seal::CodesKey;
use shared::{App, Error, Result};

use crate::account::{OWN_SYSTEM, State};

/// With secrets decrypted: the file is encrypted as a whole, as the importing service has other keys.
///
/// # Errors
/// When the key of secrets cannot be read, or a secret is not one of this stack's.
pub async fn record_of(
    app: &App,
    user: &User,
    totp: Option<&Totp>,
    recovery: Option<&RecoverySet>,
    passkeys: &[Passkey],
) -> Result<Record> {
    let totp = match totp {
        Some(totp) => Some(totp_record(app, user, totp).await?),
        None => None,
    };
    let recovery_codes = match recovery {
        Some(set) => Some(codes(app, user, set).await?),
        None => None,
    };
    let own = &app.config.relying_party.id;
    Ok(Record {
        external_id: user.external_id.as_ref().map(ExternalId::as_str).map(ToOwned::to_owned),
        id: Some(user.id.to_string()),
        email: user.email.to_string(),
        email_confirmed: user.email_confirmed,
        name: Some(user.name.to_string()),
        roles: Some(user.roles.iter().map(ToString::to_string).collect()),
        created_at: Some(user.created_at.rfc3339()),
        disabled: user.disabled.as_ref().map(|disabled| formats::Disabled {
            reason: disabled.reason.as_ref().map(|reason| reason.as_str().to_owned()),
            until: disabled.until.map(shared::clock::Timestamp::rfc3339),
        }),
        profile: object(&user.profile),
        app: object(&user.app),
        internal: object(&user.internal),
        password: Some(Password::Hash {
            system: OWN_SYSTEM.to_owned(),
            stored: user.password_hash.expose().to_owned().into(),
            fields: Members::new(),
        }),
        totp,
        recovery_codes,
        passkeys: passkeys.iter().map(|passkey| passkey_record(passkey, own)).collect::<Result<_>>()?,
        state: Some(state(user)?),
        ..Record::default()
    })
}

fn object(metadata: &Metadata) -> Option<Members> {
    (!metadata.is_empty()).then(|| metadata.as_object().clone())
}

async fn totp_record(app: &App, user: &User, totp: &Totp) -> Result<TotpRecord> {
    let secret = app.keys().totp().await?.open(&totp.secret, totp.form, user.id)?;
    Ok(TotpRecord {
        secret: BASE32_NOPAD.encode(secret.expose()).into(),
        algorithm: match totp.form.algorithm {
            TotpAlgorithm::Sha1 => Algorithm::Sha1,
            TotpAlgorithm::Sha256 => Algorithm::Sha256,
            TotpAlgorithm::Sha512 => Algorithm::Sha512,
        },
        digits: Digits::try_from(u64::from(totp.form.digits)).map_err(Error::internal)?,
        period: totp.form.period,
        last_step: totp.last_step.map(Step::number),
        added_at: totp.confirmed_at.map(shared::clock::Timestamp::rfc3339),
    })
}

async fn codes(app: &App, user: &User, set: &RecoverySet) -> Result<RecoveryCodes> {
    let key = match &set.sealed_key {
        Some(sealed) => Some(CodesKey::open(sealed, app.keys().totp().await?, user.id)?.encode()),
        None => None,
    };
    Ok(RecoveryCodes::Hashed {
        sha256: set.hashes().map(|hash| hash.as_str().to_owned()).collect(),
        key,
        created_at: Some(set.created_at.rfc3339()),
    })
}

fn passkey_record(passkey: &Passkey, rp_id: &str) -> Result<PasskeyRecord> {
    let credential: Value = serde_json::from_str(&passkey.credential.0).map_err(Error::internal)?;
    Ok(PasskeyRecord {
        id: credential_id(passkey)?,
        // The credential has it, with what else the service keeps of it.
        public_key: String::new(),
        name: Some(passkey.name.to_string()),
        sign_count: passkey.sign_count,
        backed_up: passkey.backed_up,
        backup_eligible: None,
        user_verified: Some(true),
        transports: passkey.transports.names().to_vec(),
        created_at: Some(passkey.created_at.rfc3339()),
        last_used_at: passkey.last_used_at.map(shared::clock::Timestamp::rfc3339),
        rp_id: Some(rp_id.to_owned()),
        user_handle: passkey.user_handle.clone(),
        credential: Some(credential),
    })
}

fn state(user: &User) -> Result<Members> {
    let state = State {
        confirmed_by_link_alone_at: user.confirmed_by_link_alone_at,
        contested_at: user.contested_at,
        lapses_at: user.lapses_at,
        made_admin_at: user.made_admin_at,
        known_clients: user.known_clients.clone(),
        tell_first_client: user.tell_first_client,
        disabled: user.disabled.clone(),
        email_delivery: user.email_delivery.clone(),
        passkeys_since: user.passkeys_since,
        updated_at: Some(user.updated_at),
    };
    match serde_json::to_value(state).map_err(Error::internal)? {
        Value::Object(state) => Ok(state),
        _ => Err(Error::internal("a state is not an object")),
    }
}
