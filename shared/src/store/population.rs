//! How many accounts have a password of which kind: one item with a number for each.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::Select;

use super::schema::{PASSWORDS, POPULATION, USERS as LISTED, shards};
use super::{Item, Store, n, s};
use crate::clock::Timestamp;
use crate::domain::imported::PasswordKind;
use crate::domain::population::{KINDS, Population};
use crate::domain::password::PasswordHash;
use crate::error::{Causes, Error, Result};
use crate::grant::{GET, Grant, Grants, POPULATION as PARTITION, Resource, UPDATE};

/// When the accounts were last counted that have a hash of this service.
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

    /// An account whose imported password is another's or gone counts no more as one of its kind. Where that fails, unknown addresses pass
    /// for the kind slightly too often: nobody is kept waiting for it, and nothing else depends on it.
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
            .expression_attribute_names("#own", PasswordKind::Own.to_string())
            .expression_attribute_values(":less", n(-1))
            .expression_attribute_values(":more", n(i64::from(replaced)));
        if let Err(error) = update.send().await {
            let error = Error::from(error);
            tracing::warn!(error.message = %Causes(&error), "a password could not be counted out");
        }
    }

    pub const COUNT_OWN_PASSWORDS: Grants =
        &[Grant::table(&[GET, UPDATE], &[PARTITION]), Grant::index(Resource::ListIndex, &["USERS#*"])];

    /// Counts the accounts, where some have an imported password, and notes how many have none. Not more often than once since
    /// `before`. Reads the whole list, a page for every thousand accounts or so.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn count_own_passwords(&self, before: Timestamp, now: Timestamp) -> Result<bool> {
        let item = self.population_item().await?;
        let counted_at = item.get(COUNTED_AT).and_then(number).map(Timestamp::from_millis);
        let population = Population::new(counts(&item));
        if !population.has_imported() || counted_at.is_some_and(|at| at > before) {
            return Ok(false);
        }
        let imported: u64 =
            population.counts().iter().filter(|(kind, _)| **kind != PasswordKind::Own).map(|(_, count)| count).sum();
        let mut all = 0_u64;
        for shard in shards(LISTED) {
            all += self.count_shard(&shard).await?;
        }
        let own = i64::try_from(all.saturating_sub(imported)).map_err(Error::internal)?;
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(POPULATION))
            .key("sk", s(PASSWORDS))
            .update_expression("SET #own = :own, #at = :now")
            .expression_attribute_names("#own", PasswordKind::Own.to_string())
            .expression_attribute_names("#at", COUNTED_AT)
            .expression_attribute_values(":own", n(own))
            .expression_attribute_values(":now", n(now.millis()));
        update.send().await?;
        Ok(true)
    }

    async fn count_shard(&self, shard: &str) -> Result<u64> {
        let (mut count, mut from) = (0, None);
        loop {
            let query = self
                .db
                .query()
                .table_name(&self.table)
                .index_name("list")
                .key_condition_expression("list_shard = :shard")
                .expression_attribute_values(":shard", s(shard))
                .select(Select::Count)
                .set_exclusive_start_key(from);
            let page = query.send().await?;
            count += u64::try_from(page.count).unwrap_or_default();
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(count);
            }
        }
    }
}

fn counts(item: &Item) -> impl Iterator<Item = (PasswordKind, i64)> {
    item.iter().filter_map(|(name, count)| Some((name.parse().ok()?, number(count)?)))
}

fn number(value: &aws_sdk_dynamodb::types::AttributeValue) -> Option<i64> {
    value.as_n().ok()?.parse().ok()
}
