//! One account as a file has it: the types of our own format, version 1.
//!
//! `docs/import-format.md` explains every member, and `docs/import.schema.json` is the same as a JSON Schema. Texts such as
//! email addresses, timestamps and UUIDs are not validated here: their rules are the service's, which reports all of a
//! record's faults at once.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};
use serde_json::{Map, Value};

use crate::object;

/// A JSON object.
pub type Members = Map<String, Value>;

/// One account as a file has it, not yet validated by the service's own rules.
///
/// It serializes to what it was read from, secrets included; its `Debug` shows none of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The version of the format. A line that does not name one has the first.
    #[serde(default)]
    pub version: Version,
    /// What the account was known by where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The account's UUID, where it has to stay the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The email address with which its owner signs in.
    pub email: String,
    /// Whether the owner has proved to receive email at this address.
    #[serde(default, skip_serializing_if = "is_false")]
    pub email_confirmed: bool,
    /// The person's name as displayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account's roles. `None` leaves the choice to the import, an empty list is none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// When the account was created, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// That the account may not sign in.
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Data that its owner reads and writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Members>,
    /// Data that its owner reads and only staff and applications write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Members>,
    /// Data that its owner does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal: Option<Members>,
    /// How the old password is verified. Without it, the owner has to set one.
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// The authenticator app.
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// The unused recovery codes.
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    pub recovery_codes: Option<RecoveryCodes>,
    /// The passkeys.
    #[serde(default, deserialize_with = "object::list", skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
    /// What only this service knows of an account. An export writes it, and other files leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Members>,
}

/// The version of the format. There is one, 1; every other is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    /// The number as files have it.
    pub const NUMBER: u64 = 1;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "version {other} of the format is not supported, only version 1 is"
            ))),
        }
    }
}

/// That an account may not sign in, and what is known about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disabled {
    /// Why, in words for staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends by itself, in RFC 3339. Without it, staff end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// How an old password is verified at its owner's first sign-in. Exactly one of the three.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PasswordForm", into = "PasswordForm")]
pub enum Password {
    /// By its hash, which the file has.
    Hash {
        /// The software that made the hash: `django`, `node-bcrypt`, `keycloak`.
        system: String,
        /// The hash as that software stores it.
        stored: SecretString,
        /// What else a check needs: a salt, a pepper, the software's settings. May hold secrets.
        fields: Members,
    },
    /// By signing in to an Amazon Cognito user pool, which gives no hashes away.
    Cognito {
        /// The user pool's ID, such as `eu-central-1_a1B2c3D4e`.
        pool: String,
        /// The ID of the app client; the import's own, where absent.
        client: Option<String>,
        /// The account's user name in the pool.
        username: String,
    },
    /// By asking an HTTPS endpoint of the old system.
    Endpoint {
        /// The account's user name there.
        username: String,
    },
}

/// Written by hand, because `fields` may hold peppers and signer keys.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash { system, .. } => f.debug_struct("Hash").field("system", system).finish_non_exhaustive(),
            Self::Cognito { pool, client, username } => f
                .debug_struct("Cognito")
                .field("pool", pool)
                .field("client", client)
                .field("username", username)
                .finish(),
            Self::Endpoint { username } => f.debug_struct("Endpoint").field("username", username).finish(),
        }
    }
}

/// [`Password`] as JSON has it: one object whose members tell the three apart.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_optional")]
    stored: Option<SecretString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<Members>,
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    cognito: Option<CognitoForm>,
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    endpoint: Option<EndpointForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CognitoForm {
    pool: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    username: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointForm {
    username: String,
}

impl TryFrom<PasswordForm> for Password {
    type Error = &'static str;

    fn try_from(form: PasswordForm) -> Result<Self, Self::Error> {
        match form {
            PasswordForm { system: Some(system), stored: Some(stored), fields, cognito: None, endpoint: None } => {
                Ok(Self::Hash { system, stored, fields: fields.unwrap_or_default() })
            }
            PasswordForm { system: None, stored: None, fields: None, cognito: Some(form), endpoint: None } => {
                Ok(Self::Cognito { pool: form.pool, client: form.client, username: form.username })
            }
            PasswordForm { system: None, stored: None, fields: None, cognito: None, endpoint: Some(form) } => {
                Ok(Self::Endpoint { username: form.username })
            }
            _ => Err("a password must be exactly one of: `system` with `stored`, `cognito`, `endpoint`"),
        }
    }
}

impl From<Password> for PasswordForm {
    fn from(password: Password) -> Self {
        let empty = Self { system: None, stored: None, fields: None, cognito: None, endpoint: None };
        match password {
            Password::Hash { system, stored, fields } => Self {
                system: Some(system),
                stored: Some(stored),
                fields: (!fields.is_empty()).then_some(fields),
                ..empty
            },
            Password::Cognito { pool, client, username } => {
                Self { cognito: Some(CognitoForm { pool, client, username }), ..empty }
            }
            Password::Endpoint { username } => Self { endpoint: Some(EndpointForm { username }), ..empty },
        }
    }
}

/// An authenticator app that is set up, by [RFC 6238](https://www.rfc-editor.org/rfc/rfc6238).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totp {
    /// The shared secret in base32. Padding, spaces and lower case are allowed.
    #[serde(serialize_with = "expose")]
    pub secret: SecretString,
    /// The hash function under HMAC.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How many digits a code has.
    #[serde(default)]
    pub digits: Digits,
    /// How long a code is shown, in seconds; never 0.
    #[serde(default = "thirty_seconds", deserialize_with = "positive")]
    pub period: u32,
    /// The time step of the last code that was used, so that it cannot be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<i64>,
    /// When it was set up, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_at: Option<String>,
}

impl Totp {
    /// The period that authenticator apps take where none is named, in seconds.
    pub const PERIOD: u32 = 30;

    /// A secret with what authenticator apps take where nothing else is named: SHA-1, six digits, 30 seconds.
    #[must_use]
    pub fn of(secret: SecretString) -> Self {
        Self {
            secret,
            algorithm: Algorithm::default(),
            digits: Digits::default(),
            period: Self::PERIOD,
            last_step: None,
            added_at: None,
        }
    }
}

/// The hash function of a TOTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// HMAC-SHA-1, which all authenticator apps know.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// How many digits a code of a TOTP has: 6 or 8 in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u8")]
pub enum Digits {
    /// Six digits, the default of authenticator apps.
    #[default]
    Six,
    /// Eight digits.
    Eight,
}

impl TryFrom<u64> for Digits {
    type Error = &'static str;

    fn try_from(digits: u64) -> Result<Self, Self::Error> {
        match digits {
            6 => Ok(Self::Six),
            8 => Ok(Self::Eight),
            _ => Err("a code must have 6 or 8 digits"),
        }
    }
}

impl From<Digits> for u8 {
    fn from(digits: Digits) -> Self {
        match digits {
            Digits::Six => 6,
            Digits::Eight => 8,
        }
    }
}

/// The unused recovery codes of an account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "RecoveryCodesForm", into = "RecoveryCodesForm")]
pub enum RecoveryCodes {
    /// As their owner has them.
    Plain(Vec<SecretString>),
    /// By their hashes. Only codes of this service come so: others are hashed in other ways.
    Hashed {
        /// The SHA-256 of each code in base64url without padding.
        sha256: Vec<String>,
        /// In an export, of codes that another system had made: their key in base64, and `sha256` is HMAC-SHA-256 with it.
        key: Option<SecretString>,
        /// When they were issued, in RFC 3339.
        created_at: Option<String>,
    },
}

/// Written by hand: the hash of a code is worth as much as the code, because codes are short.
impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(codes) => write!(f, "Plain({} codes)", codes.len()),
            Self::Hashed { sha256, .. } => write!(f, "Hashed({} codes)", sha256.len()),
        }
    }
}

/// [`RecoveryCodes`] as JSON has them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryCodesForm {
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_list")]
    codes: Option<Vec<SecretString>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_optional")]
    key: Option<SecretString>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

impl TryFrom<RecoveryCodesForm> for RecoveryCodes {
    type Error = &'static str;

    fn try_from(form: RecoveryCodesForm) -> Result<Self, Self::Error> {
        match form {
            RecoveryCodesForm { codes: Some(codes), sha256: None, key: None, created_at: None } => {
                Ok(Self::Plain(codes))
            }
            RecoveryCodesForm { codes: None, sha256: Some(sha256), key, created_at } => {
                Ok(Self::Hashed { sha256, key, created_at })
            }
            _ => Err("recovery codes must be either `codes` alone or `sha256`, with `created_at` if known"),
        }
    }
}

impl From<RecoveryCodes> for RecoveryCodesForm {
    fn from(codes: RecoveryCodes) -> Self {
        match codes {
            RecoveryCodes::Plain(codes) => Self { codes: Some(codes), sha256: None, key: None, created_at: None },
            RecoveryCodes::Hashed { sha256, key, created_at } => {
                Self { codes: None, sha256: Some(sha256), key, created_at }
            }
        }
    }
}

/// A passkey: the public half of a [WebAuthn](https://www.w3.org/TR/webauthn-3/) credential, and what is known about it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    /// The credential's ID in base64url without padding.
    pub id: String,
    /// The public key as COSE (RFC 9052) encodes it, in base64url without padding. Empty where `credential` has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_key: String,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The authenticator's count of signatures at the last one; 0 where it does not count.
    #[serde(default)]
    pub sign_count: u32,
    /// Whether its provider keeps a copy.
    #[serde(default)]
    pub backed_up: bool,
    /// Whether its provider may keep a copy. It never changes, so a wrong value fails every sign-in: absent where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_eligible: Option<bool>,
    /// Whether the authenticator verified its user at the registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_verified: Option<bool>,
    /// How a browser reaches the authenticator: `usb`, `nfc`, `ble`, `hybrid`, `internal`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
    /// When it was registered, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last used, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// The domain that it was registered for. It works for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_id: Option<String>,
    /// What its authenticator calls its owner, in base64url, where that is not the account's ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<String>,
    /// The credential in this service's own form, which an export writes so that nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn thirty_seconds() -> u32 {
    Totp::PERIOD
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(de::Error::custom("a period must be at least one second")),
        period => Ok(period),
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn expose_optional<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn expose_list<S: Serializer>(secrets: &Option<Vec<SecretString>>, serializer: S) -> Result<S::Ok, S::Error> {
    let secrets = secrets.as_deref().unwrap_or_default();
    let mut list = serializer.serialize_seq(Some(secrets.len()))?;
    for secret in secrets {
        list.serialize_element(secret.expose_secret())?;
    }
    list.end()
}
