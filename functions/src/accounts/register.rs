//! Creates an unconfirmed account.
//!
//! `POST /auth/register`. The response and its timing are the same whether or not the address is in use; if it is, its owner is
//! notified by email.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use secrecy::SecretString;
use serde::Deserialize;
use shared::domain::email::EmailAddress;
use shared::domain::event::{ActorKind, DomainEvent, EventKind, Snapshot, Subject};
use shared::domain::limit::Limit;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::password::{Known, NewPassword};
use shared::domain::user::User;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RequestInfo;
use shared::http::fields::Fields;
use shared::http::limit::Limited;
use shared::store::Created;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

use super::ConfirmationRequired;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .taking_idempotency_keys()
    .may(grants![Store::IS_TAKEN, Store::CREATE_USER, Store::ENQUEUE_EMAIL_TO_OWNER, App::NOTIFY_EMAILER])
    .hashing()
    .limited_by(Limit::Register)
    .shifting_gradually();

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// At least one visible character. Invisible characters at both ends are removed.
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: Option<String>,
    /// The part before the `@` must be ASCII, without quotes and comments; the domain may be in any script.
    #[schema(required, value_type = String, max_length = 254, format = "email", example = "ada@example.com")]
    email: Option<String>,
    /// Any characters. Rejected if it is a common password, the email address, the name or the name of the product.
    #[schema(required, value_type = String, min_length = 8, max_length = 128, format = "password", example = "quiet-lantern-harbour")]
    password: Option<SecretString>,
}

#[operation(
    POST, "/auth/register", summary = "Create an account",
    description = "Creates an account. Its email address must be confirmed with the emailed link. The response and its timing are the same whether or not the address is already in use; the owner of an address that is in use is notified by email.",
    responses((status = 202, description = "An email is on its way to the address", body = ConfirmationRequired))
)]
pub async fn handler(
    State(app): State<App>,
    request: RequestInfo,
    limit: Limited,
    Json(body): Json<Register>,
) -> Result<JsonResponse<ConfirmationRequired>> {
    let (name, email, password) = body.parse(&app)?;
    let address = email.normalized();
    let taken = limit.admit_during(app.store().is_taken(&address, app.clock.now())).await?;
    let password_hash = app.hasher.hash(&password).await?;
    let now = app.clock.now();
    let lapses_at = Some(now.plus(app.config.unconfirmed_life));
    let user = User { lapses_at, ..User::new(name, email.clone(), password_hash, now) };

    let confirmation = OutboxEmail::new(address, EmailKind::ConfirmAddress { user: user.id }, now);
    let kind = EventKind::Created { user: Snapshot::from(&user) };
    let event = DomainEvent::new(Subject::User(user.id), &request.actor(ActorKind::Anonymous), kind, now);
    let mail = if !taken && app.store().create_user(&user, &confirmation, &event).await? == Created::Yes {
        Event::UserRegistered { user: user.id }.record();
        confirmation
    } else {
        // Taken, perhaps since it was read.
        tell_owner(&app, &user, &event).await?
    };
    app.notify_emailer(&mail).await;
    let answer = ConfirmationRequired { status: "confirmation_required", email: email.to_string() };
    Ok(JsonResponse(StatusCode::ACCEPTED, answer))
}

/// Enqueues an email to the owner of a taken address that says what happened. The emailer finds out who that is by then.
async fn tell_owner(app: &App, not_created: &User, event: &DomainEvent) -> Result<OutboxEmail> {
    let mail = OutboxEmail::new(not_created.email.normalized(), EmailKind::AlreadyRegistered, app.clock.now());
    app.store().enqueue_email_to_owner(&mail, not_created, event).await?;
    Event::AddressTaken.record();
    Ok(mail)
}

impl Register {
    fn parse(self, app: &App) -> Result<(UserName, EmailAddress, NewPassword)> {
        let mut fields = Fields::default();
        let name = fields.required("name", self.name, |name| UserName::parse(&name));
        let email = fields.required("email", self.email, |email| EmailAddress::parse(&email));
        let password = fields.required("password", self.password, |password| {
            let product = Some(app.config.mail.product_name.as_str());
            let known = Known { email: email.as_ref(), name: name.as_ref(), product };
            NewPassword::parse(&password, app.config.password_min_length, known)
        });
        fields.finish(name.zip(email).zip(password).map(|((name, email), password)| (name, email, password)))
    }
}
