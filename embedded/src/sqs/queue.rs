//! One queue's messages and what time does to them. Times are milliseconds since the epoch and come
//! in as arguments, so this knows neither a clock nor HTTP.

use std::collections::{BTreeMap, VecDeque};

use s3s::crypto::{Checksum, Md5};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// Settings, their defaults, and the values AWS allows.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("DelaySeconds", 0, 0, 900),
    ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
    ("VisibilityTimeout", 30, 0, 43_200),
];
/// Settings that are kept and shown, and change nothing here.
const TEXTS: [&str; 6] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

/// What `GetQueueAttributes` returns besides the settings.
const FACTS: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Names that `GetQueueAttributes` does not know are refused
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>).
pub(crate) fn check_attribute_names(names: &[String]) -> Result<(), Refusal> {
    let known = |name: &str| {
        name == "All"
            || FACTS.contains(&name)
            || TEXTS.contains(&name)
            || NUMBERS.iter().any(|(number, ..)| *number == name)
    };
    match names.iter().find(|name| !known(name)) {
        Some(unknown) => Err(Refusal::unknown_attribute(unknown)),
        None => Ok(()),
    }
}

pub(crate) type Settings = BTreeMap<String, String>;

pub(crate) struct Queue {
    arn: String,
    created_at: i64,
    settings: Settings,
    messages: VecDeque<Message>,
}

#[derive(Clone)]
pub(crate) struct Message {
    id: String,
    body: String,
    attributes: Option<Value>,
    sent_at: i64,
    first_received_at: i64,
    receives: u32,
    visible_at: i64,
}

/// Where a message goes after too many receives.
pub(crate) struct Redrive {
    pub(crate) target_arn: String,
    max_receives: u32,
}

impl Queue {
    pub(crate) fn new(arn: String, settings: Settings, now: i64) -> Result<Self, Refusal> {
        let mut queue = Self { arn, created_at: now, settings: Settings::new(), messages: VecDeque::new() };
        queue.set(settings)?;
        Ok(queue)
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    pub(crate) fn set(&mut self, settings: Settings) -> Result<(), Refusal> {
        for (name, value) in &settings {
            let limits = NUMBERS.iter().find(|(number, ..)| number == name);
            let valid = match limits {
                Some((_, _, low, high)) => value.parse().is_ok_and(|number: i64| (*low..=*high).contains(&number)),
                None if name == "RedrivePolicy" => value.is_empty() || parse_redrive(value).is_some(),
                None if TEXTS.contains(&name.as_str()) => true,
                None => return Err(Refusal::unknown_attribute(name)),
            };
            if !valid {
                return Err(Refusal::invalid_attribute(name));
            }
        }
        self.settings.extend(settings);
        Ok(())
    }

    /// Whether creating the queue again with these settings means the same queue.
    pub(crate) fn agrees_with(&self, settings: &Settings) -> bool {
        settings.iter().all(|(name, value)| self.setting(name).as_ref() == Some(value))
    }

    /// All attributes, as `GetQueueAttributes` names them.
    pub(crate) fn attributes(&self, now: i64) -> Settings {
        let hidden = |message: &&Message| message.visible_at > now;
        let in_flight = self.messages.iter().filter(hidden).filter(|message| message.receives > 0).count();
        let delayed = self.messages.iter().filter(hidden).count() - in_flight;
        let mut all = self.settings.clone();
        for (name, ..) in NUMBERS {
            all.insert(name.to_owned(), self.number(name).to_string());
        }
        let counts = [
            ("ApproximateNumberOfMessages", self.messages.len() - in_flight - delayed),
            ("ApproximateNumberOfMessagesDelayed", delayed),
            ("ApproximateNumberOfMessagesNotVisible", in_flight),
        ];
        all.extend(counts.map(|(name, count)| (name.to_owned(), count.to_string())));
        for name in ["CreatedTimestamp", "LastModifiedTimestamp"] {
            all.insert(name.to_owned(), (self.created_at / 1000).to_string());
        }
        all.insert("QueueArn".to_owned(), self.arn.clone());
        all
    }

    pub(crate) fn redrive(&self) -> Option<Redrive> {
        parse_redrive(self.settings.get("RedrivePolicy")?)
    }

    /// How long a receive waits if its request does not say, in seconds.
    pub(crate) fn wait_seconds(&self) -> i64 {
        self.number("ReceiveMessageWaitTimeSeconds")
    }

    pub(crate) fn max_message_size(&self) -> i64 {
        self.number("MaximumMessageSize")
    }

    pub(crate) fn send(
        &mut self,
        id: String,
        body: String,
        attributes: Option<Value>,
        delay_seconds: Option<i64>,
        now: i64,
    ) {
        let delay = delay_seconds.unwrap_or_else(|| self.number("DelaySeconds"));
        self.messages.push_back(Message {
            id,
            body,
            attributes,
            sent_at: now,
            first_received_at: now,
            receives: 0,
            visible_at: now + delay * 1000,
        });
    }

    /// Take messages that have been received too often; the caller moves them to the dead-letter queue.
    pub(crate) fn take_exhausted(&mut self, redrive: &Redrive, now: i64) -> Vec<Message> {
        let exhausted = |message: &Message| message.visible_at <= now && message.receives >= redrive.max_receives;
        let (taken, kept) = self.messages.drain(..).partition(exhausted);
        self.messages = kept;
        Vec::from(taken)
    }

    /// Take in messages from a queue whose dead-letter queue this is. They keep their age and count.
    pub(crate) fn accept(&mut self, messages: Vec<Message>) {
        self.messages.extend(messages);
    }

    /// Messages that are visible, oldest first; they are hidden for `visibility` seconds.
    pub(crate) fn receive(&mut self, max: usize, visibility: Option<i64>, now: i64) -> Vec<Message> {
        let hide_until = now + 1000 * visibility.unwrap_or_else(|| self.number("VisibilityTimeout"));
        let oldest = now - 1000 * self.number("MessageRetentionPeriod");
        self.messages.retain(|message| message.sent_at >= oldest);
        let mut received = Vec::new();
        for message in self.messages.iter_mut().filter(|message| message.visible_at <= now).take(max) {
            message.receives += 1;
            if message.receives == 1 {
                message.first_received_at = now;
            }
            message.visible_at = hide_until;
            received.push(message.clone());
        }
        received
    }

    /// When the next hidden message becomes visible.
    pub(crate) fn next_visible_at(&self, now: i64) -> Option<i64> {
        self.messages.iter().map(|message| message.visible_at).filter(|at| *at > now).min()
    }

    /// Deleting twice is fine. A receipt handle that is not the newest deletes nothing, which AWS
    /// leaves open: the last receiver of the message decides.
    pub(crate) fn delete(&mut self, receipt_handle: &str) -> Result<(), Refusal> {
        let receipt = Receipt::parse(receipt_handle)?;
        self.messages.retain(|message| !receipt.is_for(message));
        Ok(())
    }

    pub(crate) fn change_visibility(&mut self, receipt_handle: &str, seconds: i64, now: i64) -> Result<(), Refusal> {
        let receipt = Receipt::parse(receipt_handle)?;
        let message = self.messages.iter_mut().find(|message| receipt.is_for(message) && message.visible_at > now);
        message.ok_or_else(Refusal::not_in_flight)?.visible_at = now + seconds * 1000;
        Ok(())
    }

    pub(crate) fn purge(&mut self) {
        self.messages.clear();
    }

    fn setting(&self, name: &str) -> Option<String> {
        let default =
            || NUMBERS.iter().find(|(number, ..)| *number == name).map(|(_, default, ..)| default.to_string());
        self.settings.get(name).cloned().or_else(default)
    }

    fn number(&self, name: &str) -> i64 {
        self.setting(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

impl Message {
    /// As `ReceiveMessage` shows it, with the system and message attributes asked for.
    pub(crate) fn show(&self, system_attributes: &[String], attributes: &[String]) -> Value {
        let mut shown = json!({
            "MessageId": self.id,
            "ReceiptHandle": Receipt { message: &self.id, number: self.receives }.to_string(),
            "Body": self.body,
            "MD5OfBody": md5(&self.body),
        });
        let mut system = json!({
            "ApproximateFirstReceiveTimestamp": self.first_received_at.to_string(),
            "ApproximateReceiveCount": self.receives.to_string(),
            "SenderId": "AIDAEMBEDDED",
            "SentTimestamp": self.sent_at.to_string(),
        });
        if keep(&mut system, system_attributes) {
            shown["Attributes"] = system;
        }
        if let Some(mut own) = self.attributes.clone()
            && keep(&mut own, attributes)
        {
            shown["MessageAttributes"] = own;
        }
        shown
    }
}

/// Which receive of which message; only the newest is valid.
struct Receipt<'a> {
    message: &'a str,
    number: u32,
}

impl<'a> Receipt<'a> {
    fn parse(handle: &'a str) -> Result<Self, Refusal> {
        let parts = handle.rsplit_once('.').and_then(|(message, number)| Some((message, number.parse().ok()?)));
        let (message, number) = parts.ok_or_else(Refusal::invalid_receipt_handle)?;
        Ok(Self { message, number })
    }

    fn is_for(&self, message: &Message) -> bool {
        message.id == self.message && message.receives == self.number
    }
}

impl std::fmt::Display for Receipt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.message, self.number)
    }
}

/// What `SendMessage` answers, so that the sender can tell that the body arrived whole.
pub(crate) fn md5(body: &str) -> String {
    use std::fmt::Write as _;
    Md5::checksum(body.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Leave only the members asked for; false if none is left.
fn keep(members: &mut Value, asked: &[String]) -> bool {
    let Some(members) = members.as_object_mut() else { return false };
    if !asked.iter().any(|name| name == "All" || name == ".*") {
        members.retain(|name, _| asked.contains(name));
    }
    !members.is_empty()
}

/// AWS takes the count as a number or as a string.
fn parse_redrive(policy: &str) -> Option<Redrive> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let count = &policy["maxReceiveCount"];
    let max_receives =
        count.as_u64().or_else(|| count.as_str()?.parse().ok()).filter(|count| (1..=1000).contains(count))?;
    let target_arn = policy["deadLetterTargetArn"].as_str()?.to_owned();
    Some(Redrive { target_arn, max_receives: u32::try_from(max_receives).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1000;

    fn queue(settings: &[(&str, &str)]) -> Queue {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Queue::new("arn".to_owned(), settings, 0).ok().unwrap()
    }

    fn send(queue: &mut Queue, id: &str, delay_seconds: Option<i64>, now: i64) {
        queue.send(id.to_owned(), "body".to_owned(), None, delay_seconds, now);
    }

    fn receive(queue: &mut Queue, now: i64) -> Vec<String> {
        queue.receive(10, None, now).into_iter().map(|message| message.id).collect()
    }

    #[test]
    fn a_delayed_message_arrives_after_its_delay() {
        let mut queue = queue(&[("DelaySeconds", "5")]);
        send(&mut queue, "as the queue says", None, 0);
        send(&mut queue, "as the message says", Some(2), 0);

        assert_eq!(queue.attributes(SECOND)["ApproximateNumberOfMessagesDelayed"], "2");
        assert_eq!(queue.next_visible_at(SECOND), Some(2 * SECOND));
        assert!(receive(&mut queue, 2 * SECOND - 1).is_empty());
        assert_eq!(receive(&mut queue, 2 * SECOND), ["as the message says"]);
        assert_eq!(receive(&mut queue, 5 * SECOND), ["as the queue says"]);
    }

    #[test]
    fn a_message_is_hidden_for_the_visibility_timeout() {
        let mut queue = queue(&[("VisibilityTimeout", "30")]);
        send(&mut queue, "message", None, 0);

        assert_eq!(receive(&mut queue, 0), ["message"]);
        assert!(receive(&mut queue, 30 * SECOND - 1).is_empty());
        assert_eq!(receive(&mut queue, 30 * SECOND), ["message"]);
    }

    #[test]
    fn a_message_is_dropped_after_the_retention_period() {
        let mut queue = queue(&[("MessageRetentionPeriod", "60")]);
        send(&mut queue, "old", None, 0);
        send(&mut queue, "new", None, SECOND);

        assert_eq!(receive(&mut queue, 60 * SECOND + 1), ["new"]);
    }

    #[test]
    fn a_message_is_exhausted_after_the_last_allowed_receive() {
        let policy = r#"{"deadLetterTargetArn":"arn","maxReceiveCount":"2"}"#;
        let mut queue = queue(&[("RedrivePolicy", policy), ("VisibilityTimeout", "1")]);
        let redrive = queue.redrive().unwrap();
        send(&mut queue, "poison", None, 0);

        for now in [0, SECOND] {
            assert!(queue.take_exhausted(&redrive, now).is_empty());
            assert_eq!(receive(&mut queue, now), ["poison"]);
        }
        assert!(queue.take_exhausted(&redrive, 2 * SECOND - 1).is_empty());
        assert_eq!(queue.take_exhausted(&redrive, 2 * SECOND).len(), 1);
    }

    #[test]
    fn settings_that_aws_refuses_are_refused() {
        for (name, value) in [
            ("VisibilityTimeout", "43201"),
            ("VisibilityTimeout", "soon"),
            ("DelaySeconds", "-1"),
            ("RedrivePolicy", "{}"),
            ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn","maxReceiveCount":0}"#),
            ("NoSuchSetting", "1"),
        ] {
            assert!(queue(&[]).set(Settings::from([(name.to_owned(), value.to_owned())])).is_err(), "{name}={value}");
        }
    }
}
