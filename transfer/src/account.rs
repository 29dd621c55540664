//! One account: from the record of a file to what is stored.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use data_encoding::BASE32_NOPAD;
use foreign_hashes::{ForeignHash, Stored, System};
use formats::record::{Members, Passkey as PasskeyRecord, Password as PasswordRecord, Totp as TotpRecord};
use formats::{Algorithm, Record, RecoveryCodes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::email::EmailAddress;
use shared::domain::email_delivery::EmailDelivery;
use shared::domain::event::{Actor, DomainEvent, EventKind, Snapshot, Subject};
use shared::domain::factor::Totp;
use shared::domain::fingerprint::FingerprintHash;
use shared::domain::id::UserId;
use shared::domain::imported::{Elsewhere, ImportedPassword};
use shared::domain::metadata::{self, ExternalId, Metadata};
use shared::domain::name::UserName;
use shared::domain::passkey::{PASSKEYS, Passkey, PasskeyId, PasskeyName, Transports};
use shared::domain::password::PasswordHash;
use shared::domain::recovery::{RecoveryCode, RecoveryHash, RecoverySet};
use shared::domain::role::Role;
use shared::domain::search::Indexed;
use shared::domain::status::{Disabled, Reason};
use shared::domain::totp::{SECRET_LENGTHS, Step, TotpAlgorithm, TotpForm, TotpSecret};
use shared::domain::user::User;
use shared::hashing;
use shared::relying_party::ImportedCredential;
use shared::store::ImportedUser;
use shared::tokens::seal::CodesKey;
use shared::{App, Error};
use zeroize::Zeroizing;

/// The system whose hashes are this service's own: of an export.
pub const OWN_SYSTEM: &str = "users";
/// Recovery codes of an account, at most.
const MAX_CODES: usize = 50;
/// Octets of a user name in another system.
const MAX_USERNAME: usize = 512;
/// Clients that an account knows, at most, of an export.
const MAX_CLIENTS: usize = 10;
/// Octets of a user handle (`WebAuthn` level 3, 4).
const MAX_HANDLE: usize = 64;
/// Octets of a credential of an export, as JSON.
const MAX_CREDENTIAL: usize = 16 * 1024;

/// What is wrong with a member of a record, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub member: String,
    pub reason: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.member, self.reason)
    }
}

/// What a record becomes, and what of it was left out.
pub struct Prepared {
    pub imported: ImportedUser,
    /// A weak hash, which takes time to hash once more: done only for an account that is written.
    pub weak: Option<ForeignHash>,
    pub notes: Vec<String>,
}

/// Why a record becomes nothing.
#[derive(Debug)]
pub enum NotPrepared {
    /// The record is at fault: all that is wrong with it.
    Faults(Vec<Fault>),
    /// The service is: a key could not be read, or a hash not be made.
    Failed(Error),
}

impl From<Error> for NotPrepared {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a stack's own export says of an account beyond what other systems have: what is in doubt stays in doubt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_by_link_alone_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contested_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapses_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_admin_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_clients: Vec<FingerprintHash>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tell_first_client: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_delivery: Option<EmailDelivery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passkeys_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Collects all that is wrong with a record, and what of it is left out.
#[derive(Default)]
struct Reading {
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl Reading {
    fn fault(&mut self, member: &str, reason: impl Into<String>) {
        self.faults.push(Fault { member: member.to_owned(), reason: reason.into() });
    }

    /// A value by the service's own rules.
    fn parsed<T>(&mut self, member: &str, parsed: Result<T, Invalid>) -> Option<T> {
        parsed.map_err(|invalid| self.fault(member, invalid.detail)).ok()
    }

    fn time(&mut self, member: &str, text: Option<&String>) -> Option<Timestamp> {
        let time = text.map(|text| Timestamp::parse(text));
        if time == Some(None) {
            self.fault(member, "This must be an RFC 3339 time, such as 2027-06-30T12:00:00Z.");
        }
        time.flatten()
    }

    fn metadata(&mut self, member: &str, object: Option<Members>) -> Metadata {
        object.and_then(|object| self.parsed(member, Metadata::parse(object))).unwrap_or_default()
    }
}

/// Makes of a record what is stored. Secrets are encrypted for this stack.
///
/// # Errors
/// All faults of the record at once, or that the service failed.
pub async fn prepare(app: &App, record: Record) -> Result<Prepared, NotPrepared> {
    let now = app.clock.now();
    let mut reading = Reading::default();
    let state = read_state(&mut reading, record.state);
    let email = reading.parsed("email", EmailAddress::parse(&record.email));
    let external_id = record.external_id.and_then(|id| reading.parsed("external_id", ExternalId::parse(&id)));
    let created_at = created_at(&mut reading, record.created_at.as_ref(), now);
    let id = match (&record.id, &email) {
        (Some(id), _) => kept_id(&mut reading, id),
        (None, Some(email)) => Some(derived_id(app, external_id.as_ref(), email).await?),
        (None, None) => None,
    };
    let name = name(&mut reading, record.name.as_deref(), email.as_ref());
    let roles = record.roles.map(|roles| reading.parsed("roles", Role::parse_all(&roles)));
    let disabled = disabled(&mut reading, record.disabled, state.disabled.clone(), now);
    let places = [
        reading.metadata("profile", record.profile),
        reading.metadata("app", record.app),
        reading.metadata("internal", record.internal),
    ];
    reading.parsed("profile", metadata::check_size(&places));
    let password = password(app, &mut reading, record.password);
    let passkeys = passkeys_of(app, &mut reading, record.passkeys, created_at);
    let totp = record.totp.and_then(|totp| read_totp(&mut reading, &totp, created_at, now));
    let codes = record.recovery_codes.and_then(|codes| read_codes(&mut reading, codes, created_at));
    let (Some(email), Some(id), Some(name), Some(password), true) =
        (email, id, name, password, reading.faults.is_empty())
    else {
        return Err(NotPrepared::Faults(reading.faults));
    };
    let [profile, app_metadata, internal] = places;
    let (password_hash, weak) = match password {
        ReadPassword::None => (hashing::unusable(&app.config.password_hash)?, None),
        ReadPassword::Own(hash) => (hash, None),
        ReadPassword::Imported(imported) => (imported.to_hash().map_err(Error::internal)?, None),
        ReadPassword::Weak(hash) => (hashing::unusable(&app.config.password_hash)?, Some(hash)),
    };
    let totp = match totp {
        Some(totp) => Some(totp.sealed(app, id).await?),
        None => None,
    };
    let has_factor = totp.is_some() || !passkeys.is_empty();
    let recovery = match codes {
        Some(_) if !has_factor => {
            reading.notes.push("recovery codes are left out: the account has no second factor".to_owned());
            None
        }
        Some(codes) => Some(codes.sealed(app, id).await?),
        None => None,
    };
    let confirmed = record.email_confirmed;
    let user = User {
        id,
        email_confirmed: confirmed,
        confirmed_by_link_alone_at: state.confirmed_by_link_alone_at.filter(|_| confirmed),
        contested_at: state.contested_at.filter(|_| !confirmed),
        // Only an account that awaited confirmation here lapses: an account that was in use is not lost by a move. A disabled
        // account does not lapse either, as it cannot be confirmed.
        lapses_at: state.lapses_at.filter(|_| !confirmed && disabled.is_none()),
        roles: roles.flatten().unwrap_or_else(|| vec![Role::USER]),
        made_admin_at: state.made_admin_at,
        disabled,
        known_clients: state.known_clients,
        tell_first_client: state.tell_first_client,
        totp_since: totp.as_ref().and_then(|totp| totp.confirmed_at),
        passkeys: u32::try_from(passkeys.len()).unwrap_or(PASSKEYS),
        passkeys_since: passkeys
            .iter()
            .map(|passkey| passkey.created_at)
            .min()
            .map(|oldest| state.passkeys_since.unwrap_or(oldest)),
        email_delivery: state.email_delivery,
        external_id,
        imported_at: Some(now),
        profile,
        app: app_metadata,
        internal,
        indexed: Some(Indexed::new(&name, now)),
        created_at,
        updated_at: state.updated_at.unwrap_or(created_at),
        ..User::new(name, email, password_hash, now)
    };
    if !app.config.claims.fit(&user) {
        reading.fault("app", "The values that `CLAIMS` copies into access tokens are too large.");
        return Err(NotPrepared::Faults(reading.faults));
    }
    let event =
        DomainEvent::new(Subject::User(id), &Actor::SYSTEM, EventKind::Imported { user: Snapshot::from(&user) }, now);
    Ok(Prepared { imported: ImportedUser { user, totp, recovery, passkeys, event }, weak, notes: reading.notes })
}

fn read_state(reading: &mut Reading, state: Option<Members>) -> State {
    let Some(state) = state else { return State::default() };
    match serde_json::from_value::<State>(Value::Object(state)) {
        Ok(state) if state.known_clients.len() <= MAX_CLIENTS => state,
        _ => {
            reading.fault("state", "This is not a state exported by this service.");
            State::default()
        }
    }
}

/// Of an account whose file does not say it, now.
fn created_at(reading: &mut Reading, text: Option<&String>, now: Timestamp) -> Timestamp {
    match reading.time("created_at", text) {
        Some(at) if at > now => {
            reading.fault("created_at", "This time is in the future.");
            now
        }
        Some(at) if at < Timestamp::from_seconds(0) => {
            reading.fault("created_at", "This time is before 1970.");
            now
        }
        at => at.unwrap_or(now),
    }
}

fn kept_id(reading: &mut Reading, text: &str) -> Option<UserId> {
    let id = text.to_ascii_lowercase().parse::<UserId>().ok().filter(|id| !is_nil_or_max(*id));
    if id.is_none() {
        reading.fault("id", "An ID must be a UUID with hyphens, and neither all zeros nor all ones.");
    }
    id
}

fn is_nil_or_max(id: UserId) -> bool {
    id.as_bytes().iter().all(|byte| *byte == 0) || id.as_bytes().iter().all(|byte| *byte == 0xff)
}

/// The id of an account that brings none along: the same each time, so that an import may be repeated, and not to be foretold. Of
/// version 8 (RFC 9562, 5.8).
async fn derived_id(app: &App, external_id: Option<&ExternalId>, email: &EmailAddress) -> Result<UserId, Error> {
    let known_by = match external_id {
        Some(id) => format!("external_id {}", id.as_str()),
        // As it is written: rows whose addresses are one only after normalization are two people, of whom one is reported.
        None => format!("email {}", email.as_str()),
    };
    let mac = app.keys().import_mac().await?.sign(known_by.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mac[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(UserId::from_bytes(bytes))
}

/// Of an account without a name, the address's local part.
fn name(reading: &mut Reading, name: Option<&str>, email: Option<&EmailAddress>) -> Option<UserName> {
    if let Some(name) = name.filter(|name| !name.trim().is_empty()) {
        return reading.parsed("name", UserName::parse(name));
    }
    let local = email?.as_str().rsplit_once('@').map_or("", |(local, _)| local).to_owned();
    reading.notes.push("without a name: the local part of the email address is used".to_owned());
    reading.parsed("name", UserName::parse(&local))
}

fn disabled(
    reading: &mut Reading,
    record: Option<formats::Disabled>,
    state: Option<Disabled>,
    now: Timestamp,
) -> Option<Disabled> {
    let record = record?;
    if let Some(state) = state {
        return Some(state);
    }
    let until = reading.time("disabled.until", record.until.as_ref());
    let reason = record.reason.and_then(|reason| reading.parsed("disabled.reason", Reason::parse(&reason)));
    let disabled = Disabled { at: now, by: None, reason, until };
    Some(disabled).filter(|disabled| disabled.lasts(now))
}

enum ReadPassword {
    None,
    Own(PasswordHash),
    Imported(ImportedPassword),
    Weak(ForeignHash),
}

fn password(app: &App, reading: &mut Reading, record: Option<PasswordRecord>) -> Option<ReadPassword> {
    let Some(record) = record else { return without_password(reading) };
    let elsewhere = match record {
        PasswordRecord::Hash { system, stored, .. } if system == OWN_SYSTEM => return own(app, reading, &stored),
        PasswordRecord::Hash { system, stored, fields } => return foreign(reading, &system, &stored, &fields),
        PasswordRecord::Cognito { pool, client: Some(client), username } => {
            Elsewhere::Cognito { pool, client, username }
        }
        PasswordRecord::Cognito { client: None, .. } => {
            reading.fault("password.cognito.client", "Specify the app client of the pool.");
            return None;
        }
        PasswordRecord::Endpoint { username } => Elsewhere::Endpoint { username },
    };
    Some(elsewhere_of(app, reading, elsewhere))
}

/// Only what this stack asks, and what its requests and its table have room for.
fn elsewhere_of(app: &App, reading: &mut Reading, elsewhere: Elsewhere) -> ReadPassword {
    let legacy = &app.config.legacy;
    let (member, username) = match &elsewhere {
        Elsewhere::Cognito { pool, client, username } => {
            if legacy.user_pool.as_ref() != Some(pool) {
                let reason = "LEGACY_USER_POOL is not this pool, so it would never be asked.";
                reading.fault("password.cognito.pool", reason);
            }
            // As Cognito makes them.
            let valid = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'+');
            if !(1..=128).contains(&client.len()) || !client.bytes().all(valid) {
                reading.fault("password.cognito.client", "An app client must have 1 to 128 letters, digits, _ and +.");
            }
            ("password.cognito.username", username)
        }
        Elsewhere::Endpoint { username } => {
            if legacy.password_url.is_none() {
                reading.fault("password.endpoint", "LEGACY_PASSWORD_URL is not set, so it would never be asked.");
            }
            ("password.endpoint.username", username)
        }
    };
    if !(1..=MAX_USERNAME).contains(&username.len()) {
        reading.fault(member, format!("A user name must have 1 to {MAX_USERNAME} bytes."));
    }
    ReadPassword::Imported(ImportedPassword::Elsewhere(elsewhere))
}

/// Of an export: a hash of this service, or one that was still another system's.
fn own(app: &App, reading: &mut Reading, stored: &SecretString) -> Option<ReadPassword> {
    let hash = PasswordHash::new(stored.expose_secret().to_owned());
    match ImportedPassword::of(&hash) {
        Ok(Some(ImportedPassword::Elsewhere(elsewhere))) => return Some(elsewhere_of(app, reading, elsewhere)),
        Ok(Some(ImportedPassword::Hash(hash))) if hash.is_weak() => return Some(ReadPassword::Weak(hash)),
        Ok(Some(imported @ ImportedPassword::Hash(_))) => return Some(ReadPassword::Imported(imported)),
        Ok(Some(ImportedPassword::Wrapped { recipe, phc })) if hashing::is_own(&PasswordHash::new(phc.clone())) => {
            return Some(ReadPassword::Imported(ImportedPassword::Wrapped { recipe, phc }));
        }
        Ok(None) if hashing::is_own(&hash) => return Some(ReadPassword::Own(hash)),
        _ => reading.fault("password.stored", "This is not a hash exported by this service."),
    }
    None
}

#[expect(clippy::unnecessary_wraps, reason = "as its callers do")]
fn without_password(reading: &mut Reading) -> Option<ReadPassword> {
    reading.notes.push("without a password: the owner sets one with a password reset".to_owned());
    Some(ReadPassword::None)
}

fn foreign(reading: &mut Reading, system: &str, stored: &SecretString, fields: &Members) -> Option<ReadPassword> {
    let Ok(system) = system.parse::<System>() else {
        reading.fault("password.system", "Unknown system; docs/moving-in/other.md lists the supported systems.");
        return None;
    };
    for unknown in fields.keys().filter(|name| !System::has_field(name)) {
        reading.notes.push(format!("password.fields: `{unknown}` is not a field of any system and is left out"));
    }
    match system.read(stored.expose_secret(), fields) {
        Ok(Stored::NoPassword) => without_password(reading),
        Ok(Stored::Hash(hash)) if hash.is_weak() => Some(ReadPassword::Weak(hash)),
        Ok(Stored::Hash(hash)) => Some(ReadPassword::Imported(ImportedPassword::Hash(hash))),
        Err(refused) => {
            reading.fault("password", refused.to_string());
            None
        }
    }
}

struct ReadTotp {
    secret: Zeroizing<Vec<u8>>,
    form: TotpForm,
    last_step: Option<Step>,
    added_at: Timestamp,
}

fn read_totp(reading: &mut Reading, record: &TotpRecord, created_at: Timestamp, now: Timestamp) -> Option<ReadTotp> {
    let text: Zeroizing<String> = Zeroizing::new(
        record
            .secret
            .expose_secret()
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '='))
            .collect::<String>()
            .to_ascii_uppercase(),
    );
    let secret = BASE32_NOPAD.decode(text.as_bytes()).ok().map(Zeroizing::new);
    let secret = secret.filter(|secret| SECRET_LENGTHS.contains(&secret.len()));
    if secret.is_none() {
        reading.fault("totp.secret", "A secret must be 10 to 128 bytes in base32.");
    }
    let algorithm = match record.algorithm {
        Algorithm::Sha1 => TotpAlgorithm::Sha1,
        Algorithm::Sha256 => TotpAlgorithm::Sha256,
        Algorithm::Sha512 => TotpAlgorithm::Sha512,
    };
    let form = TotpForm { algorithm, digits: record.digits.into(), period: record.period };
    let form = reading.parsed("totp", form.checked());
    let added_at = reading.time("totp.added_at", record.added_at.as_ref()).unwrap_or(created_at);
    let (secret, form, last_step) = (secret?, form?, record.last_step.map(Step::numbered));
    // No code would be right for as long. A client's clock may be one step ahead.
    if last_step.is_some_and(|step| step.number() > form.step_at(now).number() + 1) {
        reading.fault(
            "totp.last_step",
            "This step is in the future: it is the Unix time in seconds, divided by `period`.",
        );
    }
    Some(ReadTotp { secret, form, last_step, added_at })
}

impl ReadTotp {
    async fn sealed(self, app: &App, user: UserId) -> Result<Totp, Error> {
        let secret = TotpSecret::of_form(self.secret.as_slice(), self.form);
        Ok(Totp {
            secret: app.keys().totp().await?.seal(&secret, user)?,
            form: self.form,
            created_at: self.added_at,
            expires_at: self.added_at,
            confirmed_at: Some(self.added_at),
            // A code counts once, and only later ones than the last: without one, none that was shown before the import.
            last_step: Some(self.last_step.unwrap_or_else(|| self.form.step_before(app.clock.now()))),
            stepped_up: true,
            epoch: 0,
        })
    }
}

enum ReadCodes {
    Plain(Vec<RecoveryCode>, Timestamp),
    Hashed(Vec<RecoveryHash>, Option<CodesKey>, Timestamp),
}

fn read_codes(reading: &mut Reading, codes: RecoveryCodes, created_at: Timestamp) -> Option<ReadCodes> {
    let count = match &codes {
        RecoveryCodes::Plain(codes) => codes.len(),
        RecoveryCodes::Hashed { sha256, .. } => sha256.len(),
    };
    if count > MAX_CODES {
        reading.fault("recovery_codes", format!("An account can have at most {MAX_CODES} recovery codes."));
        return None;
    }
    match codes {
        RecoveryCodes::Plain(codes) => {
            let read = codes.iter().map(RecoveryCode::parse).collect::<Result<Vec<_>, _>>();
            let wrong = || {
                Invalid::new(
                    "invalid_recovery_code_format",
                    "A recovery code must have 6 to 64 ASCII letters and digits.",
                )
            };
            let read = reading.parsed("recovery_codes", read.map_err(|_| wrong()))?;
            (!read.is_empty()).then_some(ReadCodes::Plain(read, created_at))
        }
        RecoveryCodes::Hashed { sha256, key, created_at: at } => {
            let hashes = sha256.iter().map(|hash| RecoveryHash::parse(hash)).collect::<Result<Vec<_>, _>>();
            let hashes = reading.parsed("recovery_codes.sha256", hashes)?;
            let key = match key {
                Some(key) => Some(reading.parsed("recovery_codes.key", CodesKey::parse(&key))?),
                None => None,
            };
            let at = reading.time("recovery_codes.created_at", at.as_ref()).unwrap_or(created_at);
            (!hashes.is_empty()).then_some(ReadCodes::Hashed(hashes, key, at))
        }
    }
}

impl ReadCodes {
    async fn sealed(self, app: &App, user: UserId) -> Result<RecoverySet, Error> {
        let seal = app.keys().totp().await?;
        Ok(match self {
            Self::Plain(codes, at) => {
                let key = CodesKey::new();
                RecoverySet::of_hashes(codes.iter().map(|code| key.hash(code)), Some(key.seal(seal, user)?), at)
            }
            Self::Hashed(hashes, key, at) => {
                let sealed_key = key.map(|key| key.seal(seal, user)).transpose()?;
                RecoverySet::of_hashes(hashes, sealed_key, at)
            }
        })
    }
}

fn passkeys_of(app: &App, reading: &mut Reading, records: Vec<PasskeyRecord>, created_at: Timestamp) -> Vec<Passkey> {
    let mut passkeys: Vec<Passkey> = Vec::new();
    if records.len() > PASSKEYS as usize {
        reading.fault("passkeys", format!("An account can have at most {PASSKEYS} passkeys."));
        return passkeys;
    }
    for (at, record) in records.into_iter().enumerate() {
        let own = &app.config.relying_party.id;
        if let Some(rp_id) = record.rp_id.as_ref().filter(|rp_id| *rp_id != own) {
            reading.notes.push(format!(
                "passkeys[{at}] is left out: it was created for {rp_id}, and browsers would not offer it for {own}"
            ));
            continue;
        }
        let Some(passkey) = passkey(reading, at, record, created_at) else { continue };
        if passkeys.iter().any(|known| known.id == passkey.id) {
            reading.fault(&format!("passkeys[{at}].id"), "Another passkey of the account has this ID.");
        } else {
            passkeys.push(passkey);
        }
    }
    passkeys
}

fn passkey(reading: &mut Reading, at: usize, record: PasskeyRecord, created_at: Timestamp) -> Option<Passkey> {
    let member = |name: &str| format!("passkeys[{at}].{name}");
    let decode =
        |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).or_else(|_| STANDARD.decode(text)).ok();
    let id = decode(&record.id).filter(|id| (1..=1023).contains(&id.len()));
    if id.is_none() {
        reading.fault(&member("id"), "A credential ID must be 1 to 1023 bytes of URL-safe base64.");
    }
    let public_key = decode(&record.public_key);
    if public_key.is_none() {
        reading.fault(&member("public_key"), "A public key must be URL-safe base64.");
    }
    let name = record.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or("Passkey");
    let name = reading.parsed(&member("name"), PasskeyName::parse(name));
    let added_at = reading.time(&member("created_at"), record.created_at.as_ref()).unwrap_or(created_at);
    let last_used_at = reading.time(&member("last_used_at"), record.last_used_at.as_ref());
    let (id, public_key) = (id?, public_key?);
    let imported = ImportedCredential {
        id: &id,
        public_key: &public_key,
        sign_count: record.sign_count,
        backup_eligible: record.backup_eligible.unwrap_or(record.backed_up),
        backed_up: record.backed_up,
    };
    let credential = match &record.credential {
        Some(exported) => match exported.to_string() {
            text if text.len() <= MAX_CREDENTIAL => ImportedCredential::exported(&id, &text),
            _ => Err(Invalid::new("too_long", format!("A credential can have at most {MAX_CREDENTIAL} bytes."))),
        },
        None => imported.credential(),
    };
    let credential = reading.parsed(&member("public_key"), credential);
    let user_handle = match record.user_handle.as_deref().map(decode) {
        None => None,
        Some(Some(handle)) if (1..=MAX_HANDLE).contains(&handle.len()) => Some(URL_SAFE_NO_PAD.encode(handle)),
        Some(_) => {
            reading.fault(
                &member("user_handle"),
                format!("A user handle must be 1 to {MAX_HANDLE} bytes of URL-safe base64."),
            );
            None
        }
    };
    Some(Passkey {
        id: PasskeyId::of(&id),
        name: name?,
        credential: credential?,
        transports: Transports::of(record.transports),
        sign_count: record.sign_count,
        backed_up: record.backed_up,
        created_at: added_at,
        last_used_at,
        user_handle,
    })
}
