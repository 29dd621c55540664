//! Creates a webhook.
//!
//! `POST /webhooks`, for administrators after recent authentication. The secret is returned once and stored encrypted.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::id::WebhookId;
use shared::domain::webhook::{SealedWebhookSecret, WEBHOOKS, Webhook};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{WebhookView, WebhookWithSecret, new_secret, parse_types, parse_url};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[Code::TooManyWebhooks])
    .may(grants![Store::WEBHOOKS, Store::WEBHOOK, Store::CREATE_WEBHOOK, Keys::SEAL_WEBHOOKS]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// An https URL of a host on the public internet. Redirects are not followed.
    #[schema(required, value_type = String, max_length = 2048, format = "uri", example = "https://hooks.example.com/users")]
    url: Option<String>,
    /// Event types; if empty or omitted, all events about accounts.
    #[serde(default)]
    #[schema(max_items = 50, example = json!(["user.created", "user.deleted"]))]
    types: Vec<String>,
}

#[operation(
    POST, "/webhooks", summary = "Create a webhook",
    description = "For administrators, after recent authentication. New events are delivered to the URL, signed as specified by Standard Webhooks with the secret in the response, which is shown only once.",
    responses((status = 201, description = "Added", body = WebhookWithSecret))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    Json(body): Json<CreateWebhook>,
) -> Result<JsonResponse<WebhookWithSecret>> {
    let mut fields = Fields::default();
    let url = fields.required("url", body.url, |url| parse_url(&app, &url));
    let types = fields.required("types", Some(body.types), parse_types);
    let (url, types) = fields.finish(url.zip(types))?;
    if app.store().webhooks().await?.len() >= WEBHOOKS {
        return Err(Error::TooManyWebhooks);
    }
    let now = app.clock.now();
    let id = WebhookId::new(now);
    let (sealed, secret) = new_secret(&app, id).await?;
    let webhook = Webhook {
        id,
        url: url.clone(),
        types: types.clone(),
        secrets: vec![SealedWebhookSecret { sealed, created_at: now, retires_at: None }],
        created_by: caller.user.id,
        created_at: now,
        updated_at: now,
        off: None,
        failing_since: None,
        paused_until: None,
        leased_until: None,
        replay_from: None,
    };
    let kind = EventKind::WebhookCreated { host: webhook.host(), types };
    let event = DomainEvent::new(Subject::Webhook(id), &caller.staff(), kind, now);
    match app.store().create_webhook(&webhook, &event).await {
        // If it exists, its secret must be returned now, because it cannot be read later.
        Err(Error::OutcomeUnknown(cause)) => {
            app.store().webhook(id).await?.ok_or(Error::OutcomeUnknown(cause))?;
        }
        created => created?,
    }
    let webhook = WebhookView::of(&webhook, now);
    Ok(JsonResponse(StatusCode::CREATED, WebhookWithSecret { webhook, secret }))
}
