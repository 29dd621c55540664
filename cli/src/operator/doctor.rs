//! Checks one by one what the service needs, with the credentials of the operator, who may see more than a function may.

use std::fmt::Display;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::{Value, json};
use shared::App;
use shared::domain::keys::{self, PUBLISHED_AHEAD, ROTATION};
use shared::error::Causes;

use super::keys::Known;
use super::{check_endpoint, configured};
use crate::args::Environment;
use crate::failure::{Failure, Result};
use crate::output::{self, Output};
use crate::service::Service;

const DAY: u64 = 24 * 3600;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug)]
struct Check {
    state: State,
    name: String,
    detail: String,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state: State::Ok, name: name.into(), detail: detail.into() }
    }

    fn warn(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state: State::Warn, ..Self::ok(name, detail) }
    }

    fn fail(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::ok(name, detail) }
    }
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Prints a line for each check as it is done; with `--json` all of them in one document at the end.
///
/// # Errors
/// When one of them failed.
pub async fn doctor(output: Output, environment: &Environment) -> Result<()> {
    let mut report = Report { output, checks: Vec::new() };
    match configured(environment) {
        Err(failure) => report.add(Check::fail("configuration", failure.to_string()))?,
        Ok(app) => {
            report.add(Check::ok("configuration", "complete"))?;
            report.run(&app).await?;
            if let Err(stopped) = check_endpoint(&app.config).await {
                output::note(&stopped.to_string());
            }
        }
    }
    report.finish()
}

struct Report {
    output: Output,
    checks: Vec<Check>,
}

impl Report {
    async fn run(&mut self, app: &App) -> Result<()> {
        let config = &app.config;
        self.add(main_table(app).await)?;
        self.add(keys_table(app).await)?;
        self.add(queue(app, "mail queue", &config.mail.queue_url).await)?;
        self.add(queue(app, "webhook queue", &config.events.webhook_queue_url).await)?;
        self.add(event_bus(app).await)?;
        self.add(bucket(app, "uploads bucket", &config.pictures.uploads_bucket).await)?;
        self.add(bucket(app, "pictures bucket", &config.pictures.pictures_bucket).await)?;
        self.add(mail_account(app).await)?;
        self.add(health(app).await)?;
        self.add(key_set(app).await)
    }

    fn add(&mut self, check: Check) -> Result<()> {
        if !self.output.json {
            let Check { state, name, detail } = &check;
            output::print(&output::printable(&format!("{} {name}: {detail}", state.as_str())))?;
        }
        self.checks.push(check);
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let failed = self.checks.iter().filter(|check| check.state == State::Fail).count();
        if self.output.json {
            let document =
                |check: &Check| json!({ "state": check.state.as_str(), "name": check.name, "detail": check.detail });
            let checks: Vec<Value> = self.checks.iter().map(document).collect();
            output::print(&json!({ "ok": failed == 0, "checks": checks }).to_string())?;
        }
        if failed == 0 {
            Ok(())
        } else {
            Err(Failure::Failed(format!("{failed} of {} checks failed", self.checks.len())))
        }
    }
}

async fn main_table(app: &App) -> Check {
    let name = "main table";
    match app.store().public_keys().await {
        Ok(_) => Check::ok(name, format!("table `{}` can be read", app.config.tables.main)),
        Err(error) => Check::fail(name, format!("{}: {}", app.config.tables.main, Failure::from(error))),
    }
}

/// The table of private keys, and with it which key signs.
async fn keys_table(app: &App) -> Check {
    let (name, now) = ("signing keys", app.clock.now());
    let known = match Known::read(app).await {
        Ok(known) => known,
        Err(failure) => return Check::fail(name, format!("{}: {failure}", app.config.tables.keys)),
    };
    let trusted = known.trusted();
    let Some(signing) = keys::signing(&trusted, now) else {
        return Check::warn(name, "no key signs: the sweeper or the first sign-in creates one");
    };
    if known.revoked() > 0 {
        return Check::warn(name, format!("{} revoked and not deleted yet: is the sweeper running?", known.revoked()));
    }
    let newest = trusted.iter().map(|key| key.created_at).max().map_or(0, |created| now.since(created).as_secs());
    let detail = format!("{} signs; {} in total, the newest is {} days old", signing.kid, trusted.len(), newest / DAY);
    // The sweeper makes the next one within a minute of its time.
    if newest > (ROTATION + PUBLISHED_AHEAD).as_secs() {
        return Check::warn(name, format!("{detail}: is the sweeper running?"));
    }
    Check::ok(name, detail)
}

/// How many messages wait in a queue, and in its dead-letter queue where it has one.
async fn queue(app: &App, name: &str, url: &str) -> Check {
    let waiting = match Depth::read(app, url).await {
        Ok(waiting) => waiting,
        Err(why) => return Check::fail(name, format!("{url}: {why}")),
    };
    let detail = format!("{} messages waiting", waiting.messages);
    let Some(dead_letters) = waiting.dead_letters_beside(url) else {
        return Check::warn(name, format!("{detail}; no dead-letter queue"));
    };
    match Depth::read(app, &dead_letters).await {
        Ok(Depth { messages: 0, .. }) => Check::ok(name, format!("{detail}, no dead letters")),
        Ok(Depth { messages, .. }) => Check::warn(name, format!("{detail}, {messages} dead letters")),
        Err(why) => Check::warn(name, format!("{detail}; {dead_letters}: {why}")),
    }
}

struct Depth {
    messages: u64,
    redrive_policy: Option<String>,
}

impl Depth {
    async fn read(app: &App, url: &str) -> std::result::Result<Self, String> {
        let read = app.sqs().get_queue_attributes().queue_url(url).attribute_names(Attribute::All);
        let attributes = read.send().await.map_err(|error| said(&error))?.attributes.unwrap_or_default();
        let number = |name: &Attribute| attributes.get(name).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let messages = number(&Attribute::ApproximateNumberOfMessages)
            + number(&Attribute::ApproximateNumberOfMessagesNotVisible)
            + number(&Attribute::ApproximateNumberOfMessagesDelayed);
        Ok(Self { messages, redrive_policy: attributes.get(&Attribute::RedrivePolicy).cloned() })
    }

    /// The URL of the dead-letter queue: in the same account and region, so the name is what differs.
    fn dead_letters_beside(&self, url: &str) -> Option<String> {
        let policy: Value = serde_json::from_str(self.redrive_policy.as_deref()?).ok()?;
        let (_, name) = policy["deadLetterTargetArn"].as_str()?.rsplit_once(':')?;
        Some(format!("{}/{name}", url.rsplit_once('/')?.0))
    }
}

async fn event_bus(app: &App) -> Check {
    let (name, bus) = ("event bus", &app.config.events.bus);
    match app.eventbridge().describe_event_bus().name(bus).send().await {
        Ok(_) => Check::ok(name, format!("{bus} exists")),
        Err(error) if app.config.aws.endpoints.eventbridge.is_some() && error.as_service_error().is_some() => {
            Check::warn(name, format!("{bus}: the emulator does not support this ({})", said(&error)))
        }
        Err(error) => Check::fail(name, format!("{bus}: {}", said(&error))),
    }
}

async fn bucket(app: &App, name: &str, bucket: &str) -> Check {
    match app.s3().head_bucket().bucket(bucket).send().await {
        Ok(_) => Check::ok(name, format!("{bucket} exists")),
        Err(error) => Check::fail(name, format!("{bucket}: {}", said(&error))),
    }
}

/// Whether SES sends, and to whom: from the sandbox to verified addresses alone.
async fn mail_account(app: &App) -> Check {
    let name = "email account";
    let account = match app.ses().get_account().send().await {
        Ok(account) => account,
        Err(error) if app.config.aws.endpoints.ses.is_some() && error.raw_response().is_some() => {
            return Check::warn(name, format!("the emulator does not support this ({})", said(&error)));
        }
        Err(error) => return Check::fail(name, said(&error)),
    };
    let quota = account.send_quota().map_or(String::new(), |quota| {
        format!(", {} of {} emails in 24 hours", quota.sent_last24_hours(), quota.max24_hour_send())
    });
    match (account.sending_enabled(), account.production_access_enabled()) {
        (false, _) => Check::fail(name, "sending is paused"),
        (true, false) => Check::warn(name, format!("in the sandbox: only verified addresses receive emails{quota}")),
        (true, true) => Check::ok(name, format!("in production, sending{quota}")),
    }
}

async fn health(app: &App) -> Check {
    match document(app, "/health").await {
        Ok(_) => Check::ok("health", format!("{}/health responds", public_url(app))),
        Err(why) => Check::fail("health", why),
    }
}

/// Whether the key that signs is published where other services look for it.
async fn key_set(app: &App) -> Check {
    let name = "published keys";
    let set = match document(app, "/.well-known/jwks.json").await {
        Ok(set) => set,
        Err(why) => return Check::fail(name, why),
    };
    let published: Vec<&str> =
        set["keys"].as_array().into_iter().flatten().filter_map(|key| key["kid"].as_str()).collect();
    let trusted = Known::read(app).await.map(|known| known.trusted()).unwrap_or_default();
    match keys::signing(&trusted, app.clock.now()) {
        Some(key) if !published.contains(&key.kid.as_str()) => {
            Check::fail(name, format!("{} signs, but is not published", key.kid))
        }
        _ => Check::ok(name, format!("{} at {}", published.len(), public_url(app))),
    }
}

/// `PUBLIC_URL`, which the issuer of tokens begins with.
fn public_url(app: &App) -> &str {
    app.config.tokens.issuer.trim_end_matches(shared::config::BASE_PATH)
}

async fn document(app: &App, path: &str) -> std::result::Result<Value, String> {
    let answer = async { Service::new(public_url(app))?.document(path).await?.ok() };
    answer.await.map_err(|failure: Failure| format!("{}{path}: {failure}", public_url(app)))
}

/// What a service of AWS said, or why it said nothing.
fn said<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => causes(error),
    }
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes: &dyn Display = &Causes(error);
    causes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_letter_queue_is_found_next_to_its_queue() {
        let policy =
            r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:1:stack-MailDeadLetters","maxReceiveCount":5}"#;
        let depth = Depth { messages: 0, redrive_policy: Some(policy.into()) };
        let url = depth.dead_letters_beside("https://sqs.eu-central-1.amazonaws.com/1/stack-MailQueue");
        assert_eq!(url.as_deref(), Some("https://sqs.eu-central-1.amazonaws.com/1/stack-MailDeadLetters"));
        assert_eq!(Depth { redrive_policy: None, ..depth }.dead_letters_beside("https://x/1/q"), None);
    }
}
