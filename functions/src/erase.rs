//! Erases what is left of a deleted account: in the table, and in both buckets. Used by `delete_user` and the sweeper.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use shared::error::Causes;
use shared::store::Erasure;
use shared::{App, Error, Result};

/// Tries; what fails stays noted and is tried again by the sweeper.
pub async fn erase(app: &App, erasure: &Erasure) {
    if let Err(error) = try_erase(app, erasure).await {
        tracing::warn!(error.message = %Causes(&error), user.id = %erasure.user, "an erasure is not finished; the sweeper will try again");
    }
}

async fn try_erase(app: &App, erasure: &Erasure) -> Result<()> {
    app.store.erase(erasure).await?;
    let prefix = format!("{}/", erasure.user);
    delete_objects(app, &app.config.pictures.uploads_bucket, &prefix).await?;
    delete_objects(app, &app.config.pictures.pictures_bucket, &prefix).await?;
    app.store.finish_erasure(erasure.user).await
}

/// Deletes every object under a prefix, a thousand at a time, as S3 lists and deletes them.
///
/// # Errors
/// When S3 cannot be reached or refuses one of them.
pub async fn delete_objects(app: &App, bucket: &str, prefix: &str) -> Result<()> {
    loop {
        let page = app.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await?;
        let keys: Vec<ObjectIdentifier> = page
            .contents()
            .iter()
            .filter_map(|object| ObjectIdentifier::builder().key(object.key()?).build().ok())
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
