//! Deletes factors of an account, for an owner who has lost them.
//!
//! `DELETE /users/{id}/factors`, `/factors/totp`, `/factors/recovery-codes`, `/factors/passkeys/{pid}`, for administrators after
//! recent authentication. Everything that may have started with a factor ends, and the owner is notified by email.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, FactorKind, SessionsEnd};
use shared::domain::factor::{Factor, FactorsToDrop};
use shared::domain::id::UserId;
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::passkey::{Passkey, PasskeyId};
use shared::domain::role::Role;
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::caller::{CurrentUser, RecentAdmin};
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::IntoParams;

use super::{Act, FIND, UserPath, not_oneself};

pub const ROUTE: Route = Route::new(module_path!(), &[ALL, TOTP, RECOVERY_CODES, PASSKEY])
    .fails_with(&[Code::UserNotFound, Code::TotpNotFound, Code::PasskeyNotFound, Code::OwnAccount])
    .may(grants![FIND, Store::FACTORS, Store::PASSKEYS, Store::DROP_FACTORS, App::NOTIFY_EMAILER]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPasskeyPath {
    /// ID of the user.
    #[param(value_type = uuid::Uuid)]
    id: String,
    /// ID of the passkey.
    pid: String,
}

#[operation(
    DELETE, "/users/{id}/factors", operation_id = "remove_user_factors",
    summary = "Delete all factors of a user",
    description = "For administrators, after recent authentication. Deletes the authenticator app, the recovery codes and every passkey. All sessions end, and the owner is notified by email.",
    params(UserPath),
    responses((status = 204, description = "Deleted; the password alone is enough to sign in"))
)]
pub async fn all(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode> {
    remove(&app, &caller, id, &Wanted::All).await
}

#[operation(
    DELETE, "/users/{id}/factors/totp", operation_id = "remove_user_totp",
    summary = "Delete a user's authenticator app",
    description = "For administrators, after recent authentication. All sessions end, and the owner is notified by email. The recovery codes are also deleted unless a passkey is left.",
    params(UserPath),
    responses((status = 204, description = "Removed"))
)]
pub async fn totp(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode> {
    remove(&app, &caller, id, &Wanted::Totp).await
}

#[operation(
    DELETE, "/users/{id}/factors/recovery-codes", operation_id = "remove_user_recovery_codes",
    summary = "Delete a user's recovery codes",
    description = "For administrators, after recent authentication. All sessions end, and the owner is notified by email.",
    params(UserPath),
    responses((status = 204, description = "Removed"))
)]
pub async fn recovery_codes(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode> {
    remove(&app, &caller, id, &Wanted::RecoveryCodes).await
}

#[operation(
    DELETE, "/users/{id}/factors/passkeys/{pid}", operation_id = "remove_user_passkey",
    summary = "Delete one of a user's passkeys",
    description = "For administrators, after recent authentication. All sessions end, and the owner is notified by email. The recovery codes are deleted with the last factor.",
    params(UserPasskeyPath),
    responses((status = 204, description = "Removed"))
)]
pub async fn passkey(
    RecentAdmin(caller): RecentAdmin,
    State(app): State<App>,
    Path(path): Path<UserPasskeyPath>,
) -> Result<StatusCode> {
    let passkey = path.pid.parse().map_err(|_| Error::PasskeyNotFound)?;
    remove(&app, &caller, path.id.parse().ok(), &Wanted::Passkey(passkey)).await
}

enum Wanted {
    All,
    Totp,
    RecoveryCodes,
    Passkey(PasskeyId),
}

async fn remove(app: &App, caller: &CurrentUser, id: Option<UserId>, wanted: &Wanted) -> Result<StatusCode> {
    not_oneself(caller, id)?;
    let mut act = Act::new(app, caller, Role::ADMIN, id);
    loop {
        let (user, now) = (act.read().await?, app.clock.now());
        // After the account: a factor that is added between the two fails the write.
        let (factors, passkeys) = tokio::try_join!(app.store().factors(user.id, None), app.store().passkeys(user.id))?;
        let has_codes = factors.recovery.is_some();
        let dropped = wanted.of(&user, has_codes, &passkeys)?;
        if dropped == FactorsToDrop::default() {
            return Ok(StatusCode::NO_CONTENT);
        }
        let mail = OutboxEmail::of_factor(&user, change(&user, &dropped), now);
        let events = DomainEvent::of_user(user.id, &caller.staff(), events(&dropped), now);
        if app.store().drop_factors(&act.of(&user, Some(&mail), &events, now), &dropped).await? {
            Event::FactorsRemovedByStaff { user: user.id, by: caller.user.id }.record();
            app.notify_emailer(&mail).await;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
}

impl Wanted {
    /// Which of an account's factors these are.
    fn of<'a>(&self, user: &User, has_codes: bool, passkeys: &'a [Passkey]) -> Result<FactorsToDrop<'a>> {
        let totp = user.totp_since.is_some();
        Ok(match self {
            Self::All => FactorsToDrop {
                totp,
                recovery: has_codes,
                passkeys: passkeys.iter().map(|passkey| &passkey.id).collect(),
            },
            Self::Totp if !totp => return Err(Error::TotpNotFound),
            Self::Totp => FactorsToDrop { totp, recovery: has_codes && passkeys.is_empty(), passkeys: Vec::new() },
            Self::RecoveryCodes => FactorsToDrop { recovery: has_codes, ..FactorsToDrop::default() },
            Self::Passkey(id) => {
                let passkey = passkeys.iter().find(|passkey| passkey.id == *id).ok_or(Error::PasskeyNotFound)?;
                let last = passkeys.len() == 1 && !totp;
                FactorsToDrop { totp: false, recovery: has_codes && last, passkeys: vec![&passkey.id] }
            }
        })
    }
}

/// What the owner is told.
fn change(user: &User, dropped: &FactorsToDrop<'_>) -> FactorChange {
    let passkeys_left = usize::try_from(user.passkeys).unwrap_or(usize::MAX) > dropped.passkeys.len();
    let last = !passkeys_left && (dropped.totp || user.totp_since.is_none());
    match (dropped.totp, dropped.passkeys.is_empty()) {
        (true, _) => FactorChange::Removed { last },
        (false, false) => FactorChange::PasskeyRemoved { last },
        (false, true) => FactorChange::RecoveryCodesRemoved,
    }
}

fn events(dropped: &FactorsToDrop<'_>) -> Vec<EventKind> {
    let totp = dropped.totp.then(|| EventKind::factor_removed(&Factor::Totp));
    let passkeys = dropped.passkeys.iter().map(|id| EventKind::factor_removed(&Factor::Passkey((*id).clone())));
    let codes = EventKind::FactorRemoved { factor: FactorKind::RecoveryCodes, passkey_id: None };
    let ended = EventKind::SessionsEnded { except: None, reason: SessionsEnd::FactorRemoved };
    totp.into_iter().chain(passkeys).chain(dropped.recovery.then_some(codes)).chain([ended]).collect()
}
