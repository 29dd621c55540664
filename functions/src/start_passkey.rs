//! Starts adding a passkey.
//!
//! `POST /user/passkeys/options`, after a recent sign-in, and with a proof of the second factor where the account has one: or a
//! session that was left open could add what takes the others off. Answers with what a browser asks its authenticator for.
//! Nothing changes until `add_passkey` has seen what that made.

use axum::extract::State;
use axum::routing::post;
use serde::Serialize;
use serde_json::Value;
use shared::config::CHALLENGE_LIFE;
use shared::domain::id::CeremonyId;
use shared::domain::passkey::{Ceremony, PASSKEYS};
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::body::OptionalJson;
use shared::http::caller::ProvesSecondFactor;
use shared::relying_party::RelyingParty;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new("start_passkey", &["POST"], &["/user/passkeys/options"], || post(handler))
    .fails_with(&[
        Code::Unauthenticated,
        Code::InvalidToken,
        Code::ReauthenticationRequired,
        Code::SecondFactorNeeded,
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TooManyPasskeys,
        Code::TooManyAttempts,
    ]);

#[derive(Serialize, ToSchema)]
pub struct PasskeyStarted {
    /// To be sent back with what the authenticator made; good for one answer.
    #[schema(value_type = String, format = "uuid")]
    challenge_token: CeremonyId,
    /// Seconds until the answer has to come.
    #[schema(example = 300)]
    expires_in: u64,
    /// For `navigator.credentials.create()`, by `PublicKeyCredential.parseCreationOptionsFromJSON()`.
    #[schema(value_type = Object)]
    options: Value,
}

#[utoipa::path(
    post, path = "/user/passkeys/options", tag = "factor", operation_id = "start_passkey",
    summary = "Start adding a passkey",
    description = "Needs a recent sign-in, and a proof of the second factor where the account has one. Returns options for `navigator.credentials.create()`.",
    request_body = Option<StepUp>, security(("access_token" = [])),
    responses((status = 200, description = "What to ask an authenticator for", body = PasskeyStarted))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    OptionalJson(body): OptionalJson<StepUp>,
) -> Result<Answer<PasskeyStarted>> {
    let user = caller.user;
    if user.passkeys >= PASSKEYS {
        return Err(Error::TooManyPasskeys);
    }
    let spent = second_factor::step_up_to_add(&app, &user, body.unwrap_or_default()).await?;
    let others = app.store().passkeys(user.id).await?;
    let (options, state) = RelyingParty::new(&app.config)?.begin_registration(&user, &others)?;

    let now = app.clock.now();
    let (id, ceremony) = (CeremonyId::new(now), Ceremony::begin_for(&user, state, spent.is_some(), now));
    match spent {
        Some(spent) => {
            let mail = second_factor::owed(&app, &user, Some(&spent)).await?;
            if !app.store().begin_ceremony_with(user.id, id, &ceremony, &spent, mail.as_ref()).await? {
                // Another request used the proof first.
                return Err(second_factor::refuse(user.id, spent.method()));
            }
            second_factor::tell(&app, &user, mail).await;
        }
        None => app.store().begin_ceremony(Some(user.id), id, &ceremony).await?,
    }
    Event::PasskeyRequested { user: user.id }.record();
    Ok(Answer::ok(PasskeyStarted { challenge_token: id, expires_in: CHALLENGE_LIFE.as_secs(), options }))
}
