//! Sessions: signing in with password or passkey, step-up, refreshing, listing and ending.

pub mod end_session;
pub mod introspect;
pub mod list_sessions;
pub mod login;
pub mod logout;
pub mod passkey_login;
pub mod refresh;
pub mod start_passkey_login;
pub mod step_up;
pub mod verify_login;

use secrecy::ExposeSecret;
use serde::Serialize;
use shared::domain::device::Device;
use shared::domain::id::DeviceId;
use shared::domain::session::Session;
use shared::domain::user::User;
use shared::http::Area;
use shared::http::view::UserView;
use shared::telemetry::audit::Event;
use shared::tokens::{TokenPair, device};
use shared::{App, Result};
use utoipa::ToSchema;

pub const AREA: Area = Area {
    name: "sessions",
    description: "Sign-in, sign-out and session tokens",
    routes: &[
        login::ROUTE,
        verify_login::ROUTE,
        start_passkey_login::ROUTE,
        passkey_login::ROUTE,
        step_up::ROUTE,
        refresh::ROUTE,
        logout::ROUTE,
        list_sessions::ROUTE,
        end_session::ROUTE,
        introspect::ROUTE,
    ],
    workers: &[],
};

#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    #[serde(flatten)]
    tokens: TokenPair,
    /// Opaque; store it for 180 days, even after signing out, and send it with the next sign-in to this account.
    device_token: String,
    user: UserView,
}

impl SignedIn {
    /// The answer to a sign-in that is complete: also that of `verify_login`.
    pub async fn tell(
        app: &App,
        user: User,
        session: &Session,
        tokens: TokenPair,
        device: Option<DeviceId>,
    ) -> Result<Self> {
        let device = Device::signed_in(device, &user, app.clock.now());
        let device_token = device::encode(&device, app.keys().device_mac().await?).expose_secret().to_owned();
        Event::LoginSucceeded { user: user.id, session: session.id }.record();
        Ok(Self { tokens, device_token, user: UserView::of(user, app) })
    }
}
