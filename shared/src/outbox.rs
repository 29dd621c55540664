//! Notifying the emailer of an email in the outbox.

use serde::{Deserialize, Serialize};

use crate::App;
use crate::domain::email::NormalizedEmail;
use crate::domain::id::EmailId;
use crate::domain::mail::OutboxEmail;
use crate::error::{Causes, Error, Result};
use crate::grant::{Grant, Grants, Resource};

/// Body of a message in the mail queue: where in the outbox the email is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailMessage {
    pub address: NormalizedEmail,
    pub mail: EmailId,
}

impl App {
    pub const NOTIFY_EMAILER: Grants = &[Grant::on(Resource::EmailQueue, &["sqs:SendMessage"])];

    /// Queues an email of the outbox. When the queue is down nothing is lost: the email stays in the outbox and the sweeper
    /// queues it a minute later. So a route never fails for it.
    pub async fn notify_emailer(&self, mail: &OutboxEmail) {
        if let Err(error) = self.queue_email(mail).await {
            tracing::warn!(error.message = %Causes(&error), mail.id = %mail.id, "failed to enqueue an email; the sweeper will retry");
        }
    }

    /// # Errors
    /// When the queue cannot be reached.
    pub async fn queue_email(&self, mail: &OutboxEmail) -> Result<()> {
        let message = EmailMessage { address: mail.address.clone(), mail: mail.id };
        let body = serde_json::to_string(&message).map_err(Error::internal)?;
        self.sqs().send_message().queue_url(&self.config.mail.queue_url).message_body(body).send().await?;
        Ok(())
    }
}
