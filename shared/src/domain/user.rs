//! An account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::email::EmailAddress;
use super::id::UserId;
use super::name::UserName;
use super::picture::PictureState;
use crate::clock::Timestamp;
use crate::hashing::PasswordHash;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: UserName,
    pub email: EmailAddress,
    pub email_confirmed: bool,
    pub roles: Vec<Role>,
    pub password_hash: PasswordHash,
    /// Set by an operator; such an account signs in no more, and its sessions are over.
    #[serde(default)]
    pub disabled: bool,
    /// A session made under an older epoch is over: adding one here signs out everywhere.
    #[serde(default)]
    pub session_epoch: u32,
    /// Since when signing in takes a code of an authenticator app, too; `None` for the password alone.
    #[serde(default)]
    pub totp_since: Option<Timestamp>,
    #[serde(default)]
    pub picture: PictureState,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Admin,
}

impl User {
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::Admin)
    }
}

/// The part of an account that lists show: what the list index carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListedUser {
    pub id: UserId,
    pub name: UserName,
    pub email: EmailAddress,
    pub email_confirmed: bool,
    pub roles: Vec<Role>,
    #[serde(default)]
    pub picture: PictureState,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<User> for ListedUser {
    fn from(user: User) -> Self {
        let User { id, name, email, email_confirmed, roles, picture, created_at, updated_at, .. } = user;
        Self { id, name, email, email_confirmed, roles, picture, created_at, updated_at }
    }
}
