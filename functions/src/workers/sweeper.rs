//! Retries unfinished work and rotates the signing keys.
//!
//! Runs on a schedule, every minute. Unsent emails are enqueued again, with growing intervals, and dropped after a day; interrupted
//! erasures are finished; unconfirmed accounts are erased when they expire; signing keys are created and withdrawn when due.

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::event::{Actor, DeletionReason, DomainEvent, EventKind, Snapshot, Subject};
use shared::domain::mail::{GIVE_UP, OutboxEmail};
use shared::domain::user::User;
use shared::domain::webhook::Webhook;
use shared::error::Causes;
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::{Pending, Store};
use shared::telemetry::audit::Event;
use shared::tokens::keys::{Keys, Rotation};
use shared::{App, Result};

use crate::erasure;

/// How many items of each shard one run processes: the rest is due in the next.
const AT_ONCE: i32 = 100;
const CONCURRENT: usize = 8;
/// How often the passwords of all accounts are counted, while some are imported.
const COUNTED_EVERY: Duration = Duration::from_hours(24);
/// Pages of 1 MB, of which one takes a tenth of a second: a run has the time for them beside its other work.
const COUNTED_PAGES: usize = 100;

/// Its timeout is less than the minute until the next run.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Schedule {
        rate: "rate(1 minute)",
        // Signing keys need no schedule of their own: each run creates and withdraws those that are due.
        description: "Enqueues emails again, finishes erasures, erases unconfirmed accounts, rotates signing keys",
    },
    55,
)
.may(grants![
    Store::DUE,
    Store::LAPSED,
    Store::PUT_OFF,
    Store::COMPLETE_EMAIL,
    Store::LAPSE_USER,
    Store::COUNT_PASSWORDS,
    Store::WEBHOOKS,
    Store::DUE_DELIVERIES,
    App::NOTIFY_DELIVERER,
    erasure::FINISH,
    Keys::ROTATE,
    App::NOTIFY_EMAILER,
]);

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// # Errors
/// When the tables cannot be read or written; the next run continues.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "sweeper"))]
pub async fn handler(app: App, _: EventBridgeEvent<Value>) -> Result<()> {
    let now = app.clock.now();
    // The keys first: nothing below may delay their rotation.
    let Rotation { made, retired, revoked, newest } = app.keys().rotate(now).await?;
    if let Some(kid) = &made {
        Event::KeyCreated { kid }.record();
    }
    for kid in &retired {
        Event::KeyRetired { kid }.record();
    }
    for kid in &revoked {
        Event::KeyRevoked { kid }.record();
    }
    if let Some(newest) = newest {
        // For an alarm: a missing rotation would go unnoticed otherwise.
        tracing::info!(signing_key_age_hours = now.since(newest).as_secs() / 3600, "checked the signing keys");
    }
    let due = app.store().due(AT_ONCE, now).await?;
    stream::iter(due).for_each_concurrent(CONCURRENT, |pending| take_up(&app, pending, now)).await;
    look_after_webhooks(&app, now).await;
    // Last, because it is the least urgent.
    let lapsed = app.store().lapsed(AT_ONCE, now).await?;
    stream::iter(lapsed).for_each_concurrent(CONCURRENT, |user| lapse(&app, user, now)).await;
    // Once a day, and only while there are imported passwords; many accounts take several runs.
    app.store().count_passwords(now.minus(COUNTED_EVERY), now, COUNTED_PAGES).await.map(|_| ())
}

/// A failure does not affect the others; the item is due again later.
async fn take_up(app: &App, pending: Pending, now: Timestamp) {
    let outcome = match app.store().put_off(&pending, now).await {
        // Another sweeper is processing it.
        Ok(false) => Ok(()),
        Ok(true) => match pending {
            Pending::Email(mail) => look_after(app, &mail, now).await,
            Pending::Erasure(erasure) => erasure::finish(app, &erasure).await,
        },
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::warn!(error.message = %Causes(&error), "failed to process a pending item; it will be retried");
    }
}

/// Erases an expired unconfirmed account; its address is free immediately. After a failure it is due again in the next run.
async fn lapse(app: &App, user: User, now: Timestamp) {
    let kind = EventKind::Deleted { user: Snapshot::from(&user), reason: DeletionReason::Unconfirmed };
    let event = DomainEvent::new(Subject::User(user.id), &Actor::SYSTEM, kind, now);
    match app.store().lapse_user(&user, &event).await {
        Ok(Some(erasure)) => {
            Event::UserLapsed { user: user.id }.record();
            erasure::erase_now(app, &erasure).await;
        }
        // Confirmed, contested or deleted concurrently.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), user.id = %user.id, "failed to erase an unconfirmed account; it will be retried");
        }
    }
}

/// Enqueues webhooks with due deliveries: retries, and those whose message was lost.
async fn look_after_webhooks(app: &App, now: Timestamp) {
    let webhooks = match app.store().webhooks().await {
        Ok(webhooks) => webhooks,
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), "failed to process the webhooks; the next run will retry");
            return;
        }
    };
    let rests = |webhook: &Webhook| webhook.off.is_some() || webhook.paused_until.is_some_and(|until| now < until);
    let awake = webhooks.into_iter().filter(|webhook| !rests(webhook));
    stream::iter(awake)
        .for_each_concurrent(CONCURRENT, async |webhook| {
            let due = match app.store().due_deliveries(webhook.id, 1, now).await {
                Ok(due) => webhook.replay_from.is_some() || !due.is_empty(),
                // The deliverer will find out.
                Err(_) => true,
            };
            if due {
                app.notify_deliverer(webhook.id).await;
            }
        })
        .await;
}

async fn look_after(app: &App, mail: &OutboxEmail, now: Timestamp) -> Result<()> {
    if now.since(mail.created_at) < GIVE_UP {
        app.notify_emailer(mail).await;
        return Ok(());
    }
    Event::MailFailed { kind: mail.kind.log_name(), reason: "given_up" }.record();
    app.store().complete_email(mail).await
}
