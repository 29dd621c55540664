//! Proofs of the second factor, for `verify_login`, `step_up` and the routes that add, change or remove factors.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::event::{Actor, DomainEvent, EventKind, FactorKind, SessionsEnd, Subject};
use shared::domain::factor::{Factor, Method, Permission, TotpUse, UsedProof};
use shared::domain::id::{CeremonyId, DeviceId, SessionId, UserId};
use shared::domain::lockout::{self, Attempts};
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::passkey::{CeremonyState, PASSKEYS, PasskeyId};
use shared::domain::recovery::RecoveryCode;
use shared::domain::session::Reauthentication;
use shared::domain::totp::TotpCode;
use shared::domain::user::User;
use shared::error::Causes;
use shared::grant::Grants;
use shared::grants;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::relying_party::{Assertion, Expected, Refusal, RelyingParty};
use shared::store::{Factors, Store};
use shared::telemetry::audit::Event;
use shared::tokens::keys::Keys;
use shared::tokens::seal::CodesKey;
use shared::{App, Error, Result};
use utoipa::ToSchema;

/// [`count`].
pub const COUNT: Grants = grants![Store::COUNT_FACTOR_ATTEMPT, Store::FACTOR_ATTEMPTS];
/// [`note`].
pub const NOTE: Grants = Store::NOTE_SECOND_FACTOR;
/// [`check`].
pub const CHECK: Grants = Keys::OPEN_TOTP;
/// [`step_up`], and [`email_about`].
pub const STEP_UP: Grants = grants![Store::FACTORS, COUNT, Store::TAKE_OPEN_CEREMONY, CHECK];
/// [`remove`].
pub const REMOVE: Grants =
    grants![STEP_UP, Store::REMOVE_FACTOR, Store::USER_AND_SESSION, Store::PASSKEY, App::NOTIFY_EMAILER];

/// A proof of the second factor: exactly one of the three fields.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The six digits shown by the authenticator app.
    #[schema(value_type = Option<String>, example = "287082")]
    pub code: Option<SecretString>,
    /// A recovery code.
    #[schema(value_type = Option<String>, example = "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P")]
    pub recovery_code: Option<SecretString>,
    /// A passkey of the account.
    #[schema(value_type = Option<PasskeyProof>)]
    pub passkey: Option<PasskeyProof>,
}

/// The response to the options of `POST /auth/passkey/options`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyProof {
    /// The `challenge_token` of the options.
    #[schema(required, value_type = String, format = "uuid")]
    challenge_token: Option<String>,
    /// The result of `navigator.credentials.get()`, by its `toJSON()`.
    #[schema(required, value_type = Object)]
    credential: Option<Value>,
}

/// What a step-up brings: the ceremony is that of a passkey.
pub struct SteppedUp {
    proof: Proof,
    ceremony: Option<CeremonyId>,
}

impl StepUp {
    pub fn parse(self) -> Result<SteppedUp> {
        let mut fields = Fields::default();
        let Self { code, recovery_code, passkey } = self;
        let (ceremony, credential) = match passkey {
            Some(PasskeyProof { challenge_token, credential }) => {
                let ceremony = fields.required("passkey.challenge_token", challenge_token, |id| ceremony_id(&id));
                // Absent is as wrong as malformed: what is there is looked at by `Proof`.
                (ceremony, Some(credential.unwrap_or_default()))
            }
            None => (None, None),
        };
        let given = GivenProof { code, recovery_code, passkey_field: "passkey.credential", passkey: credential };
        let proof = given.parse(&mut fields);
        fields.finish(proof.map(|proof| SteppedUp { proof, ceremony }))
    }

    /// Whether there is no proof, for routes that may not require one.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.code.is_none() && self.recovery_code.is_none() && self.passkey.is_none()
    }
}

/// The id of a ceremony as `challenge_token` names it.
pub fn ceremony_id(text: &str) -> Result<CeremonyId, Invalid> {
    text.parse().map_err(|_| Invalid::new("invalid_challenge_token", "This is not a challenge token from the options."))
}

/// A proof of the second factor.
pub enum Proof {
    Totp(TotpCode),
    RecoveryCode(RecoveryCode),
    Passkey(Box<Assertion>),
}

/// The fields of a request that can contain a proof.
pub struct GivenProof {
    pub code: Option<SecretString>,
    pub recovery_code: Option<SecretString>,
    /// The name of the third field.
    pub passkey_field: &'static str,
    pub passkey: Option<Value>,
}

impl GivenProof {
    /// Exactly one must be present.
    pub fn parse(self, fields: &mut Fields) -> Option<Proof> {
        let Self { code, recovery_code, passkey_field, passkey } = self;
        let one_too_many =
            |_| Err(Invalid::new("one_too_many", "Send only one of `code`, `recovery_code` and `passkey`."));
        match (code, recovery_code, passkey) {
            (None, None, Some(passkey)) => fields
                .optional(passkey_field, Some(passkey), Assertion::parse)
                .map(|assertion| Proof::Passkey(Box::new(assertion))),
            (_, _, Some(passkey)) => fields.optional(passkey_field, Some(passkey), one_too_many),
            (Some(_), Some(recovery_code), None) => {
                fields.optional("recovery_code", Some(recovery_code), |_| one_too_many(Value::Null))
            }
            (None, Some(recovery_code), None) => fields
                .optional("recovery_code", Some(recovery_code), |text| RecoveryCode::parse(&text))
                .map(Proof::RecoveryCode),
            (code, None, None) => fields.required("code", code, |text| TotpCode::parse(&text)).map(Proof::Totp),
        }
    }
}

impl Proof {
    /// The passkey that it claims to be made with.
    #[must_use]
    pub fn passkey(&self) -> Option<PasskeyId> {
        match self {
            Self::Passkey(assertion) => Some(assertion.passkey()),
            Self::Totp(_) | Self::RecoveryCode(_) => None,
        }
    }

    const fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
            Self::Passkey(_) => Method::Passkey,
        }
    }
}

/// Counts the attempt, then looks at the proof: what a step-up does.
pub async fn step_up(app: &App, user: &User, SteppedUp { proof, ceremony }: &SteppedUp) -> Result<UsedProof> {
    if !user.has_second_factor() {
        return Err(Error::TotpNotFound);
    }
    let factors = app.store().factors(user.id, proof.passkey().as_ref()).await?;
    count(app, user.id, None, factors.attempts).await?;
    let asked = match ceremony {
        Some(id) => {
            let ceremony = app.store().take_ceremony(None, *id, app.clock.now()).await?;
            let ceremony = ceremony.ok_or_else(|| {
                Event::SecondFactorFailed { user: user.id, method: Method::Passkey.as_str() }.record();
                Error::InvalidChallenge
            })?;
            Some(ceremony.state)
        }
        None => None,
    };
    check(app, user.id, &factors, proof, asked.as_ref()).await
}

/// Takes a factor off the caller's account, with a proof; or without one by a session that proved the second factor recently.
/// Returns how it was proved.
pub async fn remove(app: &App, caller: CurrentUser, factor: &Factor, proof: Option<SteppedUp>) -> Result<&'static str> {
    let permission = match proof {
        Some(proof) => Permission::Proof(step_up(app, &caller.user, &proof).await?),
        None => {
            caller.must_have_signed_in_recently(app.clock.now())?;
            Permission::Session
        }
    };
    let mut caller = caller;
    // Each time that it fails without a proof, another factor came or went: there are no more than these.
    for _ in 0..=PASSKEYS {
        let CurrentUser { user, session, .. } = &caller;
        let mail = OutboxEmail::of_factor(user, factor.removal(user), app.clock.now());
        let codes = factor
            .is_last_of(user)
            .then_some(EventKind::FactorRemoved { factor: FactorKind::RecoveryCodes, passkey_id: None });
        let ended = EventKind::SessionsEnded { except: Some(session.id), reason: SessionsEnd::FactorRemoved };
        let kinds = [EventKind::factor_removed(factor)].into_iter().chain(codes).chain([ended]);
        let events = DomainEvent::of_user(user.id, &caller.actor(), kinds, mail.created_at);
        if app.store().remove_factor(user, session, factor, &permission, &mail, &events).await? {
            app.notify_emailer(&mail).await;
            return Ok(permission.as_str());
        }
        caller = match &permission {
            // Another request used the proof first, or changed what there is to remove.
            Permission::Proof(used_proof) => return Err(refuse(user.id, used_proof.method())),
            Permission::Session => still_there(app, &caller, factor).await?,
        };
    }
    Err(Error::TemporarilyUnavailable("the factors of the account kept changing concurrently".into()))
}

/// The caller as they are now, if their session can still remove the factor.
async fn still_there(app: &App, caller: &CurrentUser, factor: &Factor) -> Result<CurrentUser> {
    let caller = caller.reread(app).await?;
    let user = &caller.user;
    match factor {
        Factor::Totp if user.totp_since.is_none() => return Err(Error::TotpNotFound),
        Factor::Passkey(id) if app.store().passkey(user.id, id).await?.is_none() => return Err(Error::PasskeyNotFound),
        Factor::Totp | Factor::Passkey(_) => {}
    }
    caller.must_have_signed_in_recently(app.clock.now())?;
    Ok(caller)
}

/// The event of a proof that is used up, or of the password of an account that has no second factor.
#[must_use]
pub fn reauthenticated(actor: &Actor, user: UserId, used_proof: Option<&UsedProof>, now: Timestamp) -> DomainEvent {
    let second_factor = used_proof.map(UsedProof::method);
    let kind = EventKind::Reauthenticated { session_id: actor.session_id, second_factor };
    DomainEvent::new(Subject::User(user), actor, kind, now)
}

/// The email about a proof that is used up: of a recovery code the owner is notified, whatever it proved.
pub async fn email_about(app: &App, user: &User, used_proof: Option<&UsedProof>) -> Result<Option<OutboxEmail>> {
    let Some(UsedProof::RecoveryCode(_)) = used_proof else {
        return Ok(None);
    };
    let left = app.store().factors(user.id, None).await?.recovery_codes_left();
    let change = FactorChange::RecoveryCodeUsed(left.saturating_sub(1));
    Ok(Some(OutboxEmail::of_factor(user, change, app.clock.now())))
}

/// Notifies the owner of a recovery code that was used, once the proof is used up.
pub async fn notify(app: &App, user: &User, mail: Option<OutboxEmail>) {
    if let Some(mail) = mail {
        Event::RecoveryCodeUsed { user: user.id }.record();
        app.notify_emailer(&mail).await;
    }
}

/// Records in the session that its user proved a second factor by adding it. The factor exists even if this fails: at worst its
/// owner must step up.
pub async fn note(app: &App, user: &User, session: SessionId, method: Method) {
    let proof = Reauthentication { at: app.clock.now(), second_factor: Some(method) };
    if let Err(error) = app.store().note_second_factor(user, session, proof).await {
        tracing::warn!(error.message = %Causes(&error), "failed to record the second factor in its session");
    }
}

/// The step-up of a route that adds a factor: not required if the account has none.
pub async fn step_up_to_add(app: &App, user: &User, body: StepUp) -> Result<Option<UsedProof>> {
    if body.is_empty() {
        return if user.has_second_factor() { Err(Error::SecondFactorNeeded) } else { Ok(None) };
    }
    // A malformed proof is rejected even if none is required.
    let proof = body.parse()?;
    if user.has_second_factor() { step_up(app, user, &proof).await.map(Some) } else { Ok(None) }
}

/// Counts an attempt, unless the account's second factor is locked for this device, or for all that are not known.
pub async fn count(app: &App, user: UserId, device: Option<DeviceId>, mut earlier: Option<Attempts>) -> Result<()> {
    if !app.config.limits.on {
        return Ok(());
    }
    loop {
        let now = app.clock.now();
        if let Some(retry_after) = lockout::wait(earlier, now) {
            Event::SecondFactorLocked { user, device: device.is_some() }.record();
            return Err(Error::TooManyAttempts { retry_after });
        }
        // Ends as the loop in `login` does: each failed condition is another attempt that was counted.
        if app.store().count_factor_attempt(user, device, earlier, lockout::count_without_decay(earlier, now)).await? {
            return Ok(());
        }
        earlier = app.store().factor_attempts(user, device).await?;
    }
}

/// Whether the proof is right; what it uses up, if so. `asked` is what the passkeys were asked, if they were.
pub async fn check(
    app: &App,
    user: UserId,
    factors: &Factors,
    proof: &Proof,
    asked: Option<&CeremonyState>,
) -> Result<UsedProof> {
    let used_proof = match proof {
        Proof::Totp(code) => match factors.enrolled() {
            Some(totp) => {
                let secret = app.keys().totp().await?.open(&totp.secret, totp.form, user)?;
                let step = secret.accept(code, totp.last_step, app.clock.now());
                step.map(|step| UsedProof::Totp(TotpUse { secret: totp.secret.clone(), step }))
            }
            None => None,
        },
        Proof::RecoveryCode(code) => {
            let set = factors.recovery.as_ref();
            let hash = match set.and_then(|set| set.sealed_key.as_ref()) {
                Some(sealed) => Some(CodesKey::open(sealed, app.keys().totp().await?, user)?.hash(code)),
                None => code.hash(),
            };
            hash.filter(|hash| set.is_some_and(|set| set.has(hash))).map(UsedProof::RecoveryCode)
        }
        Proof::Passkey(assertion) => match (asked, &factors.passkey) {
            (Some(asked), Some(passkey)) => {
                let party = RelyingParty::new(&app.config)?;
                match party.finish_assertion(assertion, Expected { state: asked, user, passkey }, app.clock.now())? {
                    Ok(proven) => Some(UsedProof::Passkey(proven)),
                    Err(refusal) => {
                        tell_of_clone(user, &passkey.id, refusal);
                        None
                    }
                }
            }
            _ => None,
        },
    };
    used_proof.ok_or_else(|| refuse(user, proof.method()))
}

/// A copied key must be investigated, whatever the response is.
pub fn tell_of_clone(user: UserId, passkey: &PasskeyId, refusal: Refusal) {
    if refusal == Refusal::Cloned {
        Event::PasskeyCloned { user, passkey }.record();
    }
}

/// A proof that is wrong, or was already used.
#[must_use]
pub fn refuse(user: UserId, method: Method) -> Error {
    Event::SecondFactorFailed { user, method: method.as_str() }.record();
    match method {
        Method::Totp | Method::RecoveryCode => Error::InvalidCode,
        Method::Passkey => Error::InvalidPasskey,
    }
}
