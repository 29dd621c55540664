//! The API as one person: signs in, refreshes, and proves again who they are where a route asks for it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::clock::Clock;

use crate::failure::{Failure, Result};
use crate::input::Input;
use crate::service::{Answer, Request, Service};
use crate::session::{Saved, Sessions, Token};

/// Digits of an authenticator app's code; anything longer is a recovery code.
const CODE_DIGITS: [usize; 2] = [6, 8];

pub struct Client {
    service: Service,
    sessions: Sessions,
    pub input: Input,
    /// Of this process alone: it is not stored.
    access: Option<SecretString>,
    /// Of what this process changes: a retry does it once.
    key: String,
}

impl Client {
    /// # Errors
    /// When there is no place for the session, or no certificate authority.
    pub fn new(url: &str, input: Input) -> Result<Self> {
        let key = shared::random::uuid(Clock::default().now()).to_string();
        Ok(Self { service: Service::new(url)?, sessions: Sessions::of(url)?, input, access: None, key })
    }

    /// Sends a request as the person who is signed in: refreshes first, steps up where that is asked for, and goes on.
    ///
    /// # Errors
    /// What the service refused; [`Failure::NeedsInput`] without a session.
    pub async fn call(&mut self, request: &Request) -> Result<Value> {
        self.exchange(request).await?.ok()
    }

    /// As [`Self::call`], with what was refused as an answer.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], or [`Failure::NeedsInput`].
    pub async fn exchange(&mut self, request: &Request) -> Result<Answer> {
        let (mut refreshed, mut stepped_up) = (self.access.is_none(), false);
        loop {
            let access = match &self.access {
                Some(access) => access.clone(),
                None => self.refresh().await?,
            };
            let key = request.changes().then_some(self.key.as_str());
            let answer = self.service.send(request, Some(&access), key).await?;
            match answer.code() {
                Some("reauthentication_required") if !stepped_up => {
                    self.step_up(&access).await?;
                    stepped_up = true;
                }
                // It expired while pages were read.
                Some("invalid_token") if !refreshed => {
                    self.access = None;
                    refreshed = true;
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Exchanges the stored refresh token. The new one is on the disk before anything else is done.
    async fn refresh(&mut self) -> Result<SecretString> {
        let held = self.sessions.lock()?;
        let stored = held.read()?;
        let mut saved = stored.clone();
        let Some(Token(token)) = saved.refresh_token.take() else {
            return Err(Failure::not_signed_in(self.service.url()));
        };
        // It is worth nothing once it was exchanged: whether there is a place for the new one is seen before.
        held.write(&stored)?;
        let request = Request::post("/auth/refresh").with(json!({ "refresh_token": token.expose_secret() }));
        let answer = self.service.send(&request, None, None).await?;
        if answer.code() == Some("invalid_refresh_token") {
            held.write(&saved)?;
            return Err(Failure::NeedsInput("the session has ended: run `users login`".into()));
        }
        let pair = answer.ok()?;
        saved.refresh_token = Some(token_of(&pair, "refresh_token")?);
        held.write(&saved)?;
        let Token(access) = token_of(&pair, "access_token")?;
        self.access = Some(access.clone());
        Ok(access)
    }

    /// Proves again who this is: by a code where the account has a second factor, by the password where it has none.
    async fn step_up(&self, access: &SecretString) -> Result<()> {
        let factors = self.service.send(&Request::get("/user/factors"), Some(access), None).await?.ok()?;
        let has_passkeys = factors["passkeys"].as_array().is_some_and(|passkeys| !passkeys.is_empty());
        let body = if !factors["totp"].is_null() || has_passkeys {
            code_as_proof(&self.input.secret("Code from the authenticator app, or a recovery code")?)
        } else {
            json!({ "password": self.input.secret("Password again")?.expose_secret() })
        };
        let request = Request::post("/auth/step-up").with(body).proving();
        self.service.send(&request, Some(access), None).await?.ok().map(|_| ())
    }

    /// Who signed in last.
    ///
    /// # Errors
    /// When the stored sessions cannot be read.
    pub fn last_email(&self) -> Result<Option<String>> {
        Ok(self.sessions.lock()?.read()?.email)
    }

    /// Signs in, and stores the session: the account.
    ///
    /// # Errors
    /// What the service refused, or what could not be asked.
    pub async fn sign_in(&mut self, email: &str, password: &SecretString) -> Result<Value> {
        let known = self.sessions.lock()?.read()?.device_tokens.remove(email);
        let mut body = json!({ "email": email, "password": password.expose_secret() });
        if let Some(Token(device)) = known {
            body["device_token"] = json!(device.expose_secret());
        }
        let answer = self.service.send(&Request::post("/auth/login").with(body).proving(), None, None).await?;
        let signed_in = match answer.status {
            202 => self.prove_second_factor(&answer.body).await?,
            _ => answer.ok()?,
        };
        self.keep(email, &signed_in)?;
        Ok(signed_in["user"].clone())
    }

    async fn prove_second_factor(&self, challenge: &Value) -> Result<Value> {
        let methods = challenge["methods"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if methods.clone().all(|method| method == "passkey") {
            return Err(Failure::NeedsInput("this account signs in with a passkey, which requires a browser".into()));
        }
        let what = if methods.clone().any(|method| method == "totp") {
            "Code from the authenticator app, or a recovery code"
        } else {
            "Recovery code"
        };
        let mut body = code_as_proof(&self.input.secret(what)?);
        body["challenge_token"] = challenge["challenge_token"].clone();
        self.service.send(&Request::post("/auth/login/verify").with(body).proving(), None, None).await?.ok()
    }

    fn keep(&self, email: &str, signed_in: &Value) -> Result<()> {
        let held = self.sessions.lock()?;
        let Saved { mut device_tokens, .. } = held.read()?;
        device_tokens.insert(email.to_owned(), token_of(signed_in, "device_token")?);
        let refresh_token = Some(token_of(signed_in, "refresh_token")?);
        held.write(&Saved { email: Some(email.to_owned()), refresh_token, device_tokens })
    }

    /// Ends the session, here and at the service. A session that has already ended is no error.
    ///
    /// # Errors
    /// When the service cannot be reached: then the session stays.
    pub async fn sign_out(&mut self) -> Result<()> {
        match self.exchange(&Request::post("/auth/logout")).await.and_then(Answer::ok) {
            Err(failure) if failure.exit_code() != Failure::NEEDS_INPUT => return Err(failure),
            _ => {}
        }
        let held = self.sessions.lock()?;
        let saved = held.read()?;
        held.write(&Saved { refresh_token: None, ..saved })
    }
}

fn token_of(answer: &Value, name: &str) -> Result<Token> {
    let token = answer[name].as_str().map(|token| Token(token.to_owned().into()));
    token.ok_or_else(|| Failure::Failed(format!("the response of the service has no {name}")))
}

fn code_as_proof(code: &SecretString) -> Value {
    let code = code.expose_secret().trim();
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if CODE_DIGITS.contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()) {
        json!({ "code": digits })
    } else {
        json!({ "recovery_code": code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_or_eight_digits_are_a_code_anything_else_a_recovery_code() {
        let proof = |text: &str| code_as_proof(&text.to_owned().into());
        assert_eq!(proof(" 287 082 "), json!({ "code": "287082" }));
        assert_eq!(proof("94287082"), json!({ "code": "94287082" }));
        assert_eq!(proof("7QK4-0R2M-XV9T"), json!({ "recovery_code": "7QK4-0R2M-XV9T" }));
    }
}
