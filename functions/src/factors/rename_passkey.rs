//! Renames a passkey of the caller.
//!
//! `PUT /user/passkeys/{id}`. The name is visible only to its owner. Another account's passkey results in the same response as an
//! unknown one.

use axum::extract::State;
use macros::operation;
use serde::Deserialize;
use shared::domain::event::{DomainEvent, EventKind, Subject};
use shared::domain::passkey::{PasskeyId, PasskeyName};
use shared::error::Code;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::ToSchema;

use super::{PasskeyPath, PasskeyView};

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).fails_with(&[Code::PasskeyNotFound]).may(grants![Store::RENAME_PASSKEY]);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Old phone")]
    name: Option<String>,
}

#[operation(
    PUT, "/user/passkeys/{id}", summary = "Rename a passkey",
    description = "The name is shown only to the owner of the passkey.",
    params(PasskeyPath),
    responses((status = 200, description = "Renamed", body = PasskeyView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    PathId(id): PathId<PasskeyId>,
    Json(body): Json<RenamePasskey>,
) -> Result<JsonResponse<PasskeyView>> {
    let mut fields = Fields::default();
    let name = fields.required("name", body.name, |name| PasskeyName::parse(&name));
    let name = fields.finish(name)?;
    let (user, id) = (caller.user.id, id.ok_or(Error::PasskeyNotFound)?);
    // The key begins with the caller's ID, so it can only be the caller's own passkey.
    let kind = EventKind::passkey_renamed(&id, &name);
    let event = DomainEvent::new(Subject::User(user), &caller.actor(), kind, app.clock.now());
    let passkey = app.store().rename_passkey(user, &id, &name, &event).await?.ok_or(Error::PasskeyNotFound)?;
    Event::PasskeyRenamed { user, passkey: &id }.record();
    PasskeyView::of(passkey).map(JsonResponse::ok)
}
