//! Finding accounts. Every page is read from entries that sort as it does and is filled until it is full, so a filter costs what it
//! finds and what it passes over, however many accounts there are.

use std::cmp::Reverse;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::index::Entry;
use super::schema::{PROFILE, addresses_with, having_role, having_status, names_with, user_key};
use super::{Item, Store, from_item, s};
use crate::clock::Timestamp;
use crate::domain::id::{ListKey, UserId};
use crate::domain::role::Role;
use crate::domain::search::Query;
use crate::domain::status::Status;
use crate::domain::user::{ListedUser, User};
use crate::error::Result;
use crate::grant::{FOUND_BY, GET, GET_EACH, Grant, Grants, QUERY, USERS};

/// Keys that `DynamoDB` takes in one batch of reads.
const READS: usize = 100;
/// Accounts that are read at once, at most, of those that a filter may pass over.
const MOST_AT_ONCE: usize = 1000;
/// A list of so few accounts is read whole, where there is more to the filter: less than most texts find.
const FEW: usize = 500;

/// What accounts have to be to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub query: Option<Query>,
    pub role: Option<Role>,
    pub status: Option<Status>,
}

/// How far a walk through pages has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Newest first.
    Newest(ListKey),
    /// By a word of the name; and when the walk began.
    Name(String, UserId, Timestamp),
    /// By the address, after all that the name finds.
    Address(String, UserId, Timestamp),
}

impl Filter {
    /// Whether an account is what it has to be, but for the text that is searched for.
    fn admits(&self, user: &User, now: Timestamp) -> bool {
        self.role.as_ref().is_none_or(|role| user.roles.contains(role))
            && self.status.is_none_or(|status| user.status(now) == status)
    }

    /// Whether an account is what it has to be.
    #[must_use]
    pub fn finds(&self, user: &User, now: Timestamp) -> bool {
        let words = user.indexed.as_ref().map_or(&[][..], |indexed| &indexed.words);
        let found =
            |query: &Query| query.found_by(words).is_some() || query.finds_address(user.email.normalized().as_str());
        self.query.as_ref().is_none_or(found) && self.admits(user, now)
    }

    /// Lists each of which has all that it finds and not nearly all accounts.
    fn lists(&self) -> Vec<String> {
        let role = self.role.as_ref().filter(|role| **role != Role::USER);
        let status = self.status.filter(|status| *status != Status::Active);
        role.map(having_role).into_iter().chain(status.map(having_status)).collect()
    }
}

impl Store {
    pub const FIND_USERS: Grants = &[Grant::table(&[QUERY], &[FOUND_BY]), Grant::table(&[GET_EACH], &[USERS])];
    /// [`Self::owner_of_external`].
    pub const OWNER_OF_EXTERNAL: Grants = &[Grant::table(&[GET], &[FOUND_BY])];

    /// Accounts that a filter finds, after a position: at most `limit`, and fewer only when there are no more. With a text those
    /// first whose name it finds, by name, and then those whose address; otherwise the newest first. An account that is renamed or
    /// moves to another address during a walk through pages is met once at most.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn find_users(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(User, Position)>> {
        let lists = filter.lists();
        // A list alone is read as far as it is shown.
        if filter.query.is_some() || lists.len() > 1 {
            for list in &lists {
                if let Some(few) = self.all_of_few(list).await? {
                    return Ok(among_few(filter, few, after.as_ref(), limit, now));
                }
            }
        }
        match &filter.query {
            Some(query) => self.search(filter, query, after, limit, now).await,
            None => self.newest(filter, lists.first().map(String::as_str), after, limit, now).await,
        }
    }

    /// By a text alone, or with a filter that passes most accounts.
    async fn search(
        &self,
        filter: &Filter,
        query: &Query,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(User, Position)>> {
        let mut found = Vec::new();
        let began = began(after.as_ref(), now);
        let (name_after, address_after) = match after {
            Some(Position::Address(address, id, _)) => (None, Some((address, id))),
            Some(Position::Name(word, id, _)) => (Some((word, id)), None),
            Some(Position::Newest(_)) | None => (None, None),
        };
        if let (Some(word), None) = (query.word(), &address_after) {
            let names = Entries { pk: names_with(word), prefix: word, began };
            let listed = |key: &str, entry: &Entry| query.found_by(&entry.words) == Some(key);
            let position = |word, id| Position::Name(word, id, began);
            self.fill(&mut found, limit, filter, &names, name_after, &listed, &position, now).await?;
        }
        if let Some(prefix) = query.address().filter(|_| found.len() < limit) {
            let addresses = Entries { pk: addresses_with(prefix), prefix, began };
            let listed = |_: &str, entry: &Entry| query.found_by(&entry.words).is_none();
            let position = |address, id| Position::Address(address, id, began);
            self.fill(&mut found, limit, filter, &addresses, address_after, &listed, &position, now).await?;
        }
        Ok(found)
    }

    /// Fills a page from entries that begin with a text.
    #[expect(clippy::too_many_arguments, reason = "the parts of one search")]
    async fn fill(
        &self,
        found: &mut Vec<(User, Position)>,
        limit: usize,
        filter: &Filter,
        entries: &Entries<'_>,
        after: Option<(String, UserId)>,
        listed: &(dyn Fn(&str, &Entry) -> bool + Sync),
        position: &(dyn Fn(String, UserId) -> Position + Sync),
        now: Timestamp,
    ) -> Result<()> {
        let mut from = after.map(|(key, id)| format!("{key} {id}"));
        // Of what is read some is passed over.
        let mut size = PageSize((limit - found.len()) * 5 / 4 + 1);
        while found.len() < limit {
            let read = self.entries(entries, from.as_deref(), size.next()).await?;
            from = read.last;
            let wanted: Vec<_> = read
                .items
                .into_iter()
                .filter(|(key, entry)| entry.at <= entries.began && listed(key, entry))
                .map(|(key, entry)| (key, entry.id))
                .collect();
            let ids: Vec<_> = wanted.iter().map(|(_, id)| *id).collect();
            for (user, (key, id)) in self.users(&ids).await?.into_iter().zip(wanted) {
                // It may have been renamed since the entry was read.
                let new = |user: &User| found.iter().all(|(known, _)| known.id != user.id);
                if let Some(user) = user.filter(|user| filter.finds(user, now) && new(user)) {
                    found.push((user, position(key, id)));
                }
            }
            if from.is_none() {
                break;
            }
        }
        found.truncate(limit);
        Ok(())
    }

    /// The next entries, and the sort key of the last of them if there may be more.
    async fn entries(&self, entries: &Entries<'_>, after: Option<&str>, limit: usize) -> Result<Read> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(&entries.pk))
            .expression_attribute_values(":from", s(after.unwrap_or(entries.prefix)))
            .expression_attribute_values(":to", s(format!("{}{}", entries.prefix, char::MAX)))
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.send().await?;
        let last = page.last_evaluated_key.and_then(|key| super::text(&key, "sk").cloned());
        let items = page.items.unwrap_or_default().into_iter().map(|item| {
            let sk = super::text(&item, "sk").cloned().unwrap_or_default();
            Ok((sk, from_item::<Entry>(item)?))
        });
        let items: Vec<(String, Entry)> = items.collect::<Result<_>>()?;
        // The lower end is one that was read before.
        let items = items.into_iter().filter(|(sk, _)| Some(sk.as_str()) != after);
        let items = items.map(|(sk, entry)| (sk.rsplit_once(' ').map_or(sk.clone(), |(key, _)| key.to_owned()), entry));
        Ok(Read { items: items.collect(), last })
    }

    /// The accounts with these ids, in their order, strongly consistent; none for one that is gone.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<Option<User>>> {
        let batches = try_join_all(ids.chunks(READS).map(async |ids| {
            let keys: Vec<_> = ids.iter().map(|id| (user_key(*id), PROFILE.to_owned())).collect();
            self.get_each(&keys).await
        }));
        batches.await?.into_iter().flatten().map(|item| item.map(from_item).transpose()).collect()
    }

    /// The newest of a list, or of all accounts, but for what the filter passes over.
    async fn newest(
        &self,
        filter: &Filter,
        list: Option<&str>,
        after: Option<Position>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(User, Position)>> {
        let (mut before, mut size) = (newest(after.as_ref()), PageSize(limit));
        let mut found = Vec::new();
        while found.len() < limit {
            let (keys, more) = match list {
                Some(list) => self.keys_of(list, before, size.next()).await?,
                None => self.keys_of_all(before, size.next()).await?,
            };
            before = keys.last().cloned();
            let ids: Vec<_> = keys.iter().filter_map(ListKey::id).collect();
            for user in self.users(&ids).await?.into_iter().flatten().filter(|user| filter.admits(user, now)) {
                let position = Position::Newest(user.list_key());
                found.push((user, position));
            }
            if !more {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Places in a list, newest first, older than `before`; and whether there may be more.
    async fn keys_of(&self, list: &str, before: Option<ListKey>, limit: usize) -> Result<(Vec<ListKey>, bool)> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", s(list))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let query = match before {
            Some(before) => query
                .key_condition_expression("pk = :pk AND sk < :before")
                .expression_attribute_values(":before", s(before.as_str())),
            None => query.key_condition_expression("pk = :pk"),
        };
        let page = query.send().await?;
        let key = |item: &Item| super::text(item, "sk").map(|sk| ListKey::stored(sk));
        let keys = page.items.unwrap_or_default().iter().filter_map(key).collect();
        Ok((keys, page.last_evaluated_key.is_some()))
    }

    /// All accounts of a list, if it is a short one.
    async fn all_of_few(&self, list: &str) -> Result<Option<Vec<User>>> {
        let (keys, more) = self.keys_of(list, None, FEW).await?;
        if more {
            return Ok(None);
        }
        let ids: Vec<_> = keys.iter().filter_map(ListKey::id).collect();
        Ok(Some(self.users(&ids).await?.into_iter().flatten().collect()))
    }

    /// Those of all accounts, likewise.
    async fn keys_of_all(&self, before: Option<ListKey>, limit: usize) -> Result<(Vec<ListKey>, bool)> {
        let listed = self.list_users(limit, before).await?;
        Ok((listed.iter().map(ListedUser::list_key).collect(), listed.len() == limit))
    }
}

/// As [`Store::find_users`], among accounts that were read.
fn among_few(
    filter: &Filter,
    few: Vec<User>,
    after: Option<&Position>,
    limit: usize,
    now: Timestamp,
) -> Vec<(User, Position)> {
    let began = began(after, now);
    let position = |user: &User| {
        let Some(query) = &filter.query else { return Some(Position::Newest(user.list_key())) };
        let indexed = user.indexed.as_ref().filter(|indexed| indexed.at <= began)?;
        let address = user.email.normalized();
        let by_name = query.found_by(&indexed.words).map(|word| Position::Name(word.to_owned(), user.id, began));
        let by_address = query.finds_address(address.as_str());
        by_name.or_else(|| by_address.then(|| Position::Address(address.as_str().to_owned(), user.id, began)))
    };
    let admitted = few.into_iter().filter(|user| filter.admits(user, now));
    let mut found: Vec<_> = admitted.filter_map(|user| position(&user).map(|position| (user, position))).collect();
    found.sort_by_cached_key(|(_, position)| position.sort_key());
    found.retain(|(_, position)| after.is_none_or(|after| after.sort_key() < position.sort_key()));
    found.truncate(limit);
    found
}

/// Entries of one partition that begin with a text, as far as they were there when a walk began.
struct Entries<'a> {
    pk: String,
    prefix: &'a str,
    began: Timestamp,
}

/// How much to read at once of what a filter passes over: twice as much each time, so that what is rare is found in few calls.
struct PageSize(usize);

impl PageSize {
    fn next(&mut self) -> usize {
        let size = self.0;
        self.0 = size.saturating_mul(2).min(MOST_AT_ONCE.max(size));
        size
    }
}

struct Read {
    /// With the word or the address.
    items: Vec<(String, Entry)>,
    last: Option<String>,
}

impl Position {
    /// The newest first; names before addresses, and each as the table sorts its entries.
    fn sort_key(&self) -> (u8, Reverse<Option<ListKey>>, String) {
        match self {
            Self::Newest(key) => (0, Reverse(Some(key.clone())), String::new()),
            Self::Name(word, id, _) => (1, Reverse(None), format!("{word} {id}")),
            Self::Address(address, id, _) => (2, Reverse(None), format!("{address} {id}")),
        }
    }
}

fn began(after: Option<&Position>, now: Timestamp) -> Timestamp {
    match after {
        Some(Position::Name(_, _, began) | Position::Address(_, _, began)) => *began,
        Some(Position::Newest(_)) | None => now,
    }
}

fn newest(after: Option<&Position>) -> Option<ListKey> {
    match after {
        Some(Position::Newest(key)) => Some(key.clone()),
        _ => None,
    }
}
