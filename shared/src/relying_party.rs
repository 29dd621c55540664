//! The relying party of `WebAuthn` level 3: makes the ceremonies that a browser takes to an authenticator, and checks what comes
//! back. The protocol is `webauthn-rs`'s; what this adds is that a ceremony's state and a credential can be kept, that what
//! browsers and authenticators do differently from each other is taken alike, and a check of where an answer was made.
//!
//! Every passkey has to verify its user (by a fingerprint, a face, a PIN), when it is added and at each use. So each of them is
//! two factors by itself, and none has to be told apart from others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;
use webauthn_rs::prelude::{
    COSEKey, Credential as WebauthnCredential, DiscoverableAuthentication, Passkey as WebauthnPasskey,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse, Uuid,
    WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::clock::Timestamp;
use crate::config::Config;
use crate::domain::Invalid;
use crate::domain::id::UserId;
use crate::domain::passkey::{
    CEREMONY_LIFE, CeremonyState, Credential, Passkey, PasskeyId, PasskeyName, PasskeyUse, Transports,
};
use crate::domain::user::User;
use crate::error::{Error, Result};

/// The flag of an authenticator's data that says that its passkey may be backed up (6.1), and the byte that holds it.
const BACKUP_ELIGIBLE: u8 = 0x08;
const FLAGS: usize = 32;

/// Cheap to make, so each route that needs it makes it: functions without passkeys have none.
pub struct RelyingParty {
    webauthn: Webauthn,
    origins: Vec<Url>,
}

/// Why an authenticator's answer was refused: for the log, never for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The count of signatures did not rise: there may be a copy of the key.
    Cloned,
    /// The authenticator did not verify its user.
    NotVerified,
    /// Another origin, another relying party, another challenge, another key, another owner, or no answer at all.
    Invalid,
}

impl Refusal {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloned => "sign_count",
            Self::NotVerified => "user_not_verified",
            Self::Invalid => "not_valid",
        }
    }

    const fn of(error: &WebauthnError) -> Self {
        match error {
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            WebauthnError::UserNotVerified => Self::NotVerified,
            _ => Self::Invalid,
        }
    }
}

/// What `navigator.credentials.create()` gave, in its JSON form.
pub struct Attestation {
    credential: RegisterPublicKeyCredential,
    transports: Transports,
}

/// What `navigator.credentials.get()` gave, in its JSON form.
pub struct Assertion(PublicKeyCredential);

/// The JSON form of a credential (`WebAuthn` level 3, 5.1), as far as it is looked at. Browsers add members, extensions have
/// results of any form, and what may be left out comes as `null` as well: none of that decides anything here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialJson {
    id: Value,
    raw_id: Value,
    #[serde(rename = "type")]
    kind: Value,
    response: Map<String, Value>,
    #[serde(default, rename = "clientExtensionResults")]
    _extensions: Option<Map<String, Value>>,
}

impl CredentialJson {
    /// Those members, with these of the response, for `webauthn-rs` to read.
    fn with<T: DeserializeOwned>(mut self, response: &[&str]) -> Result<T, Invalid> {
        let Self { id, raw_id, kind, .. } = &self;
        let mut credential = json!({ "id": id, "rawId": raw_id, "type": kind });
        let members = response.iter().filter_map(|name| self.response.remove_entry(*name));
        credential["response"] = members.collect::<Map<_, _>>().into();
        parse(credential)
    }
}

impl Attestation {
    /// # Errors
    /// When it is not of that form.
    pub fn parse(json: Value) -> Result<Self, Invalid> {
        let mut form: CredentialJson = parse(json)?;
        let transports = form.response.remove("transports").unwrap_or_default();
        let transports = Transports::of(parse::<Option<Vec<String>>>(transports)?.unwrap_or_default());
        Ok(Self { credential: form.with(&["clientDataJSON", "attestationObject"])?, transports })
    }
}

impl Assertion {
    /// # Errors
    /// When it is not of that form.
    pub fn parse(json: Value) -> Result<Self, Invalid> {
        let mut form: CredentialJson = parse(json)?;
        // Safari says so where a security key names no owner.
        form.response.retain(|name, value| name != "userHandle" || value != "");
        form.response.entry("userHandle").or_insert(Value::Null);
        form.with(&["clientDataJSON", "authenticatorData", "signature", "userHandle"]).map(Self)
    }

    /// Which passkey it claims to be made with.
    #[must_use]
    pub fn passkey(&self) -> PasskeyId {
        PasskeyId::of(self.0.get_credential_id())
    }

    /// Whose it claims to be: what a discoverable credential says, and others may leave out. Of a passkey that was imported the
    /// handle may be the account's id as text.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        let handle = self.0.get_user_unique_id()?;
        let text = || std::str::from_utf8(handle).ok()?.parse().ok();
        handle.try_into().ok().map(UserId::from_bytes).or_else(text)
    }
}

fn parse<T: DeserializeOwned>(json: Value) -> Result<T, Invalid> {
    serde_json::from_value(json).map_err(|_| {
        Invalid::new("invalid_credential", "Send the credential as returned by `toJSON()` in the browser.")
    })
}

/// What an assertion has to be: an answer to this ceremony, made with this passkey of this account.
pub struct Expected<'a> {
    pub state: &'a CeremonyState,
    pub user: UserId,
    pub passkey: &'a Passkey,
}

/// What a browser or app says of where an authenticator was asked (5.8.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    origin: Url,
    #[serde(default)]
    cross_origin: Option<bool>,
}

/// A credential as another relying party's software stored it, for the same id of the relying party.
#[derive(Debug, Clone, Copy)]
pub struct ImportedCredential<'a> {
    pub id: &'a [u8],
    /// A `COSE_Key` (RFC 9052, 7).
    pub public_key: &'a [u8],
    pub sign_count: u32,
    pub backup_eligible: bool,
    pub backed_up: bool,
}

impl ImportedCredential<'_> {
    /// # Errors
    /// `invalid_public_key` when the key is no `COSE_Key` of an algorithm that passkeys have.
    pub fn credential(&self) -> Result<Credential, Invalid> {
        let invalid =
            || Invalid::new("invalid_public_key", "The public key must be a COSE key for ES256, EdDSA or RS256.");
        let key: serde_cbor_2::Value = serde_cbor_2::from_slice(self.public_key).map_err(|_| invalid())?;
        let key = COSEKey::try_from(&key).map_err(|_| invalid())?;
        // As `webauthn-rs` writes one without attestation: some of its types have no public name.
        let credential = json!({ "cred": {
            "cred_id": URL_SAFE_NO_PAD.encode(self.id),
            "cred": key,
            "counter": self.sign_count,
            "transports": null,
            "user_verified": true,
            "backup_eligible": self.backup_eligible,
            "backup_state": self.backed_up,
            "registration_policy": "required",
            "extensions": {},
            "attestation": { "data": "None", "metadata": "None" },
            "attestation_format": "none",
        }});
        let passkey: WebauthnPasskey = serde_json::from_value(credential).map_err(|_| invalid())?;
        serde_json::to_string(&passkey).map(Credential).map_err(|_| invalid())
    }

    /// A credential of this service that was exported.
    ///
    /// # Errors
    /// `invalid_credential` when it is none, or has another id.
    pub fn exported(id: &[u8], text: &str) -> Result<Credential, Invalid> {
        let invalid = || Invalid::new("invalid_credential", "This is not a credential exported by this service.");
        let passkey: WebauthnPasskey = serde_json::from_str(text).map_err(|_| invalid())?;
        if passkey.cred_id().as_slice() == id { Ok(Credential(text.to_owned())) } else { Err(invalid()) }
    }
}

/// The id that the browser knows a passkey's credential by, in URL-safe base64.
///
/// # Errors
/// Only when what is stored cannot be read.
pub fn credential_id(passkey: &Passkey) -> Result<String> {
    // As `webauthn-rs` writes it; without that crate, so that a function that only shows passkeys does not link it.
    #[derive(Deserialize)]
    struct Written {
        cred: WrittenCredential,
    }
    #[derive(Deserialize)]
    struct WrittenCredential {
        cred_id: String,
    }
    read::<Written>(&passkey.credential.0).map(|written| written.cred.cred_id)
}

/// What a front end tells the browser of an account's passkeys by, in `PublicKeyCredential.signalAllAcceptedCredentials()`: the
/// id of the relying party, and the handle of the user in URL-safe base64.
#[must_use]
pub fn signal_ids(config: &Config, user: UserId) -> (String, String) {
    (config.relying_party.id.clone(), URL_SAFE_NO_PAD.encode(user.as_bytes()))
}

impl RelyingParty {
    /// # Errors
    /// Never with a configuration that was read: [`Config`] has looked at it.
    pub fn new(config: &Config) -> Result<Self> {
        let party = &config.relying_party;
        // The builder takes no app for the first. An origin that is not listed is refused below, whatever it takes.
        let own = Url::parse(&format!("https://{}", party.id)).map_err(Error::internal)?;
        let first = party.origins.iter().find(|origin| origin.domain().is_some()).unwrap_or(&own);
        let builder = WebauthnBuilder::new(&party.id, first).map_err(Error::internal)?;
        let builder = builder.rp_name(&config.mail.product_name).timeout(CEREMONY_LIFE);
        let builder = party.origins.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        Ok(Self { webauthn: builder.build().map_err(Error::internal)?, origins: party.origins.clone() })
    }

    /// Whether an authenticator was asked by one of the configured pages and apps, and not within a page of another site (7.1
    /// and 7.2 ask for both). `webauthn-rs` looks at the latter for new passkeys alone.
    fn asked(&self, client_data: &[u8]) -> bool {
        serde_json::from_slice::<ClientData>(client_data).is_ok_and(|ClientData { origin, cross_origin }| {
            self.origins.contains(&origin) && !cross_origin.unwrap_or_default()
        })
    }

    /// Starts adding a passkey to `others`: the options for `navigator.credentials.create()`, and the state to store.
    ///
    /// # Errors
    /// Only when what is stored cannot be read.
    pub fn begin_registration(&self, user: &User, others: &[Passkey]) -> Result<(Value, CeremonyState)> {
        let excluded: Vec<_> =
            others.iter().map(|passkey| Ok(stored(passkey)?.cred_id().clone())).collect::<Result<_>>()?;
        let handle = Uuid::from_bytes(*user.id.as_bytes());
        let (options, state) = self
            .webauthn
            .start_passkey_registration(handle, &user.email.to_string(), user.name.as_str(), Some(excluded))
            .map_err(Error::internal)?;
        // Only a passkey that its authenticator can find by itself signs in alone. Where there is no room for one, the other
        // kind is better than none: it is a second factor.
        let mut options = options_of(&options.public_key)?;
        options["authenticatorSelection"]["residentKey"] = "preferred".into();
        options["excludeCredentials"] = descriptors(others)?;
        Ok((options, kept(&state)?))
    }

    /// The passkey that an authenticator made for this ceremony.
    ///
    /// # Errors
    /// Why not, in the inner result. An internal error when the state cannot be read.
    pub fn finish_registration(
        &self,
        attestation: &Attestation,
        state: &CeremonyState,
        name: PasskeyName,
        now: Timestamp,
    ) -> Result<Result<Passkey, Refusal>> {
        let state: PasskeyRegistration = read(&state.0)?;
        let Attestation { credential, transports } = attestation;
        if !self.asked(&credential.response.client_data_json) {
            return Ok(Err(Refusal::Invalid));
        }
        let made = match self.webauthn.finish_passkey_registration(credential, &state) {
            Ok(made) => made,
            Err(error) => return Ok(Err(Refusal::of(&error))),
        };
        let id = PasskeyId::of(made.cred_id());
        let credential = Credential(serde_json::to_string(&made).map_err(Error::internal)?);
        let made = WebauthnCredential::from(made);
        let (sign_count, backed_up, transports) = (made.counter, made.backup_state, transports.clone());
        Ok(Ok(Passkey {
            id,
            name,
            credential,
            transports,
            sign_count,
            backed_up,
            created_at: now,
            last_used_at: None,
            user_handle: None,
        }))
    }

    /// Begins to ask for a passkey: the options for `navigator.credentials.get()`, and what has to be kept. With `allowed` it
    /// has to be one of these, if the browser is honest; without, whichever the authenticator finds.
    ///
    /// # Errors
    /// Only when what is stored cannot be read.
    pub fn begin_assertion(&self, allowed: &[Passkey]) -> Result<(Value, CeremonyState)> {
        let (RequestChallengeResponse { public_key, .. }, state) =
            self.webauthn.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = options_of(&public_key)?;
        options["allowCredentials"] = descriptors(allowed)?;
        Ok((options, kept(&state)?))
    }

    /// Whether an assertion is what is expected, and what that changes of the passkey.
    ///
    /// # Errors
    /// Why not, in the inner result. An internal error when what is stored cannot be read.
    pub fn finish_assertion(
        &self,
        assertion: &Assertion,
        Expected { state, user, passkey }: Expected<'_>,
        now: Timestamp,
    ) -> Result<Result<PasskeyUse, Refusal>> {
        let state: DiscoverableAuthentication = read(&state.0)?;
        let Assertion(answer) = assertion;
        let mut credential = as_eligible_as(stored(passkey)?, &answer.response.authenticator_data);
        // The account was found otherwise where the owner is not named; where one is, it has to be the same (7.2, step 6).
        let anothers = answer.get_user_unique_id().is_some_and(|handle| !passkey.is_of(handle, user));
        if anothers || !self.asked(&answer.response.client_data_json) {
            return Ok(Err(Refusal::Invalid));
        }
        let verified = match self.webauthn.finish_discoverable_authentication_v2(answer, state, &credential) {
            Ok(verified) => verified,
            Err(error) => return Ok(Err(Refusal::of(&error))),
        };
        credential.update_credential(&verified);
        Ok(Ok(PasskeyUse {
            id: passkey.id.clone(),
            credential: Credential(serde_json::to_string(&credential).map_err(Error::internal)?),
            sign_count: verified.counter(),
            backed_up: verified.backup_state(),
            used_at: now,
        }))
    }
}

/// The credential, as eligible for backup as its authenticator says in this data. That never changes by the specification (7.2),
/// and does: passkeys become synchronised some time after they were made, and password managers correct what they said before.
/// The flag decides nothing here and is signed with the rest, so what the authenticator says last counts.
fn as_eligible_as(passkey: WebauthnPasskey, authenticator_data: &[u8]) -> WebauthnPasskey {
    let mut credential = WebauthnCredential::from(passkey);
    credential.backup_eligible = authenticator_data.get(FLAGS).is_some_and(|flags| flags & BACKUP_ELIGIBLE != 0);
    credential.into()
}

/// Passkeys as options name them, with how the browser reaches each: or it asks the person where the passkey is.
fn descriptors(passkeys: &[Passkey]) -> Result<Value> {
    let descriptors = passkeys.iter().map(|passkey| {
        let mut descriptor = json!({ "type": "public-key", "id": credential_id(passkey)? });
        if !passkey.transports.is_empty() {
            descriptor["transports"] = json!(passkey.transports);
        }
        Ok(descriptor)
    });
    descriptors.collect::<Result<Vec<_>>>().map(Value::from)
}

fn stored(passkey: &Passkey) -> Result<WebauthnPasskey> {
    read(&passkey.credential.0)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::internal)
}

fn kept(state: &impl Serialize) -> Result<CeremonyState> {
    serde_json::to_string(state).map(CeremonyState).map_err(Error::internal)
}

fn options_of(options: &impl Serialize) -> Result<Value> {
    serde_json::to_value(options).map_err(Error::internal)
}
