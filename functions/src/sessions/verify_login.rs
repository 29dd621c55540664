//! Completes a sign-in with the second factor.
//!
//! `POST /auth/login/verify` with the challenge of a sign-in and a code or a passkey. The session starts here, in the transaction
//! that uses challenge and proof. A challenge allows five attempts; independently of that, wrong proofs lock the second factor of
//! the account as wrong passwords lock an address, so new challenges do not allow more guesses.

use axum::extract::State;
use macros::operation;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use shared::domain::factor::{TRIES, UsedProof};
use shared::domain::limit::Limit;
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::session::Session;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::store::{BeforeVerification, SignIn, Store};
use shared::telemetry::audit::Event;
use shared::tokens::{TokenPair, challenge};
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::SignedIn;
use crate::second_factor::{self, GivenProof, Proof};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::InvalidChallenge, Code::InvalidCode, Code::InvalidPasskey, Code::TooManyAttempts])
    .may(grants![
        Store::BEFORE_VERIFICATION,
        Store::TAKE_TRY,
        Store::ANSWER_CHALLENGE,
        second_factor::COUNT,
        second_factor::CHECK,
        App::COMPLETE_SIGN_IN,
        TokenPair::ISSUE,
        App::NOTIFY_EMAILER
    ])
    .limited_by(Limit::SecondFactor);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyLogin {
    /// The `challenge_token` of the sign-in.
    #[schema(required, value_type = String)]
    challenge_token: Option<SecretString>,
    /// The six digits shown by the authenticator app.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<SecretString>,
    /// A recovery code.
    #[schema(value_type = Option<String>, example = "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P")]
    recovery_code: Option<SecretString>,
    /// The result of `navigator.credentials.get()` for the `passkey_options` of the sign-in, by its `toJSON()`.
    #[schema(value_type = Option<Object>)]
    passkey: Option<Value>,
}

#[operation(
    POST, "/auth/login/verify", summary = "Complete a sign-in with the second factor",
    description = "Takes the challenge of a sign-in and exactly one proof: a code from an app, a recovery code or a passkey. A challenge allows five attempts.",
    responses((status = 200, description = "Signed in", body = SignedIn))
)]
pub async fn handler(
    State(app): State<App>,
    info: RequestInfo,
    limit: Limited,
    Json(body): Json<VerifyLogin>,
) -> Result<JsonResponse<SignedIn>> {
    let (token, proof) = body.parse()?;
    let key = app.keys().known_challenge_mac().await?;
    let Some(challenge) = key.and_then(|key| challenge::decode(token.expose_secret(), key)) else {
        // A forged token counts as any other, so a flood of them ends as well.
        limit.admit().await?;
        return Err(Error::InvalidChallenge);
    };
    let now = app.clock.now();
    // The signing key is loaded before the code is used: a failure to load it must not cost a recovery code.
    let passkey = proof.passkey();
    let before = app.store().before_verification(&challenge, passkey.as_ref());
    let reads = async { tokio::try_join!(before, app.keys().signing(now)) };
    let (before, _) = Box::pin(limit.admit_during(reads)).await?;
    let BeforeVerification { user, tries, ceremony, factors } = before;
    let user = user.filter(|user| challenge.stands(user, now) && tries.is_some_and(|tries| tries < TRIES));
    let user = user.ok_or(Error::InvalidChallenge)?;

    second_factor::count(&app, user.id, challenge.device, factors.attempts).await?;
    if !app.store().take_try(&challenge).await? {
        return Err(Error::InvalidChallenge);
    }
    let used_proof = second_factor::check(&app, user.id, &factors, &proof, ceremony.as_ref()).await?;

    let begun = Session::begin(&user, info.source_ip.map(|ip| ip.to_string()), info.user_agent, now);
    let session = Session { second_factor: Some(used_proof.method()), ..begun };
    let change = FactorChange::RecoveryCodeUsed(factors.recovery_codes_left().saturating_sub(1));
    let is_recovery = matches!(used_proof, UsedProof::RecoveryCode(_));
    let mail = is_recovery.then(|| OutboxEmail::of_factor(&user, change, now));
    let sign_in = SignIn { session: &session, challenge: Some(&challenge), proof: &used_proof, mail: mail.as_ref() };
    let complete = app.complete_sign_in(&user, &sign_in);
    let (completed, tokens) = Box::pin(TokenPair::issue_during(&app, &user, &session, complete)).await?;
    if !completed {
        // Another request with this challenge or this proof was faster.
        return Err(second_factor::refuse(user.id, used_proof.method()));
    }
    if let Some(mail) = mail {
        Event::RecoveryCodeUsed { user: user.id }.record();
        app.notify_emailer(&mail).await;
    }
    SignedIn::tell(&app, user, &session, tokens, challenge.device).await.map(JsonResponse::ok)
}

impl VerifyLogin {
    fn parse(self) -> Result<(SecretString, Proof)> {
        let mut fields = Fields::default();
        let token = fields.required("challenge_token", self.challenge_token, Ok);
        let Self { code, recovery_code, passkey, .. } = self;
        let proof = GivenProof { code, recovery_code, passkey_field: "passkey", passkey }.parse(&mut fields);
        fields.finish(token.zip(proof))
    }
}
