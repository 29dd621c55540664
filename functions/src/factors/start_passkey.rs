//! Starts adding a passkey.
//!
//! `POST /user/passkeys/options`, after recent authentication, and with a proof of the second factor if the account has one:
//! otherwise an unattended session could add a factor that removes the others. Returns the options for the browser. Nothing changes
//! until `add_passkey` has verified the new passkey.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use serde_json::Value;
use shared::domain::id::CeremonyId;
use shared::domain::passkey::{CEREMONY_LIFE, Ceremony, PASSKEYS};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::OptionalJson;
use shared::http::caller::ProvesSecondFactor;
use shared::relying_party::RelyingParty;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[
        Code::SecondFactorNeeded,
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TooManyPasskeys,
        Code::TooManyAttempts,
    ])
    .may(grants![
        second_factor::STEP_UP,
        Store::PASSKEYS,
        Store::BEGIN_CEREMONY,
        Store::BEGIN_CEREMONY_WITH,
        App::NOTIFY_EMAILER
    ]);

#[derive(Serialize, ToSchema)]
pub struct PasskeyStarted {
    /// To be sent back with the authenticator's response; can be used once.
    #[schema(value_type = String, format = "uuid")]
    challenge_token: CeremonyId,
    /// Seconds until the challenge expires.
    #[schema(example = 300)]
    expires_in: u64,
    /// For `navigator.credentials.create()`, by `PublicKeyCredential.parseCreationOptionsFromJSON()`.
    #[schema(value_type = Object)]
    options: Value,
}

#[operation(
    POST, "/user/passkeys/options", summary = "Start adding a passkey",
    description = "Requires recent authentication, and a proof of the second factor if the account has one. Returns options for `navigator.credentials.create()`.",
    responses((status = 200, description = "The options for the authenticator", body = PasskeyStarted))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    OptionalJson(body): OptionalJson<StepUp>,
) -> Result<JsonResponse<PasskeyStarted>> {
    let actor = caller.actor();
    let user = caller.user;
    if user.passkeys >= PASSKEYS {
        return Err(Error::TooManyPasskeys);
    }
    let used_proof = second_factor::step_up_to_add(&app, &user, body.unwrap_or_default()).await?;
    let others = app.store().passkeys(user.id).await?;
    let (options, state) = RelyingParty::new(&app.config)?.begin_registration(&user, &others)?;

    let now = app.clock.now();
    let (id, ceremony) = (CeremonyId::new(now), Ceremony::begin_for(&user, state, used_proof.is_some(), now));
    match used_proof {
        Some(used_proof) => {
            let mail = second_factor::email_about(&app, &user, Some(&used_proof)).await?;
            let event = second_factor::reauthenticated(&actor, user.id, Some(&used_proof), now);
            if !app.store().begin_ceremony_with(user.id, id, &ceremony, &used_proof, mail.as_ref(), &event).await? {
                // Another request used the proof first.
                return Err(second_factor::refuse(user.id, used_proof.method()));
            }
            second_factor::notify(&app, &user, mail).await;
        }
        None => app.store().begin_ceremony(Some(user.id), id, &ceremony).await?,
    }
    Event::PasskeyRequested { user: user.id }.record();
    Ok(JsonResponse::ok(PasskeyStarted { challenge_token: id, expires_in: CEREMONY_LIFE.as_secs(), options }))
}
