//! Flask-Security, and other Flask applications with a table of users: that table as CSV or JSON.
//!
//! Source: [the models](https://flask-security.readthedocs.io/en/stable/models.html) and [their
//! settings](https://flask-security.readthedocs.io/en/stable/configuration.html). The hashes need the application's
//! `SECURITY_PASSWORD_SALT`, `SECURITY_PASSWORD_HASH`, `SECURITY_PASSWORD_SINGLE_HASH` and `SECURITY_PASSWORD_NORMALIZE_FORM`,
//! which go into the settings. With the setting `hashes`, such as `werkzeug`, they are of that system instead. Passkeys are in
//! a table of their own.

use secrecy::SecretString;
use serde_json::Value;

use super::{fields::Fields, otp::Otp, parts, roles};
use crate::{
    Members, Options, Problem, Record, RecoveryCodes, Totp,
    input::{Columns, Layout},
};

pub(super) const LAYOUT: Layout = Layout { list: None, table: Some(Columns::Header(&["email"])) };

/// How a text begins that was encrypted with Fernet, as recovery codes are with `MULTI_FACTOR_RECOVERY_CODES_KEYS`.
const FERNET: &str = "gAAAA";

pub(super) fn read(user: &mut Fields, options: &Options) -> Result<Record, Problem> {
    let mut record = parts::record(user.text("email")?)?;
    record.external_id = user.text("id")?;
    record.id = parts::uuid(record.external_id.as_deref());
    let confirmed = user.names("confirmed_at").then(|| user.moment("confirmed_at").is_some());
    record.email_confirmed = parts::is_confirmed(confirmed, options);
    let whole = parts::full_name([user.text("first_name")?, user.text("last_name")?]);
    record.name = parts::first_text(user, &["name", "full_name"])?.or(whole);
    let created = ["create_datetime", "created_at"].map(|name| user.moment(name));
    record.created_at = created.into_iter().flatten().next();
    let active = [user.flag("active")?, user.flag("is_active")?];
    record.disabled = active.contains(&Some(false)).then(|| parts::disabled("inactive in the Flask application", None));
    let names = user.texts("roles");
    record.roles = roles::clean(names, user, options);
    let stored = parts::first_text(user, &["password", "password_hash"])?;
    record.password = parts::hash(system(options), stored, Members::new(), options);
    record.totp = totp(user)?;
    record.recovery_codes = recovery_codes(user);
    let username = user.text("username")?;
    parts::keep_username(&mut record, username);
    user.ignore(&[
        "current_login_at",
        "current_login_ip",
        "fs_token_uniquifier",
        "fs_uniquifier",
        "fs_webauthn_user_handle",
        "last_login_at",
        "last_login_ip",
        "login_count",
        "password_set",
        "tf_primary_method",
        "update_datetime",
    ]);
    Ok(record)
}

fn system(options: &Options) -> &str {
    options.settings.get("hashes").and_then(Value::as_str).unwrap_or("flask-security")
}

/// The secret in base32 or as passlib's JSON: `{"v":1,"type":"totp","key":"...","digits":6,"period":30,"alg":"sha1"}`.
fn totp(user: &mut Fields) -> Result<Option<Totp>, Problem> {
    let [first, second] = ["tf_totp_secret", "mf_totp_secret"].map(|name| user.value(name));
    let Some(secret) = first.or(second) else { return Ok(None) };
    let secret = match secret {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        secret => secret,
    };
    let otp = match secret {
        Value::String(secret) => Otp { secret, ..Otp::default() },
        Value::Object(app) if app.contains_key("enckey") => {
            user.note("the authenticator app is left out: its secret is encrypted with SECURITY_TOTP_SECRETS");
            return Ok(None);
        }
        Value::Object(app) => passlib(Fields::new(app))?,
        _ => return Err(Problem::invalid("tf_totp_secret", "is neither text nor a JSON object")),
    };
    Ok(otp.into_totp(user))
}

fn passlib(mut app: Fields) -> Result<Otp, Problem> {
    Ok(Otp {
        secret: app.text("key")?.unwrap_or_default(),
        algorithm: app.text("alg")?,
        digits: app.text("digits")?,
        period: app.text("period")?,
        added_at: None,
    })
}

fn recovery_codes(user: &mut Fields) -> Option<RecoveryCodes> {
    let codes = user.texts("mf_recovery_codes");
    if codes.iter().any(|code| code.starts_with(FERNET)) {
        user.note("recovery codes are left out: they are encrypted with SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS");
        return None;
    }
    let codes: Vec<_> = codes.into_iter().map(SecretString::from).collect();
    (!codes.is_empty()).then_some(RecoveryCodes::Plain(codes))
}
