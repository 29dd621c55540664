//! Puts an authenticator app in force.
//!
//! `POST /user/totp/confirm` with its first code, within 15 minutes of `start_totp`. The first second factor of an account
//! comes with ten recovery codes, shown once; one beside passkeys leaves those that are left, if any are.
//! No recent sign-in is asked for here: who knows the secret got it after one.

use axum::extract::State;
use axum::routing::post;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::domain::factor::Method;
use shared::domain::mail::{FactorChange, OwedMail};
use shared::domain::recovery::{RecoveryCode, RecoverySet};
use shared::domain::totp::TotpCode;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use crate::second_factor;

pub const ROUTE: Route =
    Route::new("confirm_totp", &["POST"], &["/user/totp/confirm"], || post(handler)).fails_with(&[
        Code::Unauthenticated,
        Code::InvalidToken,
        Code::InvalidCode,
        Code::TotpNotFound,
        Code::TotpAlreadyEnrolled,
        Code::TooManyAttempts,
    ]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmTotp {
    /// Six digits that the app shows.
    #[schema(required, value_type = String, example = "287082")]
    code: Option<SecretString>,
}

#[derive(Serialize, ToSchema)]
pub struct TotpConfirmed {
    /// Ten, where none were left: with the first second factor of the account, or once all were used. Each signs in once in
    /// place of it, with the password. They are not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 10, max_items = 10, example = json!(RECOVERY_CODES))]
    recovery_codes: Option<Vec<String>>,
}

/// Ten recovery codes, as examples in the API's document.
pub const RECOVERY_CODES: [&str; 10] = [
    "7QK4-0R2M-XV9T-B3HD-51NW-ZC8P",
    "2M9X-KT4V-81QC-H0ZR-6DNB-W3JF",
    "B5RN-0W7D-4XJP-9CTM-KV2H-Q8Z1",
    "F3ZC-T6HQ-M0VK-27PX-8RJ4-N9DB",
    "H8DV-1JXN-Z5RB-C4QT-0MKP-7W2F",
    "J0WP-9QCM-3F7Z-XR1K-BT5D-V4N8",
    "N4TB-V2RK-D9HX-5P0W-MJ7C-1ZQ6",
    "R6XF-8ZPD-Q1JN-W7MB-3VHC-0KT9",
    "V9HM-C5KT-0BWQ-J3ZX-P8RD-64FN",
    "X1QJ-N3VB-7KPM-Z0DT-4HWR-9C5F",
];

/// Recovery codes as their owner sees them.
#[must_use]
pub fn shown(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.encode().expose_secret().to_owned()).collect()
}

#[utoipa::path(
    post, path = "/user/totp/confirm", tag = "factor", operation_id = "confirm_totp",
    summary = "Put an authenticator app in force",
    description = "Takes a code of the app within 15 minutes after `POST /user/totp`. The first second factor of an account comes with ten recovery codes, shown once.",
    request_body = ConfirmTotp, security(("access_token" = [])),
    responses((status = 200, description = "In force; with recovery codes, shown once, if none were left", body = TotpConfirmed))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<ConfirmTotp>,
) -> Result<Answer<TotpConfirmed>> {
    let mut fields = Fields::default();
    let code = fields.required("code", body.code, |text| TotpCode::parse(&text));
    let code = fields.finish(code)?;

    let (user, session, now) = (caller.user, caller.session.id, app.clock.now());
    let factors = app.store().factors(user.id, None).await?;
    if factors.enrolled().is_some() {
        return Err(Error::TotpAlreadyEnrolled);
    }
    let none_left = factors.recovery_codes_left() == 0;
    let totp = factors.totp.filter(|totp| totp.is_pending(now) && totp.may_be_added_to(&user));
    let totp = totp.ok_or(Error::TotpNotFound)?;
    second_factor::count(&app, user.id, None, factors.attempts).await?;
    let secret = app.keys().totp().await?.open(&totp.secret, user.id)?;
    let step = secret.accept(&code, None, now).ok_or_else(|| second_factor::refuse(user.id, Method::Totp))?;

    let change = if user.has_second_factor() { FactorChange::AddedBeside } else { FactorChange::Added };
    let mail = OwedMail::of_factor(&user, change, now);
    let (set, codes) = RecoverySet::new(now);
    if !app.store().confirm_totp(&user, (&totp.secret, step), none_left.then_some(&set), &mail, now).await? {
        let now = app.store().user(user.id).await?.ok_or(Error::InvalidToken)?;
        // Every session was ended meanwhile; or else it was confirmed, or started again, by another request,
        // which may also have added or removed a passkey, or made recovery codes.
        let over = now.session_epoch != user.session_epoch;
        return Err(if over { Error::InvalidToken } else { Error::TotpAlreadyEnrolled });
    }
    Event::SecondFactorAdded { user: user.id }.record();
    app.tell_emailer(&mail).await;
    second_factor::note(&app, &user, session, Method::Totp).await;
    Ok(Answer::ok(TotpConfirmed { recovery_codes: none_left.then(|| shown(&codes)) }))
}
