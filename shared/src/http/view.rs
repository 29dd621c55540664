//! Accounts and sessions as responses show them.

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
    /// The address that replaces `email` once the link emailed to it is used; only in one's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ada@example.org", format = "email")]
    pub pending_email: Option<String>,
    /// Why emails cannot be delivered to the address, if so; for the owner, and for staff who get a single user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_delivery: Option<EmailDeliveryView>,
    pub roles: Vec<Role>,
    /// Stored by the owner; only in one's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub profile: Option<Map<String, Value>>,
    /// Stored by administrators, visible to the owner; only in one's own account.
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
    /// `bounced`, `complained` or `suppressed`; for staff also `ok`.
    #[schema(example = "bounced")]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub since: Option<String>,
    /// The diagnostic of the receiving server.
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
    /// The picture in each size; the previous picture while a new one is processed or after one was rejected.
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

/// URLs of the square pictures by edge length in pixels. The picture behind a URL never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct PictureUrls {
    #[serde(rename = "64")]
    pub small: String,
    #[serde(rename = "256")]
    pub medium: String,
    #[serde(rename = "512")]
    pub large: String,
}

/// The maximum number of sessions in a list, newest first.
pub const MAX_SESSIONS: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    pub id: Uuid,
    /// When the session started (the sign-in).
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub created_at: String,
    /// When the tokens were last refreshed, or the session started.
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    pub last_used_at: String,
    /// The IP address of the sign-in.
    #[schema(example = "203.0.113.7")]
    pub source_ip: Option<String>,
    /// The `User-Agent` of the sign-in, truncated.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0")]
    pub client: Option<String>,
    /// Whether this is the session of the request.
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
    /// No delivery problem is known.
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
