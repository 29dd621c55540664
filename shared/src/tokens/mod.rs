//! Tokens issued by this service, and their keys. Each kind has its own format or MAC key, so that none can be used in place of
//! another.

pub mod access;
pub mod challenge;
pub mod claims;
pub mod cursor;
pub mod device;
pub mod keys;
pub mod mac;
pub mod refresh;
pub mod request;
pub mod seal;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::domain::session::{ACCESS_TOKEN_LIFE, Session};
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::Grants;
use crate::grants;
use crate::tokens::keys::Keys;

/// The tokens from a sign-in or refresh.
#[derive(Serialize, ToSchema)]
pub struct TokenPair {
    /// A JWT (RFC 9068), to be sent as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9...")]
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 600)]
    pub expires_in: u64,
    /// Opaque; can be used for one refresh.
    pub refresh_token: String,
    /// Seconds until the refresh token expires if it is not used.
    #[schema(example = 2_592_000)]
    pub refresh_expires_in: u64,
}

impl TokenPair {
    /// [`Self::issue`] where keys were made before.
    pub const ISSUE: Grants = grants![Keys::SIGN, Keys::REFRESH_MAC];

    /// [`Self::issue`] while `write`, which begins the session, is on its way: a signature takes as long as a round trip.
    ///
    /// # Errors
    /// Those of `write`, or when the keys cannot be read.
    pub async fn issue_during<T>(
        app: &App,
        user: &User,
        session: &Session,
        write: impl Future<Output = Result<T>>,
    ) -> Result<(T, Self)> {
        let tokens = async {
            // Polled after the write, which has sent its request by then.
            tokio::task::yield_now().await;
            Self::issue(app, user, session).await
        };
        tokio::try_join!(write, tokens)
    }

    /// The pair for the current state of a session: the same session and rotation result in the same refresh token.
    ///
    /// # Errors
    /// Only when the keys cannot be read.
    pub async fn issue(app: &App, user: &User, session: &Session) -> Result<Self> {
        let now = app.clock.now();
        let refresh: SecretString = refresh::encode(session, app.keys().refresh_mac().await?);
        Ok(Self {
            access_token: access::sign(app, user, session, now).await?,
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: refresh.expose_secret().to_owned(),
            refresh_expires_in: session.ends_at().since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
        })
    }
}
