//! Domain events: in the partition of their subject, which makes them the activity of an account. The table's stream carries new
//! ones to those who publish and deliver them, so an event that is written is on its way.

use std::time::Duration;

use aws_sdk_dynamodb::types::{PutRequest, TransactWriteItem, WriteRequest};

use super::schema::{EVENT, PROFILE, event_key, staff_key, user_key};
use super::{BATCH, Item, Store, from_item, n, s, to_item, value};
use crate::clock::Timestamp;
use crate::domain::event::{ActorKind, DomainEvent, RecordedEvent, Subject};
use crate::domain::id::{EventId, UserId};
use crate::error::{Error, Result};
use crate::grant::{GET_EACH, Grant, Grants, PUT, QUERY, STAFF, USERS, WRITE_EACH};

/// Items that were written after their event was published already: the stream's consumers leave them.
const AFTERWARDS: &str = "recorded_afterwards";
/// Of staff's acts on an account that the account's own partition has: without the data, which goes with the account.
const COPY: &str = "copy";

impl Store {
    /// For the transaction of the change.
    pub(super) fn record(&self, event: &DomainEvent) -> Result<Vec<TransactWriteItem>> {
        let pk = match event.subject {
            Subject::User(user) => user_key(user),
            Subject::Webhook(_) | Subject::Invitation(_) | Subject::Export(_) => staff_key(event.at),
        };
        let mut items = vec![self.put_new(self.event_item(pk, event)?)?];
        if event.actor.kind == ActorKind::Staff && matches!(event.subject, Subject::User(_)) {
            let mut copy = self.event_item(staff_key(event.at), event)?;
            copy.remove("data");
            copy.insert(COPY.into(), value(&true)?);
            items.push(self.put_new(copy)?);
        }
        Ok(items)
    }

    pub const RECORD_ALONE: Grants = &[Grant::table(&[PUT], &[STAFF])];

    /// An event whose change is none of the table's.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn record_alone(&self, event: &DomainEvent) -> Result<()> {
        self.transact(self.record(event)?).await.map(|_| ())
    }

    /// The same for several.
    pub(super) fn record_all(&self, events: &[DomainEvent]) -> Result<Vec<TransactWriteItem>> {
        let items = events.iter().map(|event| self.record(event)).collect::<Result<Vec<_>>>()?;
        Ok(items.into_iter().flatten().collect())
    }

    fn event_item(&self, pk: String, event: &DomainEvent) -> Result<Item> {
        let mut item = to_item(pk, event_key(event.id), event)?;
        // Text, because the data can have names and numbers of JSON that DynamoDB rejects: an empty name, 1e200.
        let kind = serde_json::to_value(&event.kind).map_err(Error::internal)?;
        item.insert("data".into(), s(kind["data"].to_string()));
        item.insert("ttl".into(), n(event.at.plus(self.activity_life).seconds()));
        Ok(item)
    }

    pub const RECORD_AFTERWARDS: Grants = &[Grant::table(&[GET_EACH, WRITE_EACH], &[USERS])];

    /// Writes events whose record is another item, as a session is that of a sign-in, as activity of their accounts. Those of
    /// accounts that are gone are left out: an account that goes after it was looked at is erased a minute later once more, and
    /// this takes less. Twice does no harm.
    ///
    /// # Errors
    /// Only when the table cannot be read or written.
    pub async fn record_afterwards(&self, events: &[DomainEvent]) -> Result<()> {
        for events in events.chunks(BATCH) {
            let mut users: Vec<UserId> = events.iter().filter_map(DomainEvent::user).collect();
            users.sort_unstable();
            users.dedup();
            let keys: Vec<_> = users.iter().map(|user| (user_key(*user), PROFILE.to_owned())).collect();
            let there = self.get_each(&keys).await?;
            let there: Vec<_> = users.into_iter().zip(there).filter(|(_, item)| item.is_some()).collect();
            let wanted = events.iter().filter_map(|event| {
                let user = event.user().filter(|user| there.iter().any(|(there, _)| there == user))?;
                Some(self.event_item(user_key(user), event))
            });
            let writes = wanted.map(|item| {
                let mut item = item?;
                item.insert(AFTERWARDS.into(), value(&true)?);
                let put = PutRequest::builder().set_item(Some(item)).build().map_err(Error::internal)?;
                Ok(WriteRequest::builder().put_request(put).build())
            });
            let writes: Vec<_> = writes.collect::<Result<_>>()?;
            if !writes.is_empty() {
                self.write_all(writes).await?;
            }
        }
        Ok(())
    }

    pub const ACTIVITY: Grants = &[Grant::table(&[QUERY], &[USERS])];

    /// What happened to an account, newest first, at most `limit` events older than `before` and not older than they are kept.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn activity(
        &self,
        user: UserId,
        before: Option<EventId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>> {
        self.events_of(user_key(user), before, limit, now).await
    }

    pub const STAFF_ACTIVITY: Grants = &[Grant::table(&[QUERY], &[STAFF])];

    /// What staff did, newest first, likewise.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn staff_activity(
        &self,
        before: Option<EventId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>> {
        const DAY: Duration = Duration::from_hours(24);
        let oldest = staff_key(now.minus(self.activity_life));
        let (mut events, mut day) = (Vec::new(), before.map_or(now, EventId::made_at));
        loop {
            let month = staff_key(day);
            events.extend(self.events_of(month.clone(), before, limit - events.len(), now).await?);
            if events.len() >= limit || month <= oldest {
                return Ok(events);
            }
            while staff_key(day) == month {
                day = day.minus(DAY);
            }
        }
    }

    async fn events_of(
        &self,
        pk: String,
        before: Option<EventId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>> {
        let from = event_key(EventId::first_at(now.minus(self.activity_life)));
        let mut to = before.map_or_else(|| format!("{EVENT}~"), event_key);
        let mut events = Vec::new();
        // A page may have ended at the oldest event that was kept then; and a read ends after 1 MB, however many were to come.
        while events.len() < limit && from <= to {
            let wanted = limit - events.len();
            let query = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":pk", s(&pk))
                .expression_attribute_values(":from", s(&from))
                .expression_attribute_values(":to", s(&to))
                .scan_index_forward(false)
                // The upper end is one that is not wanted.
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX).saturating_add(1))
                .consistent_read(true);
            let page = query.send().await?;
            let items = page.items.unwrap_or_default();
            for item in items.into_iter().filter(|item| super::text(item, "sk") != Some(&to)).take(wanted) {
                events.push(from_item(item)?);
            }
            match page.last_evaluated_key.and_then(|key| super::text(&key, "sk").cloned()) {
                Some(last) => to = last,
                None => break,
            }
        }
        Ok(events)
    }
}

/// What an item that is new in the table tells of, if anything is to be published of it: an event, or a session that began.
///
/// # Errors
/// When it cannot be read, as what a newer version wrote.
pub fn event_of(sk: &str, item: serde_dynamo::Item) -> Result<Option<NewEvent>> {
    if sk.starts_with(EVENT) {
        let told = |name| matches!(item.get(name), Some(serde_dynamo::AttributeValue::Bool(true)));
        if told(AFTERWARDS) || told(COPY) {
            return Ok(None);
        }
        return serde_dynamo::from_item(item).map(NewEvent::Recorded).map(Some).map_err(Error::internal);
    }
    if sk.starts_with(super::schema::SESSION) {
        let session = serde_dynamo::from_item(item).map_err(Error::internal)?;
        return Ok(Some(NewEvent::SignIn(Box::new(DomainEvent::of_sign_in(&session)))));
    }
    Ok(None)
}

/// An event that is to be published.
#[derive(Debug, Clone, PartialEq)]
pub enum NewEvent {
    Recorded(RecordedEvent),
    /// Its record is the session; it is no activity yet.
    SignIn(Box<DomainEvent>),
}
