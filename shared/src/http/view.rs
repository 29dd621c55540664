//! An account as answers show it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::domain::email_delivery::EmailDelivery;
use crate::domain::id::SessionId;
use crate::domain::picture::Status;
use crate::domain::role::Role;
use crate::domain::session::Session;
use crate::domain::user::{ListedUser, User};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    pub id: Uuid,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    #[schema(example = "ada@example.com", format = "email")]
    pub email: String,
    pub email_confirmed: bool,
    /// The address that takes the place of `email` once the link that was mailed there is used; in one's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ada@example.org", format = "email")]
    pub pending_email: Option<String>,
    /// Why emails to the address do not arrive, if they do not; for the owner, and for staff who look at one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_delivery: Option<EmailDeliveryView>,
    pub roles: Vec<Role>,
    /// What its owner stores, in one's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub profile: Option<Map<String, Value>>,
    /// What administrators store for its owner to read, in one's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub app: Option<Map<String, Value>>,
    pub picture: PictureView,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub created_at: String,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailDelivery)]
pub struct EmailDeliveryView {
    /// `bounced`, `complained` or `suppressed`; to staff also `ok`.
    #[schema(example = "bounced")]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub since: Option<String>,
    /// In the words of the receiving server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "smtp; 550 5.1.1 user unknown")]
    pub diagnostic: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Picture)]
pub struct PictureView {
    pub status: PictureStatus,
    /// Why the last upload was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The picture in each size; the one before while a new one is processed or after one was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<PictureUrls>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureStatus {
    None,
    Processing,
    Ready,
    Rejected,
}

/// URLs of the square pictures by their edge in pixels. What a URL shows never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct PictureUrls {
    #[serde(rename = "64")]
    pub small: String,
    #[serde(rename = "256")]
    pub medium: String,
    #[serde(rename = "512")]
    pub large: String,
}

/// How many sessions are listed: more than anybody looks through. Of more, the newest.
pub const MAX_SESSIONS: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    pub id: Uuid,
    /// When it began: the sign-in.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub created_at: String,
    /// When its tokens were last refreshed, or it began.
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    pub last_used_at: String,
    /// Where the sign-in came from.
    #[schema(example = "203.0.113.7")]
    pub source_ip: Option<String>,
    /// What the client said it was at the sign-in, shortened.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0")]
    pub client: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionView {
    #[must_use]
    pub fn of(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id.into(),
            created_at: session.signed_in_at.rfc3339(),
            last_used_at: session.rotated_at.rfc3339(),
            source_ip: session.source_ip,
            client: session.user_agent,
            current: session.id == current,
        }
    }
}

impl EmailDeliveryView {
    /// Nothing is known against it.
    #[must_use]
    pub const fn ok() -> Self {
        Self { status: "ok", since: None, diagnostic: None }
    }

    #[must_use]
    pub fn of(delivery: EmailDelivery) -> Self {
        let EmailDelivery { status, since, diagnostic } = delivery;
        Self { status: status.as_str(), since: Some(since.rfc3339()), diagnostic }
    }
}

impl UserView {
    #[must_use]
    pub fn of(user: User, app: &App) -> Self {
        let pending_email = user.pending_email(app.clock.now()).map(ToString::to_string);
        let (profile, metadata) = (user.profile.as_object().clone(), user.app.as_object().clone());
        Self { pending_email, profile: Some(profile), app: Some(metadata), ..Self::of_another(user, app) }
    }

    /// As staff see it.
    #[must_use]
    pub fn of_another(user: User, app: &App) -> Self {
        let email_delivery = user.email_delivery.clone().map(EmailDeliveryView::of);
        Self { email_delivery, ..Self::listed(ListedUser::from(user), app) }
    }

    #[must_use]
    pub fn listed(user: ListedUser, app: &App) -> Self {
        let shown = user.picture.shown.as_ref().zip(app.config.pictures.base_url.as_ref());
        let urls = shown.map(|(shown, base_url)| {
            let url = |size| format!("{base_url}/{}", shown.key(user.id, size));
            PictureUrls { small: url(64), medium: url(256), large: url(512) }
        });
        let (status, reason) = match user.picture.status(app.clock.now()) {
            Status::None => (PictureStatus::None, None),
            Status::Processing => (PictureStatus::Processing, None),
            Status::Ready => (PictureStatus::Ready, None),
            Status::Rejected(reason) => (PictureStatus::Rejected, Some(reason.to_owned())),
        };
        Self {
            id: user.id.into(),
            name: user.name.to_string(),
            email: user.email.to_string(),
            email_confirmed: user.email_confirmed,
            pending_email: None,
            email_delivery: None,
            roles: user.roles,
            profile: None,
            app: None,
            picture: PictureView { status, reason, urls },
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
        }
    }
}
