//! This service: the local stack with its data on disk, as `cargo run` starts it.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::peer::{ADMIN, ARGON2ID, Answer, Connection, Held, Page, Peer, send};
use crate::service::PASSWORD;

const LARGEST_PAGE: usize = 1_000;

pub struct Ours {
    /// Where its data is.
    pub folder: PathBuf,
}

impl Peer for Ours {
    fn name(&self) -> &'static str {
        "this service"
    }

    fn hash(&self) -> &'static str {
        ARGON2ID
    }

    fn versions(&self) -> String {
        "its functions behind the local stack's gateway, on DynamoDB in the same process".into()
    }

    fn serve(&self, port: u16) -> Command {
        // Built next to this program, in the same profile.
        let binary = std::env::current_exe().expect("a path").with_file_name("local");
        let mut command = Command::new(binary);
        command.current_dir(&self.folder).env("PORT", port.to_string()).env("LIMITS", "off");
        command
    }

    fn seed(&self, _crowd: usize) -> Option<Command> {
        None
    }

    fn populate<'a>(&'a self, to: &'a Connection, emails: &'a [String], crowd: usize) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Two at a time, as each is a hash. Users are listed even if unconfirmed.
            for first in (0..crowd).step_by(2) {
                let pair = (first..crowd.min(first + 2)).map(|number| format!("user{number}@example.com"));
                join_all(pair.map(async |email| send(self.register(to, &email)).await)).await;
            }
            for email in emails {
                send(self.register(to, email)).await;
            }
            // All mails are out before anything is measured.
            let mut mails = Vec::new();
            while mails.len() < crowd + emails.len() {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let answer = send(to.get("/_local/mail")).await;
                mails = answer.json::<Vec<Mail>>();
            }
            for mail in mails.iter().filter(|mail| emails.contains(&mail.to)) {
                let token = mail.links.iter().find_map(|link| link.split_once("token=")).expect("a link").1;
                // The administrator's is a link to choose the password.
                if mail.to == ADMIN {
                    let body = json!({ "token": token, "password": PASSWORD });
                    send(to.post("/api/v1/auth/password/reset").json(&body)).await;
                } else {
                    send(to.post("/api/v1/auth/confirm").json(&json!({ "token": token }))).await;
                }
            }
        })
    }

    fn register(&self, to: &Connection, email: &str) -> RequestBuilder {
        let body = json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD });
        to.post("/api/v1/auth/register").json(&body)
    }

    fn sign_in(&self, to: &Connection, email: &str) -> RequestBuilder {
        to.post("/api/v1/auth/login").json(&json!({ "email": email, "password": PASSWORD }))
    }

    fn refresh(&self, to: &Connection, held: &Held) -> Option<RequestBuilder> {
        Some(to.post("/api/v1/auth/refresh").json(&json!({ "refresh_token": held.refresh })))
    }

    fn read(&self, to: &Connection, held: &Held) -> RequestBuilder {
        to.get("/api/v1/user").bearer_auth(&held.access)
    }

    fn list(&self, to: &Connection, held: &Held, page: &Page) -> RequestBuilder {
        let cursor = page.cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        to.get(&format!("/api/v1/users?limit={}{cursor}", page.size)).bearer_auth(&held.access)
    }

    fn largest_page(&self) -> usize {
        LARGEST_PAGE
    }

    fn cursor(&self, page: &Answer) -> Option<String> {
        page.json::<Cursor>().next_cursor
    }
}

#[derive(Deserialize)]
struct Mail {
    to: String,
    links: Vec<String>,
}

#[derive(Deserialize)]
struct Cursor {
    next_cursor: Option<String>,
}
