//! Erases what is left of a deleted account: in the table, and in both buckets. Used by `delete_user` and the sweeper.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use shared::error::Causes;
use shared::grant::{Grant, Grants, Resource};
use shared::grants;
use shared::store::{Erasure, Store};
use shared::{App, Result};
use tokio::time::timeout;

/// Deletes under way at the same time. Each beyond the first costs a connection; a picture is of three objects.
const DELETES: usize = 8;
/// How long the request that deletes an account erases.
const AT_ONCE: Duration = Duration::from_secs(5);

/// [`erase_now`].
pub const ERASE: Grants = grants![Store::ERASE, FIND_AND_DELETE];
/// [`finish`].
pub const FINISH: Grants = grants![ERASE, Store::FINISH_ERASURE];
/// [`delete_objects`] in the pictures bucket.
pub const DELETE_PICTURES: Grants = &[
    Grant::on(Resource::PicturesBucket, &["s3:ListBucket"]),
    Grant::on(Resource::PictureObjects, &["s3:DeleteObject"]),
];
const FIND_AND_DELETE: Grants = grants![
    DELETE_PICTURES,
    &[
        Grant::on(Resource::UploadsBucket, &["s3:ListBucket"]),
        Grant::on(Resource::UploadedObjects, &["s3:DeleteObject"])
    ]
];

/// Erases immediately, when the account is deleted. Its record stays, so that the sweeper also erases what concurrent requests
/// wrote, such as a session, a minute later. Failures, and work that takes too long for the request, are left to the sweeper, too.
pub async fn erase_now(app: &App, erasure: &Erasure) {
    let reason = match timeout(AT_ONCE, erase(app, erasure)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => Causes(&error).to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(error.message = %reason, user.id = %erasure.user, "failed to finish an erasure; the sweeper will retry");
}

/// Erases again and deletes the note.
pub async fn finish(app: &App, erasure: &Erasure) -> Result<()> {
    erase(app, erasure).await?;
    app.store().finish_erasure(erasure, app.clock.now()).await
}

async fn erase(app: &App, erasure: &Erasure) -> Result<()> {
    app.store().erase(erasure).await?;
    let prefix = format!("{}/", erasure.user);
    delete_objects(app, &app.config.pictures.uploads_bucket, &prefix, None).await?;
    delete_objects(app, &app.config.pictures.pictures_bucket, &prefix, None).await
}

/// Deletes every object under a prefix, or those whose key sorts before `before`, as S3 lists them: a thousand at a time, in
/// the order of their keys.
///
/// Each in a request of its own, as there are few: S3's request for many at once wants a checksum, and the SDK's checksums
/// would be a tenth of the function.
///
/// # Errors
/// When S3 cannot be reached or refuses one of them; the others of its page are deleted nevertheless.
pub async fn delete_objects(app: &App, bucket: &str, prefix: &str, before: Option<&str>) -> Result<()> {
    loop {
        let page = app.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await?;
        let listed = page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let keys: Vec<String> = listed.filter(|key| before.is_none_or(|before| key.as_str() < before)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let deletes = keys.into_iter().map(|key| app.s3().delete_object().bucket(bucket).key(key).send());
        let outcomes: Vec<_> = stream::iter(deletes).buffer_unordered(DELETES).collect().await;
        for outcome in outcomes {
            outcome?;
        }
    }
}
