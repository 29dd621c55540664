//! Credentials of other systems that come with conditions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use formats::{Options, Record, Source, rows};
use serde_json::{Value, json};

fn read(source: Source, account: Value) -> (Record, Vec<String>) {
    let file = Value::from(vec![account]).to_string();
    let options = Options::default();
    let row = rows(source, file.as_bytes(), &options).next().unwrap();
    (row.record.unwrap(), row.notes)
}

#[test]
fn a_password_of_keycloak_that_has_to_be_replaced_does_not_come() {
    for (temporary, actions, notes) in [
        (json!(null), json!([]), vec![]),
        (json!(false), json!(["VERIFY_EMAIL"]), vec!["the required action `VERIFY_EMAIL` has no counterpart"]),
        (json!(true), json!([]), vec!["no password: the account has a temporary password"]),
        (
            json!(null),
            json!(["UPDATE_PASSWORD", "CONFIGURE_TOTP"]),
            vec![
                "no password: the account has the required action UPDATE_PASSWORD",
                "the required action `CONFIGURE_TOTP` has no counterpart",
            ],
        ),
    ] {
        let password =
            json!({ "type": "password", "temporary": temporary, "secretData": "{}", "credentialData": "{}" });
        let user = json!({ "email": "a@x.org", "requiredActions": actions, "credentials": [password] });
        let (record, found) = read(Source::Keycloak, user);
        assert_eq!(record.password.is_some(), !notes.iter().any(|note| note.starts_with("no password")), "{actions}");
        assert_eq!(found, notes);
    }
}

#[test]
fn the_user_handle_of_kratos_comes_with_its_passkeys_and_security_keys() {
    const ALONE: &str = "cannot sign in alone: its user handle is not the account's ID";
    // The handle of security keys is the identity's id, that of passkeys is made for them.
    for (kind, handle, taken, signs_in) in [
        ("webauthn", json!("oIObHMTVRueRqCk6S1xtfg=="), Some("oIObHMTVRueRqCk6S1xtfg"), true),
        ("passkey", json!("oIObHMTVRueRqCk6S1xtfg=="), Some("oIObHMTVRueRqCk6S1xtfg"), true),
        ("passkey", json!("+/8="), Some("-_8"), false),
        ("passkey", json!(null), None, true),
    ] {
        let key = json!({ "id": "AQID", "public_key": "pQEC", "is_passwordless": true });
        let identity = json!({
            "id": "a0839b1c-c4d5-46e7-91a8-293a4b5c6d7e",
            "traits": { "email": "a@x.org" },
            "credentials": { kind: { "config": { "user_handle": handle, "credentials": [key] } } },
        });
        let (record, notes) = read(Source::Kratos, identity);
        assert_eq!(record.passkeys[0].user_handle.as_deref(), taken, "{kind}");
        assert_eq!(notes.iter().any(|note| note.ends_with(ALONE)), !signs_in, "{kind}: {notes:?}");
    }
}
