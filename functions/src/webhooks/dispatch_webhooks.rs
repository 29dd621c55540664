//! Enqueues events for the webhooks that subscribe to them.
//!
//! Triggered by the stream of the main table, independently of [`publish_events`](crate::workers::publish_events). A duplicate
//! event is enqueued once.

use std::collections::BTreeSet;
use std::process::ExitCode;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::future::{join_all, try_join_all};
use shared::cloudevent::cloud_event;
use shared::domain::event::RecordedEvent;
use shared::domain::id::WebhookId;
use shared::domain::webhook::{Delivery, Webhook};
use shared::error::Causes;
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::{NewEvent, Store, event_of};
use shared::{App, Error, Result};

pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Stream { prefixes: &["EVENT#", "SESSION#"], description: "Enqueues events for webhooks" },
    30,
)
.may(grants![Store::WEBHOOKS, Store::ADD_DELIVERY, App::NOTIFY_DELIVERER]);

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Enqueues the events of a batch. The answer names the first record that failed, from which the stream goes on.
///
/// # Errors
/// When the webhooks cannot be read; the stream brings the batch again.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "dispatch_webhooks"))]
pub async fn handler(app: App, event: StreamEvent) -> Result<DynamoDbEventResponse> {
    let mut response = DynamoDbEventResponse::default();
    let webhooks = app.store().webhooks().await?;
    let mut touched = BTreeSet::new();
    for record in event.records.into_iter().filter(|record| record.event_name == "INSERT") {
        let number = record.change.sequence_number.clone();
        if let Err(error) = enqueue(&app, &webhooks, record, &mut touched).await {
            tracing::error!(error.message = %Causes(&error), "failed to enqueue an event; it will be retried");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = number;
            response.batch_item_failures.push(failure);
            break;
        }
    }
    join_all(touched.into_iter().map(|webhook| app.notify_deliverer(webhook))).await;
    Ok(response)
}

async fn enqueue(
    app: &App,
    webhooks: &[Webhook],
    record: EventRecord,
    touched: &mut BTreeSet<WebhookId>,
) -> Result<()> {
    let Some(event) = read(record)? else { return Ok(()) };
    let wanting = webhooks.iter().filter(|webhook| webhook.wants(&event) && webhook.created_at <= event.at);
    let wanting: Vec<_> = wanting.collect();
    if wanting.is_empty() {
        return Ok(());
    }
    let (body, now) = (cloud_event(&event, &app.config).to_string(), app.clock.now());
    try_join_all(wanting.iter().map(async |webhook| {
        let delivery = Delivery::new(webhook, &event, body.clone(), now);
        app.store().add_delivery(&delivery).await
    }))
    .await?;
    touched.extend(wanting.iter().filter(|webhook| webhook.off.is_none()).map(|webhook| webhook.id));
    Ok(())
}

fn read(record: EventRecord) -> Result<Option<RecordedEvent>> {
    let keys = record.change.keys.into_inner();
    let Some(serde_dynamo::AttributeValue::S(sk)) = keys.get("sk") else {
        return Err(Error::internal("a stream record has no sort key"));
    };
    match event_of(sk, record.change.new_image)? {
        None => Ok(None),
        Some(NewEvent::Recorded(event)) => Ok(Some(event)),
        Some(NewEvent::SignIn(event)) => RecordedEvent::try_from(event.as_ref()).map(Some).map_err(Error::internal),
    }
}
