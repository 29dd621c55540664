//! `FastAPI` Users, in `bench/peer/fastapi_users/`.

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::process::Command;

use super::peer::{Connection, Held, Page, Peer, folder, pinned, program, version};
use crate::service::PASSWORD;

pub struct FastApiUsers;

impl Peer for FastApiUsers {
    fn name(&self) -> &'static str {
        "FastAPI Users"
    }

    fn hash(&self) -> &'static str {
        "argon2id 64 MiB t=3 p=4"
    }

    fn versions(&self) -> String {
        let python = version(folder("fastapi_users").join(".venv/bin/python"));
        format!("{python}, {}; 2 workers", pinned(&folder("fastapi_users/requirements.in")))
    }

    fn serve(&self, port: u16) -> Command {
        let mut command = program(&folder("fastapi_users"), ".venv/bin/uvicorn", &["app:app", "--workers", "2"]);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--no-access-log", "--log-level", "warning"]);
        command
    }

    fn seed(&self, crowd: usize) -> Option<Command> {
        Some(program(&folder("fastapi_users"), ".venv/bin/python", &["app.py", &crowd.to_string()]))
    }

    fn register(&self, to: &Connection, email: &str) -> RequestBuilder {
        to.post("/auth/register").json(&json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD }))
    }

    fn sign_in(&self, to: &Connection, email: &str) -> RequestBuilder {
        to.post("/auth/jwt/login").form(&[("username", email), ("password", PASSWORD)])
    }

    /// Its documentation knows none.
    fn refresh(&self, _to: &Connection, _held: &Held) -> Option<RequestBuilder> {
        None
    }

    fn read(&self, to: &Connection, held: &Held) -> RequestBuilder {
        to.get("/users/me").bearer_auth(&held.access)
    }

    fn list(&self, to: &Connection, held: &Held, page: &Page) -> RequestBuilder {
        to.get(&format!("/users?limit={}&offset={}", page.size, page.offset)).bearer_auth(&held.access)
    }
}
