//! Processes SES's reports of bounces and complaints.
//!
//! Triggered by SQS, which a rule of the default event bus feeds. A permanent bounce or a complaint stops all emails to the address
//! except requested ones; a transient bounce stops nothing. Reports about emails of other senders are ignored.

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use serde::Deserialize;
use shared::clock::Timestamp;
use shared::domain::email::{EmailAddress, NormalizedEmail};
use shared::domain::email_delivery::{DeliveryProblem, EmailDelivery, diagnostic};
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::error::Causes;
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

pub const WORKER: Worker =
    Worker::new(module_path!(), Trigger::Queue { name: "EmailEventsQueue", batch: 5, concurrency: "2" }, 30).may(
        grants![Store::REPORTS_OF, Store::EMAIL_DELIVERY, Store::OWNER_OF, Store::USER, Store::RECORD_EMAIL_DELIVERY],
    );

/// The maximum delay between SES accepting an email and the emailer recording it: an earlier report is retried.
const NOTING: Duration = Duration::from_mins(1);
/// The account is read again if it has moved to another address since it was read.
const TRIES: usize = 5;

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Processes each message of a batch; failed ones are delivered again.
///
/// # Errors
/// Never: failures are reported per message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "record_email_events"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "failed to process a report from SES; it will be retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

/// `EventBridge`'s envelope of an event that SES publishes
/// (<https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>).
#[derive(Deserialize)]
struct Envelope {
    detail: Report,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: String,
    /// When SES accepted the email.
    #[serde(default)]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Bounce {
    #[serde(rename = "bounceType")]
    kind: String,
    /// The ID of this report.
    #[serde(default, rename = "feedbackId")]
    id: String,
    #[serde(default, rename = "bounceSubType")]
    sub_type: String,
    #[serde(rename = "bouncedRecipients")]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default, rename = "feedbackId")]
    id: String,
    #[serde(default, rename = "complaintSubType")]
    sub_type: Option<String>,
    #[serde(default, rename = "complaintFeedbackType")]
    feedback: Option<String>,
    #[serde(rename = "complainedRecipients")]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
    #[serde(default)]
    diagnostic_code: Option<String>,
}

impl Mail {
    fn is_newer_than(&self, age: Duration, now: Timestamp) -> bool {
        self.timestamp.as_deref().and_then(Timestamp::parse).is_some_and(|sent_at| now < sent_at.plus(age))
    }
}

/// The report about one address.
struct Said<'a> {
    report: &'a str,
    problem: Option<DeliveryProblem>,
    diagnostic: Option<String>,
    event: EventKind,
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let Envelope { detail } =
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(Error::internal)?;
    let mail = &detail.mail;
    if let Some(bounce) = &detail.bounce {
        for recipient in &bounce.recipients {
            note(app, mail, &recipient.email_address, &bounced(bounce, recipient)).await?;
        }
    }
    if let Some(complaint) = &detail.complaint {
        for recipient in &complaint.recipients {
            note(app, mail, &recipient.email_address, &complained(complaint)).await?;
        }
    }
    Ok(())
}

fn bounced<'a>(bounce: &'a Bounce, recipient: &Recipient) -> Said<'a> {
    let permanent = bounce.kind == "Permanent";
    // SES did not try to deliver: the address is on its own suppression list, or on the account's.
    let suppressed = ["Suppressed", "OnAccountSuppressionList"].contains(&bounce.sub_type.as_str());
    let problem = if suppressed { DeliveryProblem::Suppressed } else { DeliveryProblem::Bounced };
    let diagnostic = recipient.diagnostic_code.as_deref().and_then(diagnostic);
    let event = EventKind::EmailBounced { permanent, diagnostic: diagnostic.clone() };
    Said { report: &bounce.id, problem: permanent.then_some(problem), diagnostic, event }
}

fn complained(complaint: &Complaint) -> Said<'_> {
    let suppressed = complaint.sub_type.as_deref() == Some("OnAccountSuppressionList");
    let problem = if suppressed { DeliveryProblem::Suppressed } else { DeliveryProblem::Complained };
    let event = EventKind::EmailComplained { feedback: complaint.feedback.clone() };
    Said { report: &complaint.id, problem: Some(problem), diagnostic: None, event }
}

async fn note(app: &App, mail: &Mail, address: &str, said: &Said<'_>) -> Result<()> {
    let Some(address) = normalized(address) else { return Ok(()) };
    for _ in 0..TRIES {
        let now = app.clock.now();
        let Some(reports) = app.store().reports_of(&address, &mail.message_id).await? else {
            if mail.is_newer_than(NOTING, now) {
                return Err(Error::internal("the report arrived before the email was recorded as sent"));
            }
            // About another sender of the account, or already recorded.
            return Ok(());
        };
        // A transient one changes nothing, and may be repeated.
        if reports.iter().any(|known| known == said.report) {
            return Ok(());
        }
        let delivery = match said.problem {
            None => None,
            Some(status) => {
                let new = EmailDelivery { status, since: now, diagnostic: said.diagnostic.clone() };
                Some(match app.store().email_delivery(&address).await? {
                    Some(known) => known.then(new),
                    None => new,
                })
            }
        };
        let owner = app.store().owner_of(&address).await?;
        let user = match owner {
            Some(owner) => app.store().user(owner).await?,
            None => None,
        };
        let event =
            user.as_ref().map(|user| DomainEvent::new(Subject::User(user.id), &Actor::SYSTEM, said.event.clone(), now));
        let of = user.as_ref().zip(event.as_ref());
        if app.store().record_email_delivery(&address, &mail.message_id, said.report, delivery.as_ref(), of).await? {
            let reason = said.problem.map_or("transient", DeliveryProblem::as_str);
            Event::MailReturned { user: user.map(|user| user.id), reason }.record();
            return Ok(());
        }
    }
    Err(Error::internal("the account kept changing concurrently"))
}

/// As in the key; `None` if no email of this service can go to it. SES may report it with a name and in angle brackets.
fn normalized(text: &str) -> Option<NormalizedEmail> {
    let address = text.rsplit_once('<').map_or(text, |(_, address)| address.trim_end_matches('>'));
    EmailAddress::parse(address.trim()).ok().map(|address| address.normalized())
}
