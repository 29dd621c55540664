//! Staff: users who manage other accounts.

use super::id::UserId;
use super::role::Role;

/// A member of staff who acts on an account. Each write checks their authorization: it fails if they were signed out everywhere or
/// lost their role since the request. Because administrators cannot remove their own role or account, at least one administrator
/// always remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    pub id: UserId,
    /// The `session_epoch` of their account.
    pub epoch: u32,
    /// The required role: support or administrator.
    pub role: Role,
}
