//! Attempts to prove a password, counted before their result is revealed or acted on.

use shared::domain::id::UserId;
use shared::domain::lockout::{self, Attempts, Bucket, Counted};
use shared::grant::Grants;
use shared::grants;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};

/// [`count`].
pub const COUNT: Grants = grants![Store::COUNT_ATTEMPT, Store::ATTEMPTS];

/// Counts the attempt, unless the bucket is locked. `None` where nothing is counted.
pub async fn count(
    app: &App,
    owner: Option<UserId>,
    bucket: Bucket<'_>,
    mut earlier: Option<Attempts>,
) -> Result<Option<Counted>> {
    if !app.config.limits.on {
        return Ok(None);
    }
    loop {
        unless_locked(app, owner, bucket, earlier)?;
        let after = lockout::count_with_decay(earlier, app.clock.now());
        // Each failed condition means that another attempt was counted, so this ends: at the latest when the lock does.
        if app.store().count_attempt(bucket, earlier, after).await? {
            return Ok(Some(Counted { before: earlier, after }));
        }
        earlier = app.store().attempts(bucket).await?;
    }
}

/// Refuses the attempt if the bucket is locked.
pub fn unless_locked(app: &App, owner: Option<UserId>, bucket: Bucket<'_>, earlier: Option<Attempts>) -> Result<()> {
    if !app.config.limits.on {
        return Ok(());
    }
    let Some(retry_after) = lockout::wait(earlier, app.clock.now()) else {
        return Ok(());
    };
    Event::LoginLocked { user: owner, device: bucket.device.is_some() }.record();
    Err(Error::TooManyAttempts { retry_after })
}
