//! SES v2: `SendEmail` with simple content, and the suppression list. A mail goes nowhere; it is kept for the mailbox and the
//! tests, and what would have become of it is an event on the default bus ([`feedback`]).
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>
//!
//! A header that would break out of its line, an address that is none and a display name that would have to be quoted are
//! refused, as they are there. Unlike AWS: every sender and every configuration set exists, each set sends all events to the
//! default bus, and there is no quota, no template and no raw content.

mod feedback;
mod mailbox;
pub(crate) mod suppression;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::events::Events;
use crate::journal::Journal;
use crate::outage::Outage;
use crate::{machine, server};

use feedback::{Outcome, Report};
use suppression::SuppressionList;

const MAX_RECIPIENTS: usize = 50;
/// Headers and tags of one mail
/// (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Message.html>,
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html>).
const MAX_HEADERS: usize = 15;
const MAX_TAGS: usize = 50;
const MAX_MESSAGE: usize = 40 * 1024 * 1024;

/// A mail that SES took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMail {
    /// What SES answered; unique over runs.
    pub message_id: String,
    /// Milliseconds since the epoch.
    pub sent_at: i64,
    /// The sender, as given: an address or `Name <address>`.
    pub from: String,
    /// The recipients under To that it was sent to: without those on the suppression list.
    pub to: Vec<String>,
    /// Where answers go.
    pub reply_to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// Extra headers.
    pub headers: BTreeMap<String, String>,
    /// Tags for SES's own event publishing.
    pub tags: BTreeMap<String, String>,
    /// The configuration set it was sent with.
    pub configuration_set: Option<String>,
}

#[derive(Clone)]
struct Ses {
    mails: Arc<Journal<SentMail>>,
    suppressed: Arc<SuppressionList>,
    events: Arc<Events>,
    outage: watch::Receiver<Outage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    #[serde(default)]
    from_email_address: String,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    content: Content,
    #[serde(default)]
    email_tags: Vec<Pair>,
    configuration_set_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Destination {
    #[serde(rename = "ToAddresses")]
    to: Vec<String>,
    #[serde(rename = "CcAddresses")]
    cc: Vec<String>,
    #[serde(rename = "BccAddresses")]
    bcc: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Part,
    body: Body,
    #[serde(default)]
    headers: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    name: String,
    value: String,
}

pub(crate) fn router(
    mails: Arc<Journal<SentMail>>,
    suppressed: Arc<SuppressionList>,
    events: Arc<Events>,
    outage: watch::Receiver<Outage>,
) -> Router {
    Router::new()
        .route("/v2/email/outbound-emails", post(send_email))
        .route("/v2/email/suppression/addresses", get(suppression::list).put(suppression::put))
        .route("/v2/email/suppression/addresses/{address}", get(suppression::get).delete(suppression::delete))
        .fallback(async || server::refusal(StatusCode::NOT_FOUND, "NotFoundException", "Not served here."))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(Ses { mails, suppressed, events, outage })
}

async fn send_email(State(ses): State<Ses>, body: Bytes) -> Response {
    if *ses.outage.borrow() == Outage::Reject {
        let reason = "Email address is not verified.";
        return server::refusal(StatusCode::BAD_REQUEST, "MessageRejected", reason);
    }
    let mail = serde_json::from_slice(&body).map_err(|error| error.to_string()).and_then(read);
    match mail {
        Ok(accepted) => {
            let answer = json!({ "MessageId": accepted.mail.message_id });
            ses.send(accepted);
            server::answer(StatusCode::OK, &answer)
        }
        Err(reason) => server::refusal(StatusCode::BAD_REQUEST, "BadRequestException", &reason),
    }
}

/// A mail as it was given, with all its recipients: under To, Cc and Bcc.
struct Accepted {
    mail: SentMail,
    recipients: Vec<String>,
}

impl Ses {
    /// Put a mail into the mailbox, unless every recipient is on the suppression list, and tell what became of it.
    fn send(&self, Accepted { mut mail, recipients }: Accepted) {
        let outcomes: Vec<Outcome> =
            recipients.iter().map(|recipient| Outcome::of(recipient, &self.suppressed)).collect();
        let events = Report::of(&mail, &recipients).map(|report| report.events(&outcomes));
        if !outcomes.iter().all(|outcome| outcome.is_suppressed()) {
            mail.to.retain(|recipient| !Outcome::of(recipient, &self.suppressed).is_suppressed());
            self.mails.extend(vec![mail]);
        }
        self.events.publish(events.unwrap_or_default());
    }
}

/// Refuse what SES would refuse and a mailbox on a laptop would hide.
fn read(request: SendEmail) -> Result<Accepted, String> {
    let Some(content) = request.content.simple else {
        return Err("Only simple content is served here, neither raw nor a template.".to_owned());
    };
    if content.body.text.is_none() && content.body.html.is_none() {
        return Err("The body has neither text nor HTML.".to_owned());
    }
    let Destination { to, cc, bcc } = request.destination;
    let recipients: Vec<String> = [&to, &cc, &bcc].into_iter().flatten().cloned().collect();
    match recipients.len() {
        0 => return Err("The mail has no recipient.".to_owned()),
        1..=MAX_RECIPIENTS => {}
        _ => return Err("A mail has at most 50 recipients.".to_owned()),
    }
    for address in recipients.iter().chain([&request.from_email_address]).chain(&request.reply_to_addresses) {
        mailbox::check(address)?;
    }
    if content.subject.data.contains(char::is_control) {
        return Err("The subject has control characters.".to_owned());
    }
    check_headers(&content.headers)?;
    check_tags(&request.email_tags)?;
    let mail = SentMail {
        message_id: format!("{}-000000", machine::new_id()),
        sent_at: machine::now_ms(),
        from: request.from_email_address,
        to,
        reply_to: request.reply_to_addresses,
        subject: content.subject.data,
        text: content.body.text.map(|part| part.data),
        html: content.body.html.map(|part| part.data),
        headers: pairs(content.headers),
        tags: pairs(request.email_tags),
        configuration_set: request.configuration_set_name,
    };
    Ok(Accepted { mail, recipients })
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html>
fn check_headers(headers: &[Pair]) -> Result<(), String> {
    if headers.len() > MAX_HEADERS {
        return Err(format!("A mail has at most {MAX_HEADERS} headers of its own."));
    }
    for Pair { name, value } in headers {
        if !(1..=126).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(format!("{name:?} cannot be the name of a header"));
        }
        if !(1..=870).contains(&value.len()) || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!("The header {name} cannot have the value {value:?}"));
        }
    }
    Ok(())
}

fn check_tags(tags: &[Pair]) -> Result<(), String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("A mail has at most {MAX_TAGS} tags."));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(&byte);
    for text in tags.iter().flat_map(|tag| [&tag.name, &tag.value]) {
        if !(1..=256).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(format!("{text:?} cannot be used in a tag"));
        }
    }
    let names: BTreeSet<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
    if names.len() == tags.len() { Ok(()) } else { Err("Two tags have the same name.".to_owned()) }
}

fn pairs(pairs: Vec<Pair>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|Pair { name, value }| (name, value)).collect()
}
