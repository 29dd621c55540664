//! Starts adding an authenticator app.
//!
//! `POST /user/totp`, after recent authentication, and with a proof of the second factor if the account has passkeys: otherwise an
//! unattended session could add a factor that removes them. Returns the shared secret of the app, once. Nothing changes until
//! `confirm_totp` has verified a code of the app.

use axum::extract::State;
use macros::operation;
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::domain::factor::{ENROLMENT_LIFE, Totp};
use shared::domain::totp::{TotpForm, TotpSecret};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::OptionalJson;
use shared::http::caller::ProvesSecondFactor;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::qr;
use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[
        Code::SecondFactorNeeded,
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TotpAlreadyEnrolled,
        Code::TooManyAttempts,
    ])
    .may(grants![second_factor::STEP_UP, Store::START_TOTP, Keys::SEAL_TOTP, App::NOTIFY_EMAILER]);

#[derive(Serialize, ToSchema)]
pub struct TotpStarted {
    /// For manual entry into an app, in base32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The content of the QR code; opens the app on the same device.
    #[schema(
        example = "otpauth://totp/Example:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example&algorithm=SHA1&digits=6&period=30"
    )]
    otpauth_url: String,
    /// The QR code as a PNG in a `data:` URL.
    #[schema(example = "data:image/png;base64,iVBORw0KGgo...")]
    qr_code: String,
    /// Seconds within which the app must be confirmed.
    #[schema(example = 900)]
    expires_in: u64,
}

#[operation(
    POST, "/user/totp", summary = "Start adding an authenticator app",
    description = "Requires recent authentication, and a proof of the second factor if the account has passkeys. Returns the secret of the app once. Nothing changes until `POST /user/totp/confirm` accepts a code from it.",
    responses((status = 200, description = "The secret, shown only once", body = TotpStarted))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    OptionalJson(body): OptionalJson<StepUp>,
) -> Result<JsonResponse<TotpStarted>> {
    let actor = caller.actor();
    let user = caller.user;
    if user.totp_since.is_some() {
        return Err(Error::TotpAlreadyEnrolled);
    }
    let used_proof = second_factor::step_up_to_add(&app, &user, body.unwrap_or_default()).await?;
    let now = app.clock.now();
    let secret = TotpSecret::new();
    let sealed = app.keys().totp().await?.seal(&secret, user.id)?;
    let expires_at = now.plus(ENROLMENT_LIFE);
    let totp = Totp {
        form: TotpForm::default(),
        secret: sealed,
        created_at: now,
        expires_at,
        confirmed_at: None,
        last_step: None,
        stepped_up: used_proof.is_some(),
        epoch: user.session_epoch,
    };
    let mail = second_factor::email_about(&app, &user, used_proof.as_ref()).await?;
    let proved = used_proof.as_ref().map(|used| second_factor::reauthenticated(&actor, user.id, Some(used), now));
    if !app.store().start_totp(user.id, &totp, used_proof.as_ref(), mail.as_ref(), proved.as_slice()).await? {
        // Confirmed by a concurrent request, or another request used the same proof first.
        return Err(used_proof
            .map_or(Error::TotpAlreadyEnrolled, |used_proof| second_factor::refuse(user.id, used_proof.method())));
    }
    second_factor::notify(&app, &user, mail).await;
    Event::SecondFactorRequested { user: user.id }.record();
    let url = secret.otpauth_url(&app.config.mail.product_name, &user.email.to_string());
    Ok(JsonResponse::ok(TotpStarted {
        secret: secret.base32().expose_secret().to_owned(),
        qr_code: qr::data_url(url.expose_secret())?,
        otpauth_url: url.expose_secret().to_owned(),
        expires_in: ENROLMENT_LIFE.as_secs(),
    }))
}
