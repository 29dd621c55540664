//! Exports everything that is stored about the caller, as JSON (GDPR, articles 15 and 20).
//!
//! `GET /user/export`, after recent authentication: the account, its sessions, its factors without their secrets, and its activity.
//! Internal notes of staff are not included.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::clock::Timestamp;
use shared::domain::event::RecordedEvent;
use shared::domain::id::EventId;
use shared::domain::passkey::Passkey;
use shared::domain::user::User;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::RecentlySignedIn;
use shared::http::view::{SessionView, UserView};
use shared::store::{Factors, Store};
use shared::{App, Result};
use utoipa::ToSchema;

use super::{ActivityEvent, for_owner};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .may(grants![Store::SESSIONS, Store::FACTORS, Store::PASSKEYS, Store::ACTIVITY])
    .within(29);

/// Events that are read at a time, and that are exported at most.
const PAGE: usize = 1000;
const MAX_EVENTS: usize = 5000;
/// Octets of them: Lambda's answers have 6 MB.
const MAX_OCTETS: usize = 4 * 1024 * 1024;

#[derive(Serialize, ToSchema)]
pub struct Export {
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    exported_at: String,
    user: UserView,
    /// Previous email addresses that are still reserved for the account.
    former_emails: Vec<FormerEmailView>,
    sessions: Vec<SessionView>,
    factors: ExportedFactors,
    /// Newest first, at most 5,000 and 4 MiB.
    activity: Vec<ActivityEvent>,
    /// Whether there is more activity; `GET /user/activity` lists all of it.
    activity_goes_on: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FormerEmail)]
pub struct FormerEmailView {
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "2026-11-30T09:00:00.000Z", format = "date-time")]
    until: String,
}

#[derive(Serialize, ToSchema)]
pub struct ExportedFactors {
    /// When the authenticator app was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    totp_since: Option<String>,
    recovery_codes_left: usize,
    passkeys: Vec<ExportedPasskey>,
}

#[derive(Serialize, ToSchema)]
pub struct ExportedPasskey {
    #[schema(example = "Phone")]
    name: String,
    backed_up: bool,
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    last_used_at: Option<String>,
}

#[operation(
    GET, "/user/export", summary = "Export the caller's data",
    description = "Requires recent authentication. Returns the account, its sessions, its factors without their secrets, and its activity.",
    responses((status = 200, description = "The exported data", body = Export))
)]
pub async fn handler(
    RecentlySignedIn(caller): RecentlySignedIn,
    State(app): State<App>,
) -> Result<JsonResponse<Export>> {
    let (user, now) = (&caller.user, app.clock.now());
    let (sessions, factors, passkeys, mut events) = tokio::try_join!(
        app.store().sessions(user.id),
        app.store().factors(user.id, None),
        app.store().passkeys(user.id),
        activity(&app, user, now),
    )?;
    let read = events.len();
    events.truncate(MAX_EVENTS);
    let mut activity: Vec<_> = events.into_iter().map(|event| ActivityEvent::from(for_owner(event))).collect();
    let mut octets = 0;
    let mut fits = |event: &ActivityEvent| {
        octets += serde_json::to_vec(event).map_or(0, |json| json.len());
        octets <= MAX_OCTETS
    };
    let fitting = activity.iter().position(|event| !fits(event)).unwrap_or(activity.len());
    activity.truncate(fitting);
    let activity_goes_on = activity.len() < read;
    let live = sessions.into_iter().filter(|session| session.is_live(user, now));
    Ok(JsonResponse::ok(Export {
        exported_at: now.rfc3339(),
        former_emails: user.former_emails.iter().filter(|former| now < former.until).map(FormerEmailView::of).collect(),
        sessions: live.map(|session| SessionView::of(session, caller.session.id)).collect(),
        factors: ExportedFactors::of(user, &factors, passkeys),
        activity,
        activity_goes_on,
        user: UserView::of(caller.user, &app),
    }))
}

/// One more than are exported tells whether there are others.
async fn activity(app: &App, user: &User, now: Timestamp) -> Result<Vec<RecordedEvent>> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    while events.len() <= MAX_EVENTS {
        let before: Option<EventId> = events.last().map(|event| event.id);
        let page = app.store().activity(user.id, before, PAGE, now).await?;
        let last = page.len() < PAGE;
        events.extend(page);
        if last {
            break;
        }
    }
    Ok(events)
}

impl FormerEmailView {
    fn of(former: &shared::domain::user::FormerEmail) -> Self {
        Self { email: former.address.as_str().to_owned(), until: former.until.rfc3339() }
    }
}

impl ExportedFactors {
    fn of(user: &User, factors: &Factors, passkeys: Vec<Passkey>) -> Self {
        let passkeys = passkeys.into_iter().map(|passkey| ExportedPasskey {
            name: passkey.name.to_string(),
            backed_up: passkey.backed_up,
            created_at: passkey.created_at.rfc3339(),
            last_used_at: passkey.last_used_at.map(Timestamp::rfc3339),
        });
        Self {
            totp_since: user.totp_since.map(Timestamp::rfc3339),
            recovery_codes_left: factors.recovery_codes_left(),
            passkeys: passkeys.collect(),
        }
    }
}
