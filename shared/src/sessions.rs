//! Beginning a session: for every route that signs somebody in.

use std::borrow::Cow;

use crate::App;
use crate::domain::client::{self, Client, Fingerprint, Seen};
use crate::domain::factor::{Challenge, Spent};
use crate::domain::lockout::Bucket;
use crate::domain::mail::{MailKind, OwedMail};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::store::NewClient;
use crate::telemetry::audit::Event;

impl App {
    /// Begins a session, and forgets the failed sign-ins of a device that is known, if it began on one. A client that the
    /// account's owner has not signed in with is remembered in the same write, which also owes the owner a mail; the very
    /// first one goes without, unless sessions were ended before.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] when the account was deleted meanwhile; otherwise only when the table fails.
    pub async fn begin_session(&self, user: &User, session: &Session, device: Option<Bucket<'_>>) -> Result<()> {
        let mut user = Cow::Borrowed(user);
        loop {
            let Some(client) = new_client(&user, session) else {
                return self.store().begin_session(session, device).await;
            };
            if self.store().begin_session_of_client(session, device, &client).await? {
                self.tell_of_client(session, &client).await;
                return Ok(());
            }
            // Another sign-in was remembered since the account was read: look again, so that of many at once one is told of.
            user = Cow::Owned(self.store().user(user.id).await?.ok_or(Error::InvalidCredentials)?);
        }
    }

    /// As [`Self::begin_session`], for a sign-in with a second factor, or with a passkey alone, which has no challenge: the same
    /// write uses up challenge and proof. `mail` is owed besides. `false` when challenge or proof was used meanwhile.
    ///
    /// # Errors
    /// [`Error::InvalidChallenge`] when the account was deleted meanwhile; otherwise only when the table fails.
    pub async fn complete_sign_in(
        &self,
        user: &User,
        session: &Session,
        (challenge, spent): (Option<&Challenge>, &Spent),
        mail: Option<&OwedMail>,
    ) -> Result<bool> {
        let mut user = Cow::Borrowed(user);
        loop {
            let client = new_client(&user, session);
            if self.store().complete_sign_in(challenge, spent, session, client.as_ref(), mail).await? {
                if let Some(client) = &client {
                    self.tell_of_client(session, client).await;
                }
                return Ok(true);
            }
            let Some(client) = client else {
                return Ok(false);
            };
            let again = self.store().user(user.id).await?.ok_or(Error::InvalidChallenge)?;
            if again.known_clients == client.before {
                return Ok(false);
            }
            // Only another sign-in's client stood in the way, for all that is known: look again.
            user = Cow::Owned(again);
        }
    }

    async fn tell_of_client(&self, session: &Session, client: &NewClient) {
        if let Some(mail) = &client.mail {
            Event::NewClient { user: session.user, session: session.id }.record();
            self.tell_emailer(mail).await;
        }
    }
}

/// What is to be remembered of a session's client, if it is not among those that are known.
fn new_client(user: &User, session: &Session) -> Option<NewClient> {
    let (after, mail) = match client::seen(&user.known_clients, &Fingerprint::of_session(session)) {
        Seen::Before => return None,
        Seen::First(after) if !user.tell_first_client => (after, None),
        Seen::First(after) | Seen::New(after) => {
            let kind = MailKind::NewSignIn {
                user: user.id,
                client: Client::of(session.user_agent.as_deref()),
                source_ip: session.source_ip.clone(),
                at: session.signed_in_at,
            };
            (after, Some(OwedMail::new(user.email.folded(), kind, session.signed_in_at)))
        }
    };
    Some(NewClient { before: user.known_clients.clone(), after, mail })
}
