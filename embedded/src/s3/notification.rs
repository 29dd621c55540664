//! What S3 tells a queue about its buckets.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{ACCOUNT, REGION, machine};

/// A bucket whose object-created events go to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The bucket's name.
    pub bucket: String,
    /// The queue's name. Events wait for the queue to be created.
    pub queue: String,
}

/// An object as an event describes it.
pub(crate) struct Created<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) size: i64,
    pub(crate) e_tag: &'a str,
    pub(crate) access_key_id: &'a str,
}

/// Numbers that only ever grow, over restarts too: the time in microseconds, or one more than the last.
#[derive(Default)]
pub(crate) struct Sequencer(AtomicI64);

impl Sequencer {
    pub(crate) fn next(&self) -> String {
        let now = i64::try_from(machine::now().unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        let step = |last: i64| now.max(last.saturating_add(1));
        let last = self.0.update(Ordering::Relaxed, Ordering::Relaxed, step);
        format!("{:018X}", step(last))
    }
}

/// The message of one object that a PUT created.
pub(crate) fn object_created(object: &Created<'_>, sequencer: &str) -> Value {
    let &Created { bucket, key, size, e_tag, access_key_id } = object;
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": now(),
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": format!("AWS:{access_key_id}") },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": machine::new_id(), "x-amz-id-2": machine::new_id() },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": format!("{bucket}-created"),
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": ACCOUNT },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": { "key": encode(key), "size": size, "eTag": e_tag, "sequencer": sequencer },
        },
    }] })
}

/// What S3 sends once when a notification is set up.
pub(crate) fn test_event(bucket: &str) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": now(),
        "Bucket": bucket,
        "RequestId": machine::new_id(),
        "HostId": machine::new_id(),
    })
}

fn now() -> String {
    let now = machine::now();
    let to_the_millisecond = now.replace_nanosecond(now.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(now);
    to_the_millisecond.format(&Rfc3339).unwrap_or_default()
}

/// Keys are encoded as in a form: a space is `+`, and `/` stays.
fn encode(key: &str) -> String {
    key.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b' ' => encoded.push('+'),
            b'/' | b'-' | b'_' | b'.' | b'*' => encoded.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does_it() {
        for (key, encoded) in [("a b/c.png", "a+b/c.png"), ("ä+&=", "%C3%A4%2B%26%3D"), ("plain-1_2.3", "plain-1_2.3")]
        {
            assert_eq!(encode(key), encoded);
        }
    }

    #[test]
    fn sequencers_grow_and_have_one_length() {
        let sequencer = Sequencer::default();
        let numbers: Vec<String> = (0..1000).map(|_| sequencer.next()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b && a.len() == b.len()));
    }
}
