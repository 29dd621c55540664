//! Signs in.
//!
//! `POST /auth/login`. An unknown address and a wrong password get the same answer after the same work; what is special
//! about an account is told only to those who know its password.

use axum::extract::State;
use axum::routing::post;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::domain::email::{EmailAddress, FoldedAddress};
use shared::domain::id::UserId;
use shared::domain::lockout::{self, Attempts};
use shared::domain::password::{NewPassword, Password};
use shared::domain::session::Session;
use shared::domain::user::User;
use shared::error::Code;
use shared::hashing::Verdict;
use shared::http::Route;
use shared::http::answer::{Answer, Facts};
use shared::http::body::Json;
use shared::http::fields::Fields;
use shared::http::view::UserView;
use shared::telemetry::audit::{Event, LoginFailure};
use shared::tokens::TokenPair;
use shared::{App, Error, Result};
use utoipa::ToSchema;

pub const ROUTE: Route = Route::new("login", &["POST"], &["/auth/login"], || post(handler)).fails_with(&[
    Code::InvalidCredentials,
    Code::EmailNotConfirmed,
    Code::AccountDisabled,
    Code::TooManyAttempts,
]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(required, value_type = String, format = "email", example = "ada@example.com")]
    email: Option<String>,
    #[schema(required, value_type = String, format = "password", example = "correct horse battery")]
    password: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    #[serde(flatten)]
    tokens: TokenPair,
    user: UserView,
}

#[utoipa::path(
    post, path = "/auth/login", tag = "auth", operation_id = "login", summary = "Sign in", request_body = Login,
    responses((status = 200, description = "Signed in", body = SignedIn))
)]
pub async fn handler(State(app): State<App>, facts: Facts, Json(body): Json<Login>) -> Result<Answer<SignedIn>> {
    let (email, password) = body.parse()?;
    let address = email.folded();
    let user = admit(&app, &address).await?;
    let verdict = app.hasher.verify(&password, user.as_ref().map(|user| &user.password_hash)).await?;
    let user = recognise(user, verdict)?;
    if let Err(error) = admissible(&user) {
        // Whoever knows the password does not guess.
        app.store.forget_attempts(&address).await?;
        return Err(error);
    }

    if verdict == Verdict::RightButOutdated {
        rehash(&app, &user, password).await?;
    }
    let session = Session::begin(&user, facts.source_ip.map(|ip| ip.to_string()), facts.user_agent, app.clock.now());
    let begin = app.begin_session(&user, &session);
    let ((), tokens) = tokio::try_join!(begin, TokenPair::issue(&app, &user, &session))?;
    Event::LoginSucceeded { user: user.id, session: session.id }.record();
    Ok(Answer::ok(SignedIn { tokens, user: UserView::of(user, &app) }))
}

/// Counts the attempt, unless the address is locked. Returns the account that has the address.
async fn admit(app: &App, address: &FoldedAddress) -> Result<Option<User>> {
    loop {
        let now = app.clock.now();
        let (owner, earlier): (_, Option<Attempts>) = app.store.owner_and_attempts(address).await?;
        // An id that nobody has keeps the look-up of an unknown address as long as that of a known one.
        let user = app.store.user(owner.unwrap_or_else(|| UserId::new(now)));
        if !app.config.limits {
            return user.await;
        }
        if let Some(retry_after) = lockout::wait(earlier, now) {
            Event::LoginLocked.record();
            return Err(Error::TooManyAttempts { retry_after });
        }
        // Each failed condition means that another attempt was counted, so this ends: at the latest when the lock does.
        let counted = app.store.count_attempt(address, earlier, lockout::one_more(earlier, now));
        let (user, counted) = tokio::try_join!(user, counted)?;
        if counted {
            return Ok(user);
        }
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
fn admissible(user: &User) -> Result<()> {
    let (reason, error) = if user.disabled {
        (LoginFailure::Disabled, Error::AccountDisabled)
    } else if !user.email_confirmed {
        (LoginFailure::NotConfirmed, Error::EmailNotConfirmed)
    } else {
        return Ok(());
    };
    Event::LoginFailed { user: Some(user.id), reason }.record();
    Err(error)
}

/// Replaces a hash of another cost than today's, while the password is at hand.
async fn rehash(app: &App, user: &User, password: Password) -> Result<()> {
    let hash = app.hasher.hash(&NewPassword::known(password)).await?;
    app.store.replace_password_hash(user.id, &user.password_hash, &hash).await
}

impl Login {
    fn parse(self) -> Result<(EmailAddress, Password)> {
        let mut fields = Fields::default();
        let email = fields.required("email", self.email, |email| EmailAddress::parse(&email));
        let password = fields.required("password", self.password, |password| Ok(Password::new(&password)));
        fields.finish(email.zip(password))
    }
}
