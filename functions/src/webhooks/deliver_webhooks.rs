//! Delivers events to webhooks.
//!
//! Triggered by SQS; a message names a webhook with pending deliveries. One function at a time delivers to an endpoint, so a slow
//! endpoint delays only itself. A failed delivery is retried with growing waits for three days; an endpoint at which nothing
//! succeeded for three days is disabled, and the administrators are notified.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use axum::http::{HeaderMap, HeaderValue};
use futures_util::future::join_all;
use outbound::signature::{self, Secret};
use outbound::{Client, Limits, Outcome, WebhookUrl};
use shared::clock::Timestamp;
use shared::deliveries::WebhookMessage;
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::id::{EventId, WebhookId};
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::webhook::{Attempt, Delivery, LEASE, Off, OffReason, SHIFT, Webhook, pause_after};
use shared::error::Causes;
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::Store;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};

use super::targets;

/// A minute: it begins nothing after [`SHIFT`], and an attempt takes ten seconds at most.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Queue { name: "WebhookQueue", batch: 1, concurrency: "!FindInMap [Stages, !Ref Stage, Webhooks]" },
    60,
)
.may(grants![
    Store::LEASE_WEBHOOK,
    Store::KEEP_LEASE,
    Store::NOTE_ENDPOINT,
    Store::ADVANCE_REPLAY,
    Store::REPLACE_WEBHOOK,
    Store::DUE_DELIVERIES,
    Store::DELIVERIES,
    Store::WITHOUT_ERASED,
    Store::UPDATE_DELIVERY,
    Store::USER,
    Keys::OPEN_WEBHOOKS,
    App::NOTIFY_DELIVERER,
    App::NOTIFY_EMAILER,
]);

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("user-service/", env!("CARGO_PKG_VERSION")));

/// Deliveries that are read at once, and requests to one endpoint at the same time.
const AT_ONCE: i32 = 50;
const CONCURRENT: usize = 8;

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Takes each message of a batch; those that failed are delivered again.
///
/// # Errors
/// Never: what fails is reported by message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "deliver_webhooks"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "failed to serve a webhook; it will be retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let message: WebhookMessage =
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(Error::internal)?;
    // The holder of the lease checks again after releasing it, and the sweeper checks every minute.
    let Some(mut webhook) = app.store().lease_webhook(message.webhook, app.clock.now()).await? else { return Ok(()) };
    let served = serve(app, &mut webhook).await;
    let now = app.store().keep_lease(&webhook, None).await?;
    served?;
    if let Some(webhook) = now
        && is_due(app, &webhook).await?
    {
        app.notify_deliverer(webhook.id).await;
    }
    Ok(())
}

/// Whether there is something to deliver now.
async fn is_due(app: &App, webhook: &Webhook) -> Result<bool> {
    let now = app.clock.now();
    if webhook.off.is_some() || webhook.paused_until.is_some_and(|until| now < until) {
        return Ok(false);
    }
    Ok(webhook.replay_from.is_some() || !app.store().due_deliveries(webhook.id, 1, now).await?.is_empty())
}

/// Delivers due events until none is left, the endpoint fails, or the shift ends.
async fn serve(app: &App, webhook: &mut Webhook) -> Result<()> {
    let began = app.clock.now();
    let endpoint = Endpoint::new(app, webhook).await?;
    // The index is a moment behind: what was delivered a moment ago may still be in it.
    let mut done = HashSet::new();
    loop {
        let now = app.clock.now();
        let rests = webhook.paused_until.is_some_and(|until| now < until);
        if webhook.off.is_some() || rests || now.since(began) >= SHIFT {
            return Ok(());
        }
        if let Some(from) = webhook.replay_from {
            let rest = replay(app, webhook.id, from).await?;
            app.store().advance_replay(webhook, from, rest).await?;
        }
        let listed = app.store().due_deliveries(webhook.id, AT_ONCE, now).await?;
        let mut due = skip_erased(app, listed).await?;
        due.retain(|delivery| !done.contains(&(delivery.id, delivery.attempts)));
        if due.is_empty() && webhook.replay_from.is_none() {
            return Ok(());
        }
        done.extend(due.iter().map(|delivery| (delivery.id, delivery.attempts)));
        due.sort_by_key(|delivery| (delivery.due_at, delivery.id));
        let mut left = due.as_slice();
        while !left.is_empty() {
            let (some, rest) = left.split_at(at_once(left));
            left = rest;
            // All of them, also where one cannot be written down: what was sent was sent.
            let attempts = join_all(some.iter().map(|delivery| endpoint.attempt(app, delivery))).await;
            let attempts = attempts.into_iter().collect::<Result<Vec<_>>>()?;
            note(app, webhook, &attempts).await?;
            let over = app.clock.now().since(began) >= SHIFT;
            if over || webhook.off.is_some() || webhook.paused_until.is_some() || !goes_on(app, webhook).await? {
                return Ok(());
            }
        }
        if due.is_empty() && !goes_on(app, webhook).await? {
            return Ok(());
        }
    }
}

/// What is told of an account goes with it, but for the news of that.
async fn skip_erased(app: &App, listed: Vec<Delivery>) -> Result<Vec<Delivery>> {
    let kept = app.store().without_erased(listed.clone()).await?;
    for gone in listed.iter().filter(|listed| kept.iter().all(|kept| kept.id != listed.id)) {
        app.store().update_delivery(gone, &gone.clone().skipped()).await?;
    }
    Ok(kept)
}

/// How many of these can be sent at the same time: of one account one, so that a receiver gets them in their order.
fn at_once(due: &[Delivery]) -> usize {
    let mut users = HashSet::new();
    let differ = |delivery: &&Delivery| delivery.user.is_none_or(|user| users.insert(user));
    due.iter().take(CONCURRENT).take_while(differ).count().max(1)
}

/// Renews the lease, with changes by administrators. `false` if another function has it, because this took too long, or if its URL,
/// secrets or types have changed or it was disabled: the next holder of the lease uses the new ones.
async fn goes_on(app: &App, webhook: &mut Webhook) -> Result<bool> {
    let until = app.clock.now().plus(LEASE);
    let Some(kept) = app.store().keep_lease(webhook, Some(until)).await? else { return Ok(false) };
    let same = kept.updated_at == webhook.updated_at;
    *webhook = kept;
    Ok(same)
}

/// Queues some deliveries again; where the rest begins, if there is more.
async fn replay(app: &App, webhook: WebhookId, from: EventId) -> Result<Option<EventId>> {
    let page = usize::try_from(AT_ONCE).unwrap_or_default();
    let now = app.clock.now();
    let mut found = app.store().deliveries_from(webhook, from, page + 1, now).await?;
    let rest = (found.len() > page).then(|| found.pop()).flatten().map(|next| next.id);
    let found = app.store().without_erased(found).await?;
    for (delivery, ahead) in found.iter().zip((0..found.len() as u64).rev()) {
        // A moment apart, as they are to be sent in their order.
        let due_at = now.minus(Duration::from_millis(ahead));
        app.store().update_delivery(delivery, &delivery.clone().again(due_at)).await?;
    }
    Ok(rest)
}

/// What attempts say of the endpoint. One that succeeded is enough for it to be well.
async fn note(app: &App, webhook: &mut Webhook, attempts: &[Delivery]) -> Result<()> {
    let now = app.clock.now();
    let succeeded = |delivery: &&Delivery| delivery.last.as_ref().is_some_and(Attempt::succeeded);
    if attempts.iter().any(|delivery| succeeded(&delivery)) {
        let was_well = webhook.failing_since.is_none() && webhook.paused_until.is_none();
        (webhook.failing_since, webhook.paused_until) = (None, None);
        return if was_well { Ok(()) } else { app.store().note_endpoint(webhook).await };
    }
    let Some(failed) = attempts.iter().find(|delivery| !succeeded(delivery)) else { return Ok(()) };
    let since = *webhook.failing_since.get_or_insert(failed.last.as_ref().map_or(now, |attempt| attempt.at));
    webhook.paused_until = Some(now.plus(pause_after(failed, now)));
    app.store().note_endpoint(webhook).await?;
    if webhook.has_failed_for_long(now) {
        switch_off(app, webhook, since, now).await?;
    }
    Ok(())
}

/// Switches off an endpoint that has failed for three days, and tells the administrators: who added it, and the configured one.
async fn switch_off(app: &App, webhook: &mut Webhook, since: Timestamp, now: Timestamp) -> Result<()> {
    let creator = app.store().user(webhook.created_by).await?.filter(shared::domain::user::User::is_admin);
    let mut recipients: Vec<_> =
        creator.map(|user| user.email).into_iter().chain(app.config.admin_email.clone()).collect();
    recipients.dedup_by_key(|address| address.normalized());
    let host = webhook.host();
    let mails: Vec<_> = recipients
        .into_iter()
        .map(|to| {
            let kind = EmailKind::WebhookDisabled { to: to.clone(), host: host.clone(), since };
            OutboxEmail::new(to.normalized(), kind, now)
        })
        .collect();
    let off = Off { since: now, reason: OffReason::Failing };
    let updated_at = now.max(webhook.updated_at.plus(Duration::from_millis(1)));
    let after = Webhook { off: Some(off), updated_at, ..webhook.clone() };
    let kind = EventKind::WebhookUpdated { host: None, types: None, enabled: Some(false) };
    let event = DomainEvent::new(Subject::Webhook(webhook.id), &Actor::SYSTEM, kind, now);
    // If an administrator changed it concurrently, they know about it.
    if app.store().replace_webhook(webhook, &after, &mails, &event).await? {
        for mail in &mails {
            app.notify_emailer(mail).await;
        }
        webhook.off = Some(off);
    }
    Ok(())
}

/// What it takes to send requests to an endpoint.
struct Endpoint {
    client: Client,
    url: Option<WebhookUrl>,
    secrets: Vec<(Secret, Option<Timestamp>)>,
}

impl Endpoint {
    async fn new(app: &App, webhook: &Webhook) -> Result<Self> {
        let targets = targets(app);
        let client = Client::new(targets, USER_AGENT).map_err(Error::internal)?;
        let key = app.keys().webhooks().await?;
        let mut secrets = Vec::new();
        for secret in webhook.signing(app.clock.now()) {
            let text = key.open_bytes(&secret.sealed, webhook.id.as_bytes())?;
            let text = std::str::from_utf8(&text).map_err(Error::internal)?;
            secrets.push((Secret::parse(text).map_err(Error::internal)?, secret.retires_at));
        }
        // What was stored once may be refused by now.
        Ok(Self { client, url: WebhookUrl::parse(&webhook.url, targets).ok(), secrets })
    }

    /// Sends a delivery, and writes down what came of it.
    async fn attempt(&self, app: &App, delivery: &Delivery) -> Result<Delivery> {
        let at = app.clock.now();
        let outcome = match &self.url {
            Some(url) => {
                self.client
                    .post(url, self.headers(delivery, at)?, delivery.body.clone().into(), Limits::default())
                    .await
            }
            None => Outcome::Failed { reason: outbound::Reason::AddressRefused },
        };
        let (attempt, retry_after) = match outcome {
            Outcome::Answered { status, took, retry_after, .. } => {
                let took_ms = u64::try_from(took.as_millis()).ok();
                (Attempt { at, status: Some(status), reason: None, took_ms }, retry_after)
            }
            Outcome::Failed { reason } => {
                (Attempt { at, status: None, reason: Some(reason.as_str().to_owned()), took_ms: None }, None)
            }
        };
        let share = f64::from(shared::random::bytes::<1>()[0]) / 255.0;
        let after = delivery.clone().after(attempt, retry_after, share);
        // If an administrator sent it again concurrently, that takes precedence.
        app.store().update_delivery(delivery, &after).await?;
        Ok(after)
    }

    fn headers(&self, delivery: &Delivery, at: Timestamp) -> Result<HeaderMap> {
        let secrets: Vec<_> = self
            .secrets
            .iter()
            .filter(|(_, retires_at)| retires_at.is_none_or(|retires_at| at < retires_at))
            .map(|(secret, _)| secret)
            .collect();
        let id = delivery.id.to_string();
        let signature = signature::sign(&id, at.seconds(), delivery.body.as_bytes(), &secrets);
        let mut headers = HeaderMap::new();
        headers.insert(axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
        headers.insert(signature::ID, HeaderValue::from_str(&id).map_err(Error::internal)?);
        headers.insert(signature::TIMESTAMP, at.seconds().into());
        headers.insert(signature::SIGNATURE, HeaderValue::from_str(&signature).map_err(Error::internal)?);
        Ok(headers)
    }
}
