//! Invitations: staff offer roles to the owner of an email address, whether or not an account has it.

use serde::{Deserialize, Serialize};

use super::email::EmailAddress;
use super::id::{InvitationId, UserId};
use super::link::INVITATION_LIFE;
use super::metadata::Metadata;
use super::role::Role;
use crate::clock::Timestamp;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitation {
    pub id: InvitationId,
    /// Only the account of this address can have it.
    pub email: EmailAddress,
    pub roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub app: Metadata,
    pub invited_by: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The hash of the newest link's secret; none before the email is sent and after the link is used.
    #[serde(default)]
    pub link: Option<String>,
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
}

impl Invitation {
    #[must_use]
    pub fn new(email: EmailAddress, roles: Vec<Role>, app: Metadata, invited_by: UserId, now: Timestamp) -> Self {
        Self {
            id: InvitationId::new(now),
            email,
            roles,
            app,
            invited_by,
            created_at: now,
            expires_at: now.plus(INVITATION_LIFE),
            link: None,
            accepted_at: None,
        }
    }

    #[must_use]
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && now < self.expires_at
    }
}
