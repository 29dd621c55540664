//! Staff manage users: they find accounts, read their data, and change them.

pub mod clear_email_suppression;
pub mod create_user;
pub mod disable_user;
pub mod enable_user;
pub mod end_user_sessions;
pub mod impersonate_user;
pub mod list_user_sessions;
pub mod list_users;
pub mod patch_user;
pub mod remove_user;
pub mod remove_user_factors;
pub mod send_confirmation;
pub mod send_password_reset;
pub mod show_user;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::clock::Timestamp;
use shared::domain::event::DomainEvent;
use shared::domain::id::UserId;
use shared::domain::mail::OutboxEmail;
use shared::domain::role::Role;
use shared::domain::staff::StaffMember;
use shared::domain::status::{Disabled, Status};
use shared::domain::user::{ListedUser, User};
use shared::error::FieldError;
use shared::grant::Grants;
use shared::http::Area;
use shared::http::caller::CurrentUser;
use shared::http::view::{EmailDeliveryView, UserView};
use shared::store::{StaffAct, Store};
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub const AREA: Area = Area {
    name: "staff",
    description: "User management for support and administrators",
    routes: &[
        list_users::ROUTE,
        create_user::ROUTE,
        show_user::ROUTE,
        patch_user::ROUTE,
        remove_user::ROUTE,
        disable_user::ROUTE,
        enable_user::ROUTE,
        list_user_sessions::ROUTE,
        end_user_sessions::ROUTE,
        remove_user_factors::ROUTE,
        send_password_reset::ROUTE,
        send_confirmation::ROUTE,
        impersonate_user::ROUTE,
        clear_email_suppression::ROUTE,
    ],
    workers: &[],
};

/// When an account was changed since it was read, it is read again.
const TRIES: usize = 8;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// ID of the user.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: Uuid,
}

/// An account in a list, as staff see it.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedUser)]
pub struct ListedUserView {
    #[serde(flatten)]
    user: UserView,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "auth0|5f7c8ec7c33c6c004bbafe82")]
    external_id: Option<String>,
}

impl ListedUserView {
    #[must_use]
    pub fn of(user: ListedUser, app: &App) -> Self {
        let status = user.status(app.clock.now());
        let external_id = user.external_id.as_ref().map(|id| id.as_str().to_owned());
        Self { user: UserView::listed(user, app), status, external_id }
    }
}

/// An account as staff see it.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffUser)]
pub struct StaffUserView {
    #[serde(flatten)]
    listed: ListedUserView,
    /// Present while the account is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<DisabledView>,
    factors: FactorsView,
    email_delivery: EmailDeliveryView,
    /// Stored by the owner.
    #[schema(value_type = Object)]
    profile: Map<String, Value>,
    /// Stored by administrators, visible to the owner.
    #[schema(value_type = Object)]
    app: Map<String, Value>,
    /// Stored by administrators, visible to staff only.
    #[schema(value_type = Object)]
    internal: Map<String, Value>,
    /// For `If-Match`; changes whenever something changes that `PATCH` can change.
    #[schema(example = "gq8Wm3JmOkCTCuDYy3bA3w")]
    etag: String,
}

/// Why and since when an account is disabled.
#[derive(Serialize, ToSchema)]
#[schema(as = Disabled)]
pub struct DisabledView {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Sends spam")]
    reason: Option<String>,
    /// When the account is enabled again automatically.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-12-23T09:00:00.000Z", format = "date-time")]
    until: Option<String>,
    /// The member of staff; absent if it was an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Uuid>,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    at: String,
}

/// The factors of an account besides the password.
#[derive(Serialize, ToSchema)]
#[schema(as = UserFactors)]
pub struct FactorsView {
    /// Whether there is an authenticator app.
    totp: bool,
    /// Number of passkeys.
    passkeys: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    recovery_codes_left: Option<usize>,
}

impl StaffUserView {
    #[must_use]
    pub fn of(user: User, app: &App, recovery_codes_left: Option<usize>) -> Self {
        let now = app.clock.now();
        let email_delivery = user.email_delivery.clone().map_or_else(EmailDeliveryView::ok, EmailDeliveryView::of);
        Self {
            disabled: user.disabled.clone().filter(|disabled| disabled.lasts(now)).map(DisabledView::of),
            factors: FactorsView { totp: user.totp_since.is_some(), passkeys: user.passkeys, recovery_codes_left },
            email_delivery,
            profile: user.profile.as_object().clone(),
            app: user.app.as_object().clone(),
            internal: user.internal.as_object().clone(),
            etag: user.etag(),
            listed: ListedUserView::of(user.into(), app),
        }
    }

    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }
}

impl DisabledView {
    fn of(Disabled { at, by, reason, until }: Disabled) -> Self {
        let reason = reason.map(|reason| reason.as_str().to_owned());
        Self { reason, until: until.map(Timestamp::rfc3339), by: by.map(Into::into), at: at.rfc3339() }
    }
}

/// [`found`], and [`Act`].
const FIND: Grants = Store::USER;

/// The account of an id.
async fn found(app: &App, id: Option<UserId>) -> Result<User> {
    app.store().user(id.ok_or(Error::UserNotFound)?).await?.ok_or(Error::UserNotFound)
}

/// The claims for access tokens do not fit.
fn claims_too_large(field: &str) -> Error {
    let detail = "The part of this that is copied into access tokens exceeds 2 KiB.".to_owned();
    Error::fields(vec![FieldError { field: field.to_owned(), code: "claims_too_large", detail }])
}

/// Staff cannot do this to their own account.
fn not_oneself(caller: &CurrentUser, id: Option<UserId>) -> Result<()> {
    if id == Some(caller.user.id) { Err(Error::OwnAccount) } else { Ok(()) }
}

/// An act on an account, which is read again when it was changed since.
struct Act<'a> {
    app: &'a App,
    caller: &'a CurrentUser,
    id: Option<UserId>,
    /// Who acts.
    staff: StaffMember,
    reads: usize,
}

impl<'a> Act<'a> {
    /// `role` is what the act takes.
    fn new(app: &'a App, caller: &'a CurrentUser, role: Role, id: Option<UserId>) -> Self {
        Self { app, caller, id, staff: caller.as_staff(role), reads: 0 }
    }

    /// The account as it is now. From the second time on, when a write found it changed, or found that who acts may not any more:
    /// then that is the error.
    async fn read(&mut self) -> Result<User> {
        if self.reads == TRIES {
            return Err(Error::TemporarilyUnavailable("the account kept changing concurrently".into()));
        }
        if self.reads > 0 {
            let now = self.caller.reread(self.app).await?.user;
            if !(now.is_admin() || (self.staff.role == Role::SUPPORT && now.is_support())) {
                return Err(Error::Forbidden);
            }
        }
        self.reads += 1;
        found(self.app, self.id).await
    }

    /// What the table is told of it.
    fn of<'b>(
        &'b self,
        user: &'b User,
        mail: Option<&'b OutboxEmail>,
        events: &'b [DomainEvent],
        now: Timestamp,
    ) -> StaffAct<'b> {
        StaffAct { user, staff: Some(&self.staff), mail, events, now }
    }
}
