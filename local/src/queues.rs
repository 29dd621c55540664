//! The queues and their consumers: polls as Lambda's event source mapping does. What a function does not report as
//! failed is deleted; what it does becomes visible again, and after five times goes to the dead-letter queue.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use futures_util::future::BoxFuture;
use serde_json::json;
use shared::App;
use shared::error::Causes;
use tokio::sync::watch;
use tracing::instrument::WithSubscriber;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Mail,
    Images,
    /// What SES reports about emails.
    EmailEvents,
    /// Deliveries to webhooks.
    Webhooks,
    /// Parts of files of accounts.
    Imports,
}

/// A function that SQS invokes.
pub type Handler = fn(App, SqsEvent) -> BoxFuture<'static, shared::Result<SqsBatchResponse>>;

/// The queues that a function of ours consumes: how many messages one invocation takes, and how many run at once.
pub const CONSUMED: [(Queue, i32, usize, Handler); 5] = [
    (Queue::Mail, 10, 1, |app, event| Box::pin(functions::workers::emailer::handler(app, event))),
    (Queue::Images, 10, 1, |app, event| Box::pin(functions::pictures::resize_picture::handler(app, event))),
    (Queue::EmailEvents, 10, 1, |app, event| Box::pin(functions::workers::record_email_events::handler(app, event))),
    // An endpoint that is slow holds up one of them.
    (Queue::Webhooks, 1, 4, |app, event| Box::pin(functions::webhooks::deliver_webhooks::handler(app, event))),
    (Queue::Imports, 1, 1, |app, event| Box::pin(functions::transfer::import_users::handler(app, event))),
];

impl Queue {
    pub const ALL: [Self; 5] = [Self::Mail, Self::Images, Self::EmailEvents, Self::Webhooks, Self::Imports];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Images => "images",
            Self::EmailEvents => "email-events",
            Self::Webhooks => "webhooks",
            Self::Imports => "imports",
        }
    }

    #[must_use]
    pub const fn dead_letters(self) -> &'static str {
        match self {
            Self::Mail => "mail-dead-letters",
            Self::Images => "images-dead-letters",
            Self::EmailEvents => "email-events-dead-letters",
            Self::Webhooks => "webhooks-dead-letters",
            Self::Imports => "imports-dead-letters",
        }
    }

    #[must_use]
    pub fn url(self, endpoint: &str) -> String {
        format!("{endpoint}/{}/{}", embedded::ACCOUNT, self.name())
    }
}

/// Polls until told to stop.
pub async fn consume(app: App, queue: Queue, batch: i32, handler: Handler, mut stopping: watch::Receiver<bool>) {
    let url = queue.url(app.config.aws.endpoints.sqs.as_deref().unwrap_or_default());
    loop {
        let poll = app
            .sqs()
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(batch)
            .wait_time_seconds(20)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .customize()
            // A long poll outlasts what a route would wait.
            .config_override(aws_sdk_sqs::config::Builder::new().timeout_config(TimeoutConfig::disabled()))
            .send();
        let polled = tokio::select! {
            polled = poll => polled,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let outcome = match polled {
            Ok(answer) => match answer.messages {
                Some(messages) if !messages.is_empty() => invoke(&app, queue, handler, &url, messages).await,
                _ => Ok(()),
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            tracing::warn!(error.message = %Causes(&error), queue = queue.name(), "failed to poll the queue");
            let pause = tokio::time::timeout(Duration::from_millis(200), stopping.wait_for(|stop| *stop));
            if pause.await.is_ok() {
                return;
            }
        }
    }
}

async fn invoke(app: &App, queue: Queue, handler: Handler, url: &str, messages: Vec<Message>) -> shared::Result<()> {
    let event = serde_json::from_value(event(queue, &messages)).map_err(shared::Error::internal)?;
    // An invocation that fails as a whole fails every message of its batch. A panic is such a failure.
    let invocation = tokio::spawn(handler(app.clone(), event).with_current_subscriber());
    let Ok(Ok(response)) = invocation.await else {
        tracing::error!(queue = queue.name(), "an invocation failed");
        return Ok(());
    };
    let failed: Vec<_> = response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    let done = messages
        .iter()
        .filter(|message| !failed.contains(&message.message_id().unwrap_or_default()))
        .filter_map(|message| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(message.message_id()?);
            entry.receipt_handle(message.receipt_handle()?).build().ok()
        })
        .collect::<Vec<_>>();
    if !done.is_empty() {
        app.sqs().delete_message_batch().queue_url(url).set_entries(Some(done)).send().await?;
    }
    Ok(())
}

fn event(queue: Queue, messages: &[Message]) -> serde_json::Value {
    let records = messages.iter().map(|message| {
        let attributes = message.attributes().map(|attributes| {
            let pairs = attributes.iter().map(|(name, value)| (name.as_str().to_owned(), json!(value)));
            pairs.collect::<serde_json::Map<_, _>>()
        });
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "attributes": attributes.unwrap_or_default(),
            "messageAttributes": {},
            "md5OfBody": message.md5_of_body(),
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{}:{}:{}", embedded::REGION, embedded::ACCOUNT, queue.name()),
            "awsRegion": embedded::REGION,
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}
