//! The second factor under attack: signing in takes the code, each code once, each challenge once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::BASE32_NOPAD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::totp::{Step, TotpSecret};
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

const ADA: &str = "ada@example.com";
const STEP: Duration = Duration::from_secs(30);

/// Somebody whose account has an authenticator app in force, with the app in hand.
pub struct Owner<'a> {
    app: &'a TestApp,
    email: String,
    secret: TotpSecret,
    pub recovery: Vec<String>,
}

/// Starts an enrolment; its secret.
pub async fn start(session: &SignedIn<'_>) -> String {
    let answer = session.post("/user/totp", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    text(&answer.json()["secret"])
}

/// Confirms an enrolment with the code that an app with this secret shows now.
pub async fn confirm(app: &TestApp, session: &SignedIn<'_>, secret: &str) -> Answer {
    let code = shown(&secret_of(secret), Step::at(app.clock.now()));
    session.post("/user/totp/confirm", &json!({ "code": code })).await
}

pub async fn remove(session: &SignedIn<'_>, body: &Value) -> Answer {
    Answer::of(session.request(Method::DELETE, "/user/totp").json(body)).await
}

pub async fn renew(session: &SignedIn<'_>, body: &Value) -> Answer {
    session.post("/user/recovery-codes", body).await
}

fn secret_of(base32: &str) -> TotpSecret {
    TotpSecret::from_bytes(BASE32_NOPAD.decode(base32.as_bytes()).unwrap())
}

fn shown(secret: &TotpSecret, step: Step) -> String {
    String::from_utf8(secret.code(step)).unwrap()
}

impl<'a> Owner<'a> {
    /// What the app shows at a time.
    pub fn code_at(&self, now: shared::clock::Timestamp) -> String {
        shown(&self.secret, Step::at(now))
    }

    /// Registers, confirms, signs in and adds an app.
    pub async fn enrolled(app: &'a TestApp, email: &str) -> Self {
        let session = app.signed_in(email).await;
        Self::enrolled_as(app, session, email).await
    }

    pub async fn enrolled_as(app: &'a TestApp, session: SignedIn<'a>, email: &str) -> Self {
        let secret = start(&session).await;
        let answer = confirm(app, &session, &secret).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let recovery = answer.json()["recovery_codes"].as_array().unwrap().iter().map(text).collect();
        Self { app, email: email.to_owned(), secret: secret_of(&secret), recovery }
    }

    /// The code that the app shows, a step after the last one that this test can have used.
    pub fn fresh_code(&self) -> String {
        self.app.clock.advance(STEP);
        self.used_code()
    }

    /// The code that the app shows now; used, right after a sign-in.
    pub fn used_code(&self) -> String {
        shown(&self.secret, Step::at(self.app.clock.now()))
    }

    /// Six digits that the app shows neither now nor in the minutes around.
    pub fn wrong_code(&self) -> String {
        let now = self.app.clock.now();
        let near: Vec<_> =
            (0..20).map(|at| shown(&self.secret, Step::at(now.minus(STEP * 10).plus(STEP * at)))).collect();
        (0..30).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }

    /// The challenge of a sign-in with the right password.
    pub async fn challenge(&self) -> String {
        let answer = self.app.login(&self.email, PASSWORD).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        text(&answer.json()["challenge_token"])
    }

    pub async fn verify(&self, challenge: &str, proof: &Value) -> Answer {
        let mut body = proof.clone();
        body["challenge_token"] = json!(challenge);
        self.app.post("/auth/login/verify", &body).await
    }

    pub async fn guess(&self, challenge: &str) -> Answer {
        self.verify(challenge, &json!({ "code": self.wrong_code() })).await
    }

    pub async fn sign_in(&self) -> SignedIn<'a> {
        self.sign_in_with(&json!({ "code": self.fresh_code() })).await
    }

    pub async fn sign_in_with(&self, proof: &Value) -> SignedIn<'a> {
        let answer = self.verify(&self.challenge().await, proof).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.app.session_of(&self.email, &answer.json())
    }
}

/// Moves the clock to shortly after the beginning of a step, so that none ends within a test's next seconds.
fn begin_step(app: &TestApp) {
    let into = u64::try_from(app.clock.now().millis().rem_euclid(30_000)).unwrap();
    app.clock.advance(Duration::from_millis(30_000 - into + 500));
}

pub fn claims(access_token: &str) -> Value {
    let payload = access_token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn assert_no_tokens(answer: &Answer, what: &str) {
    for token in ["access_token", "refresh_token", "device_token"] {
        assert!(!answer.text.contains(&format!("\"{token}\":")), "{what}: {}", answer.text);
    }
}

#[tokio::test]
async fn signing_in_takes_the_password_and_then_the_code() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let answer = app.login(ADA, PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (202, "no-store"));
    let body = answer.json();
    assert_eq!(body["status"], "second_factor_required");
    assert_eq!((&body["expires_in"], &body["methods"]), (&json!(300), &json!(["totp", "recovery_code"])));
    app.clock.advance(Duration::from_mins(2));
    let answer = ada.verify(&text(&body["challenge_token"]), &json!({ "code": ada.fresh_code() })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["user"]["email"], &body["token_type"]), (&json!(ADA), &json!("Bearer")));
    assert_eq!(text(&body["device_token"]).len(), 102);
    let mut session = app.session_of(ADA, &body);
    assert_eq!(session.get("/user").await.status, 200);
    let first = claims(&session.access_token);
    assert_eq!(first["amr"], json!(["pwd", "otp", "mfa"]));
    assert!(
        (0..=5).contains(&(app.clock.now().seconds() - first["auth_time"].as_i64().unwrap())),
        "when it was complete"
    );
    session.refresh().await;
    assert_eq!(claims(&session.access_token)["amr"], json!(["pwd", "otp", "mfa"]));
    let recovered = ada.sign_in_with(&json!({ "recovery_code": ada.recovery[0].to_lowercase() })).await;
    assert_eq!(claims(&recovered.access_token)["amr"], json!(["pwd", "mfa"]));
}

#[tokio::test]
async fn without_the_code_nothing_gives_tokens() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let link = app.confirmation_token(ADA).await;
    let first = app.login(ADA, PASSWORD).await.json();
    let device = text(&first["device_token"]);
    let mut before = app.session_of(ADA, &first);
    let ada = Owner::enrolled_as(&app, app.sign_in(ADA).await, ADA).await;

    let body = json!({ "email": ADA, "password": PASSWORD, "device_token": device });
    let known = app.post("/auth/login", &body).await;
    assert_eq!(known.status, 202, "a known device is no second factor: {}", known.text);
    assert_no_tokens(&known, "a known device");
    assert_no_tokens(&app.login(ADA, PASSWORD).await, "the password");
    assert_no_tokens(&app.login(ADA, "wrong").await, "a wrong password");
    assert_no_tokens(&app.post("/auth/confirm", &json!({ "token": link })).await, "the mailed link");
    assert_no_tokens(&app.register(ADA).await, "registering again");
    let challenge = ada.challenge().await;
    assert_no_tokens(&app.refresh(&challenge).await, "refreshing with the challenge");
    for proof in [
        json!({}),
        json!({ "code": "" }),
        json!({ "code": null }),
        json!({ "code": ada.wrong_code() }),
        json!({ "code": 123_456 }),
        json!({ "code": [ada.used_code()] }),
        json!({ "code": PASSWORD }),
        json!({ "code": device }),
        json!({ "recovery_code": "" }),
        json!({ "recovery_code": "0000-0000-0000-0000-0000-0000" }),
        json!({ "code": ada.wrong_code(), "recovery_code": ada.recovery[0] }),
        json!({ "code": ada.wrong_code(), "method": "none" }),
    ] {
        let answer = ada.verify(&challenge, &proof).await;
        assert!(answer.status.is_client_error(), "{proof}: {}", answer.text);
        assert_no_tokens(&answer, &proof.to_string());
    }
    // What was signed in before stays so: it is the owner who added the app.
    before.refresh().await;
    assert_eq!(before.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_wrong_password_is_told_nothing_of_the_second_factor() {
    let app = TestApp::start().await;
    app.confirmed("eve@example.com").await;
    Owner::enrolled(&app, ADA).await;
    assert_eq!(app.login(ADA, "wrong").await.essence(), app.login("eve@example.com", "wrong").await.essence());
}

#[tokio::test]
async fn a_used_code_and_earlier_ones_are_refused_in_another_sign_in() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    begin_step(&app);
    let (earlier, code) = (shown(&ada.secret, Step::at(app.clock.now().minus(STEP))), ada.used_code());
    let (one, other) = (ada.challenge().await, ada.challenge().await);
    assert_eq!(ada.verify(&one, &json!({ "code": code })).await.status, 200);
    assert_eq!(ada.verify(&other, &json!({ "code": code })).await.code(), "invalid_code");
    assert_eq!(ada.verify(&other, &json!({ "code": earlier })).await.code(), "invalid_code");
    app.clock.advance(STEP);
    assert_eq!(ada.verify(&other, &json!({ "code": code })).await.code(), "invalid_code", "within the drift");
    assert_eq!(ada.verify(&other, &json!({ "code": ada.used_code() })).await.status, 200);
}

#[tokio::test]
async fn the_code_that_confirmed_the_app_does_not_sign_in() {
    let app = TestApp::start().await;
    let session = app.signed_in(ADA).await;
    begin_step(&app);
    let ada = Owner::enrolled_as(&app, session, ADA).await;
    let challenge = ada.challenge().await;
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.used_code() })).await.code(), "invalid_code");
}

#[tokio::test]
async fn concurrent_replays_of_a_code_sign_in_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenges = join_all((0..16).map(|_| ada.challenge())).await;
    begin_step(&app);
    let proof = json!({ "code": ada.used_code() });
    let answers = join_all(challenges.iter().map(|challenge| ada.verify(challenge, &proof))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "invalid_code"));
}

#[tokio::test]
async fn concurrent_replays_of_a_recovery_code_sign_in_and_notify_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenges = join_all((0..16).map(|_| ada.challenge())).await;
    let proof = json!({ "recovery_code": ada.recovery[7] });
    let answers = join_all(challenges.iter().map(|challenge| ada.verify(challenge, &proof))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "invalid_code"));
    let session = app.session_of(ADA, &won[0].json());
    assert_eq!(session.get("/user/factors").await.json()["recovery_codes"]["left"], 9);
    let mails = app.mails_to(ADA, 3).await;
    assert_eq!(mails[0]["subject"], "A recovery code was used for your Example account");
    assert!(text(&mails[0]["html"]).contains("You have 9 recovery codes left."));
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 3);
}

#[tokio::test]
async fn a_challenge_is_used_once_and_burns_no_other_code() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.status, 200);
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_challenge");
    assert_eq!(ada.verify(&challenge, &json!({ "recovery_code": ada.recovery[0] })).await.code(), "invalid_challenge");

    // Ten right codes at once: one of them is used.
    let challenge = ada.challenge().await;
    let proofs: Vec<_> = ada.recovery.iter().map(|code| json!({ "recovery_code": code })).collect();
    let answers = join_all(proofs.iter().map(|proof| ada.verify(&challenge, proof))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    let session = app.session_of(ADA, &won[0].json());
    assert_eq!(session.get("/user/factors").await.json()["recovery_codes"]["left"], 9);
}

#[tokio::test]
async fn a_challenge_is_dead_after_five_wrong_codes() {
    for limits in ["on", "off"] {
        let app = TestApp::start_with(&[("LIMITS", limits)]).await;
        let ada = Owner::enrolled(&app, ADA).await;
        let challenge = ada.challenge().await;
        for guess in 1..=5 {
            assert_eq!(ada.guess(&challenge).await.code(), "invalid_code", "guess {guess}");
        }
        let right = ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await;
        assert_eq!((right.code().as_str(), right.header("www-authenticate")), ("invalid_challenge", "Bearer"));
        ada.sign_in().await;
    }
}

#[tokio::test]
async fn concurrent_wrong_codes_get_five_attempts_at_most() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    let answers = join_all((0..16).map(|_| ada.guess(&challenge))).await;
    assert_eq!(answers.iter().filter(|answer| answer.code() == "invalid_code").count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.code() == "invalid_challenge").count(), 11);
}

fn retry_after(answer: &Answer) -> u64 {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "too_many_attempts"));
    answer.header("retry-after").parse().unwrap()
}

#[tokio::test]
async fn guessing_across_challenges_locks_the_second_factor_without_decay() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    for _ in 0..6 {
        assert_eq!(ada.guess(&ada.challenge().await).await.code(), "invalid_code");
    }
    for seconds in [2, 4, 8, 16, 32] {
        app.clock.advance(Duration::from_secs(seconds));
        assert_eq!(ada.guess(&ada.challenge().await).await.code(), "invalid_code");
    }
    // The right code is as locked out as any other, so the lock tells nobody that a guess was right.
    let challenge = ada.challenge().await;
    let wait = retry_after(&ada.verify(&challenge, &json!({ "code": ada.used_code() })).await);
    assert!((33..=64).contains(&wait), "{wait}");
    assert_eq!(app.events("second_factor_locked").await[0]["event.reason"], "account");
    // An hour later the next wrong code locks for twice as long, not for nothing.
    app.clock.advance(Duration::from_hours(1));
    let challenge = ada.challenge().await;
    assert_eq!(ada.guess(&challenge).await.code(), "invalid_code");
    let wait = retry_after(&ada.guess(&challenge).await);
    assert!((65..=128).contains(&wait), "{wait}");
    // Whoever waits as told gets in, which forgives all.
    app.clock.advance(Duration::from_secs(wait));
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.used_code() })).await.status, 200);
    for _ in 0..5 {
        assert_eq!(ada.guess(&ada.challenge().await).await.code(), "invalid_code");
    }
    ada.sign_in().await;
}

#[tokio::test]
async fn concurrent_guesses_by_separate_challenges_do_not_bypass_the_lock() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    for _ in 0..6 {
        ada.guess(&ada.challenge().await).await;
    }
    for seconds in [2, 4, 8, 16] {
        app.clock.advance(Duration::from_secs(seconds));
        ada.guess(&ada.challenge().await).await;
    }
    // In turn: so many sign-ins at once would be locked out themselves.
    let mut challenges = Vec::new();
    for _ in 0..16 {
        challenges.push(ada.challenge().await);
    }
    app.clock.advance(Duration::from_secs(32));
    let answers = join_all(challenges.iter().map(|challenge| ada.guess(challenge))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 403).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 15);
}

#[tokio::test]
async fn who_knows_the_password_does_not_lock_the_owners_browser_out() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let answer = ada.verify(&ada.challenge().await, &json!({ "code": ada.fresh_code() })).await;
    let device = text(&answer.json()["device_token"]);
    for _ in 0..6 {
        ada.guess(&ada.challenge().await).await;
    }
    for seconds in [2, 4, 8, 16, 32, 64] {
        app.clock.advance(Duration::from_secs(seconds));
        ada.guess(&ada.challenge().await).await;
    }
    retry_after(&ada.guess(&ada.challenge().await).await);
    let body = json!({ "email": ADA, "password": PASSWORD, "device_token": device });
    let challenge = text(&app.post("/auth/login", &body).await.json()["challenge_token"]);
    assert_eq!(ada.guess(&challenge).await.code(), "invalid_code");
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.status, 200);
    // That sign-in forgave its own failures, not those of the strangers.
    retry_after(&ada.guess(&ada.challenge().await).await);
}

#[tokio::test]
async fn device_tokens_older_than_the_second_factor_add_no_guesses() {
    let app = TestApp::start().await;
    app.signed_in(ADA).await;
    // A thief who knows the password collects them, before there is a second factor.
    let mut devices = Vec::new();
    for _ in 0..7 {
        devices.push(text(&app.login(ADA, PASSWORD).await.json()["device_token"]));
    }
    app.clock.advance(STEP);
    let ada = Owner::enrolled_as(&app, app.sign_in(ADA).await, ADA).await;
    let mut codes = Vec::new();
    for device in devices {
        let body = json!({ "email": ADA, "password": PASSWORD, "device_token": device });
        let challenge = text(&app.post("/auth/login", &body).await.json()["challenge_token"]);
        codes.push(ada.guess(&challenge).await.code());
    }
    assert_eq!(codes.pop().unwrap(), "too_many_attempts");
    assert!(codes.iter().all(|code| code == "invalid_code"), "{codes:?}");
}

#[tokio::test]
async fn a_code_is_taken_one_step_early_or_late_and_not_two() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    app.clock.advance(STEP * 10);
    begin_step(&app);
    let now = app.clock.now();
    for (step, status) in [
        (Step::at(now.minus(STEP * 2)), 403),
        (Step::at(now.plus(STEP * 2)), 403),
        (Step::at(now.minus(STEP)), 200),
        (Step::at(now.plus(STEP)), 200),
        // A clock that was ahead and is put right: what it showed meanwhile is over.
        (Step::at(now), 403),
    ] {
        let answer = ada.verify(&ada.challenge().await, &json!({ "code": shown(&ada.secret, step) })).await;
        assert_eq!(answer.status.as_u16(), status, "{step:?} at {:?}: {}", Step::at(now), answer.text);
    }
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_or_the_sessions_of_its_account() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let session = ada.sign_in().await;
    let late = ada.challenge().await;
    app.clock.advance(Duration::from_mins(5));
    assert_eq!(ada.verify(&late, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_challenge");

    let challenge = ada.challenge().await;
    assert_eq!(session.post("/auth/logout", &json!({ "everywhere": true })).await.status, 204);
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_challenge");

    let session = ada.sign_in().await;
    let challenge = ada.challenge().await;
    assert_eq!(remove(&session, &json!({ "code": ada.fresh_code() })).await.status, 204);
    assert_eq!(
        ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(),
        "invalid_challenge",
        "a removal ends it"
    );

    let ada = Owner::enrolled_as(&app, app.sign_in(ADA).await, ADA).await;
    let (session, challenge) = (ada.sign_in().await, ada.challenge().await);
    app.set_disabled(&session.id).await;
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_challenge");
}

#[tokio::test]
async fn another_users_challenge_with_ones_own_code_does_not_sign_in() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let eve = Owner::enrolled(&app, "eve@example.com").await;
    let challenge = ada.challenge().await;
    let own = json!({ "code": eve.fresh_code() });
    assert_eq!(ada.verify(&challenge, &own).await.code(), "invalid_code");
    assert_eq!(ada.verify(&challenge, &json!({ "recovery_code": eve.recovery[0] })).await.code(), "invalid_code");
    // Nothing of Eve's was used up by that.
    assert_eq!(eve.verify(&eve.challenge().await, &own).await.status, 200);
    assert_eq!(eve.verify(&eve.challenge().await, &json!({ "recovery_code": eve.recovery[0] })).await.status, 200);
}

#[tokio::test]
async fn a_forged_or_foreign_challenge_is_refused() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let ada = Owner::enrolled(&app, ADA).await;
    let foreign = Owner::enrolled(&other, ADA).await.challenge().await;
    let challenge = ada.challenge().await;
    let mut altered = challenge.clone().into_bytes();
    altered[10] = if altered[10] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for forged in ["", "x", "ключ", &challenge[1..], &format!("{challenge}A"), &altered, &foreign] {
        let answer = ada.verify(forged, &json!({ "code": ada.fresh_code() })).await;
        assert_eq!(answer.code(), "invalid_challenge", "{forged}");
    }
}

#[tokio::test]
async fn codes_are_limited_by_ip_address_too() {
    let app = TestApp::start_with(&[("LIMIT_SECOND_FACTOR_PER_IP", "3/1d")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    assert_eq!(ada.guess(&challenge).await.code(), "invalid_code");
    assert_eq!(ada.guess("forged").await.code(), "invalid_challenge");
    assert_eq!(ada.guess(&challenge).await.code(), "invalid_code");
    let right = json!({ "code": ada.fresh_code() });
    assert_eq!(ada.verify(&challenge, &right).await.code(), "rate_limited");
    assert_eq!(ada.guess("forged").await.code(), "rate_limited");
}

#[tokio::test]
async fn a_deleted_accounts_second_factor_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    ada.guess(&challenge).await;
    let session = ada.sign_in().await;
    ada.guess(&challenge).await;
    assert!(app.items_with("FACTOR#").await.len() >= 4);
    assert_eq!(session.delete("/user").await.status, 204);
    assert_eq!(ada.verify(&challenge, &json!({ "code": ada.fresh_code() })).await.code(), "invalid_challenge");
    app.idle().await;
    app.later(Duration::from_mins(2)).await;
    assert_eq!(app.items_with("FACTOR#").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_table_and_the_log_hold_no_secret_code_or_challenge() {
    let app = TestApp::start().await;
    let session = app.signed_in(ADA).await;
    let secret = start(&session).await;
    let answer = confirm(&app, &session, &secret).await.json();
    let codes: Vec<_> = answer["recovery_codes"].as_array().unwrap().iter().map(text).collect();
    let owner = Owner { app: &app, email: ADA.to_owned(), secret: secret_of(&secret), recovery: codes.clone() };
    let challenge = owner.challenge().await;
    let code = owner.fresh_code();
    let verified = owner.verify(&challenge, &json!({ "code": code })).await;
    assert_eq!(verified.status, 200);
    owner.sign_in_with(&json!({ "recovery_code": codes[0] })).await;

    let log = serde_json::to_string(&app.stack.logs().await).unwrap();
    let bytes = format!("{:?}", owner.secret.expose());
    for hidden in codes.iter().chain([&secret, &challenge, &bytes]) {
        assert!(!log.contains(hidden.as_str()), "{hidden} is in the log");
        assert_eq!(app.items_with(hidden).await, Vec::<String>::new(), "{hidden} is in the table");
        assert_eq!(app.items_with(&hidden.replace('-', "")).await, Vec::<String>::new());
    }
    assert!(!log.contains(&format!("\"{code}\"")));
}

#[tokio::test]
async fn changes_and_uses_of_a_second_factor_are_logged() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    ada.guess(&ada.challenge().await).await;
    let session = ada.sign_in_with(&json!({ "recovery_code": ada.recovery[0] })).await;
    assert_eq!(renew(&session, &json!({ "code": ada.fresh_code() })).await.status, 200);
    assert_eq!(remove(&session, &json!({ "code": ada.fresh_code() })).await.status, 204);
    for (action, outcome) in [
        ("second_factor_requested", "success"),
        ("second_factor_added", "success"),
        ("second_factor_required", "success"),
        ("second_factor_failed", "failure"),
        ("recovery_code_used", "success"),
        ("recovery_codes_renewed", "success"),
        ("second_factor_removed", "success"),
    ] {
        let events = app.events(action).await;
        let event = events.first().unwrap_or_else(|| panic!("no {action}"));
        assert_eq!((&event["user.id"], &event["event.outcome"]), (&json!(session.id), &json!(outcome)), "{action}");
        assert_eq!(event["source.ip"], "127.0.0.1", "{action}");
    }
}

#[tokio::test]
async fn a_new_client_is_reported_once_its_sign_in_is_complete() {
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    let with_curl = async |code: String| {
        let body = json!({ "challenge_token": challenge, "code": code });
        Answer::of(app.request(Method::POST, "/auth/login/verify").header("user-agent", "curl/8.14.1").json(&body))
            .await
    };
    assert_eq!(with_curl(ada.wrong_code()).await.code(), "invalid_code");
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 2, "those of registering and of adding the app");
    assert_eq!(with_curl(ada.fresh_code()).await.status, 200);
    let mails = app.mails_to(ADA, 3).await;
    assert!(text(&mails[0]["subject"]).contains("New sign-in"), "{}", mails[0]);
    assert_eq!(app.events("new_client").await.len(), 1);
}

#[tokio::test]
async fn concurrent_code_sign_ins_from_a_new_client_succeed_and_notify_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenges = join_all(ada.recovery.iter().map(|_| ada.challenge())).await;
    let answers = join_all(challenges.iter().zip(&ada.recovery).map(|(challenge, code)| {
        let body = json!({ "challenge_token": challenge, "recovery_code": code });
        Answer::of(app.request(Method::POST, "/auth/login/verify").header("user-agent", "curl/8.14.1").json(&body))
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 2 + 10 + 1, "registering, adding, each code, the client");
    assert_eq!(app.events("new_client").await.len(), 1);
}

#[tokio::test]
async fn a_reset_ends_a_pending_sign_in_and_keeps_the_second_factor() {
    const NEW: &str = "quiet lantern harbour";
    let app = TestApp::start().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let challenge = ada.challenge().await;
    assert_eq!(app.post("/auth/password/forgot", &json!({ "email": ADA })).await.status, 202);
    let token = app.mailed_token(ADA, "/auth/password/reset").await;
    let answer = app.post("/auth/password/reset", &json!({ "token": token, "password": NEW })).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    assert_no_tokens(&answer, "a reset");
    let code = json!({ "code": ada.fresh_code() });
    assert_eq!(ada.verify(&challenge, &code).await.code(), "invalid_challenge");

    let answer = app.login(ADA, NEW).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let answer = ada.verify(&text(&answer.json()["challenge_token"]), &code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
