//! Staff: those who look after other people's accounts.

use super::id::UserId;
use super::role::Role;

/// A member of staff who acts on an account. Each write holds them to it: an act fails if they were signed out everywhere or lost
/// their role since it was asked for. As nobody takes an administrator's role, or the account, from themselves, there is always
/// one administrator left who does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    pub id: UserId,
    /// The `session_epoch` of their account.
    pub epoch: u32,
    /// The role that the act takes: support or administrator.
    pub role: Role,
}
