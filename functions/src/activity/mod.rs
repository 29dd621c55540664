//! Activity of accounts and of staff.

pub mod export_user;
pub mod list_activity;
pub mod list_staff_activity;
pub mod list_user_activity;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::event::{Actor, ActorKind, RecordedEvent, Subject};
use shared::domain::id::EventId;
use shared::http::Area;
use shared::http::fields::Fields;
use shared::tokens::cursor;
use shared::tokens::mac::MacKey;
use shared::{App, Result};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub const AREA: Area = Area {
    name: "activity",
    description: "Activity of accounts and of staff",
    routes: &[list_activity::ROUTE, list_user_activity::ROUTE, list_staff_activity::ROUTE, export_user::ROUTE],
    workers: &[],
};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Maximum number of events per page, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Activity {
    events: Vec<ActivityEvent>,
    /// Cursor for the next page; null on the last page.
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ActivityEvent {
    id: Uuid,
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "user.signed_in")]
    name: String,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    time: String,
    /// The account, webhook or invitation that the event is about.
    subject: Uuid,
    actor: ActorView,
    /// Depends on the type (see the table of events). Absent for staff actions on an account: the account's activity has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
}

/// The actor of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorView {
    /// `user`, `staff`, `link` (the holder of an emailed link), `anonymous` or `system`.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "user")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.7")]
    source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl From<Actor> for ActorView {
    fn from(actor: Actor) -> Self {
        Self {
            kind: actor.kind.as_str().to_owned(),
            id: actor.id.map(Into::into),
            session_id: actor.session_id.map(Into::into),
            source_ip: actor.source_ip,
            user_agent: actor.user_agent,
        }
    }
}

impl From<RecordedEvent> for ActivityEvent {
    fn from(event: RecordedEvent) -> Self {
        let subject = match event.subject {
            Subject::User(user) => user.into(),
            Subject::Webhook(webhook) => webhook.into(),
            Subject::Invitation(invitation) => invitation.into(),
            Subject::Export(export) => export.into(),
        };
        let (name, data) = (event.name, event.data);
        Self { id: event.id.into(), name, time: event.at.rfc3339(), subject, actor: event.actor.into(), data }
    }
}

/// Types whose reason is in the words of staff, for staff.
const IN_WORDS: [&str; 2] = ["user.disabled", "user.impersonated"];

/// As its owner sees it: from where staff work is no business of whom they look after, nor is why they did what they did.
fn for_owner(mut event: RecordedEvent) -> RecordedEvent {
    if event.actor.kind == ActorKind::Staff {
        event.actor = Actor { kind: ActorKind::Staff, id: event.actor.id, ..Actor::SYSTEM };
    }
    if IN_WORDS.contains(&event.name.as_str())
        && let Some(data) = &mut event.data
    {
        data.remove("reason");
    }
    event
}

/// A page of a list that `read` reads: events older than one, at most so many, at a time.
async fn page(
    app: &App,
    list: &str,
    page: Page,
    read: impl AsyncFnOnce(Option<EventId>, usize, Timestamp) -> Result<Vec<RecordedEvent>>,
) -> Result<Activity> {
    let mac = app.keys().cursor_mac().await?;
    let (limit, before) = page.parse(list, mac)?;
    // One more than asked for tells whether there is another page.
    let mut events = read(before, limit + 1, app.clock.now()).await?;
    let more = events.len() > limit;
    events.truncate(limit);
    let next_cursor = events.last().filter(|_| more).map(|last| cursor::encode(last.id.as_bytes(), list, mac));
    Ok(Activity { events: events.into_iter().map(Into::into).collect(), next_cursor })
}

impl Page {
    fn parse(self, list: &str, mac: &MacKey) -> Result<(usize, Option<EventId>)> {
        let mut fields = Fields::default();
        let limit = fields.optional("limit", self.limit, |limit| match limit.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
            _ => Err(Invalid::new("out_of_range", format!("The limit must be a number from 1 to {MAX_LIMIT}."))),
        });
        let before = fields.optional("cursor", self.cursor, |text| {
            let id = cursor::decode(&text, list, mac).map(EventId::from_bytes);
            id.ok_or_else(|| Invalid::new("invalid_cursor", "This cursor is not valid for this list."))
        });
        fields.finish(Some(()))?;
        Ok((limit.unwrap_or(DEFAULT_LIMIT), before))
    }
}
