//! Events that succeed, over and over: the stored ones, with tokens that are valid now and with a new user wherever a
//! request uses up what it is about.

use std::path::PathBuf;

use serde_json::{Value, json};
use shared::App;
use shared::domain::email::EmailAddress;
use shared::domain::link::LinkPurpose;
use shared::domain::role::Role;

use crate::people::{People, Person};
use crate::service::{EMAIL, PASSWORD};

/// Signed-in functions whose request leaves nothing behind that it could be sent for again: each gets a user of its own.
const ONCE: [&str; 8] = [
    "change_password",
    "confirm_totp",
    "delete_totp",
    "delete_user",
    "end_session",
    "logout",
    "refresh",
    "renew_recovery_codes",
];

/// A client sends each access token until it expires.
const REQUESTS_PER_TOKEN: u32 = 50;

/// SHA-256 of the secret of `orders` in `events/introspect.json`.
pub const INTROSPECTION_CLIENTS: &str = "orders:ed24bc0bb03d0e89e8bacafb1545ee4ed6a2b273f3db69199787632b32545179";

pub struct Events {
    people: People,
    admin: Person,
    made: u32,
}

impl Events {
    /// Makes the accounts that the stored events are about.
    pub async fn of(app: &App) -> Self {
        let people = People::of(app).await;
        people.registered(EMAIL, vec![Role::USER]).await;
        let admin = people.signed_in("root@example.com", vec![Role::USER, Role::ADMIN]).await;
        Self { people, admin, made: 0 }
    }

    pub fn people(&self) -> &People {
        &self.people
    }

    /// For one invocation of the function.
    pub async fn next(&mut self, function: &str) -> Value {
        self.made += 1;
        let address = format!("{function}{:06}@example.com", self.made);
        if ONCE.contains(&function) {
            let person = self.people.signed_in(&address, vec![Role::USER]).await;
            let mut event = by(function, &person);
            let code = match function {
                "confirm_totp" => self.people.adding_app(&person.user).await,
                "delete_totp" | "renew_recovery_codes" => self.people.with_app(&person.user).await,
                _ => return event,
            };
            event["body"] = json!({ "code": code }).to_string().into();
            return event;
        }
        if let Some(body) = self.once_by_token(function, &address).await {
            let mut event = stored(function);
            if function == "confirm_registration" {
                event["rawQueryString"] = format!("token={}", body["token"].as_str().expect("a token")).into();
            } else {
                event["body"] = body.to_string().into();
            }
            return event;
        }
        if self.made.is_multiple_of(REQUESTS_PER_TOKEN) {
            self.people.renew(&mut self.admin).await;
        }
        let mut event = by(function, &self.admin);
        match function {
            "register" => {
                let body = json!({ "name": "Ada Lovelace", "email": address, "password": PASSWORD });
                event["body"] = body.to_string().into();
            }
            "introspect" => event["body"] = format!("token={}", self.admin.tokens.access_token).into(),
            _ => {}
        }
        event
    }

    /// What is sent to functions that go by a token in a mail or of a sign-in, which is good for one request.
    async fn once_by_token(&self, function: &str, address: &str) -> Option<Value> {
        let to = EmailAddress::parse(&format!("new.{address}")).expect("an address");
        Some(match function {
            "confirm_registration" => json!({ "token": self.people.unconfirmed(address).await }),
            "confirm_email_change" => json!({ "token": self.people.moving(address, &to).await.1 }),
            "undo_email_change" => json!({ "token": self.people.moved(address, &to).await }),
            "reset_password" => {
                let user = self.people.registered(address, vec![Role::USER]).await;
                let purpose = LinkPurpose::ResetPassword { email: user.email.clone(), epoch: user.session_epoch };
                json!({ "token": self.people.link(&user, purpose).await, "password": "quiet lantern harbour" })
            }
            "verify_login" => {
                let user = self.people.registered(address, vec![Role::USER]).await;
                let code = self.people.with_app(&user).await;
                json!({ "challenge_token": self.people.challenge(&user).await, "code": code })
            }
            _ => return None,
        })
    }
}

/// The function's event as this person sends it.
pub fn by(function: &str, person: &Person) -> Value {
    let mut event = stored(function);
    let headers = &mut event["headers"];
    if headers["authorization"].as_str().is_some_and(|value| value.starts_with("Bearer")) {
        headers["authorization"] = person.authorization();
    }
    match function {
        "delete_user" => event["rawQueryString"] = "".into(),
        "end_session" => event["rawPath"] = format!("/api/v1/auth/sessions/{}", person.session.id).into(),
        // Of the account that is there, not of the example.
        "login" => event["body"] = json!({ "email": EMAIL, "password": PASSWORD }).to_string().into(),
        "refresh" => event["body"] = json!({ "refresh_token": person.tokens.refresh_token }).to_string().into(),
        _ => {}
    }
    event
}

/// `events/{function}.json`.
fn stored(function: &str) -> Value {
    let path = format!("events/{function}.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of all functions: there is one event for each, and nothing else in that folder.
pub fn every_function() -> Vec<String> {
    let events = std::fs::read_dir("events").expect("to be started in the folder of the workspace");
    let name = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = events.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    names
}
