//! An account as answers show it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::domain::picture::Status;
use crate::domain::user::{ListedUser, Role, User};

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
    pub picture: PictureView,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub created_at: String,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailDelivery)]
pub struct EmailDeliveryView {
    /// `bounced`, `complained` or `suppressed`.
    #[schema(example = "bounced")]
    pub status: &'static str,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    pub since: String,
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

impl UserView {
    #[must_use]
    pub fn of(user: User, app: &App) -> Self {
        let pending_email = user.pending_email(app.clock.now()).map(ToString::to_string);
        Self { pending_email, ..Self::of_another(user, app) }
    }

    /// As staff see it.
    #[must_use]
    pub fn of_another(user: User, app: &App) -> Self {
        let email_delivery = user.email_delivery.clone().map(|delivery| EmailDeliveryView {
            status: delivery.status.as_str(),
            since: delivery.since.rfc3339(),
            diagnostic: delivery.diagnostic,
        });
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
            picture: PictureView { status, reason, urls },
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
        }
    }
}
