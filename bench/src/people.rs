//! Accounts made by the service's own types and its own store, without the hash, the mail and the round trips that
//! registering takes: for measurements that need many, or a new one for each request.

use serde_json::Value;
use shared::App;
use shared::clock::Timestamp;
use shared::domain::email::EmailAddress;
use shared::domain::mail::{MailKind, OwedMail};
use shared::domain::name::UserName;
use shared::domain::password::{NewPassword, Password};
use shared::domain::session::Session;
use shared::domain::user::{Role, User};
use shared::hashing::PasswordHash;
use shared::store::Created;
use shared::tokens::TokenPair;

use crate::service::PASSWORD;

/// Makes people who all have [`PASSWORD`], hashed once.
pub struct People {
    app: App,
    hash: PasswordHash,
}

/// Somebody who is signed in.
pub struct Person {
    pub user: User,
    pub session: Session,
    pub tokens: TokenPair,
}

impl People {
    pub async fn of(app: &App) -> Self {
        let password = NewPassword::known(Password::new(&PASSWORD.into()));
        let hash = app.hasher.hash(&password).await.expect("a hash");
        Self { app: app.clone(), hash }
    }

    /// An account that is confirmed, and stored nowhere yet.
    pub fn account(&self, email: &str, created_at: Timestamp) -> User {
        let name = UserName::parse("Ada Lovelace").expect("a name");
        let email = EmailAddress::parse(email).expect("an address");
        User { email_confirmed: true, ..User::new(name, email, self.hash.clone(), created_at) }
    }

    /// An account in the table.
    pub async fn registered(&self, email: &str, roles: Vec<Role>) -> User {
        let now = self.app.clock.now();
        let user = User { roles, ..self.account(email, now) };
        // Nobody tells the emailer, so this mail is never sent.
        let mail = OwedMail::new(user.email.folded(), MailKind::ConfirmAddress { user: user.id }, now);
        assert_eq!(self.app.store.create_user(&user, &mail).await.expect("a table"), Created::Yes, "{email}");
        user
    }

    /// An account in the table with a session.
    pub async fn signed_in(&self, email: &str, roles: Vec<Role>) -> Person {
        let user = self.registered(email, roles).await;
        let session = self.session(&user).await;
        let tokens = TokenPair::issue(&self.app, &user, &session).await.expect("keys");
        Person { user, session, tokens }
    }

    /// Gives somebody an access token as if it were new: they end after ten minutes.
    pub async fn renew(&self, person: &mut Person) {
        person.tokens = TokenPair::issue(&self.app, &person.user, &person.session).await.expect("keys");
    }

    /// One more session of an account.
    pub async fn session(&self, user: &User) -> Session {
        let (ip, agent) = ("203.0.113.7".to_owned(), "curl/8.14.1".to_owned());
        let session = Session::begin(user, Some(ip), Some(agent), self.app.clock.now());
        self.app.store.begin_session(&session, None).await.expect("a table");
        session
    }
}

impl Person {
    /// What a signed-in route wants to see.
    pub fn authorization(&self) -> Value {
        format!("Bearer {}", self.tokens.access_token).into()
    }
}
