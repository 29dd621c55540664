//! Webhooks: endpoints that events are delivered to, as specified by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{EventKind, RecordedEvent, Subject};
use super::id::{EventId, UserId, WebhookId};
use crate::clock::Timestamp;

/// Maximum number of webhooks: each event is written once per webhook.
pub const WEBHOOKS: usize = 20;
/// How long the previous secret also signs after a rotation.
pub const ROTATION: Duration = Duration::from_hours(24);
/// Maximum number of secrets that sign at the same time.
const SECRETS: usize = 5;
/// After failing for this long, an endpoint is disabled and a delivery becomes a dead letter.
pub const GIVE_UP: Duration = Duration::from_hours(72);
/// How long deliveries are listed and can be replayed.
pub const DELIVERY_LIFE: Duration = Duration::from_hours(30 * 24);
/// How long a function holds the lease of an endpoint: longer than it can run.
pub const SHIFT: Duration = Duration::from_secs(35);
pub const LEASE: Duration = Duration::from_secs(70);
/// The first attempt may be later than the delivery, whose last attempt is three days after it.
const SLACK: Duration = Duration::from_hours(1);
const USER_DELETED: &str = "user.deleted";
/// The type of test events sent by an administrator.
pub const TEST: &str = "webhook.test";

/// The waits between the attempts of a delivery, which ends after three days.
const WAITS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(20),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Webhook {
    pub id: WebhookId,
    /// A URL that `outbound` accepts.
    pub url: String,
    /// Event types; if empty, all events about accounts.
    #[serde(default)]
    pub types: Vec<String>,
    /// The newest first.
    pub secrets: Vec<SealedWebhookSecret>,
    pub created_by: UserId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default)]
    pub off: Option<Off>,
    /// Since when all attempts have failed.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// No attempt before this time, because the endpoint failed.
    #[serde(default)]
    pub paused_until: Option<Timestamp>,
    /// Leased by one function until then.
    #[serde(default)]
    pub leased_until: Option<Timestamp>,
    /// Deliveries since this event are being replayed.
    #[serde(default)]
    pub replay_from: Option<EventId>,
}

/// Why and since when a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    pub since: Timestamp,
    pub reason: OffReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffReason {
    SwitchedOff,
    /// For three days.
    Failing,
}

/// A secret, encrypted for one webhook: base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedWebhookSecret {
    pub sealed: String,
    pub created_at: Timestamp,
    /// When it stops signing.
    #[serde(default)]
    pub retires_at: Option<Timestamp>,
}

impl Webhook {
    #[must_use]
    pub fn wants(&self, event: &RecordedEvent) -> bool {
        // Events about webhooks are delivered only if their type is named.
        let any = self.types.is_empty() && !matches!(event.subject, Subject::Webhook(_));
        any || self.types.contains(&event.name)
    }

    /// Only the host of its URL: the path may be secret.
    #[must_use]
    pub fn host(&self) -> String {
        let authority = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        // An IPv6 address is in brackets.
        let end = authority.find(']').map(|bracket| bracket + 1).or_else(|| authority.find(':'));
        authority[..end.unwrap_or(authority.len())].to_owned()
    }

    /// The active signing secrets, newest first.
    pub fn signing(&self, now: Timestamp) -> impl Iterator<Item = &SealedWebhookSecret> {
        self.secrets.iter().filter(move |secret| secret.retires_at.is_none_or(|at| now < at))
    }

    /// With a new secret; the previous one signs for another day, and earlier ones until their own end: a new secret whose response
    /// was lost must not invalidate the one that the receiver has.
    #[must_use]
    pub fn with_secret(&self, sealed: String, now: Timestamp) -> Vec<SealedWebhookSecret> {
        let new = SealedWebhookSecret { sealed, created_at: now, retires_at: None };
        let before = self.signing(now).take(SECRETS - 1).map(|before| {
            let retires_at = Some(before.retires_at.unwrap_or_else(|| now.plus(ROTATION)));
            SealedWebhookSecret { retires_at, ..before.clone() }
        });
        [new].into_iter().chain(before).collect()
    }

    /// Whether to disable the endpoint if an attempt fails now.
    #[must_use]
    pub fn has_failed_for_long(&self, now: Timestamp) -> bool {
        // An attempt is slightly later than it was due.
        self.failing_since.is_some_and(|since| now.since(since).saturating_add(SLACK) >= GIVE_UP)
    }
}

/// Whether this event type exists.
#[must_use]
pub fn is_event_type(name: &str) -> bool {
    EventKind::ALL.iter().any(|(known, ..)| *known == name)
}

/// An event to be delivered to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The ID of the event, or of a test.
    pub id: EventId,
    pub webhook: WebhookId,
    /// The account that the event is about.
    #[serde(default)]
    pub user: Option<UserId>,
    #[serde(rename = "type")]
    pub name: String,
    /// The body that is sent.
    pub body: String,
    pub created_at: Timestamp,
    pub status: DeliveryStatus,
    #[serde(default)]
    pub attempts: u32,
    /// The start of the current attempts: when the delivery was created or sent again.
    #[serde(default)]
    pub since: Option<Timestamp>,
    #[serde(default)]
    pub last: Option<Attempt>,
    /// When the next attempt is due.
    #[serde(default, rename = "pending_at")]
    pub due_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Pending,
    Delivered,
    /// A dead letter: all attempts of three days failed.
    Dead,
    /// The webhook was disabled, or the account of the event was deleted.
    Skipped,
}

impl DeliveryStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: Timestamp,
    /// The response status of the endpoint, if it responded.
    #[serde(default)]
    pub status: Option<u16>,
    /// Why there was no response: a value of `outbound::Reason`.
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub took_ms: Option<u64>,
}

impl Attempt {
    /// Whether the endpoint accepted it: any 2xx response.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Delivery {
    #[must_use]
    pub fn new(webhook: &Webhook, event: &RecordedEvent, body: String, now: Timestamp) -> Self {
        let status = if webhook.off.is_some() { DeliveryStatus::Skipped } else { DeliveryStatus::Pending };
        let user = match event.subject {
            Subject::User(user) => Some(user),
            Subject::Webhook(_) | Subject::Invitation(_) | Subject::Export(_) => None,
        };
        let delivery = Self {
            id: event.id,
            webhook: webhook.id,
            user,
            name: event.name.clone(),
            body,
            created_at: now,
            status,
            attempts: 0,
            since: None,
            last: None,
            due_at: None,
        };
        if status == DeliveryStatus::Pending { delivery.again(now) } else { delivery }
    }

    /// The account with which this delivery is erased; none for the event of its deletion.
    #[must_use]
    pub fn goes_with(&self) -> Option<UserId> {
        self.user.filter(|_| self.name != USER_DELETED)
    }

    /// When it expires: not while it is being sent again.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let sent_again = self.since.map(|since| since.plus(GIVE_UP).plus(SLACK));
        self.created_at.plus(DELIVERY_LIFE).max(sent_again.unwrap_or(self.created_at))
    }

    /// Marked as skipped.
    #[must_use]
    pub fn skipped(self) -> Self {
        Self { status: DeliveryStatus::Skipped, due_at: None, ..self }
    }

    /// Reset to be sent again from the start.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Self {
        Self { status: DeliveryStatus::Pending, attempts: 0, since: Some(now), due_at: Some(now), ..self }
    }

    /// The state after an attempt. A failed delivery is retried with growing waits, shortened by `share` of a tenth as jitter;
    /// after three days it is a dead letter.
    #[must_use]
    pub fn after(self, attempt: Attempt, retry_after: Option<Duration>, share: f64) -> Self {
        let attempts = self.attempts.saturating_add(1);
        if attempt.succeeded() {
            let status = DeliveryStatus::Delivered;
            return Self { status, attempts, due_at: None, last: Some(attempt), ..self };
        }
        let wait = WAITS.get(self.attempts as usize).map(|wait| wait.mul_f64(1.0 - share.clamp(0.0, 1.0) / 10.0));
        let wait = wait.map(|wait| retry_after.map_or(wait, |asked| wait.max(asked)));
        // The last attempt is at the end of the three days.
        let end = self.since.unwrap_or(self.created_at).plus(GIVE_UP);
        let due_at = wait.map_or(end, |wait| attempt.at.plus(wait).min(end));
        match Some(due_at).filter(|_| attempt.at < end) {
            Some(due_at) => {
                Self { status: DeliveryStatus::Pending, attempts, due_at: Some(due_at), last: Some(attempt), ..self }
            }
            None => Self { status: DeliveryStatus::Dead, attempts, due_at: None, last: Some(attempt), ..self },
        }
    }
}

/// How long an endpoint is paused after a failure, so that one that is down is not called for each delivery: as long as the failed
/// delivery waits, but at most a minute, because it may have recovered.
#[must_use]
pub fn pause_after(delivery: &Delivery, now: Timestamp) -> Duration {
    let wait = delivery.due_at.map_or(Duration::from_mins(1), |due_at| due_at.since(now));
    wait.min(Duration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn webhook() -> Webhook {
        Webhook {
            id: WebhookId::new(NOW),
            url: "https://example.com/".into(),
            types: vec!["user.created".into()],
            secrets: vec![SealedWebhookSecret { sealed: "one".into(), created_at: NOW, retires_at: None }],
            created_by: UserId::new(NOW),
            created_at: NOW,
            updated_at: NOW,
            off: None,
            failing_since: None,
            paused_until: None,
            leased_until: None,
            replay_from: None,
        }
    }

    fn event() -> RecordedEvent {
        RecordedEvent {
            id: EventId::new(NOW),
            subject: Subject::User(UserId::new(NOW)),
            at: NOW,
            actor: crate::domain::event::Actor::SYSTEM,
            name: "user.created".into(),
            data: None,
        }
    }

    fn failed(at: Timestamp) -> Attempt {
        Attempt { at, status: Some(500), reason: None, took_ms: None }
    }

    #[test]
    fn waits_grow_for_three_days_and_then_it_is_a_dead_letter() {
        for share in [0.0, 1.0] {
            let mut delivery = Delivery::new(&webhook(), &event(), "{}".into(), NOW);
            let (mut attempts, mut before) = (0, Duration::ZERO);
            while let Some(due_at) = delivery.due_at {
                delivery = delivery.after(failed(due_at), None, share);
                attempts += 1;
                if let Some(next) = delivery.due_at.filter(|next| next.since(NOW) < GIVE_UP) {
                    assert!(next.since(due_at) >= before.mul_f64(0.89), "attempt {attempts}");
                    before = next.since(due_at);
                }
            }
            assert_eq!(delivery.status, DeliveryStatus::Dead);
            assert_eq!(delivery.last.unwrap().at, NOW.plus(GIVE_UP));
            assert!((10..=12).contains(&attempts), "{attempts} attempts");
        }
    }

    #[test]
    fn an_endpoint_that_asks_for_a_longer_wait_gets_it() {
        let delivery = Delivery::new(&webhook(), &event(), "{}".into(), NOW);
        let asked = Some(Duration::from_hours(1));
        assert_eq!(delivery.clone().after(failed(NOW), asked, 0.0).due_at, Some(NOW.plus(Duration::from_hours(1))));
        let asked = Some(Duration::from_secs(1));
        assert_eq!(delivery.clone().after(failed(NOW), asked, 0.0).due_at, Some(NOW.plus(Duration::from_secs(5))));
        let asked = Some(Duration::from_hours(24 * 365));
        assert_eq!(delivery.after(failed(NOW), asked, 0.0).due_at, Some(NOW.plus(GIVE_UP)), "and not for ever");
    }

    #[test]
    fn a_secret_signs_for_a_day_after_its_rotation_whatever_rotations_follow() {
        let hour = Duration::from_hours(1);
        let rotated = Webhook { secrets: webhook().with_secret("two".into(), NOW), ..webhook() };
        let rotated = Webhook { secrets: rotated.with_secret("three".into(), NOW.plus(hour)), ..rotated };
        let signing = |at| rotated.signing(at).map(|secret| secret.sealed.as_str()).collect::<Vec<_>>();
        assert_eq!(signing(NOW.plus(hour)), ["three", "two", "one"]);
        assert_eq!(signing(NOW.plus(ROTATION)), ["three", "two"]);
        assert_eq!(signing(NOW.plus(ROTATION + hour)), ["three"]);
    }

    #[test]
    fn the_host_of_a_url_is_all_that_is_told_of_it() {
        for (url, host) in [
            ("https://hooks.example.com/services/secret", "hooks.example.com"),
            ("https://example.com:8443/?key=secret", "example.com"),
            ("https://[2001:db8::1]/", "[2001:db8::1]"),
            ("https://[2001:db8::1]:8443/hook", "[2001:db8::1]"),
        ] {
            assert_eq!(Webhook { url: url.into(), ..webhook() }.host(), host);
        }
    }

    #[test]
    fn no_more_than_five_secrets_sign() {
        let mut webhook = webhook();
        for number in 0..9 {
            webhook.secrets = webhook.with_secret(number.to_string(), NOW);
        }
        let signing: Vec<_> = webhook.signing(NOW).map(|secret| secret.sealed.as_str()).collect();
        assert_eq!(signing, ["8", "7", "6", "5", "4"]);
    }

    #[test]
    fn a_retried_delivery_does_not_expire_before_it_is_given_up() {
        let delivery = Delivery::new(&webhook(), &event(), "{}".into(), NOW);
        assert_eq!(delivery.expires_at(), NOW.plus(DELIVERY_LIFE));
        let late = NOW.plus(DELIVERY_LIFE.saturating_sub(Duration::from_hours(1)));
        assert!(delivery.again(late).expires_at() > late.plus(GIVE_UP));
    }

    #[test]
    fn an_endpoint_is_switched_off_once_it_has_failed_for_three_days() {
        assert!(!webhook().has_failed_for_long(NOW));
        let failing = Webhook { failing_since: Some(NOW), ..webhook() };
        assert!(!failing.has_failed_for_long(NOW.plus(GIVE_UP.saturating_sub(SLACK + Duration::from_millis(1)))));
        assert!(failing.has_failed_for_long(NOW.plus(GIVE_UP)));
    }
}
