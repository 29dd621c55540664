//! What a thief is left with after each act of recovery: one test for each cell of the table in `docs/security.md`.

use std::time::Duration;

use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::id::UploadId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::picture::Requested;
use shared::domain::role::Role;
use shared::domain::staff::StaffMember;
use shared::store::OwnUpdate;
use tests::authenticator::Authenticator;
use tests::{ADMIN, Answer, PASSWORD, SignedIn, TestApp, jpeg, text};
use tokio::sync::Mutex;

use crate::factor::{self, Owner};
use crate::passkey;

const EMAIL: &str = "ada@example.com";
/// The thief's own mailbox.
const THIEF: &str = "thief@example.net";
const FURTHER: &str = "thief@example.org";
/// What the owner chooses in place of [`PASSWORD`], which the thief knows.
const NEW: &str = "quiet lantern harbour";
/// What the thief signs in with, unlike the owner.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0";
const MINUTE: Duration = Duration::from_mins(1);

/// An act of recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Choosing a password through a mailed link.
    Reset,
    /// Taking a change of the address back.
    Undo,
    PasswordChange,
    SignOutEverywhere,
    FactorRemoval,
    /// Choosing a password for an account that two registered for.
    Proof,
    Deletion,
}

/// Something that a thief may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Password,
    AccessToken,
    RefreshToken,
    DeviceToken,
    /// That a sign-in with the thief's browser is told to nobody.
    KnownClient,
    /// A sign-in that waits for its second factor.
    Challenge,
    AppBeingAdded,
    PasskeyBeingAdded,
    App,
    Passkey,
    RecoveryCode,
    /// A link that confirms an address of the thief's.
    PendingAddress,
    /// A link to choose a password, read in the owner's mailbox.
    PasswordLink,
    /// A plain link to confirm the address, likewise.
    ConfirmationLink,
    /// A presigned URL that shows what is sent to it as the account's picture.
    Upload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Ends,
    Stays,
}

macro_rules! cells {
    ($($act:ident { $($name:ident: $hold:ident $after:ident,)* })*) => {
        $($(
            #[tokio::test]
            async fn $name() {
                cell(Act::$act, Hold::$hold, After::$after).await;
            }
        )*)*
    };
}

cells! {
    Reset {
        a_reset_ends_the_password: Password Ends,
        a_reset_ends_access_tokens: AccessToken Ends,
        a_reset_ends_refresh_tokens: RefreshToken Ends,
        a_reset_ends_device_tokens: DeviceToken Ends,
        a_reset_forgets_known_clients: KnownClient Ends,
        a_reset_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        a_reset_ends_an_app_that_is_being_added: AppBeingAdded Ends,
        a_reset_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        a_reset_leaves_an_app: App Stays,
        a_reset_leaves_a_passkey: Passkey Stays,
        a_reset_leaves_recovery_codes: RecoveryCode Stays,
        a_reset_ends_a_pending_change_of_address: PendingAddress Ends,
        a_reset_ends_earlier_links_to_choose_a_password: PasswordLink Ends,
        a_reset_ends_uploads_that_were_asked_for: Upload Ends,
    }
    Undo {
        an_undo_ends_the_password: Password Ends,
        an_undo_ends_access_tokens: AccessToken Ends,
        an_undo_ends_refresh_tokens: RefreshToken Ends,
        an_undo_ends_device_tokens: DeviceToken Ends,
        an_undo_forgets_known_clients: KnownClient Ends,
        an_undo_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        an_undo_ends_an_app_that_is_being_added: AppBeingAdded Ends,
        an_undo_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        an_undo_ends_an_app_that_came_with_the_change: App Ends,
        an_undo_ends_a_passkey_that_came_with_the_change: Passkey Ends,
        an_undo_ends_recovery_codes_that_came_with_the_change: RecoveryCode Ends,
        an_undo_ends_a_pending_change_of_address: PendingAddress Ends,
        an_undo_ends_earlier_links_to_choose_a_password: PasswordLink Ends,
        an_undo_ends_uploads_that_were_asked_for: Upload Ends,
    }
    PasswordChange {
        a_changed_password_ends_the_old_one: Password Ends,
        a_changed_password_ends_access_tokens: AccessToken Ends,
        a_changed_password_ends_refresh_tokens: RefreshToken Ends,
        a_changed_password_ends_device_tokens: DeviceToken Ends,
        a_changed_password_forgets_other_clients: KnownClient Ends,
        a_changed_password_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        a_changed_password_ends_an_app_that_is_being_added: AppBeingAdded Ends,
        a_changed_password_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        a_changed_password_leaves_an_app: App Stays,
        a_changed_password_leaves_a_passkey: Passkey Stays,
        a_changed_password_leaves_recovery_codes: RecoveryCode Stays,
        a_changed_password_ends_a_pending_change_of_address: PendingAddress Ends,
        a_changed_password_ends_links_to_choose_one: PasswordLink Ends,
        a_changed_password_ends_uploads_that_were_asked_for: Upload Ends,
    }
    SignOutEverywhere {
        signing_out_everywhere_leaves_the_password: Password Stays,
        signing_out_everywhere_ends_access_tokens: AccessToken Ends,
        signing_out_everywhere_ends_refresh_tokens: RefreshToken Ends,
        signing_out_everywhere_ends_device_tokens: DeviceToken Ends,
        signing_out_everywhere_forgets_known_clients: KnownClient Ends,
        signing_out_everywhere_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        signing_out_everywhere_ends_an_app_that_is_being_added: AppBeingAdded Ends,
        signing_out_everywhere_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        signing_out_everywhere_leaves_an_app: App Stays,
        signing_out_everywhere_leaves_a_passkey: Passkey Stays,
        signing_out_everywhere_leaves_recovery_codes: RecoveryCode Stays,
        signing_out_everywhere_ends_a_pending_change_of_address: PendingAddress Ends,
        signing_out_everywhere_ends_links_to_choose_a_password: PasswordLink Ends,
        signing_out_everywhere_ends_uploads_that_were_asked_for: Upload Ends,
    }
    FactorRemoval {
        removing_a_factor_leaves_the_password: Password Stays,
        removing_a_factor_ends_access_tokens: AccessToken Ends,
        removing_a_factor_ends_refresh_tokens: RefreshToken Ends,
        removing_a_factor_ends_device_tokens: DeviceToken Ends,
        removing_a_factor_forgets_other_clients: KnownClient Ends,
        removing_a_factor_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        removing_a_factor_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        removing_an_app_ends_it: App Ends,
        removing_a_passkey_ends_it: Passkey Ends,
        removing_a_factor_leaves_recovery_codes_of_another: RecoveryCode Stays,
        removing_a_factor_ends_a_pending_change_of_address: PendingAddress Ends,
        removing_a_factor_ends_links_to_choose_a_password: PasswordLink Ends,
        removing_a_factor_ends_uploads_that_were_asked_for: Upload Ends,
    }
    Proof {
        a_contested_account_forgets_the_first_password: Password Ends,
        a_contested_account_ends_access_tokens: AccessToken Ends,
        a_contested_account_ends_refresh_tokens: RefreshToken Ends,
        a_contested_account_ends_device_tokens: DeviceToken Ends,
        a_contested_account_forgets_known_clients: KnownClient Ends,
        a_contested_account_ends_sign_ins_that_wait_for_their_second_factor: Challenge Ends,
        a_contested_account_ends_an_app_that_is_being_added: AppBeingAdded Ends,
        a_contested_account_ends_a_passkey_that_is_being_added: PasskeyBeingAdded Ends,
        a_contested_account_ends_an_app_from_before_its_proof: App Ends,
        a_contested_account_ends_a_passkey_from_before_its_proof: Passkey Ends,
        a_contested_account_ends_recovery_codes_from_before_its_proof: RecoveryCode Ends,
        a_contested_account_ends_a_pending_change_of_address: PendingAddress Ends,
        a_contested_account_ends_earlier_links_to_choose_a_password: PasswordLink Ends,
        a_contested_account_is_confirmed_by_no_plain_link: ConfirmationLink Ends,
        a_contested_account_ends_uploads_that_were_asked_for: Upload Ends,
    }
    Deletion {
        a_deleted_account_has_no_password: Password Ends,
        a_deleted_account_has_no_access_tokens: AccessToken Ends,
        a_deleted_account_has_no_refresh_tokens: RefreshToken Ends,
        a_deleted_account_has_no_device_tokens: DeviceToken Ends,
        a_deleted_account_has_no_known_clients: KnownClient Ends,
        a_deleted_account_has_no_sign_ins_that_wait: Challenge Ends,
        a_deleted_account_adds_no_app: AppBeingAdded Ends,
        a_deleted_account_adds_no_passkey: PasskeyBeingAdded Ends,
        a_deleted_account_has_no_app: App Ends,
        a_deleted_account_has_no_passkey: Passkey Ends,
        a_deleted_account_has_no_recovery_codes: RecoveryCode Ends,
        a_deleted_account_moves_to_no_pending_address: PendingAddress Ends,
        a_deleted_account_takes_no_links_to_choose_a_password: PasswordLink Ends,
        a_deleted_account_shows_no_upload: Upload Ends,
    }
}

/// Takes the hold, recovers the account, and tries the hold again.
async fn cell(act: Act, hold: Hold, after: After) {
    let app = TestApp::start().await;
    let scene = Scene::begin(&app, act, hold).await;
    let thief = Thief::take(&scene, hold).await;
    scene.recover(act).await;
    let usable = thief.tries(&scene, act, hold).await;
    assert_eq!(if usable { After::Stays } else { After::Ends }, after, "{hold:?} after {act:?}");
}

/// An account with its owner signed in, and a thief who got in too.
struct Scene<'a> {
    app: &'a TestApp,
    /// The owner's session; none where the account is contested.
    owner: Option<SignedIn<'a>>,
    /// The owner's own second factor, where a factor is removed.
    factor: Option<OwnFactor<'a>>,
    /// What the thief signed in with, and was answered.
    thief: SignedIn<'a>,
    thiefs_answer: Value,
    /// The first link that confirms the address.
    confirmation_link: String,
}

enum OwnFactor<'a> {
    App(Owner<'a>),
    Passkey(Mutex<Authenticator>, Vec<String>),
}

impl<'a> Scene<'a> {
    async fn begin(app: &'a TestApp, act: Act, hold: Hold) -> Self {
        assert_eq!(app.register(EMAIL).await.status, 202);
        let confirmation_link = app.mailed_token(EMAIL, "/auth/confirm").await;
        if act == Act::Proof {
            // The owner registers too. While that email cannot go out, the link of the first registration is pressed.
            app.clock.advance(MINUTE);
            app.outage(Service::Sqs, Outage::Unavailable).await;
            assert_eq!(app.register(EMAIL).await.status, 202);
            app.outage(Service::Sqs, Outage::None).await;
            app.clock.advance(Duration::from_secs(1));
        }
        let confirmed = app.post("/auth/confirm", &json!({ "token": confirmation_link })).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let owner = if act == Act::Proof { None } else { Some(app.sign_in(EMAIL).await) };
        let factor = match (act, hold) {
            (Act::FactorRemoval, Hold::App) => {
                let mut key = passkey::authenticator(app);
                let added = passkey::added(owner.as_ref().unwrap(), &mut key).await;
                let codes = added["recovery_codes"].as_array().unwrap().iter().map(text).collect();
                Some(OwnFactor::Passkey(key.into(), codes))
            }
            (Act::FactorRemoval, _) => {
                Some(OwnFactor::App(Owner::enrolled_as(app, app.sign_in(EMAIL).await, EMAIL).await))
            }
            _ => None,
        };
        let scene = Self {
            app,
            owner,
            factor,
            thief: app.session_of(EMAIL, &no_session()),
            thiefs_answer: json!({}),
            confirmation_link,
        };
        let thiefs_answer = scene.sign_in_as_thief(PASSWORD).await.json();
        Self { thief: app.session_of(EMAIL, &thiefs_answer), thiefs_answer, ..scene }
    }

    /// Signs in with a password and the thief's browser, and with the owner's second factor where there is one.
    async fn sign_in_as_thief(&self, password: &str) -> Answer {
        let body = json!({ "email": EMAIL, "password": password });
        let request = self.app.request(Method::POST, "/auth/login").header("user-agent", BROWSER).json(&body);
        let answer = Answer::of(request).await;
        if answer.status != 202 {
            return answer;
        }
        let mut proof = match &self.factor {
            Some(OwnFactor::App(owner)) => json!({ "code": owner.fresh_code() }),
            Some(OwnFactor::Passkey(key, _)) => {
                json!({ "passkey": key.lock().await.get(&answer.json()["passkey_options"]) })
            }
            None => return answer,
        };
        proof["challenge_token"] = answer.json()["challenge_token"].clone();
        let request = self.app.request(Method::POST, "/auth/login/verify").header("user-agent", BROWSER).json(&proof);
        Answer::of(request).await
    }

    /// A recovery code of the owner's that the thief saw.
    fn seen_code(&self, at: usize) -> Option<String> {
        match self.factor.as_ref()? {
            OwnFactor::App(owner) => Some(owner.recovery[at].clone()),
            OwnFactor::Passkey(_, codes) => Some(codes[at].clone()),
        }
    }

    /// What the thief proves to add something.
    fn proof(&self, at: usize) -> Value {
        self.seen_code(at).map_or(json!({}), |code| json!({ "recovery_code": code }))
    }

    async fn recover(&self, act: Act) {
        let app = self.app;
        let done = match act {
            Act::Reset => app.recover(EMAIL, NEW).await,
            Act::Undo => {
                let link = moved(app, &self.thief, THIEF).await;
                app.clock.advance(MINUTE);
                app.post("/auth/email/undo", &json!({ "token": link })).await
            }
            Act::PasswordChange => {
                let body = json!({ "current_password": PASSWORD, "new_password": NEW });
                self.owner.as_ref().unwrap().put("/user/password", &body).await
            }
            Act::SignOutEverywhere => {
                self.owner.as_ref().unwrap().post("/auth/logout", &json!({ "everywhere": true })).await
            }
            Act::FactorRemoval => self.remove_the_thiefs_factor().await,
            Act::Proof => {
                app.later(2 * MINUTE).await;
                app.choose_password(EMAIL, NEW).await
            }
            // Where the thief added a factor, the owner cannot prove it and asks an administrator.
            Act::Deletion => app.admin().await.delete(&format!("/user?id={}", self.thief.id)).await,
        };
        assert!(done.status.is_success(), "{act:?}: {} {}", done.status, done.text);
        app.idle().await;
    }

    async fn remove_the_thiefs_factor(&self) -> Answer {
        let owner = self.owner.as_ref().unwrap();
        match self.factor.as_ref().unwrap() {
            OwnFactor::Passkey(key, _) => {
                let proof = passkey::proof(self.app, &mut *key.lock().await).await;
                factor::remove(owner, &proof).await
            }
            OwnFactor::App(app) => {
                let listed = owner.get("/user/factors").await.json();
                let id = text(&listed["passkeys"][0]["id"]);
                let request = owner.request(Method::DELETE, &format!("/user/passkeys/{id}"));
                Answer::of(request.json(&json!({ "code": app.fresh_code() }))).await
            }
        }
    }

    /// Which password opens the account after an act, where one does.
    fn password_after(act: Act) -> &'static str {
        match act {
            Act::SignOutEverywhere | Act::FactorRemoval => PASSWORD,
            _ => NEW,
        }
    }
}

fn no_session() -> Value {
    json!({ "user": { "id": "" }, "access_token": "", "refresh_token": "" })
}

fn picture() -> Vec<u8> {
    jpeg(32, 32, [200, 30, 30])
}

/// Asks for a change of the address, and confirms it; the link that takes it back.
async fn moved(app: &TestApp, session: &SignedIn<'_>, to: &str) -> String {
    let from = text(&session.get("/user").await.json()["email"]);
    let token = pending(app, session, to).await;
    let confirmed = app.post("/auth/email/confirm", &json!({ "token": token })).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    app.mailed_token(&from, "/auth/email/undo").await
}

async fn pending(app: &TestApp, session: &SignedIn<'_>, to: &str) -> String {
    let asked = session.put("/user", &json!({ "email": to })).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    app.mailed_token(to, "/auth/email/confirm").await
}

/// What the thief took along.
struct Thief {
    /// A link, a challenge, a secret or a code.
    token: String,
    key: Authenticator,
    /// The options of a passkey that is being added, or of a challenge.
    asked: Value,
}

impl Thief {
    async fn take(scene: &Scene<'_>, hold: Hold) -> Self {
        let app = scene.app;
        let mut thief = Self { token: String::new(), key: passkey::authenticator(app), asked: Value::Null };
        let session = &scene.thief;
        match hold {
            Hold::Password | Hold::AccessToken | Hold::RefreshToken | Hold::DeviceToken | Hold::KnownClient => {}
            Hold::Challenge => {
                if scene.factor.is_none() {
                    thief.add_app(scene).await;
                }
                let answer = app.login(EMAIL, PASSWORD).await;
                assert_eq!(answer.status, 202, "{}", answer.text);
                thief.asked = answer.json()["challenge_token"].clone();
                if let Some(code) = scene.seen_code(1) {
                    thief.token = code;
                }
            }
            Hold::AppBeingAdded => thief.token = factor::start(session).await,
            Hold::PasskeyBeingAdded => thief.asked = passkey::options(session, &scene.proof(0)).await,
            Hold::App => {
                let started = session.post("/user/totp", &scene.proof(0)).await;
                assert_eq!(started.status, 200, "{}", started.text);
                thief.token = text(&started.json()["secret"]);
                let confirmed = factor::confirm(app, session, &thief.token).await;
                assert_eq!(confirmed.status, 200, "{}", confirmed.text);
            }
            Hold::Passkey => {
                passkey::added_with(session, &mut thief.key, &scene.proof(0)).await;
            }
            Hold::RecoveryCode => match scene.seen_code(1) {
                Some(code) => thief.token = code,
                None => thief.add_app(scene).await,
            },
            Hold::PendingAddress => thief.token = pending(app, session, FURTHER).await,
            Hold::PasswordLink => {
                app.post("/auth/password/forgot", &json!({ "email": EMAIL })).await;
                thief.token = app.mailed_token(EMAIL, "/auth/password/reset").await;
                // The owner's own request comes after the minute between two such emails.
                app.clock.advance(MINUTE);
            }
            Hold::ConfirmationLink => thief.token.clone_from(&scene.confirmation_link),
            Hold::Upload => thief.asked = session.request_upload("image/jpeg", picture().len()).await,
        }
        if scene.factor.is_some() && !matches!(hold, Hold::App | Hold::Passkey) {
            // What the owner removes.
            let mut key = passkey::authenticator(app);
            passkey::added_with(session, &mut key, &scene.proof(2)).await;
        }
        if matches!(hold, Hold::PendingAddress) {
            app.clock.advance(MINUTE);
        }
        thief
    }

    /// Adds an app; the token is the first of the recovery codes that come with it.
    async fn add_app(&mut self, scene: &Scene<'_>) {
        let secret = factor::start(&scene.thief).await;
        let confirmed = factor::confirm(scene.app, &scene.thief, &secret).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        self.token = text(&confirmed.json()["recovery_codes"][0]);
    }

    /// Whether the hold is good for anything.
    async fn tries(mut self, scene: &Scene<'_>, act: Act, hold: Hold) -> bool {
        let app = scene.app;
        let by_link = async |path: &str, body: Value| app.post(path, &body).await.status == 200;
        match hold {
            Hold::Password => {
                let answer = app.login(EMAIL, PASSWORD).await;
                assert!([200, 202, 401].contains(&answer.status.as_u16()), "{}", answer.text);
                answer.status != 401
            }
            Hold::AccessToken => scene.thief.get("/user").await.status == 200,
            Hold::RefreshToken => app.refresh(&scene.thief.refresh_token).await.status == 200,
            Hold::DeviceToken => {
                for _ in 0..6 {
                    app.login(EMAIL, "not the password").await;
                }
                let token = &scene.thiefs_answer["device_token"];
                let body = json!({ "email": EMAIL, "password": "not the password", "device_token": token });
                app.post("/auth/login", &body).await.code() != "too_many_attempts"
            }
            Hold::KnownClient => {
                if act == Act::Undo {
                    assert_eq!(app.choose_password(EMAIL, NEW).await.status, 200);
                }
                let told = app.events("new_client").await.len();
                let answer = scene.sign_in_as_thief(Scene::password_after(act)).await;
                if act == Act::Deletion {
                    return answer.status == 200;
                }
                assert_eq!(answer.status, 200, "{}", answer.text);
                app.events("new_client").await.len() == told
            }
            Hold::Challenge => {
                let body = json!({ "challenge_token": self.asked, "recovery_code": self.token });
                app.post("/auth/login/verify", &body).await.status == 200
            }
            Hold::AppBeingAdded => factor::confirm(app, &scene.thief, &self.token).await.status == 200,
            Hold::PasskeyBeingAdded => {
                let credential = self.key.create(&self.asked["options"]);
                passkey::add(&scene.thief, &self.asked["challenge_token"], &credential).await.status == 201
            }
            Hold::App => {
                if act == Act::Undo {
                    assert_eq!(app.choose_password(EMAIL, NEW).await.status, 200);
                }
                let answer = app.login(EMAIL, Scene::password_after(act)).await;
                let methods = answer.json()["methods"].clone();
                methods.as_array().is_some_and(|methods| methods.contains(&json!("totp")))
            }
            Hold::Passkey => passkey::sign_in(app, &mut self.key).await.status == 200,
            Hold::RecoveryCode => {
                if act == Act::Undo {
                    assert_eq!(app.choose_password(EMAIL, NEW).await.status, 200);
                }
                let answer = app.login(EMAIL, Scene::password_after(act)).await;
                let Some(challenge) = answer.json().get("challenge_token").cloned() else { return false };
                by_link("/auth/login/verify", json!({ "challenge_token": challenge, "recovery_code": self.token }))
                    .await
            }
            Hold::PendingAddress => by_link("/auth/email/confirm", json!({ "token": self.token })).await,
            Hold::PasswordLink => {
                by_link("/auth/password/reset", json!({ "token": self.token, "password": "a password of the thief" }))
                    .await
            }
            Hold::Upload => {
                let sent = scene.thief.send_upload(&self.asked, picture()).await;
                assert_eq!(sent.status, 200, "{}", sent.text);
                app.idle().await;
                let user = app.app().store().user(scene.thief.id.parse().unwrap()).await.unwrap();
                user.is_some_and(|user| user.picture.shown.is_some())
            }
            Hold::ConfirmationLink => {
                let answer = app.post("/auth/confirm", &json!({ "token": self.token })).await;
                answer.json()["status"] == "confirmed"
            }
        }
    }
}

// What a thief would do, as a script.

#[tokio::test]
async fn a_thief_who_knows_the_password_cannot_move_on_after_an_undo() {
    let app = TestApp::start().await;
    let (thief, undo) = moved_away(&app).await;
    let undone = app.post("/auth/email/undo", &json!({ "token": undo })).await;
    assert_eq!(undone.json()["status"], "email_restored", "{}", undone.text);
    for password in [PASSWORD, "a password of the thief"] {
        assert_eq!(app.login(EMAIL, password).await.code(), "invalid_credentials", "{password}");
    }
    assert_eq!(thief.put("/user", &json!({ "email": FURTHER })).await.code(), "invalid_token");
    assert_eq!(thief.post("/user/passkeys/options", &json!({})).await.code(), "invalid_token");
    assert_eq!(app.refresh(&thief.refresh_token).await.code(), "invalid_refresh_token");
    assert_eq!(app.choose_password(EMAIL, NEW).await.status, 200, "the owner's link still works");
    let owner = app.login(EMAIL, NEW).await;
    assert_eq!(owner.json()["user"]["email"], EMAIL, "{}", owner.text);
}

#[tokio::test]
async fn a_thief_who_undoes_from_a_later_address_is_undone_again() {
    let app = TestApp::start().await;
    let (thief, owners_undo) = moved_away(&app).await;
    app.clock.advance(MINUTE);
    let thiefs_undo = moved(&app, &thief, FURTHER).await;
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": thiefs_undo })).await.status, 200);
    assert_eq!(app.choose_password(THIEF, "a password of the thief").await.status, 200);
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": owners_undo })).await.status, 200);
    assert_eq!(app.login(THIEF, "a password of the thief").await.code(), "invalid_credentials");
    assert_eq!(app.choose_password(EMAIL, NEW).await.status, 200);
    assert_eq!(app.login(EMAIL, NEW).await.json()["user"]["id"], thief.id);
}

#[tokio::test]
async fn an_owner_who_undoes_ends_the_links_of_later_addresses() {
    let app = TestApp::start().await;
    let (thief, owners_undo) = moved_away(&app).await;
    app.clock.advance(MINUTE);
    let thiefs_undo = moved(&app, &thief, FURTHER).await;
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": owners_undo })).await.status, 200);
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": thiefs_undo })).await.code(), "link_used");
    app.confirmed(THIEF).await;
}

#[tokio::test]
async fn an_owner_who_changes_back_leaves_the_thiefs_mailbox_no_undo_link() {
    let app = TestApp::start().await;
    let owner = app.signed_in(EMAIL).await;
    moved(&app, &app.sign_in(EMAIL).await, THIEF).await;
    app.clock.advance(MINUTE);
    let token = pending(&app, &owner, EMAIL).await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": token })).await.status, 200);
    app.idle().await;
    let mails = app.mails(THIEF).await;
    assert_eq!(mails[0]["subject"], "The email address of your account with Example was changed");
    assert!(!mails[0]["links"].to_string().contains("/undo"), "{mails:?}");
    app.confirmed(THIEF).await;
}

/// An account that a thief signed in to, gave a password of their own and moved; the link that takes it back.
async fn moved_away(app: &TestApp) -> (SignedIn<'_>, String) {
    let thief = app.signed_in(EMAIL).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "a password of the thief" });
    assert_eq!(thief.put("/user/password", &body).await.status, 204);
    let undo = moved(app, &thief, THIEF).await;
    (thief, undo)
}

#[tokio::test]
async fn a_stranger_who_registers_first_gets_nothing_by_any_plain_link() {
    let app = TestApp::start().await;
    assert_eq!(app.register(EMAIL).await.status, 202);
    let first = app.mailed_token(EMAIL, "/auth/confirm").await;
    let victim = json!({ "name": "Ada Lovelace", "email": EMAIL, "password": NEW });
    assert_eq!(app.post("/auth/register", &victim).await.status, 202);
    app.idle().await;
    app.clock.advance(MINUTE);
    app.post("/auth/send", &json!({ "email": EMAIL })).await;
    app.idle().await;
    let mails = app.mails(EMAIL).await;
    assert_eq!(mails.len(), 3);
    for mail in &mails[..2] {
        let links = mail["links"].to_string();
        assert!(links.contains("/auth/password/reset?") && !links.contains("/auth/confirm?"), "{links}");
    }
    assert_eq!(app.post("/auth/confirm", &json!({ "token": first })).await.code(), "link_invalid");
    for password in [PASSWORD, NEW] {
        assert_ne!(app.login(EMAIL, password).await.status, 200);
    }
    let chosen = app.choose_password(EMAIL, NEW).await;
    assert_eq!(chosen.json()["factors"], json!({ "totp": false, "passkeys": 0 }));
    assert_eq!(app.login(EMAIL, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.login(EMAIL, NEW).await.status, 200);
    app.idle().await;
    assert_eq!(app.mails(EMAIL).await[0]["subject"], "New sign-in to your account with Example", "even the first");
}

#[tokio::test]
async fn a_browser_that_opens_a_contested_link_hears_what_to_do() {
    let app = TestApp::start().await;
    app.register(EMAIL).await;
    let first = app.mailed_token(EMAIL, "/auth/confirm").await;
    app.register(EMAIL).await;
    app.idle().await;
    let opened = app.request(Method::GET, &format!("/auth/confirm?token={first}")).header("accept", "text/html");
    let pressed = app.request(Method::POST, "/auth/confirm").header("accept", "text/html").form(&[("token", &first)]);
    for request in [opened, pressed] {
        let page = Answer::of(request).await;
        assert_eq!(page.status, 400);
        assert!(page.text.contains("<h1>Choose a password instead</h1>"), "{}", page.text);
    }
}

#[tokio::test]
async fn a_registration_that_comes_after_the_confirmation_contests_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in(EMAIL).await;
    app.clock.advance(MINUTE);
    app.register(EMAIL).await;
    app.idle().await;
    assert_eq!(ada.get("/user").await.status, 200);
    assert_eq!(app.login(EMAIL, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_stranger_who_registers_repeatedly_does_not_end_the_owners_link() {
    let app = TestApp::start().await;
    app.register(EMAIL).await;
    app.register(EMAIL).await;
    let token = app.mailed_token(EMAIL, "/auth/password/reset").await;
    for _ in 0..3 {
        app.register(EMAIL).await;
        app.idle().await;
    }
    let answer = app.post("/auth/password/reset", &json!({ "token": token, "password": NEW })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn the_administrator_is_made_by_a_chosen_password_and_by_nothing_else() {
    let app = TestApp::start().await;
    // A stranger registers the address, and a scanner opens every link in its mailbox.
    assert_eq!(app.register(ADMIN).await.status, 202);
    app.idle().await;
    let mails = app.mails(ADMIN).await;
    let link = text(&mails[0]["links"][0]);
    for accept in ["*/*", "text/html", "application/json", ""] {
        let opened = Answer::of(app.request(Method::GET, &link).header("accept", accept)).await;
        assert_eq!(opened.status, 200);
        assert!(opened.header("content-type").starts_with("text/html"));
    }
    assert_eq!(app.login(ADMIN, PASSWORD).await.code(), "email_not_confirmed");
    assert_eq!(app.choose_password(ADMIN, NEW).await.status, 200);
    assert_eq!(app.login(ADMIN, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.login(ADMIN, NEW).await.json()["user"]["roles"], json!(["user", "admin"]));
}

#[tokio::test]
async fn an_account_at_the_administrators_address_becomes_one_by_choosing_a_password() {
    let app = TestApp::start().await;
    let ada = app.signed_in(EMAIL).await;
    let mut key = passkey::authenticator(&app);
    passkey::added(&ada, &mut key).await;
    moved(&app, &ada, ADMIN).await;
    assert_eq!(ada.get("/user").await.json()["roles"], json!(["user"]));
    assert_eq!(app.recover(ADMIN, NEW).await.json()["factors"], json!({ "totp": false, "passkeys": 0 }));
    assert_eq!(app.login(ADMIN, NEW).await.json()["user"]["roles"], json!(["user", "admin"]));
    assert_eq!(passkey::sign_in(&app, &mut key).await.code(), "invalid_passkey", "from before the proof");
}

#[tokio::test]
async fn a_thief_cannot_undo_moving_an_account_to_the_administrators_address() {
    let app = TestApp::start().await;
    let thief = app.signed_in(THIEF).await;
    let undo = moved(&app, &thief, ADMIN).await;
    assert_eq!(app.recover(ADMIN, NEW).await.status, 200);
    assert_eq!(app.login(ADMIN, NEW).await.json()["user"]["roles"], json!(["user", "admin"]));
    assert_eq!(app.post("/auth/email/undo", &json!({ "token": undo })).await.code(), "link_used");
    assert_eq!(app.login(ADMIN, NEW).await.status, 200);
    app.idle().await;
    app.confirmed(THIEF).await;
    assert_eq!(app.sign_in(THIEF).await.get("/user").await.json()["roles"], json!(["user"]));
}

#[tokio::test]
async fn a_link_sent_before_its_address_became_the_administrators_confirms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(folder.path()), &[("ADMIN_EMAIL", "other@example.com")]).await;
    app.register(EMAIL).await;
    let token = app.mailed_token(EMAIL, "/auth/confirm").await;
    app.stack.stop().await;
    let app = TestApp::start_in(Some(folder.path()), &[("ADMIN_EMAIL", EMAIL)]).await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.code(), "link_invalid");
}

#[tokio::test]
async fn a_password_reset_lists_the_second_factors_of_the_account() {
    let app = TestApp::start().await;
    let ada = app.signed_in(EMAIL).await;
    let mut key = passkey::authenticator(&app);
    passkey::added(&ada, &mut key).await;
    app.post("/auth/password/forgot", &json!({ "email": EMAIL })).await;
    let token = app.mailed_token(EMAIL, "/auth/password/reset").await;
    let form = app.request(Method::POST, "/auth/password/reset").header("accept", "text/html");
    let page = Answer::of(form.form(&[("token", token.as_str()), ("password", NEW)])).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("your account has a passkey, and recovery codes."), "{}", page.text);
    app.idle().await;
    let mail = &app.mails(EMAIL).await[0];
    assert_eq!(mail["subject"], "Your password for Example was changed");
    assert!(
        text(&mail["text"]).replace('\n', " ").contains("Your account has 1 passkey, and recovery codes."),
        "{mail}"
    );
    app.clock.advance(MINUTE);
    let answer = app.recover(EMAIL, "another quiet lantern").await;
    assert_eq!(answer.json()["factors"], json!({ "totp": false, "passkeys": 1 }));
}

// Accounts that nobody confirms.

#[tokio::test]
async fn an_unconfirmed_account_lapses_and_frees_its_address() {
    let app = TestApp::start_with(&[("UNCONFIRMED_DAYS", "3")]).await;
    app.register(EMAIL).await;
    let token = app.mailed_token(EMAIL, "/auth/confirm").await;
    app.later(3 * 24 * 60 * MINUTE - MINUTE).await;
    assert_eq!(app.login(EMAIL, PASSWORD).await.code(), "email_not_confirmed", "not yet");
    app.later(2 * MINUTE).await;
    assert_eq!(app.login(EMAIL, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.code(), "link_invalid");
    app.later(20 * MINUTE).await;
    app.later(20 * MINUTE).await;
    assert_eq!(app.items_with("USER#").await, [""; 0], "erased whole");
    assert_eq!(app.events("user_lapsed").await.len(), 1);
    let mails = app.mails(EMAIL).await.len();
    app.confirmed(EMAIL).await;
    assert_eq!(app.mails(EMAIL).await.len(), mails + 1, "told nothing but what the new account needs");
}

#[tokio::test]
async fn a_confirmed_account_never_lapses() {
    let app = TestApp::start().await;
    app.confirmed(EMAIL).await;
    app.register("bob@example.com").await;
    assert_eq!(app.recover("bob@example.com", NEW).await.status, 200);
    app.later(400 * 24 * 60 * MINUTE).await;
    app.later(MINUTE).await;
    assert_eq!(app.login(EMAIL, PASSWORD).await.status, 200);
    assert_eq!(app.login("bob@example.com", NEW).await.status, 200);
}

#[tokio::test]
async fn a_second_registration_gives_an_unconfirmed_account_its_whole_time_again() {
    let app = TestApp::start().await;
    app.register(EMAIL).await;
    app.later(13 * 24 * 60 * MINUTE).await;
    app.register(EMAIL).await;
    app.idle().await;
    app.later(13 * 24 * 60 * MINUTE).await;
    assert_eq!(app.recover(EMAIL, NEW).await.status, 200);
}

#[tokio::test]
async fn an_account_confirmed_while_it_lapses_is_either_kept_or_erased() {
    for _ in 0..4 {
        let app = TestApp::start_with(&[("UNCONFIRMED_DAYS", "1")]).await;
        app.register(EMAIL).await;
        app.clock.advance(24 * 60 * MINUTE - Duration::from_secs(1));
        app.post("/auth/send", &json!({ "email": EMAIL })).await;
        let token = app.mailed_token(EMAIL, "/auth/confirm").await;
        app.clock.advance(MINUTE);
        let body = json!({ "token": token });
        let (confirmed, ()) = tokio::join!(app.post("/auth/confirm", &body), app.stack.sweep());
        let signed_in = app.login(EMAIL, PASSWORD).await;
        assert_eq!(confirmed.status == 200, signed_in.status == 200, "{} {}", confirmed.text, signed_in.text);
    }
}

// Requests that were under way, and what is left of what is gone.

#[tokio::test]
async fn a_proof_by_a_factor_that_is_gone_removes_no_other() {
    let app = TestApp::start().await;
    app.confirmed(EMAIL).await;
    let thief = app.sign_in(EMAIL).await;
    let secret = factor::start(&thief).await;
    assert_eq!(factor::confirm(&app, &thief, &secret).await.status, 200);
    assert_eq!(thief.delete("/user/totp").await.status, 204);
    Owner::enrolled_as(&app, app.sign_in(EMAIL).await, EMAIL).await;
    for answer in [thief.delete("/user/totp").await, thief.put("/user", &json!({ "email": THIEF })).await] {
        assert_eq!(answer.code(), "reauthentication_required");
    }
    assert_eq!(app.login(EMAIL, PASSWORD).await.json()["methods"], json!(["totp", "recovery_code"]));
}

#[tokio::test]
async fn a_request_that_was_under_way_changes_nothing_after_a_recovery() {
    let app = TestApp::start().await;
    let store = app.app().store();
    let thief = app.signed_in(EMAIL).await;
    let before = store.user(thief.id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(app.recover(EMAIL, NEW).await.status, 200);
    let now = app.clock.now();
    let name = UserName::parse("Mallory").unwrap();
    let upload = Requested { upload: UploadId::new(now), at: now };
    let kind = EmailKind::AccountDeleted { to: before.email.clone(), name: name.clone() };
    let farewell = OutboxEmail::new(before.email.normalized(), kind, now);
    let event = DomainEvent::new(Subject::User(before.id), &Actor::SYSTEM, EventKind::renamed(&name), now);
    assert!(store.delete_user(&before, None, &farewell, &event).await.unwrap().is_none());
    let renamed = OwnUpdate { name: Some(&name), ..OwnUpdate::default() };
    assert!(store.update_user(&before, &renamed, &event).await.unwrap().is_none());
    let kept = OwnUpdate { drops_pending_email: true, ..renamed };
    assert!(store.update_user(&before, &kept, &event).await.unwrap().is_none());
    assert!(store.request_upload(&before, &upload).await.unwrap().is_none());
    assert_eq!(app.login(EMAIL, NEW).await.json()["user"]["name"], "Ada Lovelace");
    let admin = app.admin().await;
    let staff = StaffMember { id: admin.id.parse().unwrap(), epoch: 1, role: Role::ADMIN };
    assert!(
        store.delete_user(&before, Some(&staff), &farewell, &event).await.unwrap().is_some(),
        "an administrator may"
    );
}

#[tokio::test]
async fn an_app_begun_before_a_password_change_is_not_added_after_it() {
    let app = TestApp::start().await;
    let owner = app.signed_in(EMAIL).await;
    let secret = factor::start(&app.sign_in(EMAIL).await).await;
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    assert_eq!(owner.put("/user/password", &body).await.status, 204);
    assert_ne!(factor::confirm(&app, &owner, &secret).await.status, 200);
}

#[tokio::test]
async fn an_owner_who_resets_is_not_kept_waiting_by_strangers() {
    let app = TestApp::start().await;
    app.confirmed(EMAIL).await;
    for _ in 0..9 {
        app.login(EMAIL, "a stranger's guess").await;
        app.clock.advance(MINUTE);
    }
    app.login(EMAIL, "a stranger's guess").await;
    let token = app.recover(EMAIL, NEW).await.json()["device_token"].clone();
    assert_eq!(app.login(EMAIL, NEW).await.code(), "too_many_attempts", "without what the reset gave");
    let body = json!({ "email": EMAIL, "password": NEW, "device_token": token });
    assert_eq!(app.post("/auth/login", &body).await.status, 200);
}

#[tokio::test]
async fn deleting_accounts_does_not_bypass_the_email_limit_of_one_address() {
    let app = TestApp::start().await;
    for number in 0..3 {
        let account = app.signed_in(&format!("user{number}@example.net")).await;
        assert_eq!(account.put("/user", &json!({ "email": EMAIL })).await.status, 200);
        app.idle().await;
        assert_eq!(account.delete("/user").await.status, 204);
    }
    assert_eq!(app.mails(EMAIL).await.len(), 1);
}
