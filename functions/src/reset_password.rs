//! Sets a new password with the link that was mailed.
//!
//! `GET /auth/password/reset?token=` is a page with a form, the same for every token: opening the link uses nothing.
//! `POST /auth/password/reset` uses it, once, in the transaction that changes the password. All sessions end, and nobody is
//! signed in by it: a link alone is no second factor.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::domain::email::EmailAddress;
use shared::domain::link::LinkPurpose;
use shared::domain::mail::{MailKind, OwedMail};
use shared::domain::password::{Known, NewPassword};
use shared::domain::user::User;
use shared::error::Code;
use shared::http::body::JsonOrForm;
use shared::http::fields::Fields;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{self, Outcome};
use shared::http::query::Query;
use shared::http::{BASE_PATH, Route};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::change_password::forgive;
use crate::confirm::{page, roles_once_confirmed};
use crate::links::{self, Found, Outcomes};

pub const ROUTE: Route =
    Route::new("reset_password", &["GET", "POST"], &["/auth/password/reset"], || get(open).post(handler))
        .fails_with(&[Code::LinkInvalid, Code::LinkExpired, Code::LinkUsed])
        .hashing();

const OUTCOMES: Outcomes =
    Outcomes { done: Outcome::PasswordReset, used: Outcome::ResetUsed, expired: Outcome::ResetExpired };

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OpenReset {
    /// What the link in the mail carries.
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// What the link in the mail carries.
    #[schema(required, value_type = String)]
    token: Option<String>,
    /// 8 to 128 characters, any. Not one of the commonest, not the address, not the name, not the product's.
    #[schema(required, value_type = String, min_length = 8, max_length = 128, format = "password", example = "quiet lantern harbour")]
    password: Option<SecretString>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PasswordReset {
    #[schema(example = "password_reset")]
    status: &'static str,
}

#[utoipa::path(
    get, path = "/auth/password/reset", tag = "auth", operation_id = "open_reset_link",
    summary = "Open the link, as a browser", params(OpenReset),
    responses((status = 200, description = "A page with a form", body = String, content_type = "text/html"))
)]
pub async fn open(State(app): State<App>, Query(link): Query<OpenReset>) -> Response {
    page(form(&app, &link.token, None))
}

#[utoipa::path(
    post, path = "/auth/password/reset", tag = "auth", operation_id = "reset_password", summary = "Set a new password",
    request_body(content((ResetPassword = "application/json"), (ResetPassword = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Set; all sessions are over", content((PasswordReset = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    WantsHtml(html): WantsHtml,
    JsonOrForm(body): JsonOrForm<ResetPassword>,
) -> Result<Response> {
    let ResetPassword { token, password } = body;
    let mut fields = Fields::default();
    let token = fields.required("token", token, Ok);
    let password = fields.required("password", password, Ok);
    let (token, password) = fields.finish(token.zip(password))?;

    match reset(&app, &token, &password).await {
        // A password that cannot be taken used nothing: the form again, with the reason.
        Err(Error::InvalidRequest { errors, .. }) if html => {
            let problem = errors.first().map(|error| error.detail.as_str());
            Ok((Code::InvalidRequest.status(), page(form(&app, &token, problem))).into_response())
        }
        outcome => {
            if let Err(error) = &outcome {
                links::record_refusal("reset_password", &token, error);
            }
            links::answer(&app, html, outcome, &OUTCOMES)
        }
    }
}

async fn reset(app: &App, token: &str, password: &SecretString) -> Result<PasswordReset> {
    let Found { user, hash: link, purpose: (email, epoch) } = links::find(app, token, wanted).await?;
    if user.email != email || user.session_epoch != epoch {
        return Err(Error::LinkUsed);
    }
    let password = parse(app, &user, password)?;
    let hash = app.hasher.hash(&password).await?;
    let now = app.clock.now();
    let kind = MailKind::PasswordChanged { to: user.email.clone(), name: user.name.clone() };
    let mail = OwedMail::new(user.email.folded(), kind, now);
    // Only whoever confirms the address by this becomes what the address makes them.
    let roles = if user.email_confirmed { user.roles.clone() } else { roles_once_confirmed(app, &user, &user.email) };
    if !app.store().reset_password(&user, &link, &hash, &roles, &mail, now).await? {
        return Err(Error::LinkUsed);
    }
    Event::PasswordReset { user: user.id }.record();
    app.tell_emailer(&mail).await;
    forgive(app, &user).await;
    Ok(PasswordReset { status: "password_reset" })
}

fn wanted(purpose: LinkPurpose) -> Option<(EmailAddress, u32)> {
    match purpose {
        LinkPurpose::ResetPassword { email, epoch } => Some((email, epoch)),
        _ => None,
    }
}

fn parse(app: &App, user: &User, password: &SecretString) -> Result<NewPassword> {
    let known =
        Known { email: Some(&user.email), name: Some(&user.name), product: Some(&app.config.mail.product_name) };
    let mut fields = Fields::default();
    let password = fields.required("password", Some(password), |password| NewPassword::parse(password, known));
    fields.finish(password)
}

fn form(app: &App, token: &str, problem: Option<&str>) -> String {
    let action = format!("{BASE_PATH}/auth/password/reset");
    pages::password_form(&app.config.mail.product_name, &action, token, problem)
}
