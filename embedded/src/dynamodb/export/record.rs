//! An export as the API describes it.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportDescription.html>

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::request::{ExportRequest, FORMAT, SSE_ALGORITHMS, TYPE};
use super::snapshot::Table;
use crate::machine;

/// An export, from its start on.
#[derive(Clone)]
pub(super) struct Export {
    /// `<ARN of the table>/export/<id>`.
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) request: ExportRequest,
    pub(super) table: Table,
    /// The instant that the items are of.
    pub(super) time: OffsetDateTime,
    pub(super) started: OffsetDateTime,
    ended: Option<(OffsetDateTime, Result<Written, Failure>)>,
}

/// What a complete export wrote.
#[derive(Clone)]
pub(super) struct Written {
    /// The key of the summary.
    pub(super) manifest: String,
    pub(super) items: usize,
}

/// Why an export failed.
#[derive(Clone)]
pub(super) struct Failure {
    /// S3's code with a prefix: `S3NoSuchBucket`.
    pub(super) code: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn internal(error: &impl ToString) -> Self {
        Self { code: "INTERNAL_SERVER_ERROR".to_owned(), message: error.to_string() }
    }
}

impl Export {
    pub(super) fn start(request: ExportRequest, table: Table, time: OffsetDateTime, started: OffsetDateTime) -> Self {
        let id = new_id(started);
        let arn = format!("{}/export/{id}", request.table_arn);
        Self { arn, id, request, table, time, started, ended: None }
    }

    pub(super) fn end(&mut self, outcome: Result<Written, Failure>, at: OffsetDateTime) {
        self.ended = Some((at, outcome));
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// How objects are encrypted, as far as anyone is told.
    pub(super) fn sse_algorithm(&self) -> &str {
        self.request.s3_sse_algorithm.as_deref().unwrap_or(SSE_ALGORITHMS[0])
    }

    /// As the request that started it is answered.
    pub(super) fn in_progress(&self) -> Value {
        let request = &self.request;
        let mut description = json!({
            "ExportArn": self.arn,
            "ExportStatus": "IN_PROGRESS",
            "StartTime": seconds(self.started),
            "TableArn": request.table_arn,
            "TableId": self.table.id,
            "ExportTime": seconds(self.time),
            "ClientToken": request.client_token,
            "S3Bucket": request.s3_bucket,
            "S3BucketOwner": request.s3_bucket_owner,
            "S3Prefix": request.s3_prefix,
            "S3SseAlgorithm": self.sse_algorithm(),
            "S3SseKmsKeyId": request.s3_sse_kms_key_id,
            "ExportFormat": FORMAT,
            "ExportType": TYPE,
        });
        if let Some(members) = description.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        description
    }

    /// As it is now.
    pub(super) fn description(&self) -> Value {
        let mut description = self.in_progress();
        let Some((at, outcome)) = &self.ended else { return description };
        let end = match outcome {
            Ok(written) => json!({
                "ExportStatus": "COMPLETED",
                "EndTime": seconds(*at),
                "ExportManifest": written.manifest,
                "BilledSizeBytes": self.table.size,
                "ItemCount": written.items,
            }),
            Err(failure) => json!({
                "ExportStatus": "FAILED",
                "EndTime": seconds(*at),
                "FailureCode": failure.code,
                "FailureMessage": failure.message,
            }),
        };
        if let (Some(members), Value::Object(end)) = (description.as_object_mut(), end) {
            members.extend(end);
        }
        description
    }

    /// As a list shows it.
    pub(super) fn summary(&self) -> Value {
        let mut description = self.description();
        let members = ["ExportArn", "ExportStatus", "ExportType"];
        let members = members.map(|name| (name.to_owned(), description[name].take()));
        Value::Object(Map::from_iter(members))
    }
}

/// An id of AWS's form: when the export started, in milliseconds with 14 digits, and 8 hexadecimal digits.
fn new_id(started: OffsetDateTime) -> String {
    let drawn = machine::new_id();
    format!("{:014}-{}", started.unix_timestamp_nanos() / 1_000_000, drawn.split('-').next().unwrap_or_default())
}

/// A time as the JSON protocol has it: seconds since the epoch, with milliseconds.
pub(super) fn seconds(time: OffsetDateTime) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an f64 is exact for milliseconds until the year 287396")]
    let milliseconds = (time.unix_timestamp_nanos() / 1_000_000) as f64;
    milliseconds / 1000.0
}
