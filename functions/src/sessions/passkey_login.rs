//! Signs in with a passkey alone.
//!
//! `POST /auth/passkey` with the authenticator's response to the options of `start_passkey_login`, within five minutes and once.
//! The authenticator verified its user, so a passkey is two factors by itself and replaces both. All problems with the passkey or
//! its account get the same response.

use axum::extract::State;
use macros::operation;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use shared::domain::factor::{Method, UsedProof};
use shared::domain::id::{CeremonyId, DeviceId, UserId};
use shared::domain::limit::Limit;
use shared::domain::passkey::{Ceremony, Passkey, PasskeyUse};
use shared::domain::session::Session;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::relying_party::{Assertion, Expected, RelyingParty};
use shared::store::{SignIn, Store};
use shared::telemetry::audit::{Event, LoginFailure};
use shared::tokens::{TokenPair, device};
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::SignedIn;
use crate::second_factor::{ceremony_id, tell_of_clone};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::InvalidChallenge, Code::InvalidPasskey])
    .may(grants![Store::TAKE_OPEN_CEREMONY, Store::USER_AND_PASSKEY, App::COMPLETE_SIGN_IN, TokenPair::ISSUE])
    .limited_by(Limit::Passkey);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyLogin {
    /// The `challenge_token` of the options.
    #[schema(required, value_type = String, format = "uuid")]
    challenge_token: Option<String>,
    /// The result of `navigator.credentials.get()`, by its `toJSON()`.
    #[schema(required, value_type = Object)]
    credential: Option<Value>,
    /// The `device_token` from an earlier sign-in to this account, if the client stored one; the new one is for the same device.
    #[schema(value_type = Option<String>)]
    device_token: Option<SecretString>,
}

#[operation(
    POST, "/auth/passkey", summary = "Sign in with a passkey",
    description = "Takes the authenticator's response to the options, once and within five minutes. The passkey replaces both the password and the second factor.",
    responses((status = 200, description = "Signed in", body = SignedIn))
)]
pub async fn handler(
    State(app): State<App>,
    info: RequestInfo,
    limit: Limited,
    Json(body): Json<PasskeyLogin>,
) -> Result<JsonResponse<SignedIn>> {
    let (id, assertion, device_token) = body.parse()?;
    let now = app.clock.now();
    let (owner, passkey) = (assertion.owner(), assertion.passkey());
    let reads = async {
        tokio::try_join!(
            // An unused ID makes the look-up of an unknown passkey take as long as that of a known one.
            app.store().user_and_passkey(owner.unwrap_or_else(|| UserId::new(now)), &passkey),
            // At hand before the passkey is used, as in `verify_login`.
            app.keys().signing(now),
        )
    };
    let (found, _) = Box::pin(limit.admit_during(reads)).await?;
    // Taken before it is verified, so that of concurrent responses exactly one proceeds; and after the rate limit, so that an
    // excess request does not use it.
    let ceremony = app.store().take_ceremony(None, id, now).await?.ok_or_else(|| {
        Event::LoginFailed { user: None, reason: LoginFailure::UnknownChallenge }.record();
        Error::InvalidChallenge
    })?;
    let (user, proven) = recognise(&app, found, &assertion, &ceremony)?;

    let device = device_of(&app, device_token, &user).await?;
    let begun = Session::begin(&user, info.source_ip.map(|ip| ip.to_string()), info.user_agent, now);
    let session = Session { second_factor: Some(Method::Passkey), without_password: true, ..begun };
    let used_proof = UsedProof::Passkey(proven);
    let sign_in = SignIn { session: &session, challenge: None, proof: &used_proof, mail: None };
    let complete = app.complete_sign_in(&user, &sign_in);
    let (completed, tokens) = Box::pin(TokenPair::issue_during(&app, &user, &session, complete)).await?;
    if !completed {
        // The passkey was deleted concurrently, or used elsewhere with a later counter.
        return Err(refuse(Some(user.id), LoginFailure::PasskeyRefused));
    }
    SignedIn::tell(&app, user, &session, tokens, device).await.map(JsonResponse::ok)
}

/// The account that the passkey signs in to, if it may.
fn recognise(
    app: &App,
    found: (Option<User>, Option<Passkey>),
    assertion: &Assertion,
    ceremony: &Ceremony,
) -> Result<(User, PasskeyUse)> {
    let (Some(user), Some(passkey)) = found else {
        return Err(refuse(None, LoginFailure::UnknownPasskey));
    };
    let party = RelyingParty::new(&app.config)?;
    let expected = Expected { state: &ceremony.state, user: user.id, passkey: &passkey };
    let now = app.clock.now();
    let proven = party.finish_assertion(assertion, expected, now)?;
    let reason = match proven {
        Err(refusal) => {
            tell_of_clone(user.id, &passkey.id, refusal);
            LoginFailure::PasskeyRefused
        }
        Ok(_) if user.is_disabled(now) => {
            // The owner of the passkey may know, as someone who knows the password may.
            Event::LoginFailed { user: Some(user.id), reason: LoginFailure::Disabled }.record();
            return Err(Error::AccountDisabled);
        }
        Ok(_) if !user.email_confirmed => LoginFailure::NotConfirmed,
        Ok(proven) => return Ok((user, proven)),
    };
    Err(refuse(Some(user.id), reason))
}

fn refuse(user: Option<UserId>, reason: LoginFailure) -> Error {
    Event::LoginFailed { user, reason }.record();
    Error::InvalidPasskey
}

/// The device that signs in, if it says so by a token that counts.
async fn device_of(app: &App, token: Option<SecretString>, user: &User) -> Result<Option<DeviceId>> {
    let Some(token) = token else {
        return Ok(None);
    };
    let device = device::decode(token.expose_secret(), app.keys().device_mac().await?);
    Ok(device.filter(|device| device.belongs_to(user, app.clock.now())).map(|device| device.id))
}

impl PasskeyLogin {
    fn parse(self) -> Result<(CeremonyId, Assertion, Option<SecretString>)> {
        let mut fields = Fields::default();
        let id = fields.required("challenge_token", self.challenge_token, |id| ceremony_id(&id));
        let assertion = fields.required("credential", self.credential, Assertion::parse);
        let (id, assertion) = fields.finish(id.zip(assertion))?;
        Ok((id, assertion, self.device_token))
    }
}
