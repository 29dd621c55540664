//! What the routes of emailed links share: finding the link, and returning the result as JSON or as a page.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shared::domain::link::{LinkHash, LinkPurpose, LinkToken, Unusable};
use shared::domain::user::User;
use shared::error::Causes;
use shared::grant::Grants;
use shared::http::BASE_PATH;
use shared::http::answer::JsonResponse;
use shared::http::pages::{self, Button, Outcome};
use shared::http::query::MailedToken;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Confirm {
    /// The token from the emailed link. Other parameters are ignored, because email services and clients add some.
    pub token: String,
}

/// [`find`].
pub const FIND: Grants = Store::USER_AND_LINK;

/// A link that may be used, and what it is for.
pub struct UsableLink<T> {
    pub user: User,
    pub hash: LinkHash,
    pub purpose: T,
}

/// The link of a token. `wanted` takes what the route needs out of the purpose, and `None` for every other: to this route
/// they are no links. What happened since is for the caller to look at, and for its transaction to hold.
pub async fn find<T>(app: &App, token: &str, wanted: fn(LinkPurpose) -> Option<T>) -> Result<UsableLink<T>> {
    let token = LinkToken::decode(token).ok_or(Error::LinkInvalid)?;
    let hash = token.hash();
    let (user, link) = app.store().user_and_link(token.user, &hash).await?;
    let (Some(user), Some(link)) = (user, link) else {
        return Err(Error::LinkInvalid);
    };
    let usable = link.usable(app.clock.now());
    let purpose = wanted(link.purpose).ok_or(Error::LinkInvalid)?;
    match usable {
        Ok(()) => Ok(UsableLink { user, hash, purpose }),
        Err(Unusable::Used) => Err(Error::LinkUsed),
        Err(Unusable::Expired) => Err(Error::LinkExpired),
    }
}

/// Logs that a link was refused, if that is what happened.
pub fn record_refusal(purpose: &str, token: &str, error: &Error) {
    let reason = match error {
        Error::LinkInvalid => "invalid",
        Error::LinkExpired => "expired",
        Error::LinkUsed => "used",
        Error::AddressTaken => "address_taken",
        _ => return,
    };
    Event::LinkRefused { user: LinkToken::decode(token).map(|token| token.user), purpose, reason }.record();
}

/// How a browser is told of a link that did its work, and of one that no longer does.
pub struct Outcomes<T> {
    pub done: fn(&T) -> Outcome,
    pub used: Outcome,
    pub expired: Outcome,
}

/// The answer for a program or, as a page, for a person.
pub fn answer<T: Serialize>(app: &App, html: bool, outcome: Result<T>, outcomes: &Outcomes<T>) -> Result<Response> {
    if !html {
        return outcome.map(|body| JsonResponse::ok(body).into_response());
    }
    Ok(match outcome {
        Ok(done) => outcome_page(app, StatusCode::OK, (outcomes.done)(&done)),
        Err(error) => refusal(app, &error, outcomes),
    })
}

/// The page that opening a link shows: `page` for a token that `check` finds usable, else what is wrong with it. Nothing is used.
pub async fn open<F, T>(
    app: &App,
    token: MailedToken,
    check: impl AsyncFnOnce(&App, &str) -> Result<F>,
    page: impl FnOnce(&str, &F) -> Response,
    outcomes: &Outcomes<T>,
) -> Response {
    let opened = async {
        let token = token.or_invalid()?;
        check(app, &token).await.map(|found| page(&token, &found))
    };
    opened.await.unwrap_or_else(|error| refusal(app, &error, outcomes))
}

/// The page with a button that posts the token to a path of the API.
#[must_use]
pub fn button(app: &App, button: Button, path: &str, token: &str) -> Response {
    page(pages::button(&app.config.mail.product_name, button, &format!("{BASE_PATH}{path}"), token))
}

/// The page for a link that cannot be used.
fn refusal<T>(app: &App, error: &Error, outcomes: &Outcomes<T>) -> Response {
    let (status, outcome) = outcome_of(error, outcomes.used, outcomes.expired);
    outcome_page(app, status, outcome)
}

/// How a page tells of an error, `used` and `expired` in the words of its route.
pub fn outcome_of(error: &Error, used: Outcome, expired: Outcome) -> (StatusCode, Outcome) {
    let outcome = match error {
        Error::LinkInvalid => Outcome::Invalid,
        Error::LinkExpired => expired,
        Error::LinkUsed => used,
        Error::AddressTaken => Outcome::AddressTaken,
        _ => {
            tracing::error!(error.message = %Causes(error), "failed to use a link");
            Outcome::Unavailable
        }
    };
    (error.code().status(), outcome)
}

#[must_use]
pub fn outcome_page(app: &App, status: StatusCode, outcome: Outcome) -> Response {
    let mail = &app.config.mail;
    (status, page(pages::outcome(&mail.product_name, outcome, &mail.home_url))).into_response()
}

/// A page, with the policy that it is to be shown under.
#[must_use]
pub fn page(html: String) -> Response {
    let policy = HeaderValue::from_static(pages::CONTENT_SECURITY_POLICY);
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}
