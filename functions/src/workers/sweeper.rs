//! Looks after what stayed undone, and after the signing keys.
//!
//! Runs on a schedule, every minute. A mail that no emailer sent is queued again, ever more rarely, and given up after a
//! day; an erasure that was cut short is finished; an account that nobody confirmed is erased; signing keys are made and
//! withdrawn in their time.

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

/// How much of each shard one run takes up: what is left is due in the next.
const AT_ONCE: i32 = 100;
const CONCURRENT: usize = 8;
/// How often the passwords of all accounts are counted, while some are imported.
const COUNTED_EVERY: Duration = Duration::from_hours(24);

/// It has less than the minute until the next run.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Schedule {
        rate: "rate(1 minute)",
        // Signing keys need no schedule of their own: each run makes and withdraws those whose time has come.
        description: "Queues emails again, finishes erasures, erases unconfirmed accounts, rotates signing keys",
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
/// When the tables cannot be read or written; the next run goes on.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "sweeper"))]
pub async fn handler(app: App, _: EventBridgeEvent<Value>) -> Result<()> {
    let now = app.clock.now();
    // The keys first: nothing that is stuck below may keep them from being made in time.
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
        // An alarm reads it: keys that are not followed by new ones go unnoticed otherwise.
        tracing::info!(signing_key_age_hours = now.since(newest).as_secs() / 3600, "looked at the signing keys");
    }
    let due = app.store().due(AT_ONCE, now).await?;
    stream::iter(due).for_each_concurrent(CONCURRENT, |pending| take_up(&app, pending, now)).await;
    look_after_webhooks(&app, now).await;
    // Last, as nobody waits for it.
    let lapsed = app.store().lapsed(AT_ONCE, now).await?;
    stream::iter(lapsed).for_each_concurrent(CONCURRENT, |user| lapse(&app, user, now)).await;
    // Once a day, and only as long as there are imported passwords.
    app.store().count_passwords(now.minus(COUNTED_EVERY), now).await.map(|_| ())
}

/// One that fails holds up none of the others, and is due again later.
async fn take_up(app: &App, pending: Pending, now: Timestamp) {
    let outcome = match app.store().put_off(&pending, now).await {
        // Of several sweepers at once, one takes it up.
        Ok(false) => Ok(()),
        Ok(true) => match pending {
            Pending::Email(mail) => look_after(app, &mail, now).await,
            Pending::Erasure(erasure) => erasure::finish(app, &erasure).await,
        },
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::warn!(error.message = %Causes(&error), "something pending could not be looked after; it is due again");
    }
}

/// Erases an account that nobody confirmed in time; its address is free at once. One that fails is due again in the next run.
async fn lapse(app: &App, user: User, now: Timestamp) {
    let kind = EventKind::Deleted { user: Snapshot::from(&user), reason: DeletionReason::Unconfirmed };
    let event = DomainEvent::new(Subject::User(user.id), &Actor::SYSTEM, kind, now);
    match app.store().lapse_user(&user, &event).await {
        Ok(Some(erasure)) => {
            Event::UserLapsed { user: user.id }.record();
            erasure::erase_now(app, &erasure).await;
        }
        // Confirmed, contested or deleted meanwhile.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), user.id = %user.id, "an account could not lapse; it is due again");
        }
    }
}

/// Queues webhooks that have something to deliver: attempts whose wait is over, and what no message told of.
async fn look_after_webhooks(app: &App, now: Timestamp) {
    let webhooks = match app.store().webhooks().await {
        Ok(webhooks) => webhooks,
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), "the webhooks could not be looked after; the next run does");
            return;
        }
    };
    let rests = |webhook: &Webhook| webhook.off.is_some() || webhook.paused_until.is_some_and(|until| now < until);
    let awake = webhooks.into_iter().filter(|webhook| !rests(webhook));
    stream::iter(awake)
        .for_each_concurrent(CONCURRENT, async |webhook| {
            let due = match app.store().due_deliveries(webhook.id, 1, now).await {
                Ok(due) => webhook.replay_from.is_some() || !due.is_empty(),
                // Whoever delivers finds out.
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
