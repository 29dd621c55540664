//! Signing in and out, and who is signed in.

use serde_json::{Value, json};

use super::Context;
use crate::failure::Result;
use crate::output::{details, text};
use crate::service::Request;

impl Context {
    pub async fn login(&mut self, email: Option<String>) -> Result<()> {
        let email = match email {
            Some(email) => email,
            None => match self.client.last_email()? {
                Some(email) => email,
                None => self.client.input.text("Email address")?.trim().to_owned(),
            },
        };
        let password = self.client.input.secret(&format!("Password for {email}"))?;
        let user = self.client.sign_in(&email, &password).await?;
        self.output.tell(&user, |user| format!("signed in as {}", text(&user["email"])))
    }

    pub async fn logout(&mut self) -> Result<()> {
        self.client.sign_out().await?;
        self.output.tell(&json!({ "status": "signed_out" }), |_| "signed out".into())
    }

    pub async fn whoami(&mut self) -> Result<()> {
        let user = self.client.call(&Request::get("/user")).await?;
        self.output.tell(&user, oneself)
    }
}

fn oneself(user: &Value) -> String {
    details(&["id", "email", "name", "roles"].map(|name| (name, text(&user[name]))))
}
