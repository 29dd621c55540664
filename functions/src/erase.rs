//! Erases what is left of a deleted account: in the table, and in both buckets. Used by `delete_user` and the sweeper.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use shared::error::Causes;
use shared::store::Erasure;
use shared::{App, Error, Result};

/// Erases at once, when the account is deleted. The note of it stays: what a request under way wrote meanwhile, a session
/// for one, the sweeper finds a minute later. A failure is left to it too.
pub async fn erase_now(app: &App, erasure: &Erasure) {
    if let Err(error) = erase(app, erasure).await {
        tracing::warn!(error.message = %Causes(&error), user.id = %erasure.user, "an erasure is not finished; the sweeper will go on");
    }
}

/// Erases again and strikes the note off.
pub async fn finish(app: &App, erasure: &Erasure) -> Result<()> {
    erase(app, erasure).await?;
    app.store.finish_erasure(erasure.user).await
}

async fn erase(app: &App, erasure: &Erasure) -> Result<()> {
    app.store.erase(erasure).await?;
    let prefix = format!("{}/", erasure.user);
    delete_objects(app, &app.config.pictures.uploads_bucket, &prefix, None).await?;
    delete_objects(app, &app.config.pictures.pictures_bucket, &prefix, None).await
}

/// Deletes every object under a prefix, or those whose key sorts before `before`: a thousand at a time, as S3 lists
/// (in the order of their keys) and deletes them.
///
/// # Errors
/// When S3 cannot be reached or refuses one of them.
pub async fn delete_objects(app: &App, bucket: &str, prefix: &str, before: Option<&str>) -> Result<()> {
    loop {
        let page = app.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await?;
        let keys: Vec<ObjectIdentifier> = page
            .contents()
            .iter()
            .filter_map(|object| object.key())
            .filter(|key| before.is_none_or(|before| *key < before))
            .filter_map(|key| ObjectIdentifier::builder().key(key).build().ok())
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(keys)).quiet(true).build().map_err(Error::internal)?;
        let answer = app.s3().delete_objects().bucket(bucket).delete(delete).send().await?;
        if let Some(refused) = answer.errors().first() {
            return Err(Error::internal(format!("S3 did not delete {}", refused.code().unwrap_or("an object"))));
        }
    }
}
