//! Webhooks, and what is on its way to them.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;

use super::schema::{DELIVERIES, PROFILE, WEBHOOKS, deliveries_of, delivery_key, user_key};
use super::{Item, Store, delete, from_item, if_condition_held, n, s, to_item, value};
use crate::clock::Timestamp;
use crate::domain::event::DomainEvent;
use crate::domain::id::{EventId, UserId, WebhookId};
use crate::domain::mail::OutboxEmail;
use crate::domain::webhook::{DELIVERY_LIFE, Delivery, LEASE, Webhook};
use crate::error::Result;
use crate::grant::{
    ADDRESSES, DELETE, DELIVERIES as DELIVERIES_PARTITION, GET, GET_EACH, Grant, Grants, PUT, QUERY, Resource, STAFF,
    UPDATE, USERS, WEBHOOKS as WEBHOOKS_PARTITION, WRITE_EACH,
};

/// Keys of a batch, at most.
const READS: usize = 100;

impl Store {
    pub const WEBHOOKS: Grants = &[Grant::table(&[QUERY], &[WEBHOOKS_PARTITION])];

    /// All webhooks, the oldest first.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(WEBHOOKS))
            .consistent_read(true);
        query.send().await?.items.unwrap_or_default().into_iter().map(from_item).collect()
    }

    pub const WEBHOOK: Grants = &[Grant::table(&[GET], &[WEBHOOKS_PARTITION])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>> {
        self.get(WEBHOOKS.to_owned(), &id.to_string()).await
    }

    pub const CREATE_WEBHOOK: Grants = &[Grant::table(&[PUT], &[WEBHOOKS_PARTITION, STAFF])];

    /// # Errors
    /// Only when the table cannot be written.
    pub async fn create_webhook(&self, webhook: &Webhook, event: &DomainEvent) -> Result<()> {
        let mut items = vec![self.put_new(webhook_item(webhook)?)?];
        items.extend(self.record(event)?);
        self.transact(items).await.map(|_| ())
    }

    pub const REPLACE_WEBHOOK: Grants =
        &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION]), Grant::table(&[PUT], &[STAFF, ADDRESSES])];

    /// Writes what administrators decide of a webhook, with the emails about it; one that is enabled again, or has another URL, has
    /// not failed. `false` when that was changed since it was read, or the webhook is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn replace_webhook(
        &self,
        before: &Webhook,
        after: &Webhook,
        mails: &[OutboxEmail],
        event: &DomainEvent,
    ) -> Result<bool> {
        let mut set = String::from("SET #url = :url, #types = :types, secrets = :secrets, updated_at = :now");
        let mut remove = Vec::new();
        let mut update = self.update(WEBHOOKS.to_owned(), &before.id.to_string());
        match &after.off {
            Some(off) => {
                set.push_str(", #off = :off");
                update = update.expression_attribute_values(":off", value(off)?);
            }
            None => remove.push("#off"),
        }
        if after.url != before.url || (after.off.is_none() && before.off.is_some()) {
            remove.extend(["failing_since", "paused_until"]);
        }
        if !remove.is_empty() {
            set.push_str(" REMOVE ");
            set.push_str(&remove.join(", "));
        }
        let update = update
            .update_expression(set)
            .condition_expression("updated_at = :before")
            .expression_attribute_names("#url", "url")
            .expression_attribute_names("#types", "types")
            .expression_attribute_names("#off", "off")
            .expression_attribute_values(":url", s(&after.url))
            .expression_attribute_values(":types", value(&after.types)?)
            .expression_attribute_values(":secrets", value(&after.secrets)?)
            .expression_attribute_values(":now", n(after.updated_at.millis()))
            .expression_attribute_values(":before", n(before.updated_at.millis()));
        let mut items = vec![super::update(update)?];
        for mail in mails {
            items.push(self.put_new(Self::email_item(mail)?)?);
        }
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const DELETE_WEBHOOK: Grants = &[
        Grant::table(&[DELETE], &[WEBHOOKS_PARTITION]),
        Grant::table(&[PUT], &[STAFF]),
        Grant::table(&[QUERY, WRITE_EACH], &[DELIVERIES_PARTITION]),
    ];

    /// Deletes a webhook, and what is on its way to it. `false` when it is not there; what an earlier deletion left goes all the
    /// same.
    ///
    /// # Errors
    /// Only when the table cannot be read or written. Remaining deliveries then expire.
    pub async fn delete_webhook(&self, id: WebhookId, event: &DomainEvent) -> Result<bool> {
        let gone = self.delete_of(WEBHOOKS, &id.to_string()).condition_expression("attribute_exists(pk)");
        let mut items = vec![delete(gone)?];
        items.extend(self.record(event)?);
        let deleted = self.transact(items).await?;
        self.delete_range(&deliveries_of(id), DELIVERIES).await?;
        Ok(deleted)
    }

    pub const LEASE_WEBHOOK: Grants = &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION])];

    /// Takes an endpoint for oneself, for [`LEASE`]: of concurrent functions one gets it. `None` when another has it, or it is
    /// gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn lease_webhook(&self, id: WebhookId, now: Timestamp) -> Result<Option<Webhook>> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(WEBHOOKS))
            .key("sk", s(id.to_string()))
            .update_expression("SET leased_until = :until")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(leased_until) OR leased_until <= :now)",
            )
            .expression_attribute_values(":until", n(now.plus(LEASE).millis()))
            .expression_attribute_values(":now", n(now.millis()))
            .return_values(ReturnValue::AllNew);
        let leased = if_condition_held(update.send().await)?;
        leased.and_then(|answer| answer.attributes).map(from_item).transpose()
    }

    pub const KEEP_LEASE: Grants = &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION])];

    /// Goes on with a lease until then, or gives it up. The webhook as it is now, as administrators may have changed it; `None`
    /// when another has leased it, or it is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn keep_lease(&self, webhook: &Webhook, until: Option<Timestamp>) -> Result<Option<Webhook>> {
        let update = self.leased(webhook).return_values(ReturnValue::AllNew);
        let update = match until {
            Some(until) => update
                .update_expression("SET leased_until = :until")
                .expression_attribute_values(":until", n(until.millis())),
            None => update.update_expression("REMOVE leased_until"),
        };
        let kept = if_condition_held(update.condition_expression("leased_until = :held").send().await)?;
        kept.and_then(|answer| answer.attributes).map(from_item).transpose()
    }

    pub const NOTE_ENDPOINT: Grants = &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION])];

    /// Notes how an endpoint does, by who has leased it: since when it fails, and until when it rests. What administrators changed
    /// since it was leased is another endpoint, of which nothing is known: then nothing is noted.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn note_endpoint(&self, webhook: &Webhook) -> Result<()> {
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        let mut update = self.leased(webhook);
        for (name, time) in [("failing_since", webhook.failing_since), ("paused_until", webhook.paused_until)] {
            match time {
                Some(time) => {
                    set.push(format!("{name} = :{name}"));
                    update = update.expression_attribute_values(format!(":{name}"), n(time.millis()));
                }
                None => remove.push(name),
            }
        }
        let clause = |verb: &str, parts: String| if parts.is_empty() { parts } else { format!("{verb} {parts}") };
        let expression = format!("{} {}", clause("SET", set.join(", ")), clause("REMOVE", remove.join(", ")));
        let update = update
            .update_expression(expression.trim())
            .condition_expression("leased_until = :held AND updated_at = :known")
            .expression_attribute_values(":known", n(webhook.updated_at.millis()));
        if_condition_held(update.send().await).map(|_| ())
    }

    pub const ADVANCE_REPLAY: Grants = &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION])];

    /// Records the progress or the end of a replay, unless administrators have started another.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn advance_replay(&self, webhook: &Webhook, from: EventId, rest: Option<EventId>) -> Result<()> {
        let update = match rest {
            Some(rest) => self
                .leased(webhook)
                .update_expression("SET replay_from = :rest")
                .expression_attribute_values(":rest", value(&rest)?),
            None => self.leased(webhook).update_expression("REMOVE replay_from"),
        };
        let update = update
            .condition_expression("leased_until = :held AND replay_from = :from")
            .expression_attribute_values(":from", value(&from)?);
        if_condition_held(update.send().await).map(|_| ())
    }

    /// An update by who has leased the webhook: its condition has to ask for `:held`.
    fn leased(&self, webhook: &Webhook) -> UpdateItemFluentBuilder {
        self.db
            .update_item()
            .table_name(&self.table)
            .key("pk", s(WEBHOOKS))
            .key("sk", s(webhook.id.to_string()))
            .expression_attribute_values(":held", n(webhook.leased_until.map_or(0, Timestamp::millis)))
    }

    pub const REPLAY_WEBHOOK: Grants =
        &[Grant::table(&[UPDATE], &[WEBHOOKS_PARTITION]), Grant::table(&[PUT], &[STAFF])];

    /// Notes that deliveries from a time on are to be sent again, or from where an earlier replay is; `false` when the webhook is
    /// gone, or a replay of it began, went on or ended since it was read.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn replay_webhook(&self, webhook: &Webhook, since: Timestamp, event: &DomainEvent) -> Result<bool> {
        let from = EventId::first_at(since);
        let from = webhook.replay_from.map_or(from, |going_on| going_on.min(from));
        let replay = self
            .update(WEBHOOKS.to_owned(), &webhook.id.to_string())
            .update_expression("SET replay_from = :from")
            .expression_attribute_values(":from", value(&from)?);
        let replay = match &webhook.replay_from {
            Some(going_on) => replay
                .condition_expression("replay_from = :going_on")
                .expression_attribute_values(":going_on", value(going_on)?),
            None => replay.condition_expression("attribute_exists(pk) AND attribute_not_exists(replay_from)"),
        };
        let mut items = vec![super::update(replay)?];
        items.extend(self.record(event)?);
        self.transact(items).await
    }

    pub const ADD_DELIVERY: Grants = &[Grant::table(&[PUT], &[DELIVERIES_PARTITION])];

    /// Enqueues a delivery, unless it was before: the stream brings an event again.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn add_delivery(&self, delivery: &Delivery) -> Result<bool> {
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(delivery_item(delivery)?))
            .condition_expression("attribute_not_exists(pk)");
        Ok(if_condition_held(put.send().await)?.is_some())
    }

    pub const UPDATE_DELIVERY: Grants = &[Grant::table(&[PUT], &[DELIVERIES_PARTITION])];

    /// Writes a delivery as it is to be, unless another did since it was read.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn update_delivery(&self, before: &Delivery, after: &Delivery) -> Result<bool> {
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(delivery_item(after)?))
            .condition_expression("attempts = :attempts AND #status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":attempts", n(before.attempts))
            .expression_attribute_values(":status", s(before.status.as_str()));
        Ok(if_condition_held(put.send().await)?.is_some())
    }

    pub const DELIVERY: Grants = &[Grant::table(&[GET], &[DELIVERIES_PARTITION])];

    /// # Errors
    /// Only when the table cannot be read.
    pub async fn delivery(&self, webhook: WebhookId, id: EventId) -> Result<Option<Delivery>> {
        self.get(deliveries_of(webhook), &delivery_key(id)).await
    }

    pub const DELIVERIES: Grants = &[Grant::table(&[QUERY], &[DELIVERIES_PARTITION])];

    /// Deliveries of a webhook, newest first, at most `limit` older than `before`.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        before: Option<EventId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Delivery>> {
        let from = delivery_key(EventId::first_at(now.minus(DELIVERY_LIFE)));
        let to = before.map_or_else(|| DELIVERIES.1.to_owned(), delivery_key);
        if to < from {
            return Ok(Vec::new());
        }
        let mut items = self.delivery_items(webhook, &from, &to, limit + 1, false).await?;
        items.retain(|item| super::text(item, "sk") != Some(&to));
        items.into_iter().take(limit).map(from_item).collect()
    }

    /// Deliveries of a webhook from one on, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn deliveries_from(
        &self,
        webhook: WebhookId,
        from: EventId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Delivery>> {
        let from = from.max(EventId::first_at(now.minus(DELIVERY_LIFE)));
        let items = self.delivery_items(webhook, &delivery_key(from), DELIVERIES.1, limit, true).await?;
        items.into_iter().map(from_item).collect()
    }

    pub const WITHOUT_ERASED: Grants = &[Grant::table(&[GET_EACH], &[USERS])];

    /// Without deliveries about accounts that are gone, but for the news of that.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn without_erased(&self, mut deliveries: Vec<Delivery>) -> Result<Vec<Delivery>> {
        let users: BTreeSet<UserId> = deliveries.iter().filter_map(Delivery::goes_with).collect();
        let keys: Vec<_> = users.iter().map(|user| (user_key(*user), PROFILE.to_owned())).collect();
        let mut gone = BTreeSet::new();
        for (keys, users) in keys.chunks(READS).zip(users.iter().collect::<Vec<_>>().chunks(READS)) {
            let there = self.get_each(keys).await?;
            gone.extend(users.iter().zip(there).filter(|(_, profile)| profile.is_none()).map(|(user, _)| **user));
        }
        deliveries.retain(|delivery| delivery.goes_with().is_none_or(|user| !gone.contains(&user)));
        Ok(deliveries)
    }

    async fn delivery_items(
        &self,
        webhook: WebhookId,
        from: &str,
        to: &str,
        limit: usize,
        forward: bool,
    ) -> Result<Vec<Item>> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(deliveries_of(webhook)))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to))
            .scan_index_forward(forward)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .consistent_read(true);
        Ok(query.send().await?.items.unwrap_or_default())
    }

    pub const DUE_DELIVERIES: Grants = &[
        Grant::index(Resource::PendingIndex, &[DELIVERIES_PARTITION]),
        Grant::table(&[GET_EACH], &[DELIVERIES_PARTITION]),
    ];

    /// Deliveries of a webhook whose time has come, the longest due first, at most `limit`. The index is a moment behind, so each
    /// is read once more, strongly consistent: what was delivered since is not sent again.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn due_deliveries(&self, webhook: WebhookId, limit: i32, now: Timestamp) -> Result<Vec<Delivery>> {
        let query = self
            .db
            .query()
            .table_name(&self.table)
            .index_name("pending")
            .key_condition_expression("pending_shard = :shard AND pending_at <= :now")
            .expression_attribute_values(":shard", s(deliveries_of(webhook)))
            .expression_attribute_values(":now", n(now.millis()))
            .limit(limit);
        let listed: Vec<Delivery> =
            query.send().await?.items.unwrap_or_default().into_iter().map(from_item).collect::<Result<_>>()?;
        if listed.is_empty() {
            return Ok(listed);
        }
        let keys: Vec<_> = listed.iter().map(|listed| (deliveries_of(webhook), delivery_key(listed.id))).collect();
        let found = self.get_each(&keys).await?.into_iter().flatten().map(from_item);
        let found: Vec<Delivery> = found.collect::<Result<_>>()?;
        Ok(found.into_iter().filter(|delivery| delivery.due_at.is_some_and(|due_at| due_at <= now)).collect())
    }
}

fn webhook_item(webhook: &Webhook) -> Result<Item> {
    to_item(WEBHOOKS.to_owned(), webhook.id.to_string(), webhook)
}

/// Those that are due some time are in the index of what is pending, in a shard for each webhook: so none waits for another's.
fn delivery_item(delivery: &Delivery) -> Result<Item> {
    let pk = deliveries_of(delivery.webhook);
    let mut item = to_item(pk.clone(), delivery_key(delivery.id), delivery)?;
    if delivery.due_at.is_some() {
        item.insert("pending_shard".into(), s(pk));
    }
    item.insert("ttl".into(), n(delivery.expires_at().seconds()));
    Ok(item)
}
