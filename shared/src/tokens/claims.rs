//! What an access token says (RFC 9068).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::id::{SessionId, UserId};
use crate::domain::role::Role;
use crate::domain::session::Impersonation;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: UserId,
    pub aud: String,
    /// Seconds since the epoch, like every time here.
    pub exp: i64,
    pub iat: i64,
    pub nbf: i64,
    pub jti: Uuid,
    /// The client that asked for the token (RFC 9068, 2.2). Tokens of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    pub sid: SessionId,
    pub roles: Vec<Role>,
    pub auth_time: i64,
    /// How the user proved who they are (RFC 8176).
    #[serde(default)]
    pub amr: Vec<String>,
    /// Who acts for the user, where it is not the user (RFC 8693, 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
    /// Claims of the team's own: `CLAIMS`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ext: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Act {
    pub sub: UserId,
    /// Their own session.
    pub sid: SessionId,
}

impl From<Impersonation> for Act {
    fn from(impersonation: Impersonation) -> Self {
        Self { sub: impersonation.by, sid: impersonation.by_session }
    }
}
