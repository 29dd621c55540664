//! Clerk: the CSV that its dashboard exports.
//!
//! Sources: [exporting users](https://clerk.com/docs/deployments/exporting-users), and
//! [`password_hasher`](https://clerk.com/docs/reference/backend-api/tag/Users#operation/CreateUser) for the names of the
//! hashes.

use serde_json::Value;

use super::{
    fields::{Fields, quoted},
    otp::Otp,
    parts,
};
use crate::{
    Members, Options, Password, Problem, Record,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: None, table: Some(Columns::Header(&["id", "primary_email_address"])) };

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut verified = user.texts("verified_email_addresses");
    let unverified = user.texts("unverified_email_addresses");
    let primary = user.text("primary_email_address")?.or_else(|| verified.first().or(unverified.first()).cloned());
    let mut record = parts::record(primary)?;
    let is_primary = |address: &String| address.eq_ignore_ascii_case(&record.email);
    let lists = [(&verified, true), (&unverified, false)];
    let listed = lists.into_iter().find(|(addresses, _)| addresses.iter().any(is_primary));
    record.email_confirmed = parts::is_confirmed(listed.map(|(_, is_verified)| is_verified), options);
    verified.extend(unverified);
    if !verified.iter().all(|address| address.eq_ignore_ascii_case(&record.email)) {
        user.note("further email addresses are left out");
    }
    record.external_id = user.text("id")?;
    record.name = parts::full_name([user.text("first_name")?, user.text("last_name")?]);
    record.created_at = user.moment("created_at");
    record.profile = user.object("unsafe_metadata")?;
    record.app = user.object("public_metadata")?;
    record.internal = user.object("private_metadata")?;
    let locked = user.flag("banned")? == Some(true) || user.flag("locked")? == Some(true);
    record.disabled = locked.then(|| parts::disabled("banned or locked in Clerk", None));
    record.password = password(user, options)?;
    if let Some(secret) = user.text("totp_secret")? {
        record.totp = Otp { secret, ..Otp::default() }.into_totp(user);
    }
    let username = user.text("username")?;
    parts::keep_username(&mut record, username);
    user.ignore(&["last_sign_in_at", "updated_at", "has_image", "image_url", "password_enabled"]);
    Ok(record)
}

/// The hash. Clerk keeps hashes as they were imported until their owner signs in, so the column with the hasher says what it
/// is.
fn password(user: &mut Fields, options: &Options) -> Result<Option<Password>, Problem> {
    let stored = user.text("password_digest")?;
    let hasher = user.text("password_hasher")?.unwrap_or_else(|| "bcrypt".to_owned());
    let system = match hasher.as_str() {
        "bcrypt" => "clerk",
        "argon2i" | "argon2id" => "argon2",
        "bcrypt_sha256_django" | "pbkdf2_sha256_django" => "django",
        "scrypt_werkzeug" => "werkzeug",
        "scrypt_firebase" => return Ok(stored.and_then(|stored| firebase(&stored, user, options))),
        _ => {
            if stored.is_some() {
                user.note(format!("no password: hashes of the kind `{}` are not supported", quoted(&hasher)));
            }
            return Ok(None);
        }
    };
    Ok(parts::hash(system, stored, Members::new(), options))
}

/// Firebase's hash and all that its check needs, divided by `$`: hash, salt, signer key, salt separator, rounds, memory cost.
fn firebase(digest: &str, user: &mut Fields, options: &Options) -> Option<Password> {
    let parts: Vec<_> = digest.split('$').collect();
    let [stored, salt, signer_key, salt_separator, rounds, mem_cost] = parts[..] else {
        user.note("no password: the digest of Firebase's scrypt does not have six parts");
        return None;
    };
    let own = [
        ("salt", salt),
        ("signer_key", signer_key),
        ("salt_separator", salt_separator),
        ("rounds", rounds),
        ("mem_cost", mem_cost),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    parts::hash("firebase", Some(stored.to_owned()), own, options)
}
