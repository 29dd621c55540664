//! Names one of one's own passkeys anew.
//!
//! `PUT /user/passkeys/{id}`. The name is for its owner's eyes alone. Somebody else's passkey is answered like one that never
//! was.

use axum::extract::State;
use axum::routing::put;
use serde::Deserialize;
use shared::domain::passkey::{PasskeyId, PasskeyName};
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::Answer;
use shared::http::body::Json;
use shared::http::caller::CurrentUser;
use shared::http::fields::Fields;
use shared::http::path::PathId;
use shared::telemetry::audit::Event;
use shared::{App, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::get_factors::PasskeyView;

pub const ROUTE: Route = Route::new("rename_passkey", &["PUT"], &["/user/passkeys/{id}"], || put(handler))
    .fails_with(&[Code::Unauthenticated, Code::InvalidToken, Code::PasskeyNotFound]);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct Which {
    /// The passkey's id.
    #[allow(dead_code, reason = "for the documentation; the handler reads it by `PathId`")]
    id: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    #[schema(required, value_type = String, min_length = 1, max_length = 100, example = "Old phone")]
    name: Option<String>,
}

#[utoipa::path(
    put, path = "/user/passkeys/{id}", tag = "factor", operation_id = "rename_passkey", summary = "Rename a passkey",
    description = "The name is shown to the owner of the passkey alone.",
    params(Which), request_body = RenamePasskey, security(("access_token" = [])),
    responses((status = 200, description = "Renamed", body = PasskeyView))
)]
pub async fn handler(
    caller: CurrentUser,
    State(app): State<App>,
    PathId(id): PathId<PasskeyId>,
    Json(body): Json<RenamePasskey>,
) -> Result<Answer<PasskeyView>> {
    let mut fields = Fields::default();
    let name = fields.required("name", body.name, |name| PasskeyName::parse(&name));
    let name = fields.finish(name)?;
    let (user, id) = (caller.user.id, id.ok_or(Error::PasskeyNotFound)?);
    // The key begins with the caller's own id, so nobody else's passkey can be meant.
    let passkey = app.store().rename_passkey(user, &id, &name).await?.ok_or(Error::PasskeyNotFound)?;
    Event::PasskeyRenamed { user, passkey: &id }.record();
    PasskeyView::of(passkey).map(Answer::ok)
}
