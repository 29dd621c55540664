//! Resizes uploaded pictures.
//!
//! Triggered by S3 through SQS. An upload that cannot be a picture is rejected with a reason for its owner; only a
//! failure of ours is tried again. An older upload never replaces the outcome of a newer one.

use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_lc_rs::digest::{self, SHA256};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use pictures::{Rejected, Thumbnails};
use serde::Deserialize;
use shared::domain::id::{UploadId, UserId};
use shared::domain::picture::{Settled, Shown, parse_upload_key};
use shared::error::Causes;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

use crate::erase::delete_objects;

/// Takes each message of a batch; those that failed are delivered again.
///
/// # Errors
/// Never: what fails is reported by message.
#[tracing::instrument(name = "invocation", skip_all, fields(faas.name = "image"))]
pub async fn handler(app: App, event: SqsEvent) -> Result<SqsBatchResponse> {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Err(error) = take(&app, &message).await {
            tracing::warn!(error.message = %Causes(&error), "an upload was not resized; it will be tried again");
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
            None => tracing::warn!("an object that is no upload lies in the uploads bucket"),
        }
    }
    Ok(())
}

async fn resize(app: &App, key: &str, user: UserId, upload: UploadId) -> Result<()> {
    let Some(bytes) = download(app, key).await? else {
        // Resized before: S3 notifies twice, SQS delivers twice.
        return Ok(());
    };
    let made = match bytes {
        Ok(bytes) => {
            tokio::task::spawn_blocking(move || pictures::thumbnails(&bytes)).await.map_err(Error::internal)?
        }
        Err(rejected) => Err(rejected),
    };
    match made {
        Ok(thumbnails) => show(app, user, upload, thumbnails).await?,
        Err(rejected) => reject(app, user, upload, &rejected).await?,
    }
    app.s3().delete_object().bucket(&app.config.pictures.uploads_bucket).key(key).send().await?;
    Ok(())
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
    if app.store().settle_picture(user, &settled, Some(&shown), app.clock.now()).await?.is_some() {
        Event::PictureReady { user }.record();
    } else if app.store().user(user).await?.and_then(|user| user.picture.shown).as_ref() != Some(&shown) {
        return delete_objects(app, bucket, &shown.prefix(user), None).await;
    }
    // Pictures of older uploads are never shown again. A delivery that was cut short here finds its own shown above, and
    // goes on here.
    delete_objects(app, bucket, &format!("{user}/"), Some(&shown.prefix(user))).await
}

async fn reject(app: &App, user: UserId, upload: UploadId, rejected: &Rejected) -> Result<()> {
    let settled = Settled { upload, rejected: Some(rejected.to_string()) };
    if app.store().settle_picture(user, &settled, None, app.clock.now()).await?.is_some() {
        Event::PictureRejected { user, reason: rejected.code() }.record();
    }
    Ok(())
}

/// The start of a SHA-256 over all sizes.
fn content_hash(thumbnails: &Thumbnails) -> String {
    let mut context = digest::Context::new(&SHA256);
    for thumbnail in &thumbnails.pictures {
        context.update(&thumbnail.bytes);
    }
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..12])
}
