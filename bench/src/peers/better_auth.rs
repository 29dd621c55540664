//! better-auth, in `bench/peer/better_auth/`.

use reqwest::RequestBuilder;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use tokio::process::Command;

use super::peer::{Answer, Connection, Held, Page, Peer, folder, installed, program, version};
use crate::service::PASSWORD;

pub struct BetterAuth;

impl Peer for BetterAuth {
    fn name(&self) -> &'static str {
        "better-auth"
    }

    fn hash(&self) -> &'static str {
        "scrypt N=16384 r=16 p=1"
    }

    fn versions(&self) -> String {
        let text = std::fs::read_to_string(folder("better_auth/package.json")).expect("a package.json");
        let package: Value = serde_json::from_str(&text).expect("JSON");
        let pins = package["dependencies"].as_object().into_iter().flatten();
        let pins: Vec<_> = pins.map(|(name, version)| format!("{name} {}", version.as_str().expect("a pin"))).collect();
        format!("Node.js {}, {}; node:cluster with 2 workers", version(installed("NODE")), pins.join(", "))
    }

    fn serve(&self, port: u16) -> Command {
        node(&["server.js"], port)
    }

    fn seed(&self, crowd: usize) -> Option<Command> {
        Some(node(&["seed.js", &crowd.to_string()], 0))
    }

    fn register(&self, to: &Connection, email: &str) -> RequestBuilder {
        let body = json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD });
        to.post("/api/auth/sign-up/email").header(ORIGIN, to.url()).json(&body)
    }

    fn sign_in(&self, to: &Connection, email: &str) -> RequestBuilder {
        let body = json!({ "email": email, "password": PASSWORD });
        to.post("/api/auth/sign-in/email").header(ORIGIN, to.url()).json(&body)
    }

    fn refresh(&self, to: &Connection, held: &Held) -> Option<RequestBuilder> {
        Some(to.post("/api/auth/get-session").header(ORIGIN, to.url()).header(COOKIE, &held.access))
    }

    fn read(&self, to: &Connection, held: &Held) -> RequestBuilder {
        to.get("/api/auth/get-session").header(COOKIE, &held.access)
    }

    fn list(&self, to: &Connection, held: &Held, page: &Page) -> RequestBuilder {
        let query = format!("limit={}&offset={}&sortBy=createdAt&sortDirection=desc", page.size, page.offset);
        to.get(&format!("/api/auth/admin/list-users?{query}")).header(COOKIE, &held.access)
    }

    fn keep(&self, answer: &Answer, held: &mut Held) {
        let cookie = answer.headers[SET_COOKIE].to_str().expect("text");
        cookie.split(';').next().unwrap_or_default().clone_into(&mut held.access);
    }
}

fn node(arguments: &[&str], port: u16) -> Command {
    let mut command = program(&folder("better_auth"), installed("NODE"), arguments);
    command.env("PORT", port.to_string()).env("NODE_ENV", "production");
    command
}
