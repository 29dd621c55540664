//! The service to be measured, and somebody signed in to it.

use std::collections::HashMap;
use std::time::Duration;

use local::{Options, Stack};
use reqwest::Client;
use serde_json::{Value, json};

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";

pub struct Running {
    pub stack: Stack,
    pub http: Client,
}

impl Running {
    /// In memory, with the default cost of passwords and without limits: they would answer instead of the service.
    pub async fn start() -> Self {
        let variables = HashMap::from([("LIMITS".to_owned(), "off".to_owned())]);
        let options = Options { port: 0, variables, ..Options::default() };
        let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        Self { stack, http: Client::new() }
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let url = format!("{}/api/v1{path}", self.stack.url());
        self.http.post(url).json(body).send().await.expect("an answer")
    }

    /// Registers and confirms.
    pub async fn confirmed(&self, email: &str) {
        let body = json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD });
        assert_eq!(self.post("/auth/register", &body).await.status(), 202);
        loop {
            let mails = self.http.get(format!("{}/_local/mail", self.stack.url())).send().await.expect("an answer");
            let mails: Value = mails.json().await.expect("JSON");
            let mail = mails.as_array().into_iter().flatten().find(|mail| mail["to"] == email);
            let link = mail
                .and_then(|mail| mail["links"].as_array()?.iter().find_map(|link| link.as_str()?.split_once("token=")));
            if let Some((_, token)) = link {
                assert_eq!(self.post("/auth/confirm", &json!({ "token": token })).await.status(), 200);
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// An access token.
    pub async fn signed_in(&self) -> String {
        self.confirmed(EMAIL).await;
        self.token(EMAIL).await
    }

    /// An access token of somebody who is confirmed already.
    pub async fn token(&self, email: &str) -> String {
        let answer = self.post("/auth/login", &json!({ "email": email, "password": PASSWORD })).await;
        let answer: Value = answer.json().await.expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}
