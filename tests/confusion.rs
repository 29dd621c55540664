//! Token confusion: each token of the service is refused at every door but its own.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, PASSWORD, SignedIn, TestApp, text};

use crate::factor::Owner;

const ADA: &str = "ada@example.com";
/// `printf first | sha256sum`: a real secret is 256 random bits.
const CLIENT: &str = "orders:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";

/// Where a token may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    SignedInRoute,
    Introspection,
    Refresh,
    RefreshAsBearer,
    Device,
    Challenge,
    Cursor,
    /// A path that takes tokens of mailed links.
    Link(&'static str),
}

const CONFIRM: Door = Door::Link("/auth/confirm");
const CONFIRM_EMAIL: Door = Door::Link("/auth/email/confirm");
const UNDO_EMAIL: Door = Door::Link("/auth/email/undo");
const RESET: Door = Door::Link("/auth/password/reset");

const DOORS: [Door; 11] = [
    Door::SignedInRoute,
    Door::Introspection,
    Door::Refresh,
    Door::RefreshAsBearer,
    Door::Device,
    Door::Challenge,
    Door::Cursor,
    CONFIRM,
    CONFIRM_EMAIL,
    UNDO_EMAIL,
    RESET,
];

struct Token {
    kind: &'static str,
    text: String,
    own: &'static [Door],
}

/// Somebody with a second factor whose address is locked for everyone but a known device, and an administrator.
struct Doors<'a> {
    app: &'a TestApp,
    ada: Owner<'a>,
    admin: SignedIn<'a>,
}

impl Doors<'_> {
    /// Whether the door opens for a token; a door that does not says so in the words it has for this.
    async fn open(&self, door: Door, token: &str) -> bool {
        let app = self.app;
        let (answer, refusal) = match door {
            Door::SignedInRoute => {
                (Answer::of(app.request(Method::GET, "/user").bearer_auth(token)).await, "invalid_token")
            }
            Door::Introspection => {
                let request = app.request(Method::POST, "/auth/introspect").basic_auth("orders", Some("first"));
                let answer = Answer::of(request.form(&[("token", token)])).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                return answer.json()["active"] == true;
            }
            Door::Refresh => (app.refresh(token).await, "invalid_refresh_token"),
            Door::RefreshAsBearer => {
                let request = app.request(Method::GET, "/auth/refresh").bearer_auth(token);
                (Answer::of(request).await, "invalid_refresh_token")
            }
            Door::Device => {
                let body = json!({ "email": ADA, "password": PASSWORD, "device_token": token });
                (app.post("/auth/login", &body).await, "too_many_attempts")
            }
            Door::Challenge => {
                let proof = json!({ "recovery_code": self.ada.recovery[0] });
                (self.ada.verify(token, &proof).await, "invalid_challenge")
            }
            Door::Cursor => (self.admin.get(&format!("/users?cursor={token}")).await, "invalid_request"),
            Door::Link(path) => {
                let mut body: Value = json!({ "token": token });
                if door == RESET {
                    body["password"] = json!("quiet lantern harbour");
                }
                (app.post(path, &body).await, "link_invalid")
            }
        };
        if answer.status.is_success() {
            return true;
        }
        // A door that knows the token well enough to say more of it has not told it from its own.
        answer.code() != refusal
    }
}

/// For two minutes: longer than any machine takes for what follows.
async fn lock(app: &TestApp, email: &str) {
    for seconds in [0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64] {
        app.clock.advance(Duration::from_secs(seconds));
        assert_eq!(app.login(email, "not the password").await.code(), "invalid_credentials");
    }
}

/// One live token of each kind. Those of links belong to accounts of their own: using one ends others of its account.
async fn tokens(app: &TestApp, ada: &Owner<'_>, admin: &SignedIn<'_>) -> Vec<Token> {
    let signed_in = ada.verify(&ada.challenge().await, &json!({ "code": ada.fresh_code() })).await.json();
    let cursor = admin.get("/users?limit=1").await.json();
    app.register("waiting@example.com").await;
    app.confirmed("forgetful@example.com").await;
    app.post("/auth/password/forgot", &json!({ "email": "forgetful@example.com" })).await;
    let moving = app.signed_in("moving@example.com").await;
    moving.put("/user", &json!({ "email": "moving@example.org" })).await;
    let moved = app.signed_in("moved@example.com").await;
    moved.put("/user", &json!({ "email": "moved@example.org" })).await;
    let link = app.mailed_token("moved@example.org", "/auth/email/confirm").await;
    assert_eq!(app.post("/auth/email/confirm", &json!({ "token": link })).await.status, 200);
    let mailed = async |email: &str, path: &str| app.mailed_token(email, path).await;
    let token = |kind, text, own| Token { kind, text, own };
    vec![
        token("an access token", text(&signed_in["access_token"]), &[Door::SignedInRoute, Door::Introspection]),
        token("a refresh token", text(&signed_in["refresh_token"]), &[Door::Refresh, Door::RefreshAsBearer]),
        token("a device token", text(&signed_in["device_token"]), &[Door::Device]),
        token("a challenge", ada.challenge().await, &[Door::Challenge]),
        token("a cursor", text(&cursor["next_cursor"]), &[Door::Cursor]),
        token("a link to confirm", mailed("waiting@example.com", "/auth/confirm").await, &[CONFIRM]),
        token("a link to a new address", mailed("moving@example.org", "/auth/email/confirm").await, &[CONFIRM_EMAIL]),
        token("a link back", mailed("moved@example.com", "/auth/email/undo").await, &[UNDO_EMAIL]),
        token("a link to reset", mailed("forgetful@example.com", "/auth/password/reset").await, &[RESET]),
    ]
}

#[tokio::test]
async fn a_token_of_one_purpose_opens_no_other_door() {
    let app = TestApp::start_with(&[("INTROSPECTION_CLIENTS", CLIENT)]).await;
    let admin = app.admin().await;
    let ada = Owner::enrolled(&app, ADA).await;
    let tokens = tokens(&app, &ada, &admin).await;
    lock(&app, ADA).await;
    let doors = Doors { app: &app, ada, admin };

    let mut confused = Vec::new();
    for Token { kind, text, own } in &tokens {
        for door in DOORS.into_iter().filter(|door| !own.contains(door)) {
            if doors.open(door, text).await {
                confused.push(format!("{kind} at {door:?}"));
            }
        }
    }
    assert_eq!(confused, [""; 0]);
    // Each was as good as ever all the while, and is taken where it belongs.
    for Token { kind, text, own } in &tokens {
        for &door in *own {
            assert!(doors.open(door, text).await, "{kind} at {door:?}");
        }
    }
}
