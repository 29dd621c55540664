//! Looks after what stayed undone, and after the signing keys.
//!
//! Runs on a schedule, every minute. A mail that no emailer sent is queued again, ever more rarely, and given up after a
//! day; an erasure that was cut short is finished; an account that nobody confirmed is erased; signing keys are made and
//! withdrawn in their time.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::mail::{GIVE_UP, OwedMail};
use shared::domain::user::User;
use shared::error::Causes;
use shared::store::Pending;
use shared::telemetry::audit::Event;
use shared::tokens::keys::Rotation;
use shared::{App, Result};

use crate::emailer::kind_name;
use crate::erase;

/// How much of each shard one run takes up: what is left is due in the next.
const AT_ONCE: i32 = 100;
const CONCURRENT: usize = 8;

/// # Errors
/// When the tables cannot be read or written; the next run goes on.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "sweeper"))]
pub async fn handler(app: App, _: EventBridgeEvent<Value>) -> Result<()> {
    let now = app.clock.now();
    // The keys first: nothing that is stuck below may keep them from being made in time.
    let Rotation { made, retired, revoked } = app.keys().rotate(now).await?;
    if let Some(kid) = &made {
        Event::KeyCreated { kid }.record();
    }
    for kid in &retired {
        Event::KeyRetired { kid }.record();
    }
    for kid in &revoked {
        Event::KeyRevoked { kid }.record();
    }
    let due = app.store().due(AT_ONCE, now).await?;
    stream::iter(due).for_each_concurrent(CONCURRENT, |pending| take_up(&app, pending, now)).await;
    // Last, as nobody waits for it.
    let lapsed = app.store().lapsed(AT_ONCE, now).await?;
    stream::iter(lapsed).for_each_concurrent(CONCURRENT, |user| lapse(&app, user, now)).await;
    Ok(())
}

/// One that fails holds up none of the others, and is due again later.
async fn take_up(app: &App, pending: Pending, now: Timestamp) {
    let outcome = match app.store().put_off(&pending, now).await {
        // Of several sweepers at once, one takes it up.
        Ok(false) => Ok(()),
        Ok(true) => match pending {
            Pending::Mail(mail) => look_after(app, &mail, now).await,
            Pending::Erasure(erasure) => erase::finish(app, &erasure).await,
        },
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        tracing::warn!(error.message = %Causes(&error), "something pending could not be looked after; it is due again");
    }
}

/// Erases an account that nobody confirmed in time; its address is free at once. One that fails is due again in the next run.
async fn lapse(app: &App, user: User, now: Timestamp) {
    match app.store().lapse_user(&user, now).await {
        Ok(Some(erasure)) => {
            Event::UserLapsed { user: user.id }.record();
            erase::erase_now(app, &erasure).await;
        }
        // Confirmed, contested or deleted meanwhile.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error.message = %Causes(&error), user.id = %user.id, "an account could not lapse; it is due again");
        }
    }
}

async fn look_after(app: &App, mail: &OwedMail, now: Timestamp) -> Result<()> {
    if now.since(mail.created_at) < GIVE_UP {
        app.tell_emailer(mail).await;
        return Ok(());
    }
    Event::MailFailed { kind: kind_name(&mail.kind), reason: "given_up" }.record();
    app.store().settle_mail(mail).await
}
