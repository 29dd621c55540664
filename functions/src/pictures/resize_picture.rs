//! Resizes uploaded pictures.
//!
//! Triggered by S3 through SQS. An upload that is not a valid picture is rejected with a reason for its owner; only internal
//! failures are retried. An older upload never replaces the outcome of a newer one, and is not read once that is known. An upload
//! is read once: if the process ends while reading, the next delivery of the message rejects it.

use std::process::ExitCode;
use std::time::Duration;

use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_lc_rs::digest::{self, SHA256};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use pictures::worker::Refusal;
use pictures::{Rejected, Thumbnails};
use serde::Deserialize;
use shared::domain::event::{Actor, DomainEvent, EventKind, PictureChange, Subject};
use shared::domain::id::{AttemptId, UploadId, UserId};
use shared::domain::picture::{Attempt, Next, Settled, Shown, parse_upload_key};
use shared::error::Causes;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::http::{Trigger, Worker};
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use super::thumbnails;
use crate::erasure::{self, delete_objects};

/// How long to wait before the note of an attempt is taken back once more, when the table could not be written. The SDK's
/// own attempts come on top.
const AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Decoding is computing on one thread, which a whole vCPU serves best; it needs 320 MB for the largest picture. The process that
/// decodes may have what the variable says, and the function needs a hundred MB for itself. Seconds would do; a minute leaves S3
/// its retries. One picture a message, so that none holds up or fails another.
pub const WORKER: Worker = Worker::new(
    module_path!(),
    Trigger::Queue { name: "ImageQueue", batch: 1, concurrency: "!FindInMap [Stages, !Ref Stage, Pictures]" },
    60,
)
.with_memory(1769)
.with_variables(&[("PICTURE_MEMORY_MIB", "512")])
.may(grants![
    Store::USER,
    Store::BEGIN_ATTEMPT,
    Store::FORGET_ATTEMPT,
    Store::SETTLE_PICTURE,
    erasure::DELETE_PICTURES,
    TAKE_UPLOADS,
]);

/// Without `s3:ListBucket` S3 answers 403 for an upload that is gone, which a second delivery would take for a failure.
const TAKE_UPLOADS: Grants = &[
    Grant::on(Resource::UploadsBucket, &["s3:ListBucket"]),
    Grant::on(Resource::UploadedObjects, &["s3:GetObject", "s3:DeleteObject"]),
    Grant::on(Resource::PictureObjects, &["s3:PutObject"]),
];

/// Runs as the Lambda function, or as the process that decodes.
#[must_use]
pub fn run() -> ExitCode {
    pictures::worker::serve().unwrap_or_else(|| shared::lambda::consume(handler))
}

/// Takes each message of a batch; those that failed are delivered again.
///
/// # Errors
/// Never: what fails is reported by message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "resize_picture"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "failed to resize an upload; it will be retried");
            response.add_failure(message.message_id.unwrap_or_default());
        }
    }
    Ok(response)
}

/// What S3 sends to a queue when it is told to notify it, once.
#[derive(Deserialize)]
struct TestEvent {
    #[serde(rename = "Event")]
    event: String,
}

async fn take(app: &App, message: &SqsMessage) -> Result<()> {
    let body = message.body.as_deref().unwrap_or_default();
    if serde_json::from_str::<TestEvent>(body).is_ok_and(|test| test.event == "s3:TestEvent") {
        return Ok(());
    }
    let event: S3Event = serde_json::from_str(body).map_err(Error::internal)?;
    for record in event.records {
        // S3 encodes keys as URLs do; ours have nothing that it would change.
        let key = record.s3.object.key.unwrap_or_default();
        match parse_upload_key(&key) {
            Some((user, upload)) => resize(app, &key, user, upload).await?,
            None => tracing::warn!("the uploads bucket contains an object that is not an upload"),
        }
    }
    Ok(())
}

async fn resize(app: &App, key: &str, user: UserId, upload: UploadId) -> Result<()> {
    let Some(bytes) = download(app, key).await? else {
        // Resized before: S3 notifies twice, SQS delivers twice.
        return Ok(());
    };
    let now = app.clock.now();
    let attempt = Attempt { upload, id: AttemptId::new(now), at: now };
    if let Err(error) = take_on(app, user, &attempt, bytes).await {
        forget(app, user, &attempt).await;
        return Err(error);
    }
    app.s3().delete_object().bucket(&app.config.pictures.uploads_bucket).key(key).send().await?;
    Ok(())
}

async fn take_on(app: &App, user: UserId, attempt: &Attempt, bytes: Result<Vec<u8>, Rejected>) -> Result<()> {
    let upload = attempt.upload;
    match app.store().begin_attempt(user, attempt).await? {
        Some(Next::Read) => settle(app, user, upload, bytes).await,
        Some(Next::Wait) => Err(Error::internal(UnderWay)),
        Some(Next::Reject) => reject(app, user, upload, Rejected::Interrupted.into()).await,
        Some(Next::Skip) => tidy(app, user, upload).await,
        // The account is gone.
        None => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another delivery of the message may still be in progress")]
struct UnderWay;

/// Finds what comes of an upload, and records it.
async fn settle(app: &App, user: UserId, upload: UploadId, bytes: Result<Vec<u8>, Rejected>) -> Result<()> {
    let made = match bytes {
        Ok(bytes) => thumbnails::make(&app.config.pictures, &bytes).await?,
        Err(rejected) => Err(rejected.into()),
    };
    match made {
        Ok(thumbnails) => show(app, user, upload, thumbnails).await,
        Err(refusal) => reject(app, user, upload, refusal).await,
    }
}

/// Takes the note of an attempt back that failed for a reason of ours. Where the table cannot be written for longer than
/// this tries, the next delivery takes the attempt for one that was interrupted.
async fn forget(app: &App, user: UserId, attempt: &Attempt) {
    for pause in AGAIN {
        let Err(error) = app.store().forget_attempt(user, attempt).await else { return };
        tracing::warn!(error.message = %Causes(&error), "failed to undo an attempt to read an upload; retrying");
        tokio::time::sleep(pause).await;
    }
    if let Err(error) = app.store().forget_attempt(user, attempt).await {
        tracing::error!(error.message = %Causes(&error), "failed to undo an attempt to read an upload");
    }
}

/// Goes on where a delivery of an upload that is settled, or older than what is, was cut short: deletes what was made of
/// it, unless that is shown, and what is older than what is shown.
async fn tidy(app: &App, user: UserId, upload: UploadId) -> Result<()> {
    let bucket = &app.config.pictures.pictures_bucket;
    let shown = app.store().user(user).await?.and_then(|user| user.picture.shown);
    if shown.as_ref().is_none_or(|shown| shown.upload != upload) {
        delete_objects(app, bucket, &format!("{user}/{upload}-"), None).await?;
    }
    match shown {
        Some(shown) => delete_objects(app, bucket, &format!("{user}/"), Some(&shown.prefix(user))).await,
        None => Ok(()),
    }
}

/// The upload's bytes; `None` when it is gone. What is too large is not read.
async fn download(app: &App, key: &str) -> Result<Option<Result<Vec<u8>, Rejected>>> {
    let object = match app.s3().get_object().bucket(&app.config.pictures.uploads_bucket).key(key).send().await {
        Ok(object) => object,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let length = usize::try_from(object.content_length().unwrap_or_default()).unwrap_or(usize::MAX);
    if length > pictures::MAX_BYTES {
        return Ok(Some(Err(Rejected::TooLarge { bytes: length })));
    }
    let bytes = object.body.collect().await.map_err(Error::internal)?.to_vec();
    Ok(Some(Ok(bytes)))
}

/// Stores the pictures, then shows them; if a newer upload was faster or the account is gone, takes them back.
async fn show(app: &App, user: UserId, upload: UploadId, thumbnails: Thumbnails) -> Result<()> {
    let shown =
        Shown { upload, content: content_hash(&thumbnails), extension: thumbnails.format.extension().to_owned() };
    let bucket = &app.config.pictures.pictures_bucket;
    try_join_all(thumbnails.pictures.into_iter().map(|thumbnail| {
        app.s3()
            .put_object()
            .bucket(bucket)
            .key(shown.key(user, thumbnail.size))
            .content_type(thumbnails.format.content_type())
            .cache_control("public, max-age=31536000, immutable")
            .body(ByteStream::from(thumbnail.bytes))
            .send()
    }))
    .await?;

    let settled = Settled { upload, rejected: None };
    let event = event(app, user, PictureChange::Ready, None);
    if app.store().settle_picture(user, &settled, Some(&shown), &event).await? {
        Event::PictureReady { user }.record();
    } else if app.store().user(user).await?.and_then(|user| user.picture.shown).as_ref() != Some(&shown) {
        return delete_objects(app, bucket, &shown.prefix(user), None).await;
    }
    // Pictures of older uploads are never shown again. Where a delivery is cut short here, the next goes on in `tidy`.
    delete_objects(app, bucket, &format!("{user}/"), Some(&shown.prefix(user))).await
}

async fn reject(app: &App, user: UserId, upload: UploadId, refusal: Refusal) -> Result<()> {
    let event = event(app, user, PictureChange::Rejected, Some(refusal.reason.clone()));
    let settled = Settled { upload, rejected: Some(refusal.reason) };
    if app.store().settle_picture(user, &settled, None, &event).await? {
        Event::PictureRejected { user, reason: &refusal.code }.record();
    }
    Ok(())
}

fn event(app: &App, user: UserId, status: PictureChange, reason: Option<String>) -> DomainEvent {
    let kind = EventKind::PictureChanged { status, reason };
    DomainEvent::new(Subject::User(user), &Actor::SYSTEM, kind, app.clock.now())
}

/// The start of a SHA-256 over all sizes.
fn content_hash(thumbnails: &Thumbnails) -> String {
    let mut context = digest::Context::new(&SHA256);
    for thumbnail in &thumbnails.pictures {
        context.update(&thumbnail.bytes);
    }
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..12])
}
