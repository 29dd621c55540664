//! Accounts made by the service's own types and its own store, without the hash, the mail and the round trips that
//! registering takes: for measurements that need many, or a new one for each request.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::App;
use shared::clock::Timestamp;
use shared::domain::email::EmailAddress;
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::factor::{Challenge, Totp, TotpUse};
use shared::domain::link::{Link, LinkPurpose, LinkToken};
use shared::domain::mail::{EmailKind, FactorChange, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::password::PasswordHash;
use shared::domain::password::{NewPassword, Password};
use shared::domain::recovery::RecoverySet;
use shared::domain::role::Role;
use shared::domain::session::Session;
use shared::domain::totp::{Step, TotpForm, TotpSecret};
use shared::domain::user::User;
use shared::store::{AddressRequest, Created};
use shared::tokens::{TokenPair, challenge};

use crate::service::PASSWORD;

/// Makes people who all have [`PASSWORD`], hashed once.
pub struct People {
    app: App,
    hash: PasswordHash,
}

/// A user who is signed in.
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
        self.stored(User { roles, ..self.account(email, self.app.clock.now()) }).await
    }

    /// An account in the table whose address is still to be confirmed, and the token of the link that does.
    pub async fn unconfirmed(&self, email: &str) -> String {
        let user = User { email_confirmed: false, ..self.account(email, self.app.clock.now()) };
        let user = self.stored(user).await;
        self.link(&user, LinkPurpose::ConfirmAddress).await
    }

    async fn stored(&self, user: User) -> User {
        let now = self.app.clock.now();
        // The emailer is not notified, so this email is never sent.
        let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ConfirmAddress { user: user.id }, now);
        assert_eq!(
            self.app.store().create_user(&user, &mail, &event(&user, now)).await.expect("a table"),
            Created::Yes,
            "{}",
            user.email
        );
        user
    }

    /// The token of a link, as an email contains it.
    pub async fn link(&self, user: &User, purpose: LinkPurpose) -> String {
        let token = LinkToken::new(user.id);
        let link = Link {
            purpose,
            expires_at: self.app.clock.now().plus(Duration::from_hours(1)),
            used_at: None,
            epoch: user.session_epoch,
        };
        self.app.store().put_link(user.id, &token.hash(), &link).await.expect("a table");
        token.encode().expose_secret().to_owned()
    }

    /// The account as the table has it now.
    async fn again(&self, user: &User) -> User {
        self.app.store().user(user.id).await.expect("a table").expect("the account")
    }

    /// A user who requested another address, and the token of the link that was sent to it.
    pub async fn moving(&self, email: &str, to: &EmailAddress) -> (User, String) {
        let (user, now) = (self.registered(email, vec![Role::USER]).await, self.app.clock.now());
        let mail = OutboxEmail::new(to.normalized(), EmailKind::ConfirmAddress { user: user.id }, now);
        let request =
            AddressRequest { user: &user, signed_in_at: now, to, name: None, mail: &mail, event: &event(&user, now) };
        assert!(self.app.store().request_address(&request, now).await.expect("a table"), "{email}");
        let (email, epoch) = (to.clone(), user.session_epoch);
        let token = self.link(&user, LinkPurpose::ChangeAddress { email, epoch }).await;
        (self.again(&user).await, token)
    }

    /// A user who has moved to another address, and the token of the link that reverts it.
    pub async fn moved(&self, email: &str, to: &EmailAddress) -> String {
        let (user, token) = self.moving(email, to).await;
        let (link, now) = (LinkToken::decode(&token).expect("a token").hash(), self.app.clock.now());
        let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ConfirmAddress { user: user.id }, now);
        let moved = self.app.store().move_address(&user, to, &link, &mail, &event(&user, now)).await;
        assert!(moved.expect("a table"), "{email}");
        self.link(&user, LinkPurpose::UndoAddressChange { email: user.email.clone() }).await
    }

    /// Starts adding an authenticator app, and shows the code that puts it in force.
    pub async fn adding_app(&self, user: &User) -> String {
        let (secret, _) = self.start_totp(user).await;
        self.code(&secret)
    }

    /// Puts an authenticator app in force, and shows its code.
    pub async fn with_app(&self, user: &User) -> String {
        let (secret, totp) = self.start_totp(user).await;
        let now = self.app.clock.now();
        let mail = OutboxEmail::of_factor(user, FactorChange::Added, now);
        // With a code of some time ago, as one that was used is not taken again.
        let step = Step::at(now.minus(Duration::from_mins(5)));
        let (recovery, _) = RecoverySet::new(now);
        let used_code = TotpUse { secret: totp.secret, step };
        let confirmed = self.app.store().confirm_totp(user, &used_code, Some(&recovery), &mail, &[], now).await;
        assert!(confirmed.expect("a table"), "{}", user.email);
        self.code(&secret)
    }

    async fn start_totp(&self, user: &User) -> (TotpSecret, Totp) {
        let (secret, now) = (TotpSecret::new(), self.app.clock.now());
        let totp = Totp {
            form: TotpForm::default(),
            secret: self.app.keys().totp().await.expect("a key").seal(&secret, user.id).expect("a seal"),
            created_at: now,
            expires_at: now.plus(Duration::from_mins(15)),
            confirmed_at: None,
            last_step: None,
            stepped_up: false,
            epoch: user.session_epoch,
        };
        assert!(self.app.store().start_totp(user.id, &totp, None, None, &[]).await.expect("a table"), "{}", user.email);
        (secret, totp)
    }

    fn code(&self, secret: &TotpSecret) -> String {
        String::from_utf8(secret.code(Step::at(self.app.clock.now()))).expect("digits")
    }

    /// The token of a sign-in that waits for its second factor.
    pub async fn challenge(&self, user: &User) -> String {
        let user = self.again(user).await;
        let challenge = Challenge::new(&user, None, self.app.clock.now());
        self.app.store().begin_challenge(&challenge, None, None).await.expect("a table");
        challenge::encode(&challenge, self.app.keys().challenge_mac().await.expect("a key")).expose_secret().to_owned()
    }

    /// An account in the table with a session.
    pub async fn signed_in(&self, email: &str, roles: Vec<Role>) -> Person {
        let user = self.registered(email, roles).await;
        let session = self.session(&user).await;
        let tokens = TokenPair::issue(&self.app, &user, &session).await.expect("keys");
        Person { user, session, tokens }
    }

    /// Gives a user an access token as if it were new: they end after ten minutes.
    pub async fn renew(&self, person: &mut Person) {
        person.tokens = TokenPair::issue(&self.app, &person.user, &person.session).await.expect("keys");
    }

    /// One more session of an account.
    pub async fn session(&self, user: &User) -> Session {
        let (ip, agent) = ("203.0.113.7".to_owned(), "curl/8.14.1".to_owned());
        let session = Session::begin(user, Some(ip), Some(agent), self.app.clock.now());
        self.app.store().begin_session(&session, None).await.expect("a table");
        session
    }
}

impl Person {
    /// What a signed-in route wants to see.
    pub fn authorization(&self) -> Value {
        format!("Bearer {}", self.tokens.access_token).into()
    }
}

/// Any event: its content does not matter here.
fn event(user: &User, now: Timestamp) -> DomainEvent {
    DomainEvent::new(Subject::User(user.id), &Actor::SYSTEM, EventKind::Confirmed {}, now)
}
