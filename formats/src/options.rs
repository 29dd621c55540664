//! What a file does not say about itself.

use std::fmt;

use serde::Deserialize;

use crate::record::Members;

/// What a file does not say about itself, and how its roles are taken over.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The settings of the old system that its hashes depend on, merged into the `fields` of every password. What the account
    /// itself has wins. They may hold secrets: a pepper, Firebase's signer key.
    ///
    /// One is for the reader alone: `hashes` names the system of the hashes, where a table of a Flask application holds others
    /// than Flask-Security's.
    pub settings: Members,
    /// The Cognito user pool that verifies the passwords. Without it, accounts from Cognito have none.
    pub cognito_pool: Option<String>,
    /// The app client of that pool.
    pub cognito_client: Option<String>,
    /// What becomes of roles that mean staff.
    pub staff_roles: StaffRoles,
    /// Whether an address counts as confirmed where the source does not say, for applications that confirmed every address before
    /// the first sign-in. An address that the source calls unconfirmed stays so.
    pub email_confirmed: bool,
}

/// Written by hand, because `settings` may hold secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cognito_pool", &self.cognito_pool)
            .field("cognito_client", &self.cognito_client)
            .field("staff_roles", &self.staff_roles)
            .field("email_confirmed", &self.email_confirmed)
            .finish_non_exhaustive()
    }
}

/// What becomes of the roles of other systems that mean staff here: `admin`, `support`, and marks such as Django's
/// `is_superuser`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaffRoles {
    /// They are left out, with a note: administrators of one system are not those of another by themselves.
    #[default]
    Drop,
    /// They are taken over.
    Keep,
}
