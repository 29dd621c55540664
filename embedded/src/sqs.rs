//! SQS standard queues over the JSON protocol, in memory.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>
//!
//! Unlike AWS: messages come in the order of sending, and more than once only when not deleted in time;
//! counts are exact; there are no FIFO queues, tags, permissions or redrive tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::server::Stop;
use crate::{ACCOUNT, REGION, machine, server};

mod queue;
mod refusal;
mod requests;

use queue::{Queue, md5};
use refusal::Refusal;
use requests::{
    Address, Batch, BatchEntry, ChangeVisibility, CreateQueue, DeleteMessage, GetQueueAttributes, GetQueueUrl,
    ListQueues, Message, ReceiptHandle, ReceiveMessage, SendMessage, SetQueueAttributes, Visibility,
};

const MAX_ENTRIES: usize = 10;
/// One message, or all of a batch together.
pub(crate) const MAX_SIZE: usize = 1_048_576;

pub(crate) struct Sqs {
    endpoint: String,
    state: Mutex<Queues>,
    /// Wakes every waiting receive: a message came, or became visible earlier than was known.
    changed: Notify,
    stop: Stop,
}

#[derive(Default)]
struct Queues {
    by_name: BTreeMap<String, Queue>,
    /// Messages from other embedded services to queues that do not exist yet.
    early: Vec<(String, String)>,
}

type Answer = Result<Value, Refusal>;

impl Sqs {
    pub(crate) fn new(endpoint: String, stop: Stop) -> Self {
        Self { endpoint, state: Mutex::default(), changed: Notify::new(), stop }
    }

    /// Put a message into a queue as another AWS service does. It waits for the queue if need be.
    pub(crate) fn deliver(&self, queue: &str, body: String) {
        self.lock().deliver(queue, body, machine::now_ms());
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.endpoint)
    }

    async fn handle(&self, operation: &str, body: &[u8]) -> Answer {
        let now = machine::now_ms();
        match operation {
            "ChangeMessageVisibility" => self.change_visibility(&read(body)?, now),
            "ChangeMessageVisibilityBatch" => self.change_visibility_batch(read(body)?, now),
            "CreateQueue" => self.create_queue(read(body)?, now),
            "DeleteMessage" => self.delete(&read(body)?),
            "DeleteMessageBatch" => self.delete_batch(read(body)?),
            "DeleteQueue" => self.delete_queue(&read(body)?),
            "GetQueueAttributes" => self.queue_attributes(&read(body)?, now),
            "GetQueueUrl" => self.queue_url(&read(body)?),
            "ListQueues" => Ok(self.list_queues(&read(body)?)),
            "PurgeQueue" => self.purge_queue(&read(body)?),
            "ReceiveMessage" => self.receive(read(body)?).await,
            "SendMessage" => self.send(read(body)?, now),
            "SendMessageBatch" => self.send_batch(read(body)?, now),
            "SetQueueAttributes" => self.set_queue_attributes(read(body)?),
            _ => Err(Refusal::same("UnsupportedOperation", format!("{operation} is not served here."))),
        }
    }

    fn create_queue(&self, request: CreateQueue, now: i64) -> Answer {
        let CreateQueue { queue_name: name, attributes } = request;
        if !is_name(&name) {
            return Err(Refusal::invalid("A queue's name has 1 to 80 letters, digits, hyphens or underscores."));
        }
        let url = self.url(&name);
        let mut queues = self.lock();
        match queues.by_name.get(&name) {
            Some(queue) if queue.agrees_with(&attributes) => {}
            Some(_) => return Err(Refusal::queue_exists()),
            None => {
                let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}");
                queues.by_name.insert(name, Queue::new(arn, attributes, now)?);
                queues.deliver_early(now);
            }
        }
        Ok(json!({ "QueueUrl": url }))
    }

    fn delete_queue(&self, request: &Address) -> Answer {
        let mut queues = self.lock();
        queues.find(&request.queue_url)?;
        queues.by_name.remove(name_in(&request.queue_url));
        Ok(json!({}))
    }

    fn queue_url(&self, request: &GetQueueUrl) -> Answer {
        self.lock().find(&request.queue_name)?;
        Ok(json!({ "QueueUrl": self.url(&request.queue_name) }))
    }

    fn list_queues(&self, request: &ListQueues) -> Value {
        let queues = self.lock();
        let names = queues.by_name.keys().filter(|name| name.starts_with(&request.queue_name_prefix));
        json!({ "QueueUrls": names.map(|name| self.url(name)).collect::<Vec<_>>() })
    }

    fn queue_attributes(&self, request: &GetQueueAttributes, now: i64) -> Answer {
        let mut attributes = self.lock().find(&request.queue_url)?.attributes(now);
        queue::check_attribute_names(&request.attribute_names)?;
        if !request.attribute_names.iter().any(|name| name == "All") {
            attributes.retain(|name, _| request.attribute_names.contains(name));
        }
        Ok(json!({ "Attributes": attributes }))
    }

    fn set_queue_attributes(&self, request: SetQueueAttributes) -> Answer {
        self.lock().find(&request.queue_url)?.set(request.attributes)?;
        Ok(json!({}))
    }

    fn purge_queue(&self, request: &Address) -> Answer {
        self.lock().find(&request.queue_url)?.purge();
        Ok(json!({}))
    }

    fn send(&self, request: SendMessage, now: i64) -> Answer {
        let sent = self.lock().find(&request.queue_url)?.take(request.message, now)?;
        self.changed.notify_waiters();
        Ok(sent)
    }

    fn send_batch(&self, request: Batch<Message>, now: i64) -> Answer {
        if request.entries.iter().map(|entry| entry.entry.size()).sum::<usize>() > MAX_SIZE {
            return Err(Refusal::batch("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"));
        }
        let answer = self.each(request, |queue, message| queue.take(message, now));
        self.changed.notify_waiters();
        answer
    }

    fn delete(&self, request: &DeleteMessage) -> Answer {
        self.lock().find(&request.queue_url)?.delete(&request.receipt.receipt_handle)?;
        Ok(json!({}))
    }

    fn delete_batch(&self, request: Batch<ReceiptHandle>) -> Answer {
        self.each(request, |queue, receipt| queue.delete(&receipt.receipt_handle).map(|()| json!({})))
    }

    fn change_visibility(&self, request: &ChangeVisibility, now: i64) -> Answer {
        let answer = change_visibility(self.lock().find(&request.queue_url)?, &request.change, now);
        self.changed.notify_waiters();
        answer
    }

    fn change_visibility_batch(&self, request: Batch<Visibility>, now: i64) -> Answer {
        let answer = self.each(request, |queue, change| change_visibility(queue, &change, now));
        self.changed.notify_waiters();
        answer
    }

    /// Do something for each entry of a batch; one entry's failure is not the others'.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html#API_SendMessageBatch_Errors>
    fn each<T>(&self, request: Batch<T>, act: impl Fn(&mut Queue, T) -> Answer) -> Answer {
        let ids: BTreeSet<&str> = request.entries.iter().map(|entry| entry.id.as_str()).collect();
        let refused = match request.entries.len() {
            0 => Some(("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")),
            count if count > MAX_ENTRIES => {
                Some(("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"))
            }
            count if count > ids.len() => {
                Some(("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"))
            }
            _ if !ids.iter().all(|id| is_name(id)) => {
                Some(("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"))
            }
            _ => None,
        };
        if let Some((code, query_code)) = refused {
            return Err(Refusal::batch(code, query_code));
        }
        let mut queues = self.lock();
        let queue = queues.find(&request.queue_url)?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for BatchEntry { id, entry } in request.entries {
            match act(queue, entry) {
                Ok(mut done) => {
                    done["Id"] = id.into();
                    successful.push(done);
                }
                Err(Refusal { query_code, message, .. }) => {
                    failed.push(json!({ "Id": id, "Code": query_code, "Message": message, "SenderFault": true }));
                }
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    /// Answer at once if there is a message, else wait for one as long as the request or the queue says.
    async fn receive(&self, request: ReceiveMessage) -> Answer {
        let wait = request.wait_time_seconds.map_or_else(
            || Ok(self.lock().find(&request.queue_url)?.wait_seconds()),
            |seconds| within("WaitTimeSeconds", seconds, 20),
        )?;
        let deadline = Instant::now() + Duration::from_secs(wait.unsigned_abs());
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = machine::now_ms();
            let taken = self.lock().receive(&request, now)?;
            if taken.redriven {
                self.changed.notify_waiters();
            }
            if !taken.messages.is_empty() {
                return Ok(json!({ "Messages": taken.messages }));
            }
            let visible =
                taken.next_visible_at.map(|at| Instant::now() + Duration::from_millis((at - now).unsigned_abs()));
            if Instant::now() >= deadline || self.stop.is_requested() {
                return Ok(json!({}));
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(visible.map_or(deadline, |visible| visible.min(deadline))) => {}
                () = self.stop.clone().requested() => {}
            }
        }
    }
}

/// What a receive found.
struct Taken {
    messages: Vec<Value>,
    /// Whether messages went to the dead-letter queue.
    redriven: bool,
    next_visible_at: Option<i64>,
}

impl Queues {
    /// By the queue's URL or name.
    fn find(&mut self, url: &str) -> Result<&mut Queue, Refusal> {
        self.by_name.get_mut(name_in(url)).ok_or_else(Refusal::no_such_queue)
    }

    fn receive(&mut self, request: &ReceiveMessage, now: i64) -> Result<Taken, Refusal> {
        let max = within("MaxNumberOfMessages", request.max_number_of_messages.unwrap_or(1), 10)?;
        let max =
            usize::try_from(max).ok().filter(|max| *max > 0).ok_or_else(|| out_of_range("MaxNumberOfMessages"))?;
        let visibility = request.visibility_timeout.map(check_visibility).transpose()?;
        let redriven = self.redrive(&request.queue_url, now)?;
        let queue = self.find(&request.queue_url)?;
        let received = queue.receive(max, visibility, now);
        let system = [request.attribute_names.as_slice(), &request.message_system_attribute_names].concat();
        let show = |message: &queue::Message| message.show(&system, &request.message_attribute_names);
        let messages = received.iter().map(show).collect();
        Ok(Taken { messages, redriven, next_visible_at: queue.next_visible_at(now) })
    }

    /// Move exhausted messages to the dead-letter queue; without one they stay where they are.
    fn redrive(&mut self, url: &str, now: i64) -> Result<bool, Refusal> {
        let Some(redrive) = self.find(url)?.redrive() else { return Ok(false) };
        let target = self.by_name.iter().find(|(_, queue)| queue.arn() == redrive.target_arn);
        let Some(target) = target.map(|(name, _)| name.clone()) else { return Ok(false) };
        let exhausted = self.find(url)?.take_exhausted(&redrive, now);
        let moved = !exhausted.is_empty();
        self.find(&target)?.accept(exhausted);
        Ok(moved)
    }

    fn deliver(&mut self, name: &str, body: String, now: i64) {
        match self.by_name.get_mut(name) {
            Some(queue) => queue.send(machine::new_id(), body, None, None, now),
            None => self.early.push((name.to_owned(), body)),
        }
    }

    fn deliver_early(&mut self, now: i64) {
        for (name, body) in mem::take(&mut self.early) {
            self.deliver(&name, body, now);
        }
    }
}

impl Queue {
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
    fn take(&mut self, message: Message, now: i64) -> Answer {
        if message.body.is_empty() {
            return Err(Refusal::same("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        if i64::try_from(message.size()).map_or(true, |size| size > self.max_message_size()) {
            return Err(Refusal::invalid("The message is longer than the queue's MaximumMessageSize."));
        }
        if !message.body.chars().all(is_xml) {
            return Err(Refusal::same("InvalidMessageContents", "The message contains characters outside XML's set."));
        }
        message.check_attributes()?;
        let Message { body, delay_seconds, attributes } = message;
        let delay = delay_seconds.map(|seconds| within("DelaySeconds", seconds, 900)).transpose()?;
        let (id, digest) = (machine::new_id(), md5(&body));
        let attributes = (!attributes.is_empty()).then(|| json!(attributes));
        self.send(id.clone(), body, attributes, delay, now);
        Ok(json!({ "MessageId": id, "MD5OfMessageBody": digest }))
    }
}

impl Message {
    /// What counts towards the limits: body, and each attribute's name, type and value.
    fn size(&self) -> usize {
        let text = |value: &Value| value.as_str().map_or(0, str::len);
        // Binary values come in base64: four characters for three bytes.
        let value = |attribute: &Value| text(&attribute["StringValue"]) + text(&attribute["BinaryValue"]) / 4 * 3;
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, given)| name.len() + text(&given["DataType"]) + value(given));
        self.body.len() + attributes.sum::<usize>()
    }

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
    fn check_attributes(&self) -> Result<(), Refusal> {
        if self.attributes.len() > MAX_ENTRIES {
            return Err(Refusal::invalid("A message has at most 10 attributes."));
        }
        for (name, attribute) in &self.attributes {
            let reserved = ["aws.", "amazon."].iter().any(|prefix| name.to_ascii_lowercase().starts_with(prefix));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let dotted = name.starts_with('.') || name.ends_with('.') || name.contains("..");
            if !(1..=256).contains(&name.len()) || !name.bytes().all(allowed) || reserved || dotted {
                return Err(Refusal::invalid(format!("{name:?} cannot be the name of a message attribute.")));
            }
            let kind = attribute["DataType"].as_str().unwrap_or_default();
            let value = match kind.split('.').next() {
                Some("String" | "Number") => attribute["StringValue"].as_str(),
                Some("Binary") => attribute["BinaryValue"].as_str(),
                _ => return Err(Refusal::invalid(format!("The type of message attribute {name:?} is not supported."))),
            };
            if value.is_none_or(str::is_empty) {
                return Err(Refusal::invalid(format!("The message attribute {name:?} must have a value of its type.")));
            }
        }
        Ok(())
    }
}

/// Of queues and of entries in a batch: 1 to 80 letters, digits, hyphens or underscores.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=80).contains(&name.len()) && name.bytes().all(allowed)
}

/// The characters that a message may have: those of XML 1.0.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn change_visibility(queue: &mut Queue, change: &Visibility, now: i64) -> Answer {
    let seconds = check_visibility(change.visibility_timeout)?;
    queue.change_visibility(&change.receipt.receipt_handle, seconds, now)?;
    Ok(json!({}))
}

fn check_visibility(seconds: i64) -> Result<i64, Refusal> {
    within("VisibilityTimeout", seconds, 43_200)
}

fn within(name: &str, value: i64, high: i64) -> Result<i64, Refusal> {
    if (0..=high).contains(&value) { Ok(value) } else { Err(out_of_range(name)) }
}

fn out_of_range(name: &str) -> Refusal {
    Refusal::invalid(format!("{name} is out of its range."))
}

/// A queue's URL ends with its name, whatever host it names.
fn name_in(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

pub(crate) fn router(sqs: Arc<Sqs>) -> Router {
    Router::new().fallback(serve).layer(DefaultBodyLimit::max(4 * MAX_SIZE)).with_state(sqs)
}

async fn serve(State(sqs): State<Arc<Sqs>>, headers: HeaderMap, body: Bytes) -> Response {
    match sqs.handle(server::operation(&headers), &body).await {
        Ok(answer) => server::answer(StatusCode::OK, &answer),
        Err(refusal) => refusal.into_response(),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::same("SerializationException", error.to_string()))
}
