//! Beginning a session: for every route that signs somebody in.

use crate::App;
use crate::domain::client::{self, Client, Fingerprint, Seen};
use crate::domain::lockout::Bucket;
use crate::domain::mail::{MailKind, OwedMail};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::telemetry::audit::Event;

impl App {
    /// Begins a session, and forgets the failed sign-ins that it was counted among, if they are counted. A client that the account's owner has not signed in with
    /// is remembered in the same write, which also owes the owner a mail; the very first one goes without.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] when the account was deleted meanwhile; otherwise only when the table fails.
    pub async fn begin_session(&self, user: &User, session: &Session, counted: Option<Bucket<'_>>) -> Result<()> {
        let fingerprint = Fingerprint::of(user.id, session.user_agent.as_deref(), session.source_ip.as_deref());
        let mut known = user.known_clients.clone();
        loop {
            let (clients, mail) = match client::seen(&known, &fingerprint) {
                Seen::Before => return self.store.begin_session(session, counted).await,
                Seen::First(clients) => (clients, None),
                Seen::New(clients) => {
                    let kind = MailKind::NewSignIn {
                        user: user.id,
                        client: Client::of(session.user_agent.as_deref()),
                        source_ip: session.source_ip.clone(),
                        at: session.signed_in_at,
                    };
                    (clients, Some(OwedMail::new(user.email.folded(), kind, session.signed_in_at)))
                }
            };
            if self.store.begin_session_of_client(session, counted, &known, &clients, mail.as_ref()).await? {
                if let Some(mail) = &mail {
                    Event::NewClient { user: user.id, session: session.id }.record();
                    self.tell_emailer(mail).await;
                }
                return Ok(());
            }
            // Another sign-in was remembered since the account was read: look again, so that of many at once one is told of.
            let user = self.store.user(user.id).await?.ok_or(Error::InvalidCredentials)?;
            known = user.known_clients;
        }
    }
}
