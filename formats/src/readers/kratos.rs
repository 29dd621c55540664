//! Ory Kratos: identities of the admin API as an array or as JSON lines, with their credentials
//! (`GET /admin/identities/{id}?include_credential=password&include_credential=totp...`).
//!
//! Source: [the API's reference](https://www.ory.com/docs/kratos/reference/api#tag/identity/operation/getIdentity), and for the
//! configuration of each credential the source of [`ory/kratos`](https://github.com/ory/kratos/tree/master/identity).

use secrecy::SecretString;
use serde_json::Value;

use super::{
    fields::{Fields, quoted},
    otp::Otp,
    parts,
    passkeys::{Purpose, passkey},
};
use crate::{Members, Options, Passkey, Problem, Record, RecoveryCodes, input::Layout};

pub(super) const LAYOUT: Layout = Layout { list: None, table: None };

pub(super) fn read(identity: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut traits = identity.object("traits")?.unwrap_or_default();
    let addresses = identity.objects("verifiable_addresses")?;
    let mut record = parts::record(email(&mut traits, &addresses))?;
    record.email_confirmed = parts::is_confirmed(is_verified(&record.email, &addresses), options);
    let id = identity.text("id")?;
    record.id = parts::uuid(id.as_deref());
    record.external_id = id;
    let username = traits.remove("username").and_then(|name| name.as_str().map(ToOwned::to_owned));
    record.name = name(&mut traits);
    record.profile = (!traits.is_empty()).then_some(traits);
    record.created_at = identity.moment("created_at");
    record.disabled = identity
        .text("state")?
        .filter(|state| state == "inactive")
        .map(|_| parts::disabled("inactive in Kratos", None));
    record.app = identity.object("metadata_public")?;
    record.internal = identity.object("metadata_admin")?;
    parts::keep_username(&mut record, username);
    for (kind, credential) in identity.object("credentials")?.unwrap_or_default() {
        if let Value::Object(credential) = credential {
            take_credential(&kind, Fields::new(credential), identity, &mut record, options)?;
        }
    }
    identity.ignore(&["recovery_addresses", "schema_id", "schema_url", "state_changed_at", "updated_at"]);
    Ok(record)
}

/// The trait `email`, or the first address that can be verified by email where the schema calls it otherwise.
fn email(traits: &mut Members, addresses: &[Members]) -> Option<String> {
    let own = traits.remove("email").and_then(|email| email.as_str().map(ToOwned::to_owned));
    let by_email = |address: &&Members| address.get("via").and_then(Value::as_str) == Some("email");
    let address = addresses.iter().find(by_email).and_then(|address| address.get("value")?.as_str());
    own.filter(|email| !email.is_empty()).or_else(|| address.map(ToOwned::to_owned))
}

/// Whether the address is verified. `None` where the identity's schema does not ask for its verification.
fn is_verified(email: &str, addresses: &[Members]) -> Option<bool> {
    let is_email = |address: &&Members| {
        address.get("value").and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(email))
    };
    let is_verified = |address: &Members| address.get("verified").and_then(Value::as_bool) == Some(true);
    addresses.iter().filter(is_email).map(is_verified).reduce(|one, other| one || other)
}

/// The trait `name`, which is a text or an object with `first` and `last`.
fn name(traits: &mut Members) -> Option<String> {
    match traits.remove("name")? {
        Value::String(name) => Some(name).filter(|name| !name.trim().is_empty()),
        Value::Object(name) => {
            let part = |part: &str| name.get(part).and_then(Value::as_str).map(ToOwned::to_owned);
            parts::full_name([part("first"), part("last")])
        }
        _ => None,
    }
}

fn take_credential(
    kind: &str,
    mut credential: Fields,
    identity: &mut Fields,
    record: &mut Record,
    options: &Options,
) -> Result<(), Problem> {
    let added_at = credential.moment("created_at");
    let mut config = Fields::new(credential.object("config")?.unwrap_or_default());
    match kind {
        "password" => {
            record.password = parts::hash("kratos", config.text("hashed_password")?, Members::new(), options);
            if record.password.is_none() {
                identity.note("no password: the file has no hash, or a hook was meant to migrate it");
            }
        }
        "totp" => match config.text("totp_url")?.as_deref().map(Otp::from_uri) {
            Some(Some(otp)) => record.totp = Otp { added_at, ..otp }.into_totp(identity),
            _ => identity.note("the authenticator app is left out: the file does not have its URI"),
        },
        "lookup_secret" => record.recovery_codes = recovery_codes(config.objects("recovery_codes")?),
        "passkey" | "webauthn" => {
            let user_handle = config.text("user_handle")?;
            for key in config.objects("credentials")? {
                let (key, purpose) = security_key(kind, Fields::new(key))?;
                let key = Passkey { user_handle: user_handle.clone(), ..key };
                record.passkeys.extend(passkey(key, purpose, record.id.as_deref(), identity));
            }
        }
        "oidc" | "saml" => {
            for provider in config.objects("providers")? {
                let provider = provider.get("provider").and_then(Value::as_str).unwrap_or(kind);
                identity.note(format!("sign-in with {} has no counterpart", quoted(provider)));
            }
        }
        // Codes by email need nothing but the address.
        "code" | "link_recovery" | "code_recovery" => {}
        other => identity.note(format!("a credential of the type `{}` is left out", quoted(other))),
    }
    Ok(())
}

/// The codes that have not been used. Go writes the year 1 for "never".
fn recovery_codes(codes: Vec<Members>) -> Option<RecoveryCodes> {
    let is_unused = |code: &Members| {
        let used_at = code.get("used_at").and_then(Value::as_str);
        used_at.is_none_or(|moment| moment.is_empty() || moment.starts_with("0001-"))
    };
    let unused = codes.into_iter().filter(is_unused);
    let unused: Vec<_> = unused
        .filter_map(|mut code| match code.remove("code") {
            Some(Value::String(code)) => Some(SecretString::from(code)),
            _ => None,
        })
        .collect();
    (!unused.is_empty()).then_some(RecoveryCodes::Plain(unused))
}

fn security_key(kind: &str, mut key: Fields) -> Result<(Passkey, Purpose), Problem> {
    let signs_in = kind == "passkey" || key.flag("is_passwordless")? == Some(true);
    let mut flags = Fields::new(key.object("flags")?.unwrap_or_default());
    let authenticator = key.object("authenticator")?.unwrap_or_default();
    let sign_count = authenticator.get("sign_count").and_then(Value::as_u64).unwrap_or_default();
    let found = Passkey {
        id: key.text("id")?.unwrap_or_default(),
        public_key: key.text("public_key")?.unwrap_or_default(),
        name: key.text("display_name")?,
        // WebAuthn's counter has 32 bits.
        sign_count: u32::try_from(sign_count).unwrap_or(u32::MAX),
        backed_up: flags.flag("backup_state")?.unwrap_or(false),
        backup_eligible: flags.flag("backup_eligible")?,
        user_verified: flags.flag("user_verified")?,
        transports: key.texts("transport"),
        created_at: key.moment("added_at"),
        ..Passkey::default()
    };
    Ok((found, if signs_in { Purpose::SignIn } else { Purpose::SecondFactor }))
}
