//! Keycloak: the file of a realm, or the files of users that `kc.sh export --users different_files` writes.
//!
//! Sources: [importing and exporting realms](https://www.keycloak.org/server/importExport) and
//! [`UserRepresentation`](https://www.keycloak.org/docs-api/latest/rest-api/index.html#UserRepresentation). A credential is
//! two JSON documents as text: `secretData` and `credentialData`.

use serde_json::{Value, json};

use super::{
    fields::{Fields, quoted},
    otp::{self, Otp},
    parts,
    passkeys::{Purpose, passkey},
    roles,
};
use crate::{Members, Options, Passkey, Problem, Record, input::Layout};

pub(super) const LAYOUT: Layout = Layout { list: Some("users"), table: None };

/// Roles that every account of a realm has.
const EVERYBODY: [&str; 2] = ["offline_access", "uma_authorization"];
const EVERYBODY_PREFIX: &str = "default-roles-";

/// Keycloak's own clients: their roles are about its console and its pages.
const OWN_CLIENTS: [&str; 5] = ["account", "account-console", "broker", "security-admin-console", "admin-cli"];

/// The client whose roles administer the realm.
const ADMINISTRATION: &str = "realm-management";

/// The required action of an account whose owner has to choose a password.
const UPDATE_PASSWORD: &str = "UPDATE_PASSWORD";

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    if user.has("users") {
        return Err(Problem::invalid("users", "this is a realm: pass each realm as a file of its own"));
    }
    let mut record = parts::record(user.text("email")?)?;
    let id = user.text("id")?;
    record.id = parts::uuid(id.as_deref());
    record.external_id = id;
    record.email_confirmed = parts::is_confirmed(user.flag("emailVerified")?, options);
    record.name = parts::full_name([user.text("firstName")?, user.text("lastName")?]);
    record.created_at = user.moment("createdTimestamp");
    record.disabled = (user.flag("enabled")? == Some(false)).then(|| parts::disabled("disabled in Keycloak", None));
    record.app = user.object("attributes")?.map(flatten_attributes);
    let username = user.text("username")?;
    parts::keep_username(&mut record, username);
    record.roles = role_names(user, options)?;
    for credential in user.objects("credentials")? {
        take_credential(Fields::new(credential), user, &mut record, options)?;
    }
    take_required_actions(user, &mut record);
    note_the_rest(user)?;
    Ok(record)
}

/// What the owner has to do at the next sign-in. A password that has to be replaced is left out: an administrator may have
/// chosen it, or it may have leaked.
fn take_required_actions(user: &mut Fields, record: &mut Record) {
    for action in user.texts("requiredActions") {
        if action == UPDATE_PASSWORD {
            record.password = None;
            user.note(format!("no password: the account has the required action {UPDATE_PASSWORD}"));
        } else {
            user.note(format!("the required action `{}` has no counterpart", quoted(&action)));
        }
    }
}

/// An attribute is a list of texts, and nearly always has one.
fn flatten_attributes(attributes: Members) -> Members {
    let flatten = |value| match value {
        Value::Array(mut values) if values.len() == 1 => values.remove(0),
        value => value,
    };
    attributes.into_iter().map(|(name, value)| (name, flatten(value))).collect()
}

fn role_names(user: &mut Fields, options: &Options) -> Result<Option<Vec<String>>, Problem> {
    let mut names = user.texts("realmRoles");
    names.retain(|name| !EVERYBODY.contains(&name.as_str()) && !name.starts_with(EVERYBODY_PREFIX));
    let mut administers = false;
    for (client, roles) in user.object("clientRoles")?.unwrap_or_default() {
        let roles = roles.as_array().into_iter().flatten().filter_map(|role| role.as_str().map(ToOwned::to_owned));
        match client.as_str() {
            ADMINISTRATION => administers = true,
            client if OWN_CLIENTS.contains(&client) => {}
            _ => names.extend(roles),
        }
    }
    let mut cleaned = roles::clean(names, user, options);
    if administers {
        let staff = roles::staff(ADMINISTRATION, "admin", user, options);
        roles::add(&mut cleaned, staff);
    }
    Ok(cleaned)
}

fn take_credential(
    mut credential: Fields,
    user: &mut Fields,
    record: &mut Record,
    options: &Options,
) -> Result<(), Problem> {
    let kind = credential.text("type")?.unwrap_or_default();
    match kind.as_str() {
        "password" => {
            if credential.flag("temporary")? == Some(true) {
                user.note("no password: the account has a temporary password");
            } else {
                record.password = parts::hash("keycloak", stored(&mut credential)?, Members::new(), options);
            }
        }
        "otp" if record.totp.is_none() => {
            if let Some(otp) = otp(&mut credential, user)? {
                record.totp = otp.into_totp(user);
            }
        }
        "webauthn" | "webauthn-passwordless" => {
            let purpose = if kind == "webauthn" { Purpose::SecondFactor } else { Purpose::SignIn };
            let found = security_key(&mut credential)?;
            record.passkeys.extend(passkey(found, purpose, record.id.as_deref(), user));
        }
        "recovery-authn-codes" => user.note("recovery codes are left out: Keycloak has only its own hashes of them"),
        "otp" => user.note("a further authenticator app is left out"),
        other => user.note(format!("a credential of the type `{}` is left out", quoted(other))),
    }
    Ok(())
}

/// The credential as its check needs it: type, `secretData` and `credentialData`.
fn stored(credential: &mut Fields) -> Result<Option<String>, Problem> {
    let (secret, data) = (credential.text("secretData")?, credential.text("credentialData")?);
    let (Some(secret), Some(data)) = (secret, data) else { return Ok(None) };
    Ok(Some(json!({ "type": "password", "secretData": secret, "credentialData": data }).to_string()))
}

fn otp(credential: &mut Fields, user: &mut Fields) -> Result<Option<Otp>, Problem> {
    let added_at = credential.moment("createdDate");
    let secret = credential.object("secretData")?.unwrap_or_default();
    let mut data = Fields::new(credential.object("credentialData")?.unwrap_or_default());
    if data.text("subType")?.is_some_and(|kind| kind != "totp") {
        user.note("the authenticator app is left out: its codes are counted, not timed");
        return Ok(None);
    }
    let Some(secret) = secret.get("value").and_then(Value::as_str) else {
        user.note("the authenticator app is left out: it has no secret");
        return Ok(None);
    };
    // Without an encoding, the text's own bytes are the secret.
    let encoded = data.text("secretEncoding")?.is_some_and(|encoding| encoding.eq_ignore_ascii_case("base32"));
    let secret = if encoded { secret.to_owned() } else { otp::base32(secret.as_bytes()) };
    let (algorithm, digits, period) = (data.text("algorithm")?, data.text("digits")?, data.text("period")?);
    Ok(Some(Otp { secret, algorithm, digits, period, added_at }))
}

fn security_key(credential: &mut Fields) -> Result<Passkey, Problem> {
    let name = credential.text("userLabel")?;
    let created_at = credential.moment("createdDate");
    let mut data = Fields::new(credential.object("credentialData")?.unwrap_or_default());
    let counter = data.value("counter").and_then(|counter| counter.as_u64()).unwrap_or_default();
    Ok(Passkey {
        id: data.text("credentialId")?.unwrap_or_default(),
        public_key: data.text("credentialPublicKey")?.unwrap_or_default(),
        name,
        // WebAuthn's counter has 32 bits.
        sign_count: u32::try_from(counter).unwrap_or(u32::MAX),
        transports: data.texts("transports").into_iter().map(|name| name.to_ascii_lowercase()).collect(),
        created_at,
        ..Passkey::default()
    })
}

fn note_the_rest(user: &mut Fields) -> Result<(), Problem> {
    for identity in user.objects("federatedIdentities")? {
        let provider = identity.get("identityProvider").and_then(Value::as_str).unwrap_or("another provider");
        user.note(format!("sign-in with {} has no counterpart", quoted(provider)));
    }
    if user.value("federationLink").is_some() {
        user.note("the account belongs to a directory, which has its password");
    }
    user.ignore(&[
        "access",
        "applicationRoles",
        "clientConsents",
        "disableableCredentialTypes",
        "notBefore",
        "origin",
        "self",
        "socialLinks",
        "totp",
        "userProfileMetadata",
    ]);
    Ok(())
}
