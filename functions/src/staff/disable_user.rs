//! Disables an account.
//!
//! `POST /users/{id}/disable`, for administrators after recent authentication. The write that disables the account also ends its
//! sessions, tokens and links. A caller who then proves the password or a passkey is told; everyone else gets the usual response. A
//! given end takes effect automatically.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use shared::clock::Timestamp;
use shared::domain::Invalid;
use shared::domain::event::{DomainEvent, EventKind, SessionsEnd};
use shared::domain::id::UserId;
use shared::domain::role::Role;
use shared::domain::status::{Disabled, Reason};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::OptionalJson;
use shared::http::caller::RecentAdmin;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

use super::{Act, FIND, StaffUserView, UserPath, found, not_oneself};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .fails_with(&[Code::UserNotFound, Code::OwnAccount])
    .may(grants![FIND, Store::DISABLE_USER]);

#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct DisableUser {
    /// Visible to staff.
    #[schema(min_length = 1, max_length = 500, example = "Sends spam")]
    reason: Option<String>,
    /// When the account is enabled again automatically.
    #[schema(format = "date-time", example = "2026-12-23T09:00:00Z")]
    until: Option<String>,
}

#[operation(
    POST, "/users/{id}/disable", summary = "Disable a user",
    description = "For administrators, after recent authentication. Immediately ends sessions, refresh and device tokens, sign-ins in progress, emailed links and pending changes. If the user is already disabled, the reason and the end are replaced.",
    params(UserPath),
    responses((status = 200, description = "The disabled user", body = StaffUserView))
)]
pub async fn handler(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
    OptionalJson(body): OptionalJson<DisableUser>,
) -> Result<JsonResponse<StaffUserView>> {
    let (reason, until) = body.unwrap_or_default().parse(app.clock.now())?;
    not_oneself(&caller, id)?;
    let mut act = Act::new(&app, &caller, Role::ADMIN, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        if let Some(before) = user.disabled.as_ref().filter(|before| before.lasts(now))
            && (&before.reason, before.until) == (&reason, until)
        {
            break;
        }
        let disabled = Disabled { at: now, by: Some(caller.user.id), reason: reason.clone(), until };
        let lapses_at = until.map(|until| until.plus(app.config.unconfirmed_life));
        let kinds = [
            EventKind::Disabled { reason: reason.clone(), until: until.map(Timestamp::rfc3339) },
            EventKind::SessionsEnded { except: None, reason: SessionsEnd::Disabled },
        ];
        let events = DomainEvent::of_user(user.id, &caller.staff(), kinds, now);
        if app.store().disable_user(&act.of(&user, None, &events, now), &disabled, lapses_at).await? {
            Event::UserDisabled { user: user.id, by: caller.user.id }.record();
            break;
        }
    }
    Ok(JsonResponse::ok(StaffUserView::of(found(&app, id).await?, &app, None)))
}

impl DisableUser {
    fn parse(self, now: Timestamp) -> Result<(Option<Reason>, Option<Timestamp>)> {
        let mut fields = Fields::default();
        let reason = fields.optional("reason", self.reason, |reason| Reason::parse(&reason));
        let until = fields.optional("until", self.until, |until| {
            let until = Timestamp::parse(&until).filter(|until| *until > now);
            until.ok_or_else(|| Invalid::new("invalid_time", "This must be an RFC 3339 time in the future."))
        });
        fields.finish(Some(()))?;
        Ok((reason, until))
    }
}
