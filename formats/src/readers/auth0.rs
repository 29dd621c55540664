//! Auth0: the export of password hashes that its support makes, the export of users by a job, and files for the bulk import.
//!
//! Sources: [exporting data](https://auth0.com/docs/troubleshoot/customer-support/manage-subscriptions/export-data), [bulk
//! user exports](https://auth0.com/docs/manage-users/user-migration/bulk-user-exports) and [the schema of bulk
//! imports](https://auth0.com/docs/manage-users/user-migration/bulk-user-import-database-schema-and-examples).

use serde_json::Value;

use super::{
    fields::{Fields, quoted},
    otp::Otp,
    parts, roles,
};
use crate::{Members, Options, Password, Problem, Record, Totp, input::Layout};

pub(super) const LAYOUT: Layout = Layout { list: None, table: None };

/// The connection whose accounts have passwords, as it begins the id of each of them.
const CONNECTION: &str = "auth0";

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut record = parts::record(user.text("email")?)?;
    record.external_id = external_id(user)?;
    record.email_confirmed = parts::is_confirmed(user.flag("email_verified")?, options);
    let whole = parts::full_name([user.text("given_name")?, user.text("family_name")?]);
    record.name = user.text("name")?.filter(|name| *name != record.email).or(whole);
    record.created_at = user.moment("created_at");
    record.disabled = (user.flag("blocked")? == Some(true)).then(|| parts::disabled("blocked in Auth0", None));
    record.profile = user.object("user_metadata")?;
    record.app = user.object("app_metadata")?;
    let names = user.texts("roles");
    record.roles = roles::clean(names, user, options);
    record.password = password(user, options)?;
    record.totp = totp(user)?;
    let username = user.text("username")?;
    parts::keep_username(&mut record, username);
    note_identities(user)?;
    user.ignore(&[
        "_tmp_is_unique",
        "connection",
        "identities",
        "last_ip",
        "last_login",
        "last_password_reset",
        "logins_count",
        "multifactor_last_modified",
        "nickname",
        "password_set_date",
        "phone_verified",
        "tenant",
        "updated_at",
    ]);
    Ok(record)
}

/// The id as access tokens have it: `auth0|5dea9f9c82dd7c0e76e4ec93`.
fn external_id(user: &mut Fields) -> Result<Option<String>, Problem> {
    let oid = match user.value("_id") {
        Some(Value::Object(mut id)) => id.remove("$oid"),
        other => other,
    };
    let id = user.text("user_id")?.or_else(|| oid.and_then(|oid| oid.as_str().map(ToOwned::to_owned)));
    Ok(id.map(|id| if id.contains('|') { id } else { format!("{CONNECTION}|{id}") }))
}

fn password(user: &mut Fields, options: &Options) -> Result<Option<Password>, Problem> {
    let stored = parts::first_text(user, &["passwordHash", "password_hash"])?;
    let own = parts::hash("auth0", stored, Members::new(), options);
    let custom = user.object("custom_password_hash")?;
    Ok(own.or_else(|| custom_password(&custom?, user, options)))
}

/// A hash of another system that was imported into Auth0 and has not been used there.
fn custom_password(custom: &Members, user: &mut Fields, options: &Options) -> Option<Password> {
    let stored = custom.get("hash").and_then(|hash| hash.get("value")).and_then(Value::as_str);
    let algorithm = custom.get("algorithm").and_then(Value::as_str).unwrap_or_default();
    let system = match algorithm {
        "bcrypt" => "auth0",
        "argon2" => "argon2",
        // The same text as Kratos has: `$pbkdf2-sha256$i=100000,l=32$salt$hash`.
        "pbkdf2" => "kratos",
        _ => {
            user.note(format!("no password: imported hashes of the kind `{}` are not supported", quoted(algorithm)));
            return None;
        }
    };
    parts::hash(system, stored.map(ToOwned::to_owned), Members::new(), options)
}

fn totp(user: &mut Fields) -> Result<Option<Totp>, Problem> {
    let mut totp = None;
    for mut factor in user.objects("mfa_factors")? {
        let secret = factor.remove("totp").and_then(|factor| factor.get("secret")?.as_str().map(ToOwned::to_owned));
        match secret {
            Some(secret) if totp.is_none() => totp = Otp { secret, ..Otp::default() }.into_totp(user),
            _ => user.note("a second factor is left out"),
        }
    }
    if user.value("multifactor").is_some() {
        user.note("the second factor is left out: this export does not have it");
    }
    Ok(totp)
}

fn note_identities(user: &mut Fields) -> Result<(), Problem> {
    for identity in user.objects("identities")? {
        match identity.get("provider").and_then(Value::as_str) {
            Some(CONNECTION) | None => {}
            Some(provider) => user.note(format!("sign-in with {} has no counterpart", quoted(provider))),
        }
    }
    Ok(())
}
