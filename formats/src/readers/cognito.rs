//! Amazon Cognito: a table with the columns of the CSV for import jobs, or the answer of `aws cognito-idp list-users`.
//!
//! Sources: [importing users from a CSV
//! file](https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-using-import-tool.html) and
//! [`ListUsers`](https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html). Cognito
//! gives away neither hashes nor secrets of authenticator apps, so the user pool verifies the passwords.

use serde_json::Value;

use super::{
    fields::Fields,
    parts::{self, first_text},
};
use crate::{
    Members, Options, Password, Problem, Record,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: Some("Users"), table: Some(Columns::Header(&["email"])) };

/// The states of an account without a password that its owner could sign in with.
const WITHOUT_PASSWORD: [&str; 3] = ["EXTERNAL_PROVIDER", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED"];

/// The state of an account whose sign-up has not been confirmed. Such an account may lack `email_verified`.
const UNCONFIRMED: &str = "UNCONFIRMED";

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let username = first_text(user, &["cognito:username", "Username", "username"])?;
    let enabled = either_flag(user, ["enabled", "Enabled"])?;
    let status = first_text(user, &["user_status", "UserStatus", "cognito:user_status"])?;
    let created_at = ["UserCreateDate", "user_create_date"].iter().find_map(|name| user.moment(name));
    user.ignore(&["UserLastModifiedDate", "user_last_modified_date", "updated_at"]);
    flatten_attributes(user)?;

    let sub = user.text("sub")?;
    let mut record = parts::record(user.text("email")?)?;
    let pending = (status.as_deref() == Some(UNCONFIRMED)).then_some(false);
    let verified = user.flag("email_verified")?.or(pending);
    record.email_confirmed = parts::is_confirmed(verified, options);
    record.id = parts::uuid(sub.as_deref().or(username.as_deref()));
    record.external_id = sub.or_else(|| username.clone());
    record.name = name(user)?;
    record.created_at = created_at;
    record.disabled = (enabled == Some(false)).then(|| parts::disabled("disabled in Cognito", None));
    record.app = custom_attributes(user);
    record.password = password(user, username.as_deref(), status.as_deref(), options);
    // False where there is no number, which says nothing.
    user.ignore(&["phone_number_verified"]);
    if user.flag("cognito:mfa_enabled")? == Some(true) || user.value("UserMFASettingList").is_some() {
        user.note("the second factor is left out: Cognito does not export it");
    }
    user.ignore(&["MFAOptions", "PreferredMfaSetting"]);
    if let Some(username) = username.filter(|username| record.external_id.as_ref() != Some(username)) {
        parts::keep_username(&mut record, Some(username));
    }
    Ok(record)
}

/// Puts `[{"Name": "email", "Value": "..."}]` in the place where tables have the attributes.
fn flatten_attributes(user: &mut Fields) -> Result<(), Problem> {
    for mut attribute in user.objects("Attributes")? {
        if let (Some(Value::String(name)), Some(value)) = (attribute.remove("Name"), attribute.remove("Value")) {
            user.insert(name, value);
        }
    }
    Ok(())
}

fn either_flag(user: &mut Fields, names: [&str; 2]) -> Result<Option<bool>, Problem> {
    let [first, second] = names.map(|name| user.flag(name));
    Ok(first?.or(second?))
}

fn name(user: &mut Fields) -> Result<Option<String>, Problem> {
    let parts = [user.text("given_name")?, user.text("family_name")?];
    Ok(user.text("name")?.or_else(|| parts::full_name(parts)))
}

fn custom_attributes(user: &mut Fields) -> Option<Members> {
    let custom: Members = user.take_prefixed("custom:").into_iter().chain(user.take_prefixed("dev:custom:")).collect();
    (!custom.is_empty()).then_some(custom)
}

fn password(user: &mut Fields, username: Option<&str>, status: Option<&str>, options: &Options) -> Option<Password> {
    if let Some(status) = status.and_then(|status| WITHOUT_PASSWORD.iter().find(|without| **without == status)) {
        user.note(format!("no password: the account is in the state {status}"));
        return None;
    }
    let (pool, username) = (options.cognito_pool.clone()?, username?.to_owned());
    Some(Password::Cognito { pool, client: options.cognito_client.clone(), username })
}
