//! Imports accounts that an operator uploaded to the bucket.
//!
//! Triggered by SQS; a message names a part of a file, which is JSON Lines of at most [`PART`] accounts. The result of each account
//! is written to a report next to the part, which is then deleted, because it contains hashes and secrets. A failed part is retried
//! from its beginning, and existing accounts do not change.

use std::process::ExitCode;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_s3::operation::get_object::GetObjectError;
use formats::{Options, Source, StaffRoles};
use shared::error::Causes;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::{App, Error, Result};
use transfer::import::{IMPORT, Line, import_all};
use transfer::parts::Part;

pub use transfer::parts::PART;

/// Of a part whose hashes are all weak each is hashed once more: that many take a few seconds.
pub const WORKER: Worker =
    Worker::new(module_path!(), Trigger::Queue { name: "ImportQueue", batch: 1, concurrency: "4" }, 120)
        .with_memory(1769)
        .may(grants![IMPORT, PARTS]);

const PARTS: Grants = &[
    Grant::on(Resource::ImportedParts, &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
    // Without it S3 says of a part that is gone that it is forbidden.
    Grant::on(Resource::TransferBucket, &["s3:ListBucket"]),
];

/// Runs as the Lambda function.
#[must_use]
pub fn run() -> ExitCode {
    shared::lambda::consume(handler)
}

/// Imports each part of a batch; those that failed are delivered again.
///
/// # Errors
/// Never: what fails is reported by message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "import_users"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "a part of an import failed; it will be retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let body = message.body.as_deref().unwrap_or_default();
    let part: Part = serde_json::from_str(body).map_err(Error::internal)?;
    let bucket = app.config.transfer.bucket()?;
    let found = app.s3().get_object().bucket(bucket).key(part.key()).send().await;
    let object = match found {
        Ok(object) => object,
        // Imported already, if its report is there: the message came twice. Otherwise it went before it was imported.
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
            return app
                .s3()
                .head_object()
                .bucket(bucket)
                .key(part.report_key())
                .send()
                .await
                .map(drop)
                .map_err(Error::from);
        }
        Err(error) => return Err(error.into()),
    };
    let text = object.body.collect().await.map_err(Error::internal)?.to_vec();
    // Which roles come along was decided where the file was read.
    let options = Options { staff_roles: StaffRoles::Keep, ..Options::default() };
    let rows = formats::rows(Source::JsonLines, text.as_slice(), &options).collect();
    let report = report(&part, import_all(app, rows).await?)?;
    app.s3().put_object().bucket(bucket).key(part.report_key()).body(report.into()).send().await?;
    app.s3().delete_object().bucket(bucket).key(part.key()).send().await?;
    Ok(())
}

/// JSON Lines, with the rows of the whole file.
fn report(part: &Part, lines: Vec<Line>) -> Result<Vec<u8>> {
    let mut report = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut report, &part.of_whole_file(line)).map_err(Error::internal)?;
        report.push(b'\n');
    }
    Ok(report)
}
