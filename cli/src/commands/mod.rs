//! Commands of a person who is signed in, over the API.

pub mod accounts;
pub mod invitations;
pub mod reading;
pub mod sign_in;

use serde_json::{Value, json};

use crate::args::{Change, Confirmation, Pages, Who};
use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::output::{self, Output, text};
use crate::service::Request;

/// Accounts and events in one request of `--all`, which the API has a limit for.
const PAGE: u16 = 100;

pub struct Context {
    pub client: Client,
    pub output: Output,
}

/// An account as far as a command has to know it before it acts.
pub struct Account {
    pub id: String,
    pub email: String,
}

/// What is said of an act: to a person, and to a program where the service's answer says nothing.
struct Told<'a> {
    text: String,
    id: &'a str,
    status: &'static str,
}

impl Context {
    /// Looks an account up.
    async fn account(&mut self, who: &Who) -> Result<Account> {
        let user = match who {
            Who::Id(id) => self.client.call(&Request::get(format!("/users/{id}"))).await?,
            Who::Email(email) => self.only(&query("/users", [("email", Some(email.as_str()))]), email).await?,
            Who::External(id) => self.only(&query("/users", [("external_id", Some(id.as_str()))]), id).await?,
        };
        Ok(Account { id: text(&user["id"]), email: text(&user["email"]) })
    }

    async fn only(&mut self, path: &str, name: &str) -> Result<Value> {
        let mut page = self.client.call(&Request::get(path)).await?;
        let found = page["users"].get_mut(0).map(Value::take);
        found.ok_or_else(|| Failure::NotFound(format!("no account found for {name}")))
    }

    /// Has the address of an account typed, unless `--yes` has it.
    fn confirm(&self, account: &Account, confirmation: &Confirmation) -> Result<()> {
        let typed = match &confirmation.yes {
            Some(address) => address.clone(),
            None => self.client.input.text(&format!("This cannot be undone. Type {} to continue", account.email))?,
        };
        if typed.trim().eq_ignore_ascii_case(&account.email) {
            return Ok(());
        }
        Err(Failure::NotConfirmed(format!("canceled: the email address of the account is {}", account.email)))
    }

    /// Sends a change, or prints it.
    async fn change(&mut self, change: Change, request: &Request, told: Told<'_>) -> Result<()> {
        if change.dry_run {
            return self.output.tell(&request.document(), |_| shown(request));
        }
        let answer = self.client.call(request).await?;
        self.done(answer, told)
    }

    fn done(&self, answer: Value, told: Told<'_>) -> Result<()> {
        let document = if answer.is_null() { json!({ "id": told.id, "status": told.status }) } else { answer };
        self.output.tell(&document, |_| told.text)
    }

    /// A list: one page, or with `--all` every page.
    async fn list(
        &mut self,
        path: impl Fn(Option<u16>, Option<&str>) -> String,
        pages: &Pages,
        list: &List,
    ) -> Result<()> {
        let limit = pages.limit.or_else(|| pages.all.then_some(PAGE));
        let mut page = self.client.call(&Request::get(path(limit, None))).await?;
        if !pages.all {
            return self.page(&page, list);
        }
        let mut found = Vec::new();
        loop {
            let items = page[list.member].as_array_mut().map(std::mem::take).unwrap_or_default();
            if self.output.json {
                items.iter().try_for_each(output::print_json)?;
            } else {
                found.extend(items);
            }
            let Some(cursor) = page["next_cursor"].as_str().map(ToOwned::to_owned) else { break };
            page = self.client.call(&Request::get(path(limit, Some(&cursor)))).await?;
        }
        if self.output.json { Ok(()) } else { output::print(&list.table(&found)) }
    }

    fn page(&self, page: &Value, list: &List) -> Result<()> {
        self.output.tell(page, |page| list.table(page[list.member].as_array().map_or(&[][..], Vec::as_slice)))?;
        if !self.output.json && !page["next_cursor"].is_null() {
            output::note("there are more results: use --all to list all of them");
        }
        Ok(())
    }
}

/// How a list is shown to a person.
struct List {
    member: &'static str,
    header: &'static [&'static str],
    row: fn(&Value) -> Vec<String>,
}

impl List {
    fn table(&self, items: &[Value]) -> String {
        let rows: Vec<_> = items.iter().map(self.row).collect();
        output::table(self.header, &rows)
    }
}

/// What `--dry-run` prints to a person.
fn shown(request: &Request) -> String {
    let etag = request.if_match.iter().map(|etag| format!("\nif-match: {etag}"));
    let body = request.body.iter().map(|body| format!("\n{body}"));
    std::iter::once(request.line()).chain(etag).chain(body).collect()
}

/// A path with those parameters that are there.
fn query<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        query.extend_pairs(value.map(|value| (name, value)));
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A body of those members that are there.
fn body<'a>(members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    members.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(query("/users", [("q", Some("a&b ö")), ("role", None)]), "/users?q=a%26b+%C3%B6");
        assert_eq!(query("/users", [("q", None)]), "/users");
        assert_eq!(body([("a", Some(json!(1))), ("b", None)]), json!({ "a": 1 }));
    }

    #[test]
    fn a_dry_run_shows_method_path_condition_and_body() {
        let request = Request::new(http::Method::PATCH, "/users/1").with(json!({ "roles": ["user"] })).if_match("x");
        assert_eq!(shown(&request), "PATCH /api/v1/users/1\nif-match: \"x\"\n{\"roles\":[\"user\"]}");
    }
}
