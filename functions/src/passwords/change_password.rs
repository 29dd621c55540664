//! Changes the caller's password.
//!
//! `PUT /user/password`. The current password proves that the caller is the owner and not someone at an unlocked device (OWASP ASVS
//! 5, 6.2.3), so recent authentication is not required. All other sessions end; this one keeps its tokens. Wrong passwords are
//! counted as at a sign-in, so a stolen session cannot guess faster than a stranger.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use secrecy::SecretString;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, PasswordMethod, SessionsEnd};
use shared::domain::lockout::Bucket;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::password::{Known, NewPassword, Password, PasswordHash};
use shared::domain::user::{FactorSummary, User};
use shared::error::{Causes, Code};
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

use crate::{attempts, elsewhere};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::WrongPassword, Code::TooManyAttempts])
    .may(grants![
        attempts::COUNT,
        elsewhere::VERIFY,
        Store::ATTEMPTS,
        Store::FORGET_ATTEMPTS,
        Store::CHANGE_PASSWORD,
        Store::USER_AND_SESSION,
        App::NOTIFY_EMAILER
    ])
    .hashing();

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    #[schema(required, value_type = String, format = "password", example = "quiet-lantern-harbour")]
    current_password: Option<SecretString>,
    /// Any characters. Rejected if it is a common password, the email address, the name or the name of the product.
    #[schema(required, value_type = String, min_length = 8, max_length = 128, format = "password", example = "seven paper lanterns")]
    new_password: Option<SecretString>,
}

#[operation(
    PUT, "/user/password", summary = "Change the caller's password",
    description = "Requires the current password. All other sessions end; this one keeps its tokens.",
    responses((status = 204, description = "Changed; all other sessions have ended"))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode> {
    let (user, session) = (&caller.user, caller.session.id);
    let (current, new) = body.parse(&app, user)?;
    // The failures lie with the address of this moment.
    let address = user.email.normalized();
    let bucket = Bucket::of_account(&address, user.id);
    attempts::count(&app, Some(user.id), bucket, app.store().attempts(bucket).await?).await?;
    if elsewhere::verify(&app, &current, &user.password_hash).await? == Verdict::Wrong {
        Event::PasswordChangeFailed { user: user.id, session }.record();
        return Err(Error::WrongPassword);
    }

    let hash = app.hasher.hash(&new).await?;
    let user = user.id;
    let mail = change(&app, caller, &hash).await?;
    Event::PasswordChanged { user, session }.record();
    app.notify_emailer(&mail).await;
    // The new password is set whatever becomes of this, and a lock ends by itself.
    if let Err(error) = app.store().forget_attempts(bucket).await {
        tracing::warn!(error.message = %Causes(&error), "failed to reset the count of attempts to change the password");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Sets the password, and once more where the account only has another address or a fresh hash of the same password since it was
/// read. Returns the email about it.
async fn change(app: &App, mut caller: CurrentUser, new: &PasswordHash) -> Result<OutboxEmail> {
    for _ in 0..2 {
        let (CurrentUser { user, session, .. }, now) = (&caller, app.clock.now());
        let factors = FactorSummary::from(user);
        let kind = EmailKind::PasswordChanged { to: user.email.clone(), name: user.name.clone(), factors };
        let mail = OutboxEmail::new(user.email.normalized(), kind, now);
        let kinds = [
            EventKind::PasswordChanged { method: PasswordMethod::Session },
            EventKind::SessionsEnded { except: Some(session.id), reason: SessionsEnd::PasswordChanged },
        ];
        let events = DomainEvent::of_user(user.id, &caller.actor(), kinds, now);
        if app.store().change_password(user, session, new, &mail, &events, now).await? {
            return Ok(mail);
        }
        let again = caller.reread(app).await?;
        if again.user.session_epoch != user.session_epoch {
            // Changed by this very session since it was compared: what was the current password is it no more.
            return Err(Error::WrongPassword);
        }
        caller = again;
    }
    Err(Error::TemporarilyUnavailable("the account kept changing concurrently".into()))
}

impl ChangePassword {
    fn parse(self, app: &App, user: &User) -> Result<(Password, NewPassword)> {
        let known =
            Known { email: Some(&user.email), name: Some(&user.name), product: Some(&app.config.mail.product_name) };
        let mut fields = Fields::default();
        let current = fields.required("current_password", self.current_password, |text| Ok(Password::new(&text)));
        let shortest = app.config.password_min_length;
        let new = fields.required("new_password", self.new_password, |text| NewPassword::parse(&text, shortest, known));
        fields.finish(current.zip(new))
    }
}
