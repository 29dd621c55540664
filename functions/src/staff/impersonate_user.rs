//! Lets an administrator impersonate a user, to see what they see.
//!
//! `POST /users/{id}/impersonation` with a reason, after recent authentication: an access token for ten minutes that names both
//! (RFC 8693, 4.1), without a refresh token. Routes that make changes reject it, unless `write` was requested; routes about
//! passwords, factors, the address, sessions and deletion, and those for staff, always reject it. The owner is notified by email.

use axum::extract::State;
use macros::operation;
use serde::{Deserialize, Serialize};
use shared::domain::event::{DomainEvent, EventKind};
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::role::Role;
use shared::domain::session::{Impersonation, Session};
use shared::domain::status::Reason;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::tokens::access;
use shared::tokens::keys::Keys;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{Act, FIND, UserPath, not_oneself};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[Code::UserNotFound, Code::OwnAccount, Code::StaffAccount, Code::AccountDisabled])
    .may(grants![FIND, Store::IMPERSONATE, Keys::SIGN, App::NOTIFY_EMAILER]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpersonateUser {
    /// Recorded in the activity.
    #[schema(required, value_type = String, min_length = 1, max_length = 500, example = "Ticket 4711: the picture is not shown")]
    reason: Option<String>,
    /// Whether name, profile and picture may be changed.
    #[serde(default)]
    write: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ImpersonationToken {
    /// Like the token from a sign-in, with the claim `act`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the token expires.
    #[schema(example = 600)]
    expires_in: u64,
}

#[operation(
    POST, "/users/{id}/impersonation", summary = "Impersonate a user",
    description = "For administrators, after recent authentication. The token ends with the user's sessions, and with those of the administrator. Staff accounts cannot be impersonated. The user is notified by email.",
    params(UserPath),
    responses((status = 200, description = "An access token for the user, valid for ten minutes", body = ImpersonationToken))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
    Json(body): Json<ImpersonateUser>,
) -> Result<JsonResponse<ImpersonationToken>> {
    let mut fields = Fields::default();
    let reason = fields.required("reason", body.reason, |reason| Reason::parse(&reason));
    let (reason, write) = (fields.finish(reason)?, body.write);
    not_oneself(&caller, id)?;
    let mut act = Act::new(&app, &caller, Role::ADMIN, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if user.is_support() {
            return Err(Error::StaffAccount);
        }
        if user.is_disabled(now) {
            return Err(Error::AccountDisabled);
        }
        let (by, by_session, by_epoch) = (caller.user.id, caller.session.id, caller.user.session_epoch);
        let impersonation = Impersonation { by, by_session, by_epoch, write };
        let session = Session::impersonate(&user, impersonation, now);
        let access_token = access::sign(&app, &user, &session, now).await?;
        let until = session.ends_at();
        let kind = EmailKind::Impersonated { to: user.email.clone(), name: user.name.clone(), at: now, write };
        let mail = OutboxEmail::new(user.email.normalized(), kind, now);
        let kind = EventKind::Impersonated { reason: reason.clone(), write, until: until.rfc3339() };
        let events = DomainEvent::of_user(user.id, &caller.staff(), [kind], now);
        if app.store().impersonate(&act.of(&user, Some(&mail), &events, now), &session).await? {
            Event::UserImpersonated { user: user.id, session: session.id, by: caller.user.id }.record();
            app.notify_emailer(&mail).await;
            let expires_in = until.since(now).as_secs();
            return Ok(JsonResponse::ok(ImpersonationToken { access_token, token_type: "Bearer", expires_in }));
        }
    }
}
