//! Signs in.
//!
//! `POST /auth/login`. An unknown address and a wrong password get the same response after the same work; the state of an
//! account is revealed only to callers who know its password. A client that sends the `device_token` of an earlier sign-in is
//! locked out only by its own failures. If the account has a second factor, the response to the correct password is a challenge
//! instead of tokens, which `verify_login` completes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, select};
use macros::operation;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::device::Device;
use shared::domain::email::{EmailAddress, NormalizedEmail};
use shared::domain::factor::{CHALLENGE_LIFE, Challenge, Method};
use shared::domain::id::UserId;
use shared::domain::imported::PasswordKind;
use shared::domain::limit::Limit;
use shared::domain::lockout::{Attempts, Bucket, Counted};
use shared::domain::password::{HashParameters, NewPassword, Password, PasswordHash};
use shared::domain::session::Session;
use shared::domain::user::User;
use shared::error::{Causes, Code};
use shared::grants;
use shared::hashing::Verdict;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::relying_party::RelyingParty;
use shared::store::BeforeSignIn;
use shared::store::Store;
use shared::telemetry::audit::{Event, LoginFailure};
use shared::tokens::keys::Keys;
use shared::tokens::{TokenPair, challenge, device};
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::attempts;
use crate::elsewhere;

use super::SignedIn;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::InvalidCredentials, Code::EmailNotConfirmed, Code::AccountDisabled, Code::TooManyAttempts])
    .may(grants![
        Store::BEFORE_SIGN_IN,
        attempts::COUNT,
        Store::ATTEMPTS,
        Store::COUNT_ATTEMPT,
        Store::TAKE_ATTEMPT_BACK,
        Store::USER,
        Store::PASSKEYS,
        Store::POPULATION,
        elsewhere::VERIFY,
        Store::BEGIN_CHALLENGE,
        Store::BEGIN_CHALLENGE_WITH_HASH,
        App::BEGIN_SESSION,
        Keys::REFRESH_MAC,
        Keys::SIGN,
        Keys::MAKE
    ])
    .hashing()
    .limited_by(Limit::Login)
    .shifting_gradually();

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(required, value_type = String, format = "email", example = "ada@example.com")]
    email: Option<String>,
    #[schema(required, value_type = String, format = "password", example = "quiet-lantern-harbour")]
    password: Option<SecretString>,
    /// The `device_token` from an earlier sign-in to this account, if the client stored one: other people's failed attempts
    /// then do not lock this client out. An invalid one is ignored.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub struct SecondFactorRequired {
    #[schema(example = "second_factor_required")]
    status: &'static str,
    /// Opaque; for one sign-in with at most five attempts.
    challenge_token: String,
    /// Seconds until the challenge expires.
    #[schema(example = 300)]
    expires_in: u64,
    /// What can complete the sign-in: `totp` (the `code` of an authenticator app), `passkey`, `recovery_code`.
    #[schema(example = json!(["totp", "recovery_code"]))]
    methods: Vec<&'static str>,
    /// For `navigator.credentials.get()`, by `PublicKeyCredential.parseRequestOptionsFromJSON()`, if the account has passkeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    passkey_options: Option<Value>,
}

#[operation(
    POST, "/auth/login", summary = "Sign in",
    description = "An unknown address and a wrong password get the same response. A client that sends the `device_token` from an earlier sign-in is locked out only by its own failures. If the account has a second factor, the response to the correct password is 202 with a challenge.",
    responses(
        (status = 200, description = "Signed in", body = SignedIn),
        (status = 202, description = "The password is correct; verify the second factor at `/auth/login/verify`", body = SecondFactorRequired),
    )
)]
pub async fn handler(
    State(app): State<App>,
    info: RequestInfo,
    limit: Limited,
    Json(body): Json<Login>,
) -> Result<Outcome> {
    let Attempt { email, password, device } = body.parse(&app).await?;
    let address = email.normalized();
    let LookUp { owner, parameters, user, bucket, device, earlier, kind } =
        look_up(&app, &limit, &address, device).await?;
    // If the bucket is locked, no account is read and no password is compared.
    attempts::unless_locked(&app, owner, bucket, earlier)?;
    let counted = attempts::count(&app, owner, bucket, earlier);
    let compared = compare(&app, owner, parameters.clone(), user, &password, kind);
    // The password is compared while the attempt is counted; if it cannot be counted, its result is not revealed. Both are
    // awaited, because a started hash cannot be cancelled, and nothing outlives the response.
    let (counted, compared) = meanwhile_read_keys(&app, Box::pin(async { tokio::join!(counted, compared) })).await;
    let counted = counted?;
    let (user, verdict) = match compared {
        Ok(compared) => compared,
        // A former system that does not respond says nothing about the password.
        Err(error) => {
            if let Some(counted) = counted {
                Box::pin(forgive(&app, bucket, counted)).await;
            }
            return Err(error);
        }
    };
    let user = recognise(user, verdict)?;
    // A caller who knows the password is not guessing.
    let taken_back = Box::pin(take_attempt_back(&app, bucket, counted));
    if let Err(error) = admissible(&user, app.clock.now()) {
        taken_back.await;
        return Err(error);
    }

    // Also rehash if the stored parameters do not match, which the next sign-in computes with.
    let outdated = verdict == Verdict::RightButOutdated || parameters != user.password_hash.parameters();
    let hash = if outdated { Box::pin(fresh(&app, password)).await } else { None };
    let now = app.clock.now();
    let known_device = bucket.device.and(counted).map(|_| bucket);
    if user.has_second_factor() {
        let challenge = Box::pin(challenge(&app, &user, known_device, device, hash.as_ref()));
        let ((), challenge) = tokio::join!(taken_back, challenge);
        return challenge.map(Outcome::SecondFactorRequired);
    }
    let session = Session::begin(&user, info.source_ip.map(|ip| ip.to_string()), info.user_agent, now);
    let begin = app.begin_session(&user, &session, known_device, hash.as_ref());
    let ((), started) = tokio::join!(taken_back, TokenPair::issue_during(&app, &user, &session, begin));
    let ((), tokens) = started?;
    SignedIn::tell(&app, user, &session, tokens, bucket.device).await.map(|answer| Outcome::SignedIn(Box::new(answer)))
}

/// The result of a correct password.
pub enum Outcome {
    SignedIn(Box<SignedIn>),
    SecondFactorRequired(SecondFactorRequired),
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        match self {
            Self::SignedIn(answer) => JsonResponse::ok(*answer).into_response(),
            Self::SecondFactorRequired(answer) => JsonResponse(StatusCode::ACCEPTED, answer).into_response(),
        }
    }
}

/// Starts a sign-in that needs a second factor. There are no tokens and no session yet.
async fn challenge(
    app: &App,
    user: &User,
    known_device: Option<Bucket<'_>>,
    device: Option<Device>,
    hash: Option<&PasswordHash>,
) -> Result<SecondFactorRequired> {
    let device = device.filter(|device| device.proved_second_factor(user)).map(|device| device.id);
    let challenge = Challenge::new(user, device, app.clock.now());
    let token = challenge::encode(&challenge, app.keys().challenge_mac().await?);
    let (passkey_options, ceremony) = match user.passkeys {
        0 => (None, None),
        _ => {
            let passkeys = app.store().passkeys(user.id).await?;
            let (options, state) = RelyingParty::new(&app.config)?.begin_assertion(&passkeys)?;
            (Some(options), Some(state))
        }
    };
    let replaced = match hash {
        Some(hash) => {
            let begun = app.store().begin_challenge_with_hash(user, &challenge, ceremony.clone(), known_device, hash);
            // The next sign-in replaces it.
            let told =
                |error: &Error| tracing::error!(error.message = %Causes(error), "failed to replace a password hash");
            begun.await.inspect_err(told).unwrap_or(false)
        }
        None => false,
    };
    if !replaced {
        app.store().begin_challenge(&challenge, ceremony, known_device).await?;
    }
    Event::SecondFactorRequired { user: user.id }.record();
    Ok(SecondFactorRequired {
        status: "second_factor_required",
        challenge_token: token.expose_secret().to_owned(),
        expires_in: CHALLENGE_LIFE.as_secs(),
        methods: methods_of(user).map(Method::as_str).collect(),
        passkey_options,
    })
}

/// The methods that can complete a challenge of this account.
fn methods_of(user: &User) -> impl Iterator<Item = Method> {
    let totp = user.totp_since.map(|_| Method::Totp);
    let passkey = (user.passkeys > 0).then_some(Method::Passkey);
    [totp, passkey, Some(Method::RecoveryCode)].into_iter().flatten()
}

/// What is read before the password is compared.
struct LookUp<'a> {
    owner: Option<UserId>,
    /// The parameters of the owner's password hash.
    parameters: Option<HashParameters>,
    /// The owner's account, if it was read together with a valid device.
    user: Option<User>,
    bucket: Bucket<'a>,
    /// The device, if it is valid for the account.
    device: Option<Device>,
    /// The attempts in the bucket so far.
    earlier: Option<Attempts>,
    /// The kind of password that an unknown address imitates.
    kind: PasswordKind,
}

/// Looks up the address, unless the client is rate-limited.
async fn look_up<'a>(
    app: &App,
    limit: &Limited,
    address: &'a NormalizedEmail,
    device: Option<Device>,
) -> Result<LookUp<'a>> {
    let before = app.store().before_sign_in(address, device.as_ref());
    // Determined for every address, because otherwise the timing would reveal unknown ones.
    let passes_for = Box::pin(app.passes_for(address));
    let (before, kind) = limit.admit_during(async { tokio::try_join!(before, passes_for) }).await?;
    let BeforeSignIn { owner, parameters, by_anyone, by_device, user_of_device } = before;

    // A device has its own bucket only with its own account's address; otherwise it counts as unknown.
    let counts = |user: &User| device.is_some_and(|device| device.belongs_to(user, app.clock.now()));
    let user = user_of_device.filter(|user| owner == Some(user.id) && counts(user));
    let device = device.filter(|_| user.is_some());
    let bucket = Bucket { address, device: device.map(|device| device.id) };
    let earlier = if device.is_some() { by_device } else { by_anyone };
    Ok(LookUp { owner, parameters, user, bucket, device, earlier, kind })
}

/// Compares the password with that of the owner's account, which is read concurrently unless it already was.
async fn compare(
    app: &App,
    owner: Option<UserId>,
    parameters: Option<HashParameters>,
    user: Option<User>,
    password: &Password,
    kind: PasswordKind,
) -> Result<(Option<User>, Verdict)> {
    let user = match (user, owner, &parameters) {
        // An imported password, or an account from before parameters were stored: the account has what to compute.
        (None, Some(owner), None) => app.store().user(owner).await?,
        (user, ..) => user,
    };
    if let Some(user) = user {
        let verdict = elsewhere::verify(app, password, &user.password_hash).await?;
        return Ok((Some(user), verdict));
    }
    if owner.is_none() && kind != PasswordKind::Own {
        // The same work as for an account with a password of that kind: read, then compute.
        let user = app.store().user(UserId::new(app.clock.now())).await?;
        elsewhere::spend(app, password, kind).await?;
        return Ok((user, Verdict::Wrong));
    }
    // For an unknown address the work is the same as for a known one: an unused ID is read, a dummy hash computed.
    let read = app.store().user(owner.unwrap_or_else(|| UserId::new(app.clock.now())));
    let (user, computed) = tokio::join!(read, app.hasher.compute(password, parameters));
    let user = user?;
    let stored = user.as_ref().map(|user| &user.password_hash);
    let verdict = match computed {
        Ok(computed) if stored.is_none_or(|stored| !stored.is_imported()) => {
            app.hasher.verify_computed(&computed, stored).await?
        }
        // The parameters stored with an address decide nothing, even if they cannot be computed with.
        _ => match stored {
            Some(stored) => elsewhere::verify(app, password, stored).await?,
            None => app.hasher.verify(password, None).await?,
        },
    };
    Ok((user, verdict))
}

/// In the bucket that all unknown devices share, a correct password removes only its own attempt and keeps all others:
/// otherwise an attacker would see that someone knows the password. The caller signs in as a known device from now on, whose
/// own failures are reset. This does not lock out anyone: a lock ends by itself.
async fn take_attempt_back(app: &App, bucket: Bucket<'_>, counted: Option<Counted>) {
    let Some(counted) = counted.filter(|_| bucket.device.is_none()) else {
        return;
    };
    forgive(app, bucket, counted).await;
}

async fn forgive(app: &App, bucket: Bucket<'_>, counted: Counted) {
    if let Err(error) = app.store().take_attempt_back(bucket, counted).await {
        tracing::warn!(error.message = %Causes(&error), "failed to undo the count of a sign-in attempt");
    }
}

/// Waits only for `work`, and concurrently reads the keys for making tokens as far as time allows. If that fails, making the
/// tokens fails again.
async fn meanwhile_read_keys<T>(app: &App, work: impl Future<Output = T> + Unpin) -> T {
    match select(work, Box::pin(app.keys().read_ahead(app.clock.now()))).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}

/// The account if its password was correct.
fn recognise(user: Option<User>, verdict: Verdict) -> Result<User> {
    let (user, reason) = match user {
        Some(user) if verdict != Verdict::Wrong => return Ok(user),
        Some(user) => (Some(user.id), LoginFailure::WrongPassword),
        None => (None, LoginFailure::UnknownAddress),
    };
    Event::LoginFailed { user, reason }.record();
    Err(Error::InvalidCredentials)
}

/// Whether the account may sign in at all.
fn admissible(user: &User, now: Timestamp) -> Result<()> {
    let (reason, error) = if user.is_disabled(now) {
        (LoginFailure::Disabled, Error::AccountDisabled)
    } else if !user.email_confirmed {
        (LoginFailure::NotConfirmed, Error::EmailNotConfirmed)
    } else {
        return Ok(());
    };
    Event::LoginFailed { user: Some(user.id), reason }.record();
    Err(error)
}

/// A hash with the current cost, while the password is available. If this fails, the next sign-in retries.
async fn fresh(app: &App, password: Password) -> Option<PasswordHash> {
    let hash = app.hasher.hash(&NewPassword::known(password)).await;
    hash.inspect_err(|error| tracing::error!(error.message = %Causes(error), "failed to replace a password hash")).ok()
}

/// A request with valid fields.
struct Attempt {
    email: EmailAddress,
    password: Password,
    device: Option<Device>,
}

impl Login {
    async fn parse(self, app: &App) -> Result<Attempt> {
        let mut fields = Fields::default();
        let email = fields.required("email", self.email, |email| EmailAddress::parse(&email));
        let password = fields.required("password", self.password, |password| Ok(Password::new(&password)));
        let (email, password) = fields.finish(email.zip(password))?;
        let device = match self.device_token {
            // An invalid token is treated like a missing one, and the response does not tell which.
            Some(token) => device::decode(token.expose_secret(), app.keys().device_mac().await?),
            None => None,
        };
        Ok(Attempt { email, password, device })
    }
}
