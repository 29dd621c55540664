//! `docs/import-format.md` and `docs/import.schema.json` against the types.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use formats::{Disabled, Options, Passkey, Password, Record, RecoveryCodes, Source, Totp, rows};
use secrecy::SecretString;
use serde_json::{Value, json};

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn load() -> Self {
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("import.schema.json", document()).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("import.schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn check(&self, line: &Value) -> Result<(), String> {
        self.schemas.validate(line, self.index).map_err(|error| error.to_string())
    }
}

fn docs(name: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&docs("import.schema.json")).unwrap()
}

/// The examples of the page.
fn examples() -> Vec<String> {
    let page = docs("import-format.md");
    let blocks = page.split("```json\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().trim().to_owned()).collect()
}

fn read(line: &str) -> Record {
    let options = Options::default();
    let mut rows: Vec<_> = rows(Source::JsonLines, line.as_bytes(), &options).collect();
    assert_eq!(rows.len(), 1);
    rows.remove(0).record.unwrap()
}

/// A record with everything that one can have, and what else its alternatives have.
fn full() -> Vec<Record> {
    let object = |value: Value| value.as_object().cloned();
    let text = |text: &str| Some(text.to_owned());
    let hash = Password::Hash {
        system: "firebase".to_owned(),
        stored: "hash".into(),
        fields: object(json!({ "salt": "c2FsdA==", "rounds": 8 })).unwrap(),
    };
    let now = "2024-01-02T03:04:05Z";
    let passkey = Passkey {
        id: "AQID".to_owned(),
        public_key: "pQEC".to_owned(),
        name: text("Laptop"),
        sign_count: 7,
        backed_up: true,
        backup_eligible: Some(true),
        user_verified: Some(true),
        transports: vec!["internal".to_owned()],
        created_at: text(now),
        last_used_at: text(now),
        rp_id: text("example.com"),
        user_handle: text("AQID"),
        credential: Some(json!({ "cred": 1 })),
    };
    let record = Record {
        external_id: text("4711"),
        id: text("0190f3a2-7b1c-7c3d-8e4f-5a6b7c8d9e0f"),
        email: "ada@example.com".to_owned(),
        email_confirmed: true,
        name: text("Ada"),
        roles: Some(vec!["editor".to_owned()]),
        created_at: text(now),
        disabled: Some(Disabled { reason: text("why"), until: text(now) }),
        profile: object(json!({ "a": 1 })),
        app: object(json!({ "b": [2] })),
        internal: object(json!({ "c": null })),
        password: Some(hash),
        totp: Some(Totp { last_step: Some(57), added_at: text(now), ..Totp::of("JBSWY3DPEHPK3PXP".into()) }),
        recovery_codes: Some(RecoveryCodes::Plain(vec![SecretString::from("7KQ4")])),
        passkeys: vec![passkey],
        state: object(json!({})),
        ..Record::default()
    };
    let cognito = Password::Cognito { pool: "eu_1".to_owned(), client: text("c"), username: "ada".to_owned() };
    let hashed =
        RecoveryCodes::Hashed { sha256: vec!["AQID".to_owned()], key: Some("AAEC".into()), created_at: text(now) };
    let email = record.email.clone();
    vec![
        Record { password: Some(cognito), recovery_codes: Some(hashed), ..record.clone() },
        Record { password: Some(Password::Endpoint { username: "ada".to_owned() }), ..record.clone() },
        Record { email, ..Record::default() },
        record,
    ]
}

#[test]
fn the_examples_are_read_and_valid() {
    let schema = Schema::load();
    assert_eq!(examples().len(), 3);
    for example in examples() {
        read(&example);
        assert_eq!(schema.check(&serde_json::from_str(&example).unwrap()), Ok(()), "{example}");
    }
}

#[test]
fn what_is_written_is_valid_and_reads_back_the_same() {
    let schema = Schema::load();
    let samples = include_str!("../samples/accounts.jsonl").lines().map(read);
    for record in full().into_iter().chain(samples) {
        let line = json!(record);
        assert_eq!(schema.check(&line), Ok(()), "{line}");
        assert_eq!(json!(read(&line.to_string())), line);
    }
}

#[test]
fn the_schema_refuses_what_is_refused() {
    let schema = Schema::load();
    let options = Options::default();
    for members in [
        json!({ "email": null }),
        json!({ "version": 2 }),
        json!({ "role": "editor" }),
        json!({ "email_confirmed": "yes" }),
        json!({ "disabled": true }),
        json!({ "password": {} }),
        json!({ "password": { "system": "django" } }),
        json!({ "password": { "system": "django", "stored": "a", "endpoint": { "username": "a" } } }),
        json!({ "totp": { "digits": 6 } }),
        json!({ "totp": { "secret": "A", "digits": 7 } }),
        json!({ "totp": { "secret": "A", "period": 0 } }),
        json!({ "recovery_codes": [] }),
        json!({ "recovery_codes": { "codes": [], "sha256": [] } }),
        json!({ "passkeys": [{ "public_key": "pQEC" }] }),
        json!({ "passkeys": [{ "id": "AQID", "public_key": "pQEC", "sign_count": -1 }] }),
    ] {
        let mut line = json!({ "email": "ada@example.com" });
        line.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert!(schema.check(&line).is_err(), "the schema takes {line}");
        let row = rows(Source::JsonLines, line.to_string().as_bytes(), &options).next().unwrap();
        assert!(row.record.is_err(), "the reader takes {line}");
    }
}

#[test]
fn schema_and_page_name_the_members_that_are_written() {
    let written: BTreeSet<_> = full().iter().flat_map(|record| names(&json!(record))).collect();
    let page = docs("import-format.md");
    let mut known = BTreeSet::new();
    properties(&document(), &mut known);
    assert_eq!(written, known);
    for name in written {
        let is_named = page.split(|letter: char| letter != '_' && !letter.is_alphanumeric()).any(|word| word == name);
        assert!(is_named, "{name} is not on the page");
    }
}

/// Members whose own members are not the format's.
const FREE: [&str; 5] = ["profile", "app", "internal", "fields", "credential"];

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(names).collect(),
        Value::Object(members) => {
            let inner = members.iter().filter(|(name, _)| !FREE.contains(&name.as_str()));
            members.keys().cloned().chain(inner.flat_map(|(_, value)| names(value))).collect()
        }
        _ => Vec::new(),
    }
}

fn properties(schema: &Value, known: &mut BTreeSet<String>) {
    match schema {
        Value::Array(schemas) => schemas.iter().for_each(|schema| properties(schema, known)),
        Value::Object(members) => {
            known.extend(
                members
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
            members.values().for_each(|schema| properties(schema, known));
        }
        _ => {}
    }
}
