//! Firebase Authentication: JSON or CSV of `firebase auth:export`.
//!
//! Sources: [`auth:import` and `auth:export`](https://firebase.google.com/docs/cli/auth), and the exporter of
//! `firebase-tools`, whose CSV has no header. The parameters of the hash are the project's, not the account's: `signer_key`,
//! `salt_separator`, `rounds` and `mem_cost` in the settings.

use serde_json::Value;

use super::{
    fields::{Fields, quoted},
    parts,
};
use crate::{
    Members, Options, Problem, Record,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: Some("users"), table: Some(Columns::Fixed(&COLUMNS, 27)) };

/// The columns of the CSV. Those of the providers are not read but counted; the last is missing in files of older versions.
const COLUMNS: [&str; 28] = [
    "localId",
    "email",
    "emailVerified",
    "passwordHash",
    "salt",
    "displayName",
    "photoUrl",
    "google.com",
    "google.com email",
    "google.com displayName",
    "google.com photoUrl",
    "facebook.com",
    "facebook.com email",
    "facebook.com displayName",
    "facebook.com photoUrl",
    "twitter.com",
    "twitter.com email",
    "twitter.com displayName",
    "twitter.com photoUrl",
    "github.com",
    "github.com email",
    "github.com displayName",
    "github.com photoUrl",
    "createdAt",
    "lastSignedInAt",
    "phoneNumber",
    "disabled",
    "customAttributes",
];

/// The providers that the CSV has columns for.
const PROVIDERS: [&str; 4] = ["google.com", "facebook.com", "twitter.com", "github.com"];

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut record = parts::record(user.text("email")?)?;
    record.external_id = user.text("localId")?;
    record.email_confirmed = parts::is_confirmed(user.flag("emailVerified")?, options);
    record.name = user.text("displayName")?;
    record.created_at = user.moment("createdAt");
    record.disabled = (user.flag("disabled")? == Some(true)).then(|| parts::disabled("disabled in Firebase", None));
    record.app = user.object("customAttributes")?;
    let stored = user.text("passwordHash")?;
    let own: Members = user.text("salt")?.map(|salt| ("salt".to_owned(), Value::from(salt))).into_iter().collect();
    record.password = parts::hash("firebase", stored, own, options);
    note_providers(user)?;
    if user.value("mfaInfo").is_some() {
        user.note("the second factor is left out: Firebase does not export its secret");
    }
    user.ignore(&["lastLoginAt", "lastSignedInAt", "lastRefreshAt", "passwordUpdatedAt", "validSince", "version"]);
    Ok(record)
}

fn note_providers(user: &mut Fields) -> Result<(), Problem> {
    let listed = user.objects("providerUserInfo")?;
    let listed = listed.iter().filter_map(|provider| provider.get("providerId")?.as_str());
    let mut providers: Vec<_> =
        listed.filter(|id| !matches!(*id, "password" | "phone")).map(ToOwned::to_owned).collect();
    for provider in PROVIDERS {
        if user.value(provider).is_some() {
            providers.push(provider.to_owned());
        }
        let copies = ["email", "displayName", "photoUrl"].map(|copy| format!("{provider} {copy}"));
        user.ignore(&copies.each_ref().map(String::as_str));
    }
    for provider in providers {
        user.note(format!("sign-in with {} has no counterpart", quoted(&provider)));
    }
    Ok(())
}
