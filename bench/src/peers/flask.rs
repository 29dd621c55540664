//! What this service replaces, in small, in `bench/peer/flask/`.

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::process::Command;

use super::peer::{Connection, Held, Page, Peer, folder, pinned, program, version};
use crate::service::PASSWORD;

pub struct Flask;

impl Peer for Flask {
    fn name(&self) -> &'static str {
        "Flask"
    }

    fn hash(&self) -> &'static str {
        "bcrypt 12"
    }

    fn versions(&self) -> String {
        let python = version(folder("flask").join(".venv/bin/python"));
        format!("{python}, {}; gunicorn with 2 workers of 4 threads", pinned(&folder("flask/requirements.in")))
    }

    fn serve(&self, port: u16) -> Command {
        let mut command = program(&folder("flask"), ".venv/bin/gunicorn", &["app:app"]);
        command.env("PORT", port.to_string());
        command
    }

    fn seed(&self, crowd: usize) -> Option<Command> {
        Some(program(&folder("flask"), ".venv/bin/flask", &["seed", &crowd.to_string()]))
    }

    fn register(&self, to: &Connection, email: &str) -> RequestBuilder {
        to.post("/auth/register").json(&json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD }))
    }

    fn sign_in(&self, to: &Connection, email: &str) -> RequestBuilder {
        to.post("/auth/login").json(&json!({ "email": email, "password": PASSWORD }))
    }

    fn refresh(&self, to: &Connection, held: &Held) -> Option<RequestBuilder> {
        Some(to.post("/auth/refresh").bearer_auth(&held.refresh))
    }

    fn read(&self, to: &Connection, held: &Held) -> RequestBuilder {
        to.get("/user").bearer_auth(&held.access)
    }

    fn list(&self, to: &Connection, held: &Held, page: &Page) -> RequestBuilder {
        let number = page.offset / page.size + 1;
        to.get(&format!("/users?page={number}&per_page={}", page.size)).bearer_auth(&held.access)
    }
}
