//! The relying party of `WebAuthn` level 3: makes the ceremonies that a browser takes to an authenticator, and checks what comes
//! back. The protocol is `webauthn-rs`'s; what this adds is that a ceremony's state and a credential can be kept.
//!
//! Every passkey has to verify its user (by a fingerprint, a face, a PIN), when it is added and at each use. So each of them is
//! two factors by itself, and none has to be told apart from others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    Credential as WebauthnCredential, DiscoverableAuthentication, Passkey as WebauthnPasskey, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse, Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::clock::Timestamp;
use crate::config::{CHALLENGE_LIFE, Config};
use crate::domain::Invalid;
use crate::domain::id::UserId;
use crate::domain::passkey::{CeremonyState, Credential, Passkey, PasskeyId, PasskeyName, PasskeyUse};
use crate::domain::user::User;
use crate::error::{Error, Result};

/// Cheap to make, so whoever needs it makes it: functions without passkeys have none.
pub struct RelyingParty(Webauthn);

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
pub struct Attestation(RegisterPublicKeyCredential);

/// What `navigator.credentials.get()` gave, in its JSON form.
pub struct Assertion(PublicKeyCredential);

impl Attestation {
    /// # Errors
    /// When it is not of that form.
    pub fn parse(json: Value) -> Result<Self, Invalid> {
        serde_json::from_value(json).map(Self).map_err(|_| not_a_credential())
    }
}

impl Assertion {
    /// # Errors
    /// When it is not of that form.
    pub fn parse(json: Value) -> Result<Self, Invalid> {
        serde_json::from_value(json).map(Self).map_err(|_| not_a_credential())
    }

    /// Which passkey it claims to be made with.
    #[must_use]
    pub fn passkey(&self) -> PasskeyId {
        PasskeyId::of(self.0.get_credential_id())
    }

    /// Whose it claims to be: what a discoverable credential says, and others may leave out.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        self.0.get_user_unique_id().and_then(|handle| handle.try_into().ok()).map(UserId::from_bytes)
    }
}

fn not_a_credential() -> Invalid {
    Invalid::new("invalid_credential", "Send the credential as `toJSON()` of the browser gives it.")
}

impl RelyingParty {
    /// # Errors
    /// Never with a configuration that was read: [`Config`] has looked at it.
    pub fn new(config: &Config) -> Result<Self> {
        let party = &config.relying_party;
        let (first, others) = party.origins.split_first().ok_or_else(|| Error::internal("there is no origin"))?;
        let builder = WebauthnBuilder::new(&party.id, first).map_err(Error::internal)?;
        let builder = builder.rp_name(&config.mail.product_name).timeout(CHALLENGE_LIFE);
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        builder.build().map(Self).map_err(Error::internal)
    }

    /// Begins to add a passkey beside `others`: the options for `navigator.credentials.create()`, and what has to be kept.
    ///
    /// # Errors
    /// Only when what is stored cannot be read.
    pub fn begin_registration(&self, user: &User, others: &[Passkey]) -> Result<(Value, CeremonyState)> {
        let others: Vec<_> =
            others.iter().map(|passkey| Ok(stored(passkey)?.cred_id().clone())).collect::<Result<_>>()?;
        let handle = Uuid::from_bytes(*user.id.as_bytes());
        let (options, state) = self
            .0
            .start_passkey_registration(handle, &user.email.to_string(), user.name.as_str(), Some(others))
            .map_err(Error::internal)?;
        // Only a passkey that its authenticator can find by itself signs in alone. Where there is no room for one, the other
        // kind is better than none: it is a second factor.
        let mut options = options_of(&options.public_key)?;
        options["authenticatorSelection"]["residentKey"] = "preferred".into();
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
        let made = match self.0.finish_passkey_registration(&attestation.0, &state) {
            Ok(made) => made,
            Err(error) => return Ok(Err(Refusal::of(&error))),
        };
        let id = PasskeyId::of(made.cred_id());
        let credential = Credential(serde_json::to_string(&made).map_err(Error::internal)?);
        let made = WebauthnCredential::from(made);
        let (sign_count, backed_up) = (made.counter, made.backup_state);
        Ok(Ok(Passkey { id, name, credential, sign_count, backed_up, created_at: now, last_used_at: None }))
    }

    /// Begins to ask for a passkey: the options for `navigator.credentials.get()`, and what has to be kept. With `allowed` it
    /// has to be one of these, if the browser is honest; without, whichever the authenticator finds.
    ///
    /// # Errors
    /// Only when what is stored cannot be read.
    pub fn begin_assertion(&self, allowed: &[Passkey]) -> Result<(Value, CeremonyState)> {
        let (RequestChallengeResponse { public_key, .. }, state) =
            self.0.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = options_of(&public_key)?;
        let allowed = allowed.iter().map(|passkey| {
            Ok(json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(stored(passkey)?.cred_id()) }))
        });
        options["allowCredentials"] = allowed.collect::<Result<Vec<_>>>()?.into();
        Ok((options, kept(&state)?))
    }

    /// Whether an answer to this ceremony was made with this passkey of this account, and what that changes of the passkey.
    ///
    /// # Errors
    /// Why not, in the inner result. An internal error when what is stored cannot be read.
    pub fn finish_assertion(
        &self,
        assertion: &Assertion,
        state: &CeremonyState,
        (user, passkey): (UserId, &Passkey),
        now: Timestamp,
    ) -> Result<Result<PasskeyUse, Refusal>> {
        let state: DiscoverableAuthentication = read(&state.0)?;
        let mut credential = stored(passkey)?;
        // The account was found otherwise where the owner is not named; where one is, it has to be the same (7.2, step 6).
        if assertion.0.get_user_unique_id().is_some_and(|handle| handle != user.as_bytes()) {
            return Ok(Err(Refusal::Invalid));
        }
        let verified = match self.0.finish_discoverable_authentication_v2(&assertion.0, state, &credential) {
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
