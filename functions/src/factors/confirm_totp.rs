//! Confirms an authenticator app.
//!
//! `POST /user/totp/confirm` with its first code, within 15 minutes of `start_totp`. With the first second factor of an account
//! come ten recovery codes, shown once; in addition to passkeys, remaining recovery codes are kept. Recent authentication is not
//! required here, because getting the secret required it.

use axum::extract::State;
use macros::operation;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::domain::event::{DomainEvent, EventKind};
use shared::domain::factor::{Factor, Method, TotpUse};
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::recovery::RecoverySet;
use shared::domain::totp::TotpCode;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::second_factor;

use super::{RECOVERY_CODES, codes_added, shown};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[Code::InvalidCode, Code::TotpNotFound, Code::TotpAlreadyEnrolled, Code::TooManyAttempts])
    .may(grants![
        second_factor::COUNT,
        Store::USER,
        Store::FACTORS,
        Store::CONFIRM_TOTP,
        second_factor::NOTE,
        Keys::OPEN_TOTP,
        App::NOTIFY_EMAILER
    ]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTotp {
    /// The six digits shown by the app.
    #[schema(required, value_type = String, example = "287082")]
    code: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub struct TotpConfirmed {
    /// Ten codes if none were left: with the first second factor of the account, or after all were used. Each can be used once
    /// instead of the factor, with the password. They are not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 10, max_items = 10, example = json!(RECOVERY_CODES))]
    recovery_codes: Option<Vec<String>>,
}

#[operation(
    POST, "/user/totp/confirm", summary = "Confirm an authenticator app",
    description = "Takes a code from the app within 15 minutes of `POST /user/totp`. With the first second factor of an account, ten recovery codes are returned; they are shown only once.",
    responses((status = 200, description = "Confirmed; with recovery codes, shown only once, if none were left", body = TotpConfirmed))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<ConfirmTotp>,
) -> Result<JsonResponse<TotpConfirmed>> {
    let mut fields = Fields::default();
    let code = fields.required("code", body.code, |text| TotpCode::parse(&text));
    let code = fields.finish(code)?;

    let actor = caller.actor();
    let (user, session, now) = (caller.user, caller.session.id, app.clock.now());
    let factors = app.store().factors(user.id, None).await?;
    if factors.enrolled().is_some() {
        return Err(Error::TotpAlreadyEnrolled);
    }
    let none_left = factors.recovery_codes_left() == 0;
    let totp = factors.totp.filter(|totp| totp.is_pending(now) && totp.may_be_added_to(&user));
    let totp = totp.ok_or(Error::TotpNotFound)?;
    second_factor::count(&app, user.id, None, factors.attempts).await?;
    let secret = app.keys().totp().await?.open(&totp.secret, totp.form, user.id)?;
    let step = secret.accept(&code, None, now).ok_or_else(|| second_factor::refuse(user.id, Method::Totp))?;

    let change = if user.has_second_factor() { FactorChange::AddedBeside } else { FactorChange::Added };
    let mail = OutboxEmail::of_factor(&user, change, now);
    let (set, codes) = RecoverySet::new(now);
    let used_proof = TotpUse { secret: totp.secret, step };
    let kinds = [EventKind::factor_added(&Factor::Totp)].into_iter().chain(codes_added(none_left));
    let events = DomainEvent::of_user(user.id, &actor, kinds, now);
    if !app.store().confirm_totp(&user, &used_proof, none_left.then_some(&set), &mail, &events, now).await? {
        let now = app.store().user(user.id).await?.ok_or(Error::InvalidToken)?;
        // All sessions were ended concurrently; or another request confirmed or restarted it, and may also have added or removed a
        // passkey, or created recovery codes.
        let over = now.session_epoch != user.session_epoch;
        return Err(if over { Error::InvalidToken } else { Error::TotpAlreadyEnrolled });
    }
    Event::SecondFactorAdded { user: user.id }.record();
    app.notify_emailer(&mail).await;
    second_factor::note(&app, &user, session, Method::Totp).await;
    Ok(JsonResponse::ok(TotpConfirmed { recovery_codes: none_left.then(|| shown(&codes)) }))
}
