//! Domain events: where they go, and how long activity is kept.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::event::ACTIVITY_LIFE;

#[derive(Debug, Clone)]
pub struct Events {
    /// `EVENT_BUS`: the `EventBridge` bus that events are published to.
    pub bus: String,
    /// `ACTIVITY_DAYS`: how long an account's activity is kept.
    pub activity_life: Duration,
    /// `EVENT_ADDRESSES=off` leaves names, email addresses, IP addresses and user agents out of what is published. Activity has
    /// them.
    pub addresses: bool,
    /// `WEBHOOK_QUEUE_URL`: the queue that tells which webhooks have something to deliver.
    pub webhook_queue_url: String,
    /// `WEBHOOK_TARGETS=local` lets webhooks lead to this machine, and by http. Only the local stack ever sets it.
    pub local_webhooks: bool,
}

impl Events {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            bus: reader.required("EVENT_BUS"),
            activity_life: reader.days("ACTIVITY_DAYS", 1..=3650).unwrap_or(ACTIVITY_LIFE),
            addresses: reader.switch("EVENT_ADDRESSES"),
            webhook_queue_url: reader.required("WEBHOOK_QUEUE_URL"),
            local_webhooks: reader.optional("WEBHOOK_TARGETS").as_deref() == Some("local"),
        }
    }
}
