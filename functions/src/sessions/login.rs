//! Signs in.
//!
//! `POST /auth/login`. An unknown address and a wrong password get the same answer after the same work; what is special
//! about an account is told only to those who know its password. A client that signed in before and says so by its
//! `device_token` is locked out by its own failures only. Where the account has a second factor, the right password is
//! answered with a challenge instead of tokens, for `verify_login` to complete.

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
    #[schema(required, value_type = String, format = "password", example = "correct horse battery")]
    password: Option<SecretString>,
    /// The `device_token` of an earlier sign-in to this account, if the client kept one: then other people's failures with
    /// the address do not lock this client out. One that does not count any more is ignored.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub struct SecondFactorRequired {
    #[schema(example = "second_factor_required")]
    status: &'static str,
    /// Opaque; good for one sign-in, and for five codes until it is complete.
    challenge_token: String,
    /// Seconds until the sign-in has to begin again.
    #[schema(example = 300)]
    expires_in: u64,
    /// What completes it, of `totp`, which is the `code` of an authenticator app, `passkey` and `recovery_code`.
    #[schema(example = json!(["totp", "recovery_code"]))]
    methods: Vec<&'static str>,
    /// For `navigator.credentials.get()`, by `PublicKeyCredential.parseRequestOptionsFromJSON()`, where the account has
    /// passkeys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    passkey_options: Option<Value>,
}

#[operation(
    POST, "/auth/login", summary = "Sign in",
    description = "An unknown address and a wrong password get the same answer. A client that sends the `device_token` of an earlier sign-in is locked out by its own failures only. Where the account has a second factor, the right password is answered with 202 and a challenge.",
    responses(
        (status = 200, description = "Signed in", body = SignedIn),
        (status = 202, description = "The password is right; the second factor is still to be proved, at `/auth/login/verify`", body = SecondFactorRequired),
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
    // Of a locked bucket no account is read, and no password compared.
    attempts::unless_locked(&app, owner, bucket, earlier)?;
    let counted = attempts::count(&app, owner, bucket, earlier);
    let compared = compare(&app, owner, parameters.clone(), user, &password, kind);
    // The password is compared while the count is on its way; of an attempt that is not counted nobody hears what came. Both
    // are awaited, as a hash that has started cannot be called off, and nothing outlives the answer.
    let (counted, compared) = meanwhile_read_keys(&app, Box::pin(async { tokio::join!(counted, compared) })).await;
    let counted = counted?;
    let (user, verdict) = match compared {
        Ok(compared) => compared,
        // An old system that does not answer has said nothing of the password.
        Err(error) => {
            if let Some(counted) = counted {
                Box::pin(forgive(&app, bucket, counted)).await;
            }
            return Err(error);
        }
    };
    let user = recognise(user, verdict)?;
    // Whoever knows the password does not guess.
    let taken_back = Box::pin(take_attempt_back(&app, bucket, counted));
    if let Err(error) = admissible(&user, app.clock.now()) {
        taken_back.await;
        return Err(error);
    }

    // Another hash also where the next sign-in would not know what to compute with.
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

/// What came of a right password.
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

/// Begins a sign-in that waits for its second factor. There are no tokens and no session yet.
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
            let told = |error: &Error| tracing::error!(error.message = %Causes(error), "a hash could not be replaced");
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

/// What may answer a challenge of this account.
fn methods_of(user: &User) -> impl Iterator<Item = Method> {
    let totp = user.totp_since.map(|_| Method::Totp);
    let passkey = (user.passkeys > 0).then_some(Method::Passkey);
    [totp, passkey, Some(Method::RecoveryCode)].into_iter().flatten()
}

/// What there is to know before a password is compared.
struct LookUp<'a> {
    owner: Option<UserId>,
    /// What the hash of the owner's password was made with.
    parameters: Option<HashParameters>,
    /// The owner's account, where it was read along with a device that counts.
    user: Option<User>,
    bucket: Bucket<'a>,
    /// The device, if it counts.
    device: Option<Device>,
    /// What the bucket held.
    earlier: Option<Attempts>,
    /// What the address passes for if no account has it.
    kind: PasswordKind,
}

/// Looks the address up, unless the origin has called too often.
async fn look_up<'a>(
    app: &App,
    limit: &Limited,
    address: &'a NormalizedEmail,
    device: Option<Device>,
) -> Result<LookUp<'a>> {
    let before = app.store().before_sign_in(address, device.as_ref());
    // Found out for every address, or its time would tell.
    let passes_for = Box::pin(app.passes_for(address));
    let (before, kind) = limit.admit_during(async { tokio::try_join!(before, passes_for) }).await?;
    let BeforeSignIn { owner, parameters, by_anyone, by_device, user_of_device } = before;

    // A device counts apart only with the address of its own account; any other is a stranger.
    let counts = |user: &User| device.is_some_and(|device| device.belongs_to(user, app.clock.now()));
    let user = user_of_device.filter(|user| owner == Some(user.id) && counts(user));
    let device = device.filter(|_| user.is_some());
    let bucket = Bucket { address, device: device.map(|device| device.id) };
    let earlier = if device.is_some() { by_device } else { by_anyone };
    Ok(LookUp { owner, parameters, user, bucket, device, earlier, kind })
}

/// Compares the password with that of the owner's account, which is read meanwhile if it was not yet.
async fn compare(
    app: &App,
    owner: Option<UserId>,
    parameters: Option<HashParameters>,
    user: Option<User>,
    password: &Password,
    kind: PasswordKind,
) -> Result<(Option<User>, Verdict)> {
    let user = match (user, owner, &parameters) {
        // An imported password, or an account from before parameters were kept: what to compute stands in the account.
        (None, Some(owner), None) => app.store().user(owner).await?,
        (user, ..) => user,
    };
    if let Some(user) = user {
        let verdict = elsewhere::verify(app, password, &user.password_hash).await?;
        return Ok((Some(user), verdict));
    }
    if owner.is_none() && kind != PasswordKind::Own {
        // As for an account with a password of that kind: read, then compute.
        let user = app.store().user(UserId::new(app.clock.now())).await?;
        elsewhere::spend(app, password, kind).await?;
        return Ok((user, Verdict::Wrong));
    }
    // For an unknown address as much is read and computed as for a known one: an id that nobody has, nobody's hash.
    let read = app.store().user(owner.unwrap_or_else(|| UserId::new(app.clock.now())));
    let (user, computed) = tokio::join!(read, app.hasher.compute(password, parameters));
    let user = user?;
    let stored = user.as_ref().map(|user| &user.password_hash);
    let verdict = match computed {
        Ok(computed) if stored.is_none_or(|stored| !stored.is_imported()) => {
            app.hasher.verify_computed(&computed, stored).await?
        }
        // What lies beside an address decides nothing, also where nothing can be computed with it.
        _ => match stored {
            Some(stored) => elsewhere::verify(app, password, stored).await?,
            None => app.hasher.verify(password, None).await?,
        },
    };
    Ok((user, verdict))
}

/// Of the count that all strangers share, a right password takes its own attempt away and leaves those of others, whoever made
/// them: were they forgotten, a stranger who knocks would see that somebody knows the password. Whoever was right signs in as a
/// known device from now on, whose own failures are forgotten. This keeps nobody out: a lock ends by itself.
async fn take_attempt_back(app: &App, bucket: Bucket<'_>, counted: Option<Counted>) {
    let Some(counted) = counted.filter(|_| bucket.device.is_none()) else {
        return;
    };
    forgive(app, bucket, counted).await;
}

async fn forgive(app: &App, bucket: Bucket<'_>, counted: Counted) {
    if let Err(error) = app.store().take_attempt_back(bucket, counted).await {
        tracing::warn!(error.message = %Causes(&error), "an attempt to sign in could not be taken back");
    }
}

/// Waits for `work`, and for nothing else: what tokens are made with is read meanwhile, as far as that comes. Where it fails,
/// the making of the tokens meets it again.
async fn meanwhile_read_keys<T>(app: &App, work: impl Future<Output = T> + Unpin) -> T {
    match select(work, Box::pin(app.keys().read_ahead(app.clock.now()))).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}

/// The account whose password was right.
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

/// A hash of today's cost, while the password is at hand. The sign-in does not fail with it: the next one tries again.
async fn fresh(app: &App, password: Password) -> Option<PasswordHash> {
    let hash = app.hasher.hash(&NewPassword::known(password)).await;
    hash.inspect_err(|error| tracing::error!(error.message = %Causes(error), "a hash could not be replaced")).ok()
}

/// A request whose fields could be taken.
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
            // One that is not ours is as good as none: it is nobody's business which it was.
            Some(token) => device::decode(token.expose_secret(), app.keys().device_mac().await?),
            None => None,
        };
        Ok(Attempt { email, password, device })
    }
}
