//! Notifying the function that delivers to webhooks.

use serde::{Deserialize, Serialize};

use crate::App;
use crate::domain::id::WebhookId;
use crate::error::{Causes, Error, Result};
use crate::grant::{Grant, Grants, Resource};

/// Body of a message in the webhook queue: which webhook has something to deliver.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookMessage {
    pub webhook: WebhookId,
}

impl App {
    pub const NOTIFY_DELIVERER: Grants = &[Grant::on(Resource::WebhookQueue, &["sqs:SendMessage"])];

    /// Says that a webhook has something to deliver. When the queue is down nothing is lost: the sweeper says it a minute later.
    pub async fn notify_deliverer(&self, webhook: WebhookId) {
        if let Err(error) = self.queue_webhook(webhook).await {
            tracing::warn!(error.message = %Causes(&error), webhook.id = %webhook, "failed to enqueue a webhook; the sweeper will retry");
        }
    }

    async fn queue_webhook(&self, webhook: WebhookId) -> Result<()> {
        let body = serde_json::to_string(&WebhookMessage { webhook }).map_err(Error::internal)?;
        let queue = &self.config.events.webhook_queue_url;
        self.sqs().send_message().queue_url(queue).message_body(body).send().await?;
        Ok(())
    }
}
