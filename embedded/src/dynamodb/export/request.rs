//! What the operations of exports are asked, and which of it is served.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html>

use serde::Deserialize;
use serde::de::IgnoredAny;
use time::OffsetDateTime;

use super::refusal::Refusal;

/// The only format and type that are served; both are AWS's defaults.
pub(super) const FORMAT: &str = "DYNAMODB_JSON";
pub(super) const TYPE: &str = "FULL_EXPORT";
/// AWS's default, then the other one.
pub(super) const SSE_ALGORITHMS: [&str; 2] = ["AES256", "KMS"];

/// What a page of `ListExports` holds at most, and if nothing is said.
const MAX_PAGE: usize = 25;

/// `ExportTableToPointInTime`. Two requests with one client token are the same if all of this is equal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExportRequest {
    #[serde(default)]
    pub(super) table_arn: String,
    #[serde(default)]
    pub(super) s3_bucket: String,
    pub(super) client_token: Option<String>,
    /// Seconds since the epoch.
    export_time: Option<f64>,
    export_format: Option<String>,
    export_type: Option<String>,
    pub(super) s3_bucket_owner: Option<String>,
    pub(super) s3_prefix: Option<String>,
    pub(super) s3_sse_algorithm: Option<String>,
    pub(super) s3_sse_kms_key_id: Option<String>,
    incremental_export_specification: Option<IgnoredAny>,
    filter_specification: Option<IgnoredAny>,
}

impl ExportRequest {
    /// All that can be said about it without a look at the tables and the clock.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        required("tableArn", &self.table_arn)?;
        if !is_bucket(&self.s3_bucket) {
            let constraint = "Member must satisfy regular expression pattern: [a-z0-9A-Z]+[\\.\\-\\w]*[a-z0-9A-Z]+";
            return Err(invalid("s3Bucket", &self.s3_bucket, constraint));
        }
        one_of("exportFormat", self.export_format.as_deref(), &[FORMAT])?;
        one_of("exportType", self.export_type.as_deref(), &[TYPE])?;
        one_of("s3SseAlgorithm", self.s3_sse_algorithm.as_deref(), &SSE_ALGORITHMS)?;
        if let Some(prefix) = self.s3_prefix.as_deref().filter(|prefix| !is_prefix(prefix)) {
            let constraint = "Member must have no empty, '.' or '..' segment, as a key is a path in the embedded S3";
            return Err(invalid("s3Prefix", prefix, constraint));
        }
        if self.incremental_export_specification.is_some() || self.filter_specification.is_some() {
            return Err(Refusal::Validation("The embedded DynamoDB exports whole tables only".to_owned()));
        }
        Ok(())
    }

    /// The time asked for, to the millisecond.
    pub(super) fn time(&self) -> Option<Result<OffsetDateTime, Refusal>> {
        #[expect(clippy::cast_possible_truncation, reason = "a time out of range is refused below")]
        let milliseconds = (self.export_time? * 1000.0).round() as i64;
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
        Some(time.map_err(|_| Refusal::InvalidExportTime("Export Time is invalid".to_owned())))
    }
}

/// `DescribeExport`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeExport {
    #[serde(default)]
    pub(super) export_arn: String,
}

/// `ListExports`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListExports {
    pub(super) table_arn: Option<String>,
    max_results: Option<usize>,
    pub(super) next_token: Option<String>,
}

impl ListExports {
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        match self.max_results {
            None => Ok(MAX_PAGE),
            Some(limit @ 1..=MAX_PAGE) => Ok(limit),
            Some(limit) => Err(invalid("maxResults", &limit.to_string(), "Member must be between 1 and 25")),
        }
    }
}

/// `DescribeContinuousBackups`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeContinuousBackups {
    /// Or its ARN.
    #[serde(default)]
    pub(super) table_name: String,
}

/// A member that was left out reads as an empty one.
pub(super) fn required(name: &str, value: &str) -> Result<(), Refusal> {
    let constraint = "Member must have length greater than or equal to 1";
    if value.is_empty() { Err(invalid(name, value, constraint)) } else { Ok(()) }
}

fn one_of(name: &str, value: Option<&str>, served: &[&str]) -> Result<(), Refusal> {
    match value {
        Some(value) if !served.contains(&value) => {
            let constraint = format!("Member must satisfy enum value set: [{}]", served.join(", "));
            Err(invalid(name, value, &constraint))
        }
        _ => Ok(()),
    }
}

fn invalid(name: &str, value: &str, constraint: &str) -> Refusal {
    Refusal::Validation(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    ))
}

fn is_bucket(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let ends = [name.bytes().next(), name.bytes().next_back()];
    (2..=255).contains(&name.len())
        && name.bytes().all(inside)
        && ends.into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether objects below it are in folders of the bucket. One slash at the end is as good as none.
fn is_prefix(prefix: &str) -> bool {
    let mut segments = prefix.strip_suffix('/').unwrap_or(prefix).split('/');
    prefix.is_empty() || segments.all(|segment| !["", ".", ".."].contains(&segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A valid request with one member replaced.
    fn request(name: &str, value: Value) -> Result<(), Refusal> {
        let mut request = json!({ "TableArn": "arn", "S3Bucket": "bucket" });
        request[name] = value;
        serde_json::from_value::<ExportRequest>(request).unwrap().check()
    }

    #[test]
    fn what_is_not_served_is_refused_by_its_name() {
        for (name, value, said) in [
            ("TableArn", json!(""), "'tableArn'"),
            ("S3Bucket", json!(""), "'s3Bucket'"),
            ("S3Bucket", json!("a"), "'s3Bucket'"),
            ("S3Bucket", json!("../other"), "'s3Bucket'"),
            ("S3Bucket", json!("-bucket"), "'s3Bucket'"),
            ("ExportFormat", json!("ION"), "'exportFormat'"),
            ("ExportFormat", json!(""), "'exportFormat'"),
            ("ExportType", json!("INCREMENTAL_EXPORT"), "'exportType'"),
            ("S3SseAlgorithm", json!("none"), "'s3SseAlgorithm'"),
            ("S3Prefix", json!("../other"), "'s3Prefix'"),
            ("S3Prefix", json!("/a"), "'s3Prefix'"),
            ("S3Prefix", json!("a//b"), "'s3Prefix'"),
            ("IncrementalExportSpecification", json!({}), "whole tables"),
            ("FilterSpecification", json!({}), "whole tables"),
        ] {
            let refusal = request(name, value.clone()).unwrap_err();
            assert!(matches!(refusal, Refusal::Validation(_)), "{name} {value}");
            assert!(refusal.to_string().contains(said), "{name} {value}: {refusal}");
        }
        for (name, value) in [
            ("ExportFormat", json!(null)),
            ("ExportFormat", json!("DYNAMODB_JSON")),
            ("ExportType", json!("FULL_EXPORT")),
            ("S3SseAlgorithm", json!("KMS")),
            ("S3Prefix", json!("")),
            ("S3Prefix", json!("a/b/")),
        ] {
            assert!(request(name, value.clone()).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn a_time_out_of_range_is_refused() {
        for (seconds, milliseconds) in [(1_700_000_000.25, Some(1_700_000_000_250)), (1e300, None), (-1e300, None)] {
            let request = json!({ "TableArn": "arn", "S3Bucket": "bucket", "ExportTime": seconds });
            let time = serde_json::from_value::<ExportRequest>(request).unwrap().time().unwrap();
            assert_eq!(time.ok().map(|time| time.unix_timestamp_nanos() / 1_000_000), milliseconds, "{seconds}");
        }
    }
}
