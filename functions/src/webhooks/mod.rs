//! Webhooks: endpoints of other systems that receive events, as specified by Standard Webhooks.

pub mod create_webhook;
pub mod delete_webhook;
pub mod deliver_webhooks;
pub mod dispatch_webhooks;
pub mod list_deliveries;
pub mod list_webhooks;
pub mod replay_webhook;
pub mod retry_delivery;
pub mod rotate_webhook_secret;
pub mod test_webhook;
pub mod update_webhook;

use outbound::signature::Secret;
use outbound::{Targets, WebhookUrl};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::id::WebhookId;
use shared::domain::webhook::{OffReason, SealedWebhookSecret, Webhook, is_event_type};
use shared::grant::Grants;
use shared::http::Area;
use shared::store::Store;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub const AREA: Area = Area {
    name: "webhooks",
    description: "Webhooks: endpoints of other systems that receive events",
    routes: &[
        create_webhook::ROUTE,
        list_webhooks::ROUTE,
        update_webhook::ROUTE,
        delete_webhook::ROUTE,
        rotate_webhook_secret::ROUTE,
        list_deliveries::ROUTE,
        retry_delivery::ROUTE,
        test_webhook::ROUTE,
        replay_webhook::ROUTE,
    ],
    workers: &[dispatch_webhooks::WORKER, deliver_webhooks::WORKER],
};

/// Types that one webhook can name.
const TYPES: usize = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// ID of the webhook.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: Uuid,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    id: Uuid,
    #[schema(example = "https://hooks.example.com/users")]
    url: String,
    /// Event types that it receives; if empty, all events about accounts.
    #[schema(example = json!(["user.created", "user.deleted"]))]
    types: Vec<String>,
    enabled: bool,
    /// `switched_off` by an administrator, or `failing` for three days.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<OffReasonView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    disabled_at: Option<String>,
    /// Since when all attempts have failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    failing_since: Option<String>,
    /// The active signing secrets, newest first: a replaced secret signs for one more day; at most five.
    secrets: Vec<SecretView>,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    updated_at: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DisabledReason)]
pub enum OffReasonView {
    SwitchedOff,
    Failing,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub struct SecretView {
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    retires_at: Option<String>,
}

/// A webhook with its secret, which is shown only once.
#[derive(Serialize, ToSchema)]
pub struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: WebhookView,
    /// The signing secret, in the format of Standard Webhooks. It is not shown again.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
}

impl WebhookView {
    fn of(webhook: &Webhook, now: Timestamp) -> Self {
        let secret = |secret: &SealedWebhookSecret| SecretView {
            created_at: secret.created_at.rfc3339(),
            retires_at: secret.retires_at.map(Timestamp::rfc3339),
        };
        Self {
            id: webhook.id.into(),
            url: webhook.url.clone(),
            types: webhook.types.clone(),
            enabled: webhook.off.is_none(),
            disabled_reason: webhook.off.map(|off| match off.reason {
                OffReason::SwitchedOff => OffReasonView::SwitchedOff,
                OffReason::Failing => OffReasonView::Failing,
            }),
            disabled_at: webhook.off.map(|off| off.since.rfc3339()),
            failing_since: webhook.failing_since.map(Timestamp::rfc3339),
            secrets: webhook.signing(now).map(secret).collect(),
            created_at: webhook.created_at.rfc3339(),
            updated_at: webhook.updated_at.rfc3339(),
        }
    }
}

/// Where requests may go: on the local stack also to this machine.
fn targets(app: &App) -> Targets {
    if app.config.events.local_webhooks { Targets::AlsoThisMachine } else { Targets::Public }
}

fn parse_url(app: &App, text: &str) -> Result<String, Invalid> {
    let url = WebhookUrl::parse(text, targets(app));
    url.map(|url| url.as_str().to_owned()).map_err(|error| Invalid::new("invalid_url", error.to_string()))
}

fn parse_types(types: Vec<String>) -> Result<Vec<String>, Invalid> {
    if types.len() > TYPES {
        return Err(Invalid::new("too_many", format!("A webhook can have at most {TYPES} event types.")));
    }
    let mut known = Vec::new();
    for name in types {
        if !is_event_type(&name) {
            return Err(Invalid::new("unknown_type", format!("There is no event type {name:?}.")));
        }
        if !known.contains(&name) {
            known.push(name);
        }
    }
    Ok(known)
}

/// A new secret: sealed for the webhook, and as it is told once.
async fn new_secret(app: &App, webhook: WebhookId) -> Result<(String, String)> {
    let secret = Secret::from_bytes(&shared::random::bytes::<32>()).map_err(Error::internal)?.expose();
    let sealed = app.keys().webhooks().await?.seal_bytes(secret.expose_secret().as_bytes(), webhook.as_bytes())?;
    Ok((sealed, secret.expose_secret().to_owned()))
}

/// `found`.
pub const FIND: Grants = Store::WEBHOOK;

/// The webhook of a path.
async fn found(app: &App, id: Option<WebhookId>) -> Result<Webhook> {
    let id = id.ok_or(Error::WebhookNotFound)?;
    app.store().webhook(id).await?.ok_or(Error::WebhookNotFound)
}
