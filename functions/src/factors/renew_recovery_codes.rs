//! Generates new recovery codes; the old ones stop working.
//!
//! `POST /user/recovery-codes`, after recent authentication and with a code of the app, an old recovery code or a passkey: a set of
//! codes is as powerful as the second factor itself.

use axum::extract::State;
use macros::operation;
use serde::Serialize;
use shared::domain::event::{DomainEvent, EventKind, SessionsEnd};
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::recovery::RecoverySet;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::ProvesSecondFactor;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Result};
use utoipa::ToSchema;

use super::{RECOVERY_CODES, codes_added, shown};
use crate::second_factor::{self, StepUp};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[
        Code::InvalidChallenge,
        Code::InvalidCode,
        Code::InvalidPasskey,
        Code::TotpNotFound,
        Code::TooManyAttempts,
    ])
    .may(grants![second_factor::STEP_UP, Store::RENEW_RECOVERY_CODES, App::NOTIFY_EMAILER]);

#[derive(Serialize, ToSchema)]
pub struct RecoveryCodesMade {
    /// Ten codes. Each can be used once instead of the second factor, with the password. They are not shown again.
    #[schema(min_items = 10, max_items = 10, example = json!(RECOVERY_CODES))]
    recovery_codes: Vec<String>,
}

#[operation(
    POST, "/user/recovery-codes", summary = "Generate new recovery codes",
    description = "Requires recent authentication and a proof of the second factor. The old recovery codes stop working.",
    responses((status = 200, description = "The new codes, shown only once", body = RecoveryCodesMade))
)]
pub async fn handler(
    ProvesSecondFactor(caller): ProvesSecondFactor,
    State(app): State<App>,
    Json(body): Json<StepUp>,
) -> Result<JsonResponse<RecoveryCodesMade>> {
    let proof = body.parse()?;
    let actor = caller.actor();
    let (user, session, now) = (caller.user, caller.session, app.clock.now());
    let used_proof = second_factor::step_up(&app, &user, &proof).await?;
    let (set, codes) = RecoverySet::new(now);
    let mail = OutboxEmail::of_factor(&user, FactorChange::RecoveryCodesRenewed, now);
    let ended = EventKind::SessionsEnded { except: Some(session.id), reason: SessionsEnd::RecoveryCodesRenewed };
    let events = DomainEvent::of_user(user.id, &actor, codes_added(true).into_iter().chain([ended]), now);
    if !app.store().renew_recovery_codes(&user, &session, &used_proof, &set, &mail, &events).await? {
        // Another request used the proof first, or changed the factors.
        return Err(second_factor::refuse(user.id, used_proof.method()));
    }
    Event::RecoveryCodesRenewed { user: user.id }.record();
    app.notify_emailer(&mail).await;
    Ok(JsonResponse::ok(RecoveryCodesMade { recovery_codes: shown(&codes) }))
}
