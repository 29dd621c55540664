//! Telling the emailer that a mail is owed.

use serde::{Deserialize, Serialize};

use crate::App;
use crate::domain::email::FoldedAddress;
use crate::domain::id::MailId;
use crate::domain::mail::OwedMail;
use crate::error::{Causes, Error, Result};

/// Body of a message in the mail queue: where in the outbox the mail lies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailMessage {
    pub address: FoldedAddress,
    pub mail: MailId,
}

impl App {
    /// Queues an owed mail. When the queue is down nothing is lost: the mail stays in the outbox and the sweeper
    /// queues it a minute later. So a route never fails for it.
    pub async fn tell_emailer(&self, mail: &OwedMail) {
        if let Err(error) = self.queue_mail(mail).await {
            tracing::warn!(error.message = %Causes(&error), mail.id = %mail.id, "a mail could not be queued; the sweeper will");
        }
    }

    /// # Errors
    /// When the queue cannot be reached.
    pub async fn queue_mail(&self, mail: &OwedMail) -> Result<()> {
        let message = MailMessage { address: mail.address.clone(), mail: mail.id };
        let body = serde_json::to_string(&message).map_err(Error::internal)?;
        self.sqs().send_message().queue_url(&self.config.mail.queue_url).message_body(body).send().await?;
        Ok(())
    }
}
