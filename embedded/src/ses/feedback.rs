//! What SES reports about a mail that was sent with a configuration set: events on the default bus, as an event destination of
//! the set sends them there. The names of the events are on
//! <https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html>, their contents on
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>.
//!
//! The addresses of the mailbox simulator
//! (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator>) react as they do on AWS,
//! with a label (`bounce+anything@`) too. None of them gets onto the suppression list by that. Every other address receives what
//! is sent to it, unless it is on the list.
//!
//! Where the pages leave a shape open, it is that of events which others recorded: a complaint has a `complaintSubType` even when
//! it is null, an automatic response is a transient bounce without a diagnosis, an address on the list because of a complaint is
//! answered with another complaint.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::SentMail;
use super::suppression::{SuppressionList, SuppressionReason};
use crate::events::BusEvent;
use crate::{ACCOUNT, REGION, machine};

const SIMULATOR: &str = "simulator.amazonses.com";
/// The host that delivers.
const MTA: &str = "a1-1.smtp-out.amazonses.com";
const UNKNOWN_USER: &str = "smtp; 550 5.1.1 user unknown";
const ON_GLOBAL_LIST: &str = "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.";
const ON_ACCOUNT_LIST: &str =
    "Amazon SES did not send the message to this address because it is on the suppression list for your account.";
const ACCOUNT_LIST_SUB_TYPE: &str = "OnAccountSuppressionList";

/// What becomes of a mail at one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// The recipient's server knows no such user.
    Bounced,
    /// Delivered, and answered by a program.
    AutomaticResponse,
    /// Delivered, and marked as spam.
    Complained,
    /// The address is on the list that all accounts share.
    OnGlobalList,
    /// The address is on the account's own list, so nothing is sent.
    Suppressed(SuppressionReason),
}

impl Outcome {
    /// Of a mail to a recipient as SES takes it, an address or `Name <address>`.
    pub(super) fn of(recipient: &str, suppressed: &SuppressionList) -> Self {
        let address = bare(recipient);
        if let Some(reason) = suppressed.reason_for(address) {
            return Self::Suppressed(reason);
        }
        let Some((local, domain)) = address.rsplit_once('@') else { return Self::Delivered };
        if !domain.eq_ignore_ascii_case(SIMULATOR) {
            return Self::Delivered;
        }
        let mailbox = local.split('+').next().unwrap_or_default();
        match mailbox.to_ascii_lowercase().as_str() {
            "bounce" => Self::Bounced,
            "ooto" => Self::AutomaticResponse,
            "complaint" => Self::Complained,
            "suppressionlist" => Self::OnGlobalList,
            _ => Self::Delivered,
        }
    }

    pub(super) fn is_suppressed(self) -> bool {
        matches!(self, Self::Suppressed(_))
    }
}

/// An email and all its recipients, blind copies included.
pub(super) struct Report<'a> {
    mail: &'a SentMail,
    recipients: &'a [String],
    configuration_set: &'a str,
    now: OffsetDateTime,
}

impl<'a> Report<'a> {
    /// `None` without a configuration set: then SES publishes no events.
    pub(super) fn of(mail: &'a SentMail, recipients: &'a [String]) -> Option<Self> {
        let configuration_set = mail.configuration_set.as_deref()?;
        Some(Self { mail, recipients, configuration_set, now: machine::now() })
    }

    /// The events, in the order in which they happen.
    pub(super) fn events(&self, outcomes: &[Outcome]) -> Vec<BusEvent> {
        let mut events = vec![self.event("Email Sent", "Send", "send", &json!({}))];
        for (recipient, outcome) in self.recipients.iter().zip(outcomes) {
            events.extend(self.happens(recipient, *outcome));
        }
        events
    }

    fn happens(&self, recipient: &str, outcome: Outcome) -> Vec<BusEvent> {
        use SuppressionReason::{Bounce, Complaint};
        match outcome {
            Outcome::Delivered => vec![self.delivery(recipient)],
            Outcome::Bounced => vec![self.permanent_bounce(recipient, "General", UNKNOWN_USER, MTA)],
            Outcome::OnGlobalList => vec![self.permanent_bounce(recipient, "General", ON_GLOBAL_LIST, MTA)],
            Outcome::Suppressed(Bounce) => {
                vec![self.permanent_bounce(recipient, ACCOUNT_LIST_SUB_TYPE, ON_ACCOUNT_LIST, "amazonses.com")]
            }
            Outcome::AutomaticResponse => {
                let bounce = json!({
                    "feedbackId": feedback_id(),
                    "bounceType": "Transient",
                    "bounceSubType": "General",
                    "bouncedRecipients": [{ "emailAddress": recipient }],
                    "timestamp": timestamp(self.now),
                });
                vec![self.delivery(recipient), self.event("Email Bounced", "Bounce", "bounce", &bounce)]
            }
            Outcome::Complained => {
                let mut complaint = self.complaint(recipient, None);
                complaint["userAgent"] = "Amazon SES Mailbox Simulator".into();
                complaint["complaintFeedbackType"] = "abuse".into();
                let complaint = self.event("Email Complaint Received", "Complaint", "complaint", &complaint);
                vec![self.delivery(recipient), complaint]
            }
            Outcome::Suppressed(Complaint) => {
                let complaint = self.complaint(recipient, Some(ACCOUNT_LIST_SUB_TYPE));
                vec![self.event("Email Complaint Received", "Complaint", "complaint", &complaint)]
            }
        }
    }

    fn delivery(&self, recipient: &str) -> BusEvent {
        let milliseconds = (self.now.unix_timestamp_nanos() / 1_000_000) - i128::from(self.mail.sent_at);
        let delivery = json!({
            "timestamp": timestamp(self.now),
            "processingTimeMillis": i64::try_from(milliseconds).unwrap_or_default(),
            "recipients": [recipient],
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": MTA,
        });
        self.event("Email Delivered", "Delivery", "delivery", &delivery)
    }

    fn permanent_bounce(&self, recipient: &str, sub_type: &str, diagnosis: &str, reporter: &str) -> BusEvent {
        let bounce = json!({
            "feedbackId": feedback_id(),
            "bounceType": "Permanent",
            "bounceSubType": sub_type,
            "bouncedRecipients": [{
                "emailAddress": recipient,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": diagnosis,
            }],
            "timestamp": timestamp(self.now),
            "reportingMTA": format!("dns; {reporter}"),
        });
        self.event("Email Bounced", "Bounce", "bounce", &bounce)
    }

    fn complaint(&self, recipient: &str, sub_type: Option<&str>) -> Value {
        json!({
            "feedbackId": feedback_id(),
            "complaintSubType": sub_type,
            "complainedRecipients": [{ "emailAddress": recipient }],
            "timestamp": timestamp(self.now),
            "arrivalDate": timestamp(self.now),
        })
    }

    fn event(&self, detail_type: &str, event_type: &str, member: &str, content: &Value) -> BusEvent {
        let detail = json!({ "eventType": event_type, "mail": self.mail(), member: content });
        let set = format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{}", self.configuration_set);
        BusEvent { resources: vec![set], ..BusEvent::new("default", "aws.ses", detail_type, detail) }
    }

    fn mail(&self) -> Value {
        let SentMail { message_id, sent_at, from, to, reply_to, subject, .. } = self.mail;
        let sent_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*sent_at) * 1_000_000).unwrap_or(self.now);
        let mut common = json!({ "from": [from], "to": to, "messageId": message_id, "subject": subject });
        if !reply_to.is_empty() {
            common["replyTo"] = json!(reply_to);
        }
        json!({
            "timestamp": timestamp(sent_at),
            "source": from,
            "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{}", domain(from)),
            "sendingAccountId": ACCOUNT,
            "messageId": message_id,
            "destination": self.recipients,
            "headersTruncated": false,
            "headers": self.headers(),
            "commonHeaders": common,
            "tags": self.tags(),
        })
    }

    fn headers(&self) -> Vec<Value> {
        let SentMail { from, to, reply_to, subject, headers, .. } = self.mail;
        let mut all = vec![("From", from.clone())];
        if !reply_to.is_empty() {
            all.push(("Reply-To", reply_to.join(", ")));
        }
        if !to.is_empty() {
            all.push(("To", to.join(", ")));
        }
        all.extend([("Subject", subject.clone()), ("MIME-Version", "1.0".to_owned())]);
        all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.clone())));
        all.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    }

    /// SES's own, and those of the mail.
    fn tags(&self) -> Map<String, Value> {
        let own = [
            ("ses:operation", "SendEmail"),
            ("ses:configuration-set", self.configuration_set),
            ("ses:source-ip", "127.0.0.1"),
            ("ses:from-domain", domain(&self.mail.from)),
            ("ses:caller-identity", "local"),
        ];
        let given = self.mail.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.into_iter().chain(given).map(|(name, value)| (name.to_owned(), json!([value]))).collect()
    }
}

/// The address alone, of an address or `Name <address>`.
fn bare(mailbox: &str) -> &str {
    let mailbox = mailbox.trim();
    let inside = mailbox.strip_suffix('>').and_then(|named| named.rsplit_once('<'));
    inside.map_or(mailbox, |(_, address)| address)
}

fn domain(mailbox: &str) -> &str {
    bare(mailbox).rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// In the form of SES's message ids.
fn feedback_id() -> String {
    format!("{}-000000", machine::new_id())
}

/// As `2026-01-31T09:30:00.120Z`: always with milliseconds.
fn timestamp(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_of_the_simulator_has_its_outcome() {
        let list = SuppressionList::open(None).unwrap();
        list.put("Gone@example.com", SuppressionReason::Bounce);
        list.put("angry@example.com", SuppressionReason::Complaint);
        list.put("success@simulator.amazonses.com", SuppressionReason::Bounce);
        for (recipient, outcome) in [
            ("ada@example.com", Outcome::Delivered),
            ("bounce@example.com", Outcome::Delivered),
            ("bounce@simulator.amazonses.com", Outcome::Bounced),
            ("bounce+a+b@simulator.amazonses.com", Outcome::Bounced),
            ("Ada <Bounce@SIMULATOR.amazonses.com>", Outcome::Bounced),
            ("ooto+1@simulator.amazonses.com", Outcome::AutomaticResponse),
            ("complaint@simulator.amazonses.com", Outcome::Complained),
            ("suppressionlist@simulator.amazonses.com", Outcome::OnGlobalList),
            ("success+1@simulator.amazonses.com", Outcome::Delivered),
            ("success@simulator.amazonses.com", Outcome::Suppressed(SuppressionReason::Bounce)),
            ("gone@EXAMPLE.com", Outcome::Suppressed(SuppressionReason::Bounce)),
            ("Angry <angry@example.com>", Outcome::Suppressed(SuppressionReason::Complaint)),
        ] {
            assert_eq!(Outcome::of(recipient, &list), outcome, "{recipient}");
        }
    }

    #[test]
    fn a_timestamp_has_its_milliseconds_even_when_they_are_zeros() {
        for (nanoseconds, shown) in [(0, "1970-01-01T00:00:00.000Z"), (1_120_999_999, "1970-01-01T00:00:01.120Z")] {
            assert_eq!(timestamp(OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap()), shown);
        }
    }
}
