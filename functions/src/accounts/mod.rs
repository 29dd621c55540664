//! Accounts: creating, reading, changing and deleting them, and their email addresses.

pub mod confirm_email_change;
pub mod confirm_registration;
pub mod delete_user;
pub mod get_user;
pub mod register;
pub mod resend_confirmation;
pub mod undo_email_change;
pub mod update_user;

use serde::{Deserialize, Serialize};
use shared::domain::id::UserId;
use shared::http::Area;
use utoipa::{IntoParams, ToSchema};

pub const AREA: Area = Area {
    name: "accounts",
    description: "Accounts and their email addresses",
    routes: &[
        register::ROUTE,
        resend_confirmation::ROUTE,
        confirm_registration::ROUTE,
        get_user::ROUTE,
        update_user::ROUTE,
        delete_user::ROUTE,
        confirm_email_change::ROUTE,
        undo_email_change::ROUTE,
    ],
    workers: &[],
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// ID of another user; administrators only.
    #[param(value_type = Option<uuid::Uuid>)]
    pub id: Option<UserId>,
}

#[derive(Serialize, ToSchema)]
pub struct ConfirmationRequired {
    #[schema(example = "confirmation_required")]
    pub status: &'static str,
    #[schema(example = "ada@example.com")]
    pub email: String,
}
