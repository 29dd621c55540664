//! Starting sessions, for all routes that sign in.

use std::borrow::Cow;

use crate::App;
use crate::domain::fingerprint::{Recognition, UserAgentFingerprint, recognize};
use crate::domain::lockout::Bucket;
use crate::domain::mail::{EmailKind, OutboxEmail};
use crate::domain::password::PasswordHash;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Causes, Error, Result};
use crate::grant::Grants;
use crate::grants;
use crate::store::{NewFingerprint, SignIn, Store};
use crate::telemetry::audit::Event;

impl App {
    pub const BEGIN_SESSION: Grants = grants![
        Store::BEGIN_SESSION,
        Store::BEGIN_SESSION_OF_NEW_FINGERPRINT,
        Store::BEGIN_SESSION_WITH_HASH,
        Store::USER,
        App::NOTIFY_EMAILER
    ];

    /// Starts a session, and resets the failed sign-ins of the known device, if there is one. A new user agent or network is stored
    /// in the same write, which also enqueues an email to the owner; not for the very first one, unless sessions were ended before.
    /// With `hash` the same write replaces the account's hash, unless it was replaced concurrently.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] if the account was deleted concurrently; otherwise only when the table fails.
    pub async fn begin_session(
        &self,
        user: &User,
        session: &Session,
        device: Option<Bucket<'_>>,
        mut hash: Option<&PasswordHash>,
    ) -> Result<()> {
        let mut user = Cow::Borrowed(user);
        loop {
            let fingerprint = new_fingerprint(&user, session);
            let begun = match (hash, &fingerprint) {
                (None, None) => self.store().begin_session(session, device).await.map(|()| true)?,
                (None, Some(new)) => self.store().begin_session_of_new_fingerprint(session, device, new).await?,
                (Some(fresh), new) => {
                    match self.store().begin_session_with_hash(&user, session, device, new.as_ref(), fresh).await {
                        Ok(begun) => begun,
                        // The next sign-in replaces it.
                        Err(error) => {
                            tracing::error!(error.message = %Causes(&error), "failed to replace a password hash");
                            hash = None;
                            continue;
                        }
                    }
                }
            };
            if begun {
                if let Some(fingerprint) = &fingerprint {
                    self.notify_of_new_client(session, fingerprint).await;
                }
                return Ok(());
            }
            // Another sign-in was remembered since the account was read: look again, so that of concurrent sign-ins one is
            // reported. If it was not that, the account has another hash or another address by now, and keeps it.
            let again = self.store().user(user.id).await?.ok_or(Error::InvalidCredentials)?;
            let as_before = |again: &User| again.password_hash == user.password_hash && again.email == user.email;
            hash = hash.filter(|_| as_before(&again) && again.known_clients != user.known_clients);
            user = Cow::Owned(again);
        }
    }

    pub const COMPLETE_SIGN_IN: Grants = grants![Store::COMPLETE_SIGN_IN, Store::USER, App::NOTIFY_EMAILER];

    /// Like [`Self::begin_session`], for a sign-in with a second factor, or with a passkey alone, which has no challenge: the same
    /// write uses challenge and proof, and enqueues its email. `false` if challenge or proof has been used.
    ///
    /// # Errors
    /// [`Error::InvalidChallenge`] if the account was deleted concurrently; otherwise only when the table fails.
    pub async fn complete_sign_in(&self, user: &User, sign_in: &SignIn<'_>) -> Result<bool> {
        let session = sign_in.session;
        let mut user = Cow::Borrowed(user);
        loop {
            let fingerprint = new_fingerprint(&user, session);
            if self.store().complete_sign_in(sign_in, fingerprint.as_ref()).await? {
                if let Some(fingerprint) = &fingerprint {
                    self.notify_of_new_client(session, fingerprint).await;
                }
                return Ok(true);
            }
            let Some(fingerprint) = fingerprint else {
                return Ok(false);
            };
            let again = self.store().user(user.id).await?.ok_or(Error::InvalidChallenge)?;
            if again.known_clients == fingerprint.before {
                return Ok(false);
            }
            // As far as is known, only the fingerprint of another sign-in prevented it: look again.
            user = Cow::Owned(again);
        }
    }

    async fn notify_of_new_client(&self, session: &Session, fingerprint: &NewFingerprint) {
        if let Some(mail) = &fingerprint.mail {
            Event::NewClient { user: session.user, session: session.id }.record();
            self.notify_emailer(mail).await;
        }
    }
}

/// What is to be remembered of a session's user agent and network, unless they are known already.
fn new_fingerprint(user: &User, session: &Session) -> Option<NewFingerprint> {
    let (after, mail) = match recognize(&user.known_clients, &session.fingerprint()) {
        Recognition::Known => return None,
        Recognition::First(after) if !user.tell_first_client => (after, None),
        Recognition::First(after) | Recognition::New(after) => {
            let kind = EmailKind::NewSignIn {
                user: user.id,
                client: UserAgentFingerprint::of(session.user_agent.as_deref()),
                source_ip: session.source_ip.clone(),
                at: session.signed_in_at,
            };
            (after, Some(OutboxEmail::new(user.email.normalized(), kind, session.signed_in_at)))
        }
    };
    Some(NewFingerprint { before: user.known_clients.clone(), after, mail })
}
