//! How many accounts have a password of which kind: one item with a number for each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::schema::{COUNTING, PASSWORD_KIND, PASSWORDS, POPULATION, USERS as LISTED};
use super::{Item, Store, n, s};
use crate::clock::Timestamp;
use crate::domain::imported::{OWN, PasswordKind};
use crate::domain::password::PasswordHash;
use crate::domain::population::{KINDS, Population};
use crate::error::{Causes, Error, Result};
use crate::grant::{GET, Grant, Grants, POPULATION as PARTITION, PUT, Resource, UPDATE};

/// When the passwords of all accounts were last counted.
const COUNTED_AT: &str = "counted_at";

impl Store {
    pub const POPULATION: Grants = &[Grant::table(&[GET], &[PARTITION])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn population(&self) -> Result<Population> {
        let item = self.population_item().await?;
        Ok(Population::new(counts(&item)))
    }

    async fn population_item(&self) -> Result<Item> {
        let get = self.db.get_item().table_name(&self.table).key("pk", s(POPULATION)).key("sk", s(PASSWORDS));
        Ok(get.send().await?.item.unwrap_or_default())
    }

    pub const ADD_TO_POPULATION: Grants = &[Grant::table(&[GET, UPDATE], &[PARTITION])];

    /// Adds to the counts. Of more kinds than are counted the rest is left out.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn add_to_population(&self, more: &BTreeMap<String, i64>) -> Result<()> {
        let known: Vec<String> = self.population_item().await?.into_keys().collect();
        let mut room = KINDS.saturating_sub(known.len());
        let mut update = self.db.update_item().table_name(&self.table).key("pk", s(POPULATION)).key("sk", s(PASSWORDS));
        let mut terms = Vec::new();
        for (kind, count) in more {
            if !known.contains(kind) {
                let Some(left) = room.checked_sub(1) else { continue };
                room = left;
            }
            let at = terms.len();
            terms.push(format!("#kind{at} :count{at}"));
            update = update
                .expression_attribute_names(format!("#kind{at}"), kind)
                .expression_attribute_values(format!(":count{at}"), n(*count));
        }
        if !terms.is_empty() {
            update.update_expression(format!("ADD {}", terms.join(", "))).send().await?;
        }
        Ok(())
    }

    /// A transaction that puts another password in the place of `before`, which counts no more once it is done.
    pub(super) async fn transact_replacing(
        &self,
        before: &PasswordHash,
        items: Vec<TransactWriteItem>,
    ) -> Result<bool> {
        let done = self.transact(items).await?;
        if done {
            self.count_out(before, true).await;
        }
        Ok(done)
    }

    /// Decrements the count of a kind when an imported password was replaced or deleted. If that fails, unknown addresses imitate
    /// the kind slightly too often: it is not retried, and nothing else depends on it.
    pub(super) async fn count_out(&self, before: &PasswordHash, replaced: bool) {
        let Some(kind) = before.imported_kind() else { return };
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(POPULATION))
            .key("sk", s(PASSWORDS))
            .update_expression("ADD #kind :less, #own :more")
            .expression_attribute_names("#kind", kind)
            .expression_attribute_names("#own", OWN)
            .expression_attribute_values(":less", n(-1))
            .expression_attribute_values(":more", n(i64::from(replaced)));
        if let Err(error) = update.send().await {
            let error = Error::from(error);
            tracing::warn!(error.message = %Causes(&error), "failed to decrement a count of password kinds");
        }
    }

    pub const COUNT_PASSWORDS: Grants =
        &[Grant::table(&[GET, PUT], &[PARTITION]), Grant::index(Resource::ListIndex, &[LISTED])];

    /// Counts the passwords of all accounts anew, where some are imported, unless that was done since `before`: `true` once they are
    /// counted. At most `reads` pages of the list are read, of 1 MB each; the next call continues. What is counted in or out between
    /// the first read and the last is off by as much, until the next time.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn count_passwords(&self, before: Timestamp, now: Timestamp, reads: usize) -> Result<bool> {
        let item = self.population_item().await?;
        let counted_at = item.get(COUNTED_AT).and_then(number).map(Timestamp::from_millis);
        if !Population::new(counts(&item)).has_imported() || counted_at.is_some_and(|at| at > before) {
            return Ok(false);
        }
        let key = |sk: &str| Item::from([("pk".into(), s(POPULATION)), ("sk".into(), s(sk))]);
        let begun = self.db.get_item().table_name(&self.table).set_key(Some(key(COUNTING))).send().await?.item;
        let mut counting = Counting::of(begun.as_ref().unwrap_or(&Item::new()));
        for _ in 0..reads {
            if self.count_page(&mut counting).await? {
                continue;
            }
            let mut kinds: Vec<_> = counting.kinds.into_iter().collect();
            // Of more kinds than are kept the rarest are left out.
            kinds.sort_by_key(|(_, count)| Reverse(*count));
            kinds.truncate(KINDS);
            let mut item = key(PASSWORDS);
            item.extend(kinds.into_iter().map(|(kind, count)| (kind, n(count))));
            item.insert(COUNTED_AT.into(), n(now.millis()));
            self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
            if begun.is_some() {
                // The next count begins with the first page.
                self.db.put_item().table_name(&self.table).set_item(Some(key(COUNTING))).send().await?;
            }
            return Ok(true);
        }
        let mut item = key(COUNTING);
        item.extend(counting.into_attributes());
        self.db.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(false)
    }

    /// Counts one page of the list; whether there are more.
    async fn count_page(&self, counting: &mut Counting) -> Result<bool> {
        let query = self.list().projection_expression(PASSWORD_KIND).set_exclusive_start_key(counting.from.take());
        let page = query.send().await?;
        for item in page.items.unwrap_or_default() {
            let kind = super::text(&item, PASSWORD_KIND).map_or(OWN, String::as_str).to_owned();
            *counting.kinds.entry(kind).or_default() += 1;
        }
        counting.from = page.last_evaluated_key;
        Ok(counting.from.is_some())
    }
}

/// How far a count of all accounts has come.
#[derive(Default)]
struct Counting {
    kinds: BTreeMap<String, i64>,
    /// The last key that was read; `None` before the first page.
    from: Option<Item>,
}

impl Counting {
    fn of(item: &Item) -> Self {
        let map = |name: &str| item.get(name).and_then(|value| value.as_m().ok());
        let kinds = map("kinds").into_iter().flatten();
        let kinds = kinds.filter_map(|(kind, count)| Some((kind.clone(), number(count)?))).collect();
        Self { kinds, from: map("from").cloned() }
    }

    fn into_attributes(self) -> Item {
        let kinds = self.kinds.into_iter().map(|(kind, count)| (kind, n(count))).collect();
        let from = self.from.map(|from| ("from".into(), AttributeValue::M(from)));
        [("kinds".into(), AttributeValue::M(kinds))].into_iter().chain(from).collect()
    }
}

fn counts(item: &Item) -> impl Iterator<Item = (PasswordKind, i64)> {
    item.iter().filter_map(|(name, count)| Some((name.parse().ok()?, number(count)?)))
}

fn number(value: &AttributeValue) -> Option<i64> {
    value.as_n().ok()?.parse().ok()
}
