//! Clears the suppression of an account's email address.
//!
//! `DELETE /users/{id}/email-suppression`, for staff: after a bounce or complaint, once the owner says that the address works. It
//! also clears the suppression list of the AWS account in SES. SES's own global list cannot be queried or cleared; it keeps an
//! address for at most two weeks.

use aws_sdk_sesv2::operation::delete_suppressed_destination::DeleteSuppressedDestinationError;
use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{Changes, DomainEvent, EventKind, Subject};
use shared::domain::id::UserId;
use shared::error::Code;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::http::Route;
use shared::http::caller::Support;
use shared::http::path::PathId;
use shared::store::Store;
use shared::{App, Error, Result};

use super::UserPath;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::UserNotFound]).may(grants![
    Store::USER,
    Store::EMAIL_DELIVERY,
    Store::CLEAR_EMAIL_DELIVERY,
    CLEAR
]);

const CLEAR: Grants = &[Grant::on(Resource::SuppressionList, &["ses:DeleteSuppressedDestination"])];

/// When the account moved to another address since it was read, it is read again.
const TRIES: usize = 5;

#[operation(
    DELETE, "/users/{id}/email-suppression", summary = "Clear the suppression of a user's email address",
    description = "For staff. Clears bounces and complaints, here and on the suppression list of the AWS account. SES's global list cannot be cleared; it holds an address for up to 14 days.",
    params(UserPath),
    responses((status = 204, description = "Emails are sent to the address again"))
)]
pub async fn handler(
    Support(caller): Support,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode> {
    let id = id.ok_or(Error::UserNotFound)?;
    for _ in 0..TRIES {
        let user = app.store().user(id).await?.ok_or(Error::UserNotFound)?;
        clear_at_ses(&app, &user.email.for_sending()).await?;
        if user.email_delivery.is_none() && app.store().email_delivery(&user.email.normalized()).await?.is_none() {
            return Ok(StatusCode::NO_CONTENT);
        }
        let changed = Changes { email_delivery: Some(None), ..Changes::default() };
        let kind = EventKind::Updated { changed };
        let event = DomainEvent::new(Subject::User(id), &caller.staff(), kind, app.clock.now());
        if app.store().clear_email_delivery(&user, &event).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Error::TemporarilyUnavailable("the account kept changing concurrently".into()))
}

async fn clear_at_ses(app: &App, address: &str) -> Result<()> {
    match app.ses().delete_suppressed_destination().email_address(address).send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error.as_service_error().is_some_and(DeleteSuppressedDestinationError::is_not_found_exception) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
