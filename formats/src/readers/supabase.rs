//! Supabase Auth: the table `auth.users` as CSV, or as JSON lines or an array (`row_to_json`, the dashboard, the admin API).
//!
//! Source: the migrations of [`supabase/auth`](https://github.com/supabase/auth/tree/master/migrations). Identities, second
//! factors and passkeys are in tables of their own, which this file does not have.

use super::{
    fields::{Fields, quoted},
    parts, roles,
};
use crate::{
    Members, Options, Problem, Record,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: None, table: Some(Columns::Header(&["id", "email"])) };

/// The role in Postgres of every account that is signed in.
const EVERYBODY: &str = "authenticated";

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut record = parts::record(user.text("email")?)?;
    if user.value("deleted_at").is_some() {
        return Err(Problem::invalid("deleted_at", "the account was deleted"));
    }
    let id = user.text("id")?;
    record.id = parts::uuid(id.as_deref());
    record.external_id = id;
    record.email_confirmed = parts::is_confirmed(confirmed(user), options);
    record.created_at = user.moment("created_at");
    if user.has("banned_until") {
        record.disabled = Some(parts::disabled("banned in Supabase", user.moment("banned_until")));
    }
    metadata(user, &mut record)?;
    let role = user.text("role")?.filter(|role| role != EVERYBODY);
    record.roles = roles::clean(role.into_iter().collect(), user, options);
    if user.flag("is_super_admin")? == Some(true) {
        let staff = roles::staff("is_super_admin", "admin", user, options);
        roles::add(&mut record.roles, staff);
    }
    let stored = user.text("encrypted_password")?;
    record.password = parts::hash("supabase", stored, Members::new(), options);
    ignore_tokens(user);
    Ok(record)
}

/// Whether the address is confirmed, where the file has one of the columns or is of the admin API, which leaves out members that
/// are null. `app_metadata` marks the latter: the column has another name.
fn confirmed(user: &mut Fields) -> Option<bool> {
    let is_said = ["email_confirmed_at", "confirmed_at", "app_metadata"].iter().any(|name| user.names(name));
    // `confirmed_at` is also set for a confirmed phone, and older versions had nothing else.
    let phone = user.value("phone_confirmed_at").is_some();
    let moments = [user.moment("email_confirmed_at"), user.moment("confirmed_at").filter(|_| !phone)];
    is_said.then(|| moments.iter().any(Option::is_some))
}

/// `raw_app_meta_data` names the providers, which is all that most accounts have in it.
fn metadata(user: &mut Fields, record: &mut Record) -> Result<(), Problem> {
    let mut app = user.object("raw_app_meta_data")?.or(user.object("app_metadata")?).unwrap_or_default();
    app.remove("provider");
    if let Some(providers) = app.remove("providers") {
        for provider in providers.as_array().into_iter().flatten().filter_map(|name| name.as_str()) {
            if !matches!(provider, "email" | "phone") {
                user.note(format!("sign-in with {} has no counterpart", quoted(provider)));
            }
        }
    }
    record.app = (!app.is_empty()).then_some(app);
    let mut profile = user.object("raw_user_meta_data")?.or(user.object("user_metadata")?).unwrap_or_default();
    // Copies of columns, which the sign-up keeps there.
    for copy in ["sub", "email", "email_verified", "phone_verified"] {
        profile.remove(copy);
    }
    let name = ["full_name", "name"].iter().find_map(|name| profile.get(*name)?.as_str().map(ToOwned::to_owned));
    record.name = name.filter(|name| !name.trim().is_empty());
    record.profile = (!profile.is_empty()).then_some(profile);
    Ok(())
}

/// Secrets of links that have been sent, and what is internal to Supabase.
fn ignore_tokens(user: &mut Fields) {
    user.ignore(&[
        "aud",
        "confirmation_sent_at",
        "confirmation_token",
        "email_change",
        "email_change_confirm_status",
        "email_change_sent_at",
        "email_change_token",
        "email_change_token_current",
        "email_change_token_new",
        "instance_id",
        "invited_at",
        "is_anonymous",
        "is_sso_user",
        "last_sign_in_at",
        "phone_change",
        "phone_change_sent_at",
        "phone_change_token",
        "reauthentication_sent_at",
        "reauthentication_token",
        "recovery_sent_at",
        "recovery_token",
        "updated_at",
    ]);
}
