//! Steps up a session: authenticates again without signing in again (RFC 9470).
//!
//! `POST /auth/step-up` with a proof of the second factor, or the password if the account has none: the access token alone is not
//! enough. The session counts as recently authenticated for the next 15 minutes, with its current tokens; the tokens of the next
//! refresh show it in `auth_time` and `amr`. Wrong proofs are counted as at a sign-in.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use secrecy::SecretString;
use serde::Deserialize;
use shared::domain::Invalid;
use shared::domain::factor::UsedProof;
use shared::domain::id::SessionId;
use shared::domain::lockout::Bucket;
use shared::domain::password::Password;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::hashing::Verdict;
use shared::http::Route;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::second_factor::{self, PasskeyProof, StepUp, SteppedUp};
use crate::{attempts, elsewhere};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::SecondFactorNeeded,
        Code::WrongPassword,
        Code::TooManyAttempts,
    ])
    .may(grants![
        attempts::COUNT,
        elsewhere::VERIFY,
        second_factor::STEP_UP,
        Store::ATTEMPTS,
        Store::REAUTHENTICATE,
        Store::USER_AND_SESSION,
        App::NOTIFY_EMAILER
    ])
    .hashing();

/// Exactly one of the four fields: the password if the account has no second factor, otherwise one of the others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reauthenticate {
    #[schema(value_type = Option<String>, format = "password", example = "quiet-lantern-harbour")]
    password: Option<SecretString>,
    /// The six digits shown by the authenticator app.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<SecretString>,
    /// A recovery code.
    #[schema(value_type = Option<String>, example = "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P")]
    recovery_code: Option<SecretString>,
    /// A passkey of the account.
    #[schema(value_type = Option<PasskeyProof>)]
    passkey: Option<PasskeyProof>,
}

#[operation(
    POST, "/auth/step-up", summary = "Step up the session",
    description = "Takes a proof of the second factor, or the password if the account has none. The session then counts as recently authenticated for 15 minutes, for the endpoints that require recent authentication (RFC 9470).",
    responses((status = 204, description = "The session counts as recently authenticated for 15 minutes"))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<Reauthenticate>,
) -> Result<StatusCode> {
    let actor = caller.actor();
    let (user, session) = (caller.user, caller.session.id);
    let used_proof = match body.parse(&user)? {
        Proof::SecondFactor(proof) => Some(second_factor::step_up(&app, &user, &proof).await?),
        Proof::Password(password) => {
            compare(&app, &user, session, &password).await?;
            None
        }
    };
    let now = app.clock.now();
    let mail = second_factor::email_about(&app, &user, used_proof.as_ref()).await?;
    let event = second_factor::reauthenticated(&actor, user.id, used_proof.as_ref(), now);
    if !app.store().reauthenticate(&user, session, used_proof.as_ref(), mail.as_ref(), &event).await? {
        return Err(refuse(&app, &user, session, used_proof.as_ref()).await?);
    }
    second_factor::notify(&app, &user, mail).await;
    let method = used_proof.map_or("password", |used_proof| used_proof.method().as_str());
    Event::SteppedUp { user: user.id, session, method }.record();
    Ok(StatusCode::NO_CONTENT)
}

/// Counts the attempt with those to change the password, then compares the password: a stolen session guesses no faster than a
/// sign-in, and what strangers do with the address keeps its owner from nothing.
async fn compare(app: &App, user: &User, session: SessionId, password: &Password) -> Result<()> {
    let address = user.email.normalized();
    let bucket = Bucket::of_account(&address, user.id);
    attempts::count(app, Some(user.id), bucket, app.store().attempts(bucket).await?).await?;
    if elsewhere::verify(app, password, &user.password_hash).await? == Verdict::Wrong {
        Event::StepUpFailed { user: user.id, session }.record();
        return Err(Error::WrongPassword);
    }
    Ok(())
}

/// Why a right proof was not taken: the session ended in the meantime, the account has other factors than it had, or another
/// request used the proof first.
async fn refuse(app: &App, before: &User, session: SessionId, used_proof: Option<&UsedProof>) -> Result<Error> {
    let (user, session) = app.store().user_and_session(before.id, session).await?;
    let live = user.zip(session).filter(|(user, session)| session.is_live(user, app.clock.now()));
    Ok(match (live, used_proof) {
        (None, _) => Error::InvalidToken,
        (Some(_), Some(used_proof)) => second_factor::refuse(before.id, used_proof.method()),
        (Some((user, _)), None) if user.has_second_factor() => Error::SecondFactorNeeded,
        // Changed by this very session since it was compared.
        (Some(_), None) => Error::WrongPassword,
    })
}

enum Proof {
    Password(Password),
    SecondFactor(SteppedUp),
}

impl Reauthenticate {
    fn parse(self, user: &User) -> Result<Proof> {
        let Self { password, code, recovery_code, passkey } = self;
        let second_factor = StepUp { code, recovery_code, passkey };
        match password {
            None if user.has_second_factor() => second_factor.parse().map(Proof::SecondFactor),
            Some(_) if user.has_second_factor() && second_factor.is_empty() => Err(Error::SecondFactorNeeded),
            password => {
                let mut fields = Fields::default();
                let alone = second_factor.is_empty() || password.is_none();
                let password = fields.required("password", password, |password| {
                    let one_too_many =
                        || Invalid::new("one_too_many", "Send `password` or a proof of the second factor.");
                    alone.then(|| Password::new(&password)).ok_or_else(one_too_many)
                });
                fields.finish(password).map(Proof::Password)
            }
        }
    }
}
