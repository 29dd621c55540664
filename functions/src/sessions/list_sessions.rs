//! Lists where somebody is signed in: their own sessions, newest first.
//!
//! `GET /auth/sessions`. A session that is over is not shown, whether it was ended or has run out.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::domain::id::SessionId;
use shared::domain::session::Session;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::caller::CurrentUser;
use shared::store::Store;
use shared::{App, Result};
use utoipa::ToSchema;
use uuid::Uuid;

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER]).may(grants![Store::SESSIONS]);

/// More sessions than anybody looks through; who has more sees the newest.
const AT_MOST: usize = 100;

#[derive(Serialize, ToSchema)]
pub struct Sessions {
    sessions: Vec<SessionView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: Uuid,
    /// When it began: the sign-in.
    #[schema(example = "2026-11-23T09:00:00.000Z", format = "date-time")]
    created_at: String,
    /// When its tokens were last refreshed, or it began.
    #[schema(example = "2026-11-24T09:00:00.000Z", format = "date-time")]
    last_used_at: String,
    /// Where the sign-in came from.
    #[schema(example = "203.0.113.7")]
    source_ip: Option<String>,
    /// What the client said it was at the sign-in, shortened.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0")]
    client: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

#[operation(
    GET, "/auth/sessions", summary = "List one's own sessions, newest first, at most 100",
    description = "Where the account is signed in. Sessions that have ended or expired are not listed.",
    responses((status = 200, description = "The sessions that are not over", body = Sessions))
)]
pub async fn handler(caller: CurrentUser, State(app): State<App>) -> Result<JsonResponse<Sessions>> {
    let now = app.clock.now();
    let sessions = app.store().sessions(caller.user.id).await?;
    let live = sessions.into_iter().filter(|session| session.is_live(&caller.user, now)).take(AT_MOST);
    let sessions = live.map(|session| SessionView::of(session, caller.session.id)).collect();
    Ok(JsonResponse::ok(Sessions { sessions }))
}

impl SessionView {
    fn of(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id.into(),
            created_at: session.signed_in_at.rfc3339(),
            last_used_at: session.rotated_at.rfc3339(),
            source_ip: session.source_ip,
            client: session.user_agent,
            current: session.id == current,
        }
    }
}
