//! Finding accounts, and seeing what there is to see of them.

use serde_json::Value;

use super::{Context, List, query};
use crate::args::{Find, Pages, Status, Who};
use crate::failure::Result;
use crate::output::{details, table, text};
use crate::service::Request;

const USERS: List = List {
    member: "users",
    header: &["ID", "EMAIL", "NAME", "STATUS", "ROLES", "CREATED"],
    row: |user| ["id", "email", "name", "status", "roles", "created_at"].map(|name| text(&user[name])).into(),
};

const EVENTS: List = List {
    member: "events",
    header: &["TIME", "TYPE", "ACTOR", "FROM", "DATA"],
    row: |event| {
        let actor = &event["actor"];
        let who = [text(&actor["type"]), text(&actor["id"])].join(" ");
        [text(&event["time"]), text(&event["type"]), who, text(&actor["source_ip"]), text(&event["data"])].into()
    },
};

impl Context {
    pub async fn find(&mut self, find: &Find) -> Result<()> {
        let status = find.status.map(|status| match status {
            Status::Active => "active",
            Status::Unconfirmed => "unconfirmed",
            Status::Disabled => "disabled",
        });
        let path = |limit: Option<u16>, cursor: Option<&str>| {
            let limit = limit.map(|limit| limit.to_string());
            let parameters = [
                ("q", find.text.as_deref()),
                ("email", find.email.as_deref()),
                ("external_id", find.external_id.as_deref()),
                ("role", find.role.as_deref()),
                ("status", status),
                ("limit", limit.as_deref()),
                ("cursor", cursor),
            ];
            query("/users", parameters)
        };
        self.list(path, &find.pages, &USERS).await
    }

    pub async fn show(&mut self, who: &Who) -> Result<()> {
        let id = match who {
            Who::Id(id) => id.to_string(),
            other => self.account(other).await?.id,
        };
        let user = self.client.call(&Request::get(format!("/users/{id}"))).await?;
        self.output.tell(&user, shown)
    }

    pub async fn sessions(&mut self, who: &Who) -> Result<()> {
        let account = self.account(who).await?;
        let sessions = self.client.call(&Request::get(format!("/users/{}/sessions", account.id))).await?;
        self.output.tell(&sessions, |sessions| {
            let row = |session: &Value| -> Vec<String> {
                ["id", "created_at", "last_used_at", "source_ip", "client"].map(|name| text(&session[name])).into()
            };
            let rows: Vec<_> = sessions["sessions"].as_array().into_iter().flatten().map(row).collect();
            table(&["ID", "SIGNED IN", "LAST USED", "FROM", "CLIENT"], &rows)
        })
    }

    pub async fn activity(&mut self, who: &Who, pages: &Pages) -> Result<()> {
        let account = self.account(who).await?;
        let path = |limit: Option<u16>, cursor: Option<&str>| {
            let limit = limit.map(|limit| limit.to_string());
            query(&format!("/users/{}/activity", account.id), [("limit", limit.as_deref()), ("cursor", cursor)])
        };
        self.list(path, pages, &EVENTS).await
    }
}

/// All that the service shows of an account, a line each.
fn shown(user: &Value) -> String {
    let plain = |name: &'static str| (name, text(&user[name]));
    let nested = |name: &'static str, at: &str| (name, text(user.pointer(at).unwrap_or(&Value::Null)));
    details(&[
        plain("id"),
        plain("email"),
        plain("email_confirmed"),
        plain("name"),
        plain("status"),
        nested("disabled_at", "/disabled/at"),
        nested("disabled_until", "/disabled/until"),
        nested("disabled_by", "/disabled/by"),
        nested("reason", "/disabled/reason"),
        plain("roles"),
        plain("external_id"),
        nested("totp", "/factors/totp"),
        nested("passkeys", "/factors/passkeys"),
        nested("recovery_codes_left", "/factors/recovery_codes_left"),
        nested("email_delivery", "/email_delivery/status"),
        nested("diagnostic", "/email_delivery/diagnostic"),
        plain("profile"),
        plain("app"),
        plain("internal"),
        plain("created_at"),
        plain("updated_at"),
        plain("last_sign_in_at"),
        plain("etag"),
    ])
}
