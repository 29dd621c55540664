//! Emailed links, in their user's partition, under the hash of their secret.

use std::time::Duration;

use super::schema::{PROFILE, link_key, user_key};
use super::{Store, from_item, n, to_item};
use crate::domain::id::UserId;
use crate::domain::link::{Link, LinkHash};
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{GET_EACH, Grant, Grants, PUT, USERS};

/// An expired link is still told apart from one that is not ours for this long.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

impl Store {
    pub const PUT_LINK: Grants = &[Grant::table(&[PUT], &[USERS])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn put_link(&self, user: UserId, hash: &LinkHash, link: &Link) -> Result<()> {
        let mut item = to_item(user_key(user), link_key(hash), link)?;
        item.insert("ttl".into(), n(link.expires_at.plus(REMEMBERED).seconds()));
        self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    pub const USER_AND_LINK: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// An account and one of its links in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn user_and_link(&self, user: UserId, hash: &LinkHash) -> Result<(Option<User>, Option<Link>)> {
        let pk = user_key(user);
        let (user, link) = self.get_two((pk.clone(), PROFILE.into()), (pk, link_key(hash))).await?;
        Ok((user.map(from_item).transpose()?, link.map(from_item).transpose()?))
    }
}
