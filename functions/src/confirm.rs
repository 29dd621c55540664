//! Confirms an address with the link that was mailed to it.
//!
//! `GET /auth/confirm?token=` as a program, or `POST /auth/confirm`. A browser that opens the link gets a page with one
//! button that posts, so a scanner that follows links in mails confirms nothing.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use shared::domain::email::EmailAddress;
use shared::domain::link::{LinkPurpose, LinkToken};
use shared::domain::user::{Role, User};
use shared::error::{Causes, Code};
use shared::http::answer::Answer;
use shared::http::body::JsonOrForm;
use shared::http::negotiation::WantsHtml;
use shared::http::pages::{self, Button, Outcome};
use shared::http::query::Query;
use shared::http::{BASE_PATH, Route};
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};

pub const ROUTE: Route = Route::new("confirm", &["GET", "POST"], &["/auth/confirm"], || get(open).post(handler))
    .fails_with(&[Code::LinkInvalid, Code::LinkExpired]);

#[derive(Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Confirm {
    /// What the link in the mail carries.
    pub token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Confirmation {
    Confirmed,
    AlreadyConfirmed,
}

#[utoipa::path(
    get, path = "/auth/confirm", tag = "auth", operation_id = "open_confirmation_link",
    summary = "Confirm an address, as a program; open the link, as a browser", params(Confirm),
    responses((status = 200, description = "Confirmed now or before", content((Confirmation = "application/json"), (String = "text/html"))))
)]
pub async fn open(State(app): State<App>, WantsHtml(html): WantsHtml, Query(link): Query<Confirm>) -> Result<Response> {
    if html {
        let action = format!("{BASE_PATH}/auth/confirm");
        return Ok(page(pages::button(&app.config.mail.product_name, Button::ConfirmAddress, &action, &link.token)));
    }
    confirm(&app, &link.token).await.map(|confirmation| Answer::ok(confirmation).into_response())
}

#[utoipa::path(
    post, path = "/auth/confirm", tag = "auth", operation_id = "confirm",
    summary = "Confirm an address",
    request_body(content((Confirm = "application/json"), (Confirm = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Confirmed now or before", content((Confirmation = "application/json"), (String = "text/html"))))
)]
pub async fn handler(
    State(app): State<App>,
    WantsHtml(html): WantsHtml,
    JsonOrForm(link): JsonOrForm<Confirm>,
) -> Result<Response> {
    let confirmation = confirm(&app, &link.token).await;
    if !html {
        return confirmation.map(|confirmation| Answer::ok(confirmation).into_response());
    }
    let (status, outcome) = match confirmation {
        Ok(Confirmation::Confirmed) => (StatusCode::OK, Outcome::Confirmed),
        Ok(Confirmation::AlreadyConfirmed) => (StatusCode::OK, Outcome::AlreadyConfirmed),
        Err(Error::LinkExpired) => (StatusCode::GONE, Outcome::Expired),
        Err(Error::LinkInvalid) => (StatusCode::BAD_REQUEST, Outcome::Invalid),
        Err(error) => {
            tracing::error!(error.message = %Causes(&error), "the address could not be confirmed");
            (error.code().status(), Outcome::Unavailable)
        }
    };
    let page = page(pages::outcome(&app.config.mail.product_name, outcome, &app.config.mail.home_url));
    Ok((status, page).into_response())
}

async fn confirm(app: &App, token: &str) -> Result<Confirmation> {
    let token = LinkToken::decode(token).ok_or(Error::LinkInvalid)?;
    let now = app.clock.now();
    let (user, link) = app.store().user_and_link(token.user, &token.hash()).await?;
    let (Some(user), Some(link)) = (user, link) else {
        return Err(Error::LinkInvalid);
    };
    if link.purpose != LinkPurpose::ConfirmAddress {
        return Err(Error::LinkInvalid);
    }
    if link.expires_at <= now {
        return Err(Error::LinkExpired);
    }
    let roles = roles_once_confirmed(app, &user, &user.email);
    if user.email_confirmed || !app.store().confirm_address(user.id, &token.hash(), &roles, now).await? {
        return Ok(Confirmation::AlreadyConfirmed);
    }
    Event::AddressConfirmed { user: user.id, admin: roles.contains(&Role::Admin) }.record();
    Ok(Confirmation::Confirmed)
}

/// Whoever confirms the configured address is an administrator from then on.
#[must_use]
pub fn roles_once_confirmed(app: &App, user: &User, address: &EmailAddress) -> Vec<Role> {
    // The address that mail goes to, not its folded form: a look-alike is another mailbox.
    let mailbox = address.for_sending();
    let admin = app.config.admin_email.as_ref().is_some_and(|admin| admin.for_sending().eq_ignore_ascii_case(&mailbox));
    let mut roles = user.roles.clone();
    if admin && !roles.contains(&Role::Admin) {
        roles.push(Role::Admin);
    }
    roles
}

/// A page, with the policy that it is to be shown under.
#[must_use]
pub fn page(html: String) -> Response {
    let policy = HeaderValue::from_static(pages::CONTENT_SECURITY_POLICY);
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}
