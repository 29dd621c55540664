//! Token introspection, for services that need to know immediately whether an access token is active (RFC 7662).
//!
//! `POST /auth/introspect`, with a form and the client's own credentials. An invalid token is `{"active":false}` for whatever
//! reason: expired, signed out, of another kind, forged. A refresh token, too: only this service has a use for it, so a client that
//! sends one must not have it.

use axum::extract::State;
use macros::operation;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::domain::role::Role;
use shared::domain::user::User;
use shared::grants;
use shared::http::Route;
use shared::http::answer::JsonResponse;
use shared::http::body::Form;
use shared::http::caller::IntrospectionClient;
use shared::http::fields::Fields;
use shared::store::Store;
use shared::telemetry::audit::Event;
use shared::tokens::access;
use shared::tokens::claims::Claims;
use shared::{App, Error, Result};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

pub const ROUTE: Route =
    Route::new(module_path!(), &[HANDLER]).may(grants![Store::USER_AND_SESSION]).shifting_gradually();

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspect {
    #[schema(required, value_type = String)]
    token: Option<SecretString>,
    /// Accepted and ignored: there is only one kind of token to introspect.
    #[allow(dead_code, reason = "taken, so that who sends it is not refused")]
    #[schema(example = "access_token")]
    token_type_hint: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Introspection {
    Active(Box<Active>),
    /// Without any other member (RFC 7662, 2.2).
    Inactive {
        #[schema(schema_with = always_false)]
        active: bool,
    },
}

/// An active token. Times are in seconds since 1970-01-01T00:00:00Z.
#[derive(Serialize, ToSchema)]
#[allow(clippy::struct_field_names, reason = "the names are those of RFC 7662")]
pub struct Active {
    #[schema(schema_with = always_true)]
    active: bool,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    iss: String,
    /// ID of the user.
    sub: Uuid,
    aud: String,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: Uuid,
    /// The client that the token was issued to: the front end of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// ID of the session.
    sid: Uuid,
    /// The current roles of the user, which may differ from those in the token.
    roles: Vec<Role>,
    /// When the user last authenticated; 0 if someone else acts for them.
    auth_time: i64,
    /// The actor, if it is not the user (RFC 8693, 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActView>,
    /// Custom claims, as in the token.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    ext: Map<String, Value>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Act)]
pub struct ActView {
    sub: Uuid,
}

fn always_true() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}

/// It tells the two answers apart, so neither fits the schema of the other.
fn always_false() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false])).build()
}

#[operation(
    POST, "/auth/introspect", summary = "Introspect an access token",
    description = "For clients with credentials of their own (RFC 7662). A token that has expired, was signed out, is of another kind or is unknown is inactive, and so is every refresh token.",
    request_body(content = Introspect, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Whether the token is active, and its claims", body = Introspection))
)]
pub async fn handler(
    client: IntrospectionClient,
    State(app): State<App>,
    Form(body): Form<Introspect>,
) -> Result<JsonResponse<Introspection>> {
    let mut fields = Fields::default();
    let token = fields.required("token", body.token, Ok);
    let token = fields.finish(token)?;

    let standing = standing(&app, token.expose_secret()).await?;
    let user = standing.as_ref().map(|(_, user)| user.id);
    Event::TokenIntrospected { client: &client.id, user }.record();
    Ok(JsonResponse::ok(match standing {
        Some((claims, user)) => Introspection::Active(Box::new(Active::of(claims, user))),
        None => Introspection::Inactive { active: false },
    }))
}

/// What a token says, with its account, if a signed-in route would take it now. A step-up counts at once (RFC 9470, 6.2).
async fn standing(app: &App, token: &str) -> Result<Option<(Claims, User)>> {
    let now = app.clock.now();
    let claims = match access::verify(app, token, now).await {
        Ok(claims) => claims,
        Err(Error::InvalidToken) => return Ok(None),
        // Unknown is not "inactive".
        Err(error) => return Err(error),
    };
    let live = access::live(app, claims.sub, claims.sid, claims.act, now).await?;
    Ok(live.map(|(user, session)| (Claims { auth_time: session.authenticated_at().seconds(), ..claims }, user)))
}

impl Active {
    fn of(claims: Claims, user: User) -> Self {
        let Claims { iss, sub, aud, exp, iat, nbf, jti, client_id, sid, auth_time, act, ext, .. } = claims;
        let (sub, sid) = (sub.into(), sid.into());
        Self {
            active: true,
            token_type: "Bearer",
            iss,
            sub,
            aud,
            exp,
            iat,
            nbf,
            jti,
            client_id,
            sid,
            roles: user.roles,
            auth_time,
            act: act.map(|act| ActView { sub: act.sub.into() }),
            ext,
        }
    }
}
