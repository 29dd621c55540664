//! Looks after what stayed undone, and after the signing keys.
//!
//! Runs on a schedule, every minute. A mail that no emailer sent is queued again, ever more rarely, and given up after a
//! day; an erasure that was cut short is finished; signing keys are made and withdrawn in their time.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde_json::Value;
use shared::clock::Timestamp;
use shared::domain::mail::{GIVE_UP, OwedMail};
use shared::store::Pending;
use shared::telemetry::audit::Event;
use shared::{App, Result};

use crate::emailer::kind_name;
use crate::erase;

/// How much of each shard one run takes up: what is left is due in the next.
const AT_ONCE: i32 = 100;

/// # Errors
/// When the tables cannot be read or written; the next run goes on.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "sweeper"))]
pub async fn handler(app: App, _: EventBridgeEvent<Value>) -> Result<()> {
    let now = app.clock.now();
    for pending in app.store.due(AT_ONCE, now).await? {
        // Of several sweepers at once, one takes it up.
        if !app.store.put_off(&pending, now).await? {
            continue;
        }
        match pending {
            Pending::Mail(mail) => look_after(&app, &mail, now).await?,
            Pending::Erasure(erasure) => erase::finish(&app, &erasure).await,
        }
    }
    let (made, retired) = app.keys.rotate(now).await?;
    if let Some(kid) = &made {
        Event::KeyCreated { kid }.record();
    }
    for kid in &retired {
        Event::KeyRetired { kid }.record();
    }
    Ok(())
}

async fn look_after(app: &App, mail: &OwedMail, now: Timestamp) -> Result<()> {
    if now.since(mail.created_at) < GIVE_UP {
        app.tell_emailer(mail).await;
        return Ok(());
    }
    Event::MailFailed { kind: kind_name(&mail.kind), reason: "given_up" }.record();
    app.store.settle_mail(mail).await
}
