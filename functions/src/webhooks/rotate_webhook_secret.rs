//! Rotates the secret of a webhook.
//!
//! `POST /webhooks/{id}/secret`, for administrators after recent authentication. The previous secret also signs for one more day,
//! so that the receiver has time to switch.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::WebhookId;
use shared::domain::webhook::Webhook;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::RecentAdmin;
use shared::http::path::PathId;
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};

use super::{FIND, WebhookPath, WebhookView, WebhookWithSecret, found, new_secret};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[Code::WebhookNotFound])
    .may(grants![FIND, Store::REPLACE_WEBHOOK, Keys::SEAL_WEBHOOKS]);

/// When the webhook was changed since it was read, it is read again.
const TRIES: usize = 5;

#[operation(
    POST, "/webhooks/{id}/secret", summary = "Rotate the secret of a webhook",
    description = "For administrators, after recent authentication. Both secrets sign for one day, then only the new one. The new secret is shown only once.",
    params(WebhookPath),
    responses((status = 201, description = "The webhook with its new secret", body = WebhookWithSecret))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Result<JsonResponse<WebhookWithSecret>> {
    for _ in 0..TRIES {
        let (before, now) = (found(&app, id).await?, app.clock.now());
        let (sealed, secret) = new_secret(&app, before.id).await?;
        let updated_at = now.max(before.updated_at.plus(std::time::Duration::from_millis(1)));
        let after = Webhook { secrets: before.with_secret(sealed, now), updated_at, ..before.clone() };
        let kind = EventKind::WebhookSecretRotated {};
        let event = DomainEvent::new(Subject::Webhook(before.id), &caller.staff(), kind, now);
        if app.store().replace_webhook(&before, &after, &[], &event).await? {
            let webhook = WebhookView::of(&after, now);
            return Ok(JsonResponse(StatusCode::CREATED, WebhookWithSecret { webhook, secret }));
        }
    }
    Err(Error::TemporarilyUnavailable("the webhook kept changing concurrently".into()))
}
