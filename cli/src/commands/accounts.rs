//! Changing accounts.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Account, Context, Told, body, shown};
use crate::args::{Change, Confirmation, Create, Factor, Given, SetRole, Who};
use crate::failure::{Failure, Result};
use crate::output::text;
use crate::service::Request;

/// How often an account is read again after a concurrent change.
const TRIES: usize = 5;

impl Context {
    pub async fn create(&mut self, create: Create) -> Result<()> {
        let Create { name, email, given: Given { roles, app }, internal, external_id, email_confirmed, invite, change } =
            create;
        let body = body([
            ("name", Some(json!(name))),
            ("email", Some(json!(email))),
            ("email_confirmed", email_confirmed.then_some(json!(true))),
            ("roles", (!roles.is_empty()).then(|| json!(roles))),
            ("app", app),
            ("internal", internal),
            ("external_id", external_id.map(Value::from)),
            ("invite", invite.then_some(json!(true))),
        ]);
        let request = Request::post("/users").with(body);
        if change.dry_run {
            return self.output.tell(&request.document(), |_| shown(&request));
        }
        let user = self.client.call(&request).await?;
        self.output.tell(&user, |user| format!("created {} {email}", text(&user["id"])))
    }

    pub async fn disable(
        &mut self,
        who: &Who,
        reason: Option<String>,
        until: Option<String>,
        change: Change,
    ) -> Result<()> {
        let account = self.account(who).await?;
        let end = until.as_ref().map_or_else(|| ", with no end date".to_owned(), |until| format!(" until {until}"));
        let body = body([("reason", reason.map(Value::from)), ("until", until.map(Value::from))]);
        let request = Request::post(account.path("/disable")).with(body);
        self.act(change, &account, &request, &format!("disabled {}{end}", account.email), "disabled").await
    }

    pub async fn enable(&mut self, who: &Who, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let request = Request::post(account.path("/enable"));
        self.act(change, &account, &request, &format!("enabled {}", account.email), "enabled").await
    }

    pub async fn end_sessions(&mut self, who: &Who, session: Option<Uuid>, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let (path, what) = match session {
            Some(session) => (format!("/sessions/{session}"), "ended the session of"),
            None => ("/sessions".to_owned(), "ended all sessions of"),
        };
        let text = format!("{what} {}", account.email);
        self.act(change, &account, &Request::delete(account.path(&path)), &text, "sessions_ended").await
    }

    pub async fn drop_factor(
        &mut self,
        who: &Who,
        factor: &Factor,
        confirmation: &Confirmation,
        change: Change,
    ) -> Result<()> {
        let account = self.account(who).await?;
        if !change.dry_run {
            self.confirm(&account, confirmation)?;
        }
        let path = match factor {
            Factor::All => "/factors".to_owned(),
            Factor::Totp => "/factors/totp".to_owned(),
            Factor::RecoveryCodes => "/factors/recovery-codes".to_owned(),
            Factor::Passkey(id) => format!("/factors/passkeys/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
        };
        let text = format!("removed factors of {}", account.email);
        self.act(change, &account, &Request::delete(account.path(&path)), &text, "factors_dropped").await
    }

    pub async fn set_email(&mut self, who: &Who, email: &str, confirmed: bool, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let body = body([("email", Some(json!(email))), ("email_confirmed", confirmed.then_some(json!(true)))]);
        let request = Request::new(Method::PATCH, account.path("")).with(body);
        self.act(change, &account, &request, &format!("{} is now {email}", account.email), "changed").await
    }

    pub async fn reset_password(&mut self, who: &Who, end_sessions: bool, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let request = Request::post(account.path("/password-reset")).with(json!({ "end_sessions": end_sessions }));
        let text = format!("emailed a link to choose a password to {}", account.email);
        self.act(change, &account, &request, &text, "reset_requested").await
    }

    pub async fn confirm_address(&mut self, who: &Who, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let request = Request::post(account.path("/confirmation"));
        if change.dry_run {
            return self.output.tell(&request.document(), |_| shown(&request));
        }
        let answer = self.client.call(&request).await?;
        self.output.tell(&answer, |answer| match answer["status"].as_str() {
            Some("already_confirmed") => format!("{} is already confirmed", account.email),
            _ => format!("emailed the confirmation link to {}", account.email),
        })
    }

    pub async fn delete(&mut self, who: &Who, confirmation: &Confirmation, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        if !change.dry_run {
            self.confirm(&account, confirmation)?;
        }
        let text = format!("deleted {}", account.email);
        self.act(change, &account, &Request::delete(account.path("")), &text, "deleted").await
    }

    pub async fn unsuppress(&mut self, who: &Who, change: Change) -> Result<()> {
        let account = self.account(who).await?;
        let request = Request::delete(account.path("/email-suppression"));
        let text = format!("emails are sent to {} again", account.email);
        self.act(change, &account, &request, &text, "unsuppressed").await
    }

    /// Replaces the roles; or, with `--add` and `--remove`, makes them out of those that were read, and of no others.
    pub async fn set_role(&mut self, set: &SetRole) -> Result<()> {
        let account = self.account(&set.target.who).await?;
        if !set.roles.is_empty() {
            let request = Request::new(Method::PATCH, account.path("")).with(json!({ "roles": set.roles }));
            return self.act(set.change, &account, &request, &in_words(&account, &set.roles), "changed").await;
        }
        for _ in 0..TRIES {
            let user = self.client.call(&Request::get(account.path(""))).await?;
            let roles = changed(&user["roles"], &set.add, &set.remove);
            let request = Request::new(Method::PATCH, account.path("")).with(json!({ "roles": roles }));
            let request = request.if_match(user["etag"].as_str().unwrap_or_default());
            if set.change.dry_run {
                return self.output.tell(&request.document(), |_| shown(&request));
            }
            let answer = self.client.exchange(&request).await?;
            if answer.code() != Some("precondition_failed") {
                let text = in_words(&account, &roles);
                return self.done(answer.ok()?, Told { text, id: &account.id, status: "changed" });
            }
        }
        Err(Failure::Failed("the account kept changing concurrently: run this again".into()))
    }

    /// A change of an account that is told in one line.
    async fn act(
        &mut self,
        change: Change,
        account: &Account,
        request: &Request,
        text: &str,
        status: &'static str,
    ) -> Result<()> {
        self.change(change, request, Told { text: text.to_owned(), id: &account.id, status }).await
    }
}

impl Account {
    fn path(&self, below: &str) -> String {
        format!("/users/{}{below}", self.id)
    }
}

fn in_words(account: &Account, roles: &[String]) -> String {
    format!("{} has the roles {}", account.email, roles.join(", "))
}

/// Roles with those that are added and without those that are removed, in their order.
fn changed(roles: &Value, add: &[String], remove: &[String]) -> Vec<String> {
    let had = roles.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned);
    let mut roles: Vec<String> = had.chain(add.iter().cloned()).filter(|role| !remove.contains(role)).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_added_and_removed_each_once() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let had = json!(["user", "support"]);
        assert_eq!(changed(&had, &texts(&["admin", "user"]), &texts(&["support"])), ["admin", "user"]);
        assert_eq!(changed(&had, &[], &[]), ["support", "user"]);
        assert_eq!(changed(&Value::Null, &texts(&["a"]), &texts(&["a"])), [""; 0]);
    }
}
