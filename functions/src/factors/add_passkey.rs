//! Adds a passkey.
//!
//! `POST /user/passkeys` with the authenticator's response to the options of `start_passkey`, within five minutes and once. With
//! the first second factor of an account come ten recovery codes, shown once. Recent authentication is not required here, because
//! getting the options required it.

use axum::extract::State;
use axum::http::StatusCode;
use macros::operation;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::domain::event::{Actor, DomainEvent, EventKind};
use shared::domain::factor::{Factor, Method};
use shared::domain::id::CeremonyId;
use shared::domain::mail::{FactorChange, OutboxEmail};
use shared::domain::passkey::{PASSKEYS, Passkey, PasskeyName};
use shared::domain::recovery::{CODES, RecoveryCode, RecoverySet};
use shared::domain::user::User;
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::relying_party::{Attestation, RelyingParty};
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{PasskeyView, RECOVERY_CODES, codes_added, shown};
use crate::second_factor::{self, ceremony_id};

pub const ROUTE: Route = Route::new(module_path!(), &[HANDLER])
    .answering_secrets()
    .fails_with(&[Code::InvalidChallenge, Code::InvalidPasskey, Code::PasskeyAlreadyAdded, Code::TooManyPasskeys])
    .may(grants![
        Store::TAKE_CEREMONY,
        Store::USER_AND_PASSKEY,
        Store::ADD_PASSKEY,
        second_factor::NOTE,
        App::NOTIFY_EMAILER
    ]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// The `challenge_token` of the options.
    #[schema(required, value_type = String, format = "uuid")]
    challenge_token: Option<String>,
    /// A name chosen by the owner.
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Phone")]
    name: Option<String>,
    /// The result of `navigator.credentials.create()`, by its `toJSON()`.
    #[schema(required, value_type = Object)]
    credential: Option<Value>,
}

#[derive(Serialize, ToSchema)]
pub struct PasskeyAdded {
    #[serde(flatten)]
    passkey: PasskeyView,
    /// Ten codes, with the first second factor of the account. Each can be used once instead of the factor, with the password.
    /// They are not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 10, max_items = 10, example = json!(RECOVERY_CODES))]
    recovery_codes: Option<Vec<String>>,
}

#[operation(
    POST, "/user/passkeys", summary = "Add a passkey",
    description = "Takes the authenticator's response to the options, once and within five minutes. With the first second factor of an account, ten recovery codes are returned; they are shown only once.",
    responses((status = 201, description = "Added; it can now be used to sign in", body = PasskeyAdded))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    Json(body): Json<AddPasskey>,
) -> Result<JsonResponse<PasskeyAdded>> {
    let (id, name, attestation) = body.parse()?;
    let actor = caller.actor();
    let (user, session, now) = (caller.user, caller.session.id, app.clock.now());
    // Taken before it is verified: of concurrent responses exactly one proceeds.
    let ceremony = app.store().take_ceremony(Some(user.id), id, now).await?;
    let ceremony = ceremony.filter(|ceremony| ceremony.may_add_to(&user)).ok_or_else(|| {
        Event::PasskeyRefused { user: user.id, reason: "unknown_challenge" }.record();
        Error::InvalidChallenge
    })?;
    let made = RelyingParty::new(&app.config)?.finish_registration(&attestation, &ceremony.state, name, now)?;
    let passkey = made.map_err(|refusal| {
        Event::PasskeyRefused { user: user.id, reason: refusal.as_str() }.record();
        Error::InvalidPasskey
    })?;

    let (user, mail, codes) = add(&app, user, &actor, &passkey, ceremony.stepped_up).await?;
    app.notify_emailer(&mail).await;
    second_factor::note(&app, &user, session, Method::Passkey).await;
    let recovery_codes = codes.map(|codes| shown(&codes));
    Ok(JsonResponse(StatusCode::CREATED, PasskeyAdded { passkey: PasskeyView::of(passkey)?, recovery_codes }))
}

/// Adds it to the factors that the account has at that moment; the account as it was then.
async fn add(
    app: &App,
    mut user: User,
    actor: &Actor,
    passkey: &Passkey,
    stepped_up: bool,
) -> Result<(User, OutboxEmail, Option<[RecoveryCode; CODES]>)> {
    loop {
        if user.passkeys >= PASSKEYS {
            return Err(Error::TooManyPasskeys);
        }
        let first = !user.has_second_factor();
        let now = passkey.created_at;
        let (set, codes) = RecoverySet::new(now);
        let mail = OutboxEmail::of_factor(&user, FactorChange::PasskeyAdded { first }, now);
        let added = EventKind::factor_added(&Factor::Passkey(passkey.id.clone()));
        let events = DomainEvent::of_user(user.id, actor, [added].into_iter().chain(codes_added(first)), now);
        if app.store().add_passkey(&user, passkey, first.then_some(&set), &mail, &events).await? {
            Event::PasskeyAdded { user: user.id, passkey: &passkey.id }.record();
            return Ok((user, mail, first.then_some(codes)));
        }
        let (now_is, same) = app.store().user_and_passkey(user.id, &passkey.id).await?;
        if same.is_some() {
            return Err(Error::PasskeyAlreadyAdded);
        }
        // Another factor came or went since the account was read: look again. Each time one did, so this ends.
        let session_epoch = user.session_epoch;
        user = now_is.ok_or(Error::InvalidToken)?;
        if user.session_epoch != session_epoch {
            // All sessions were ended: the owner must not find a passkey from a concurrent request of an attacker.
            return Err(Error::InvalidToken);
        }
        if user.has_second_factor() && !stepped_up {
            return Err(Error::InvalidChallenge);
        }
    }
}

impl AddPasskey {
    fn parse(self) -> Result<(CeremonyId, PasskeyName, Attestation)> {
        let mut fields = Fields::default();
        let id = fields.required("challenge_token", self.challenge_token, |id| ceremony_id(&id));
        let name = fields.required("name", self.name, |name| PasskeyName::parse(&name));
        let attestation = fields.required("credential", self.credential, Attestation::parse);
        fields.finish(id.zip(name).zip(attestation).map(|((id, name), attestation)| (id, name, attestation)))
    }
}
