//! Failed sign-ins with an address, counted whether or not an account has it.

use std::time::Duration;

use super::addresses::{OWNER, Owner};
use super::users::address_key;
use super::{Item, Store, from_item, if_condition_held, n, s, to_item};
use crate::domain::email::FoldedAddress;
use crate::domain::id::UserId;
use crate::domain::lockout::Attempts;
use crate::error::Result;

const ATTEMPTS: &str = "ATTEMPTS";
/// Longer than the longest lock and the quiet that forgives.
const KEPT: Duration = Duration::from_hours(1);

impl Store {
    /// Who has an address, and the attempts with it, in one round trip.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn owner_and_attempts(&self, address: &FoldedAddress) -> Result<(Option<UserId>, Option<Attempts>)> {
        let pk = address_key(address);
        let (owner, attempts) = self.get_two((pk.clone(), OWNER.into()), (pk, ATTEMPTS.into())).await?;
        let owner: Option<Owner> = owner.map(from_item).transpose()?;
        Ok((owner.and_then(Owner::account), attempts.map(from_item).transpose()?))
    }

    /// Counts an attempt before its password is looked at, if nobody else counted one since `earlier` was read: so
    /// many guesses at once cannot slip past the lock together. `false` when somebody did.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn count_attempt(
        &self,
        address: &FoldedAddress,
        earlier: Option<Attempts>,
        now: Attempts,
    ) -> Result<bool> {
        let mut item = to_item(address_key(address), ATTEMPTS, &now)?;
        item.insert("ttl".into(), n(now.last_at.plus(KEPT).seconds()));
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        let put = match earlier {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(earlier) => put
                .condition_expression("#count = :count AND last_at = :last_at")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":count", n(earlier.count))
                .expression_attribute_values(":last_at", n(earlier.last_at.millis())),
        };
        Ok(if_condition_held(put.send().await)?.is_some())
    }

    /// Forgets the attempts, after a right password.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn forget_attempts(&self, address: &FoldedAddress) -> Result<()> {
        self.db.delete_item().table_name(&self.table).set_key(Some(attempts_key(address))).send().await?;
        Ok(())
    }
}

pub(super) fn attempts_key(address: &FoldedAddress) -> Item {
    Item::from([("pk".into(), s(address_key(address))), ("sk".into(), s(ATTEMPTS))])
}
