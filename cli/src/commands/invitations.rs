//! Inviting people by email.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Context, List, Told, body, query, shown};
use crate::args::{Change, Given, Pages};
use crate::failure::Result;
use crate::output::text;
use crate::service::Request;

const INVITATIONS: List = List {
    member: "invitations",
    header: &["ID", "EMAIL", "ROLES", "STATUS", "EXPIRES"],
    row: |invitation| ["id", "email", "roles", "status", "expires_at"].map(|name| text(&invitation[name])).into(),
};

impl Context {
    pub async fn invite(&mut self, email: &str, given: Given, change: Change) -> Result<()> {
        let Given { roles, app } = given;
        let roles = (!roles.is_empty()).then(|| json!(roles));
        let body = body([("email", Some(json!(email))), ("roles", roles), ("app", app)]);
        let request = Request::post("/invitations").with(body);
        if change.dry_run {
            return self.output.tell(&request.document(), |_| shown(&request));
        }
        let invitation = self.client.call(&request).await?;
        self.output.tell(&invitation, invited)
    }

    pub async fn list_invitations(&mut self, pages: &Pages) -> Result<()> {
        let path = |limit: Option<u16>, cursor: Option<&str>| {
            let limit = limit.map(|limit| limit.to_string());
            query("/invitations", [("limit", limit.as_deref()), ("cursor", cursor)])
        };
        self.list(path, pages, &INVITATIONS).await
    }

    pub async fn revoke_invitation(&mut self, id: Uuid, change: Change) -> Result<()> {
        let request = Request::delete(format!("/invitations/{id}"));
        let told = Told { text: format!("revoked the invitation {id}"), id: &id.to_string(), status: "revoked" };
        self.change(change, &request, told).await
    }

    pub async fn send_invitation(&mut self, id: Uuid, change: Change) -> Result<()> {
        let request = Request::post(format!("/invitations/{id}/send"));
        let told = Told { text: format!("emailed the invitation {id} again"), id: &id.to_string(), status: "sent" };
        self.change(change, &request, told).await
    }
}

fn invited(invitation: &Value) -> String {
    let [id, email, until] = ["id", "email", "expires_at"].map(|name| text(&invitation[name]));
    format!("invited {email}: {id}, until {until}")
}
