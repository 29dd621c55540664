//! Moving out, and in again: everybody signs in with what they had.

use age::secrecy::ExposeSecret;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use shared::domain::totp::{Step, TotpSecret};
use tempfile::TempDir;
use tests::{PASSWORD, text};

use super::import::{account, django, import, second_step};
use crate::cli::command::{Operator, Users};
use crate::factor::Owner;
use crate::passkey;

const ADA: &str = "ada@example.com";

/// How many accounts there are.
async fn accounts(operator: &Operator) -> usize {
    operator.app.app().store().list_users(10_000, None).await.unwrap().len()
}

/// A key of age, and the file with its private half.
fn age_key(folder: &TempDir) -> (String, String) {
    let key = age::x25519::Identity::generate();
    let path = folder.path().join("key.txt");
    std::fs::write(&path, key.to_string().expose_secret()).unwrap();
    (key.to_public().to_string(), path.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_export_that_is_imported_into_an_empty_stack_signs_everybody_in() {
    let old = Operator::start().await;
    let app = &old.app;
    // With a password of this service.
    app.signed_in("password@example.com").await;
    // With an authenticator app and recovery codes.
    let owner = Owner::enrolled(app, ADA).await;
    // With a passkey.
    let mut key = passkey::authenticator(app);
    let bob = app.signed_in("bob@example.com").await;
    passkey::added(&bob, &mut key).await;
    // Imported, and never signed in since: with a hash, an app and codes of another system.
    let vector = django();
    let mut imported = account("imported@example.com", &vector);
    let secret = BASE32_NOPAD.encode(&[9; 20]);
    imported["totp"] = json!({ "secret": secret });
    imported["recovery_codes"] = json!({ "codes": ["7kq4-m2xt"] });
    import(app, &imported).await;
    // With a role, metadata, an id of another system, a password in doubt; disabled; unconfirmed; gone.
    let admin = app.admin().await;
    let made = json!({ "name": "Grace", "email": "grace@example.com", "roles": ["editor"], "app": { "plan": "team" },
        "internal": { "note": "x" }, "external_id": "4711", "email_confirmed": true });
    assert_eq!(admin.post("/users", &made).await.status, 201);
    let eve = app.signed_in("eve@example.com").await;
    let reason = json!({ "reason": "A ticket" });
    assert_eq!(admin.post(&format!("/users/{}/disable", eve.id), &reason).await.status, 200);
    app.register("waits@example.com").await;
    let gone = app.signed_in("gone@example.com").await;
    assert_eq!(gone.delete("/user").await.status, 204);
    app.idle().await;

    let (recipient, identity) = age_key(&old.data);
    let file = old.path("users.age");
    let export = old.run(&["export", "--to", &file, "--recipient", &recipient, "--json"]).await.json();
    assert_eq!(
        export["counts"],
        json!({ "accounts": 8, "totp": 2, "passkeys": 1, "recovery_sets": 3, "imported_passwords": 1 })
    );
    let encrypted = std::fs::read(&file).unwrap();
    assert!(encrypted.starts_with(b"age-encryption.org/v1"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &encrypted);
    let hex = HEXLOWER.encode(digest.as_ref());
    let manifest: Value = serde_json::from_slice(&std::fs::read(format!("{file}.manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest, &manifest["encrypted"]["sha256"]), (&export, &json!(hex)));
    assert!(!old.path("users.age.part").is_empty() && !std::path::Path::new(&old.path("users.age.part")).exists());
    let again = old.run(&["export", "--to", &file, "--recipient", &recipient]).await;
    assert_eq!(again.code, 1, "a file is not overwritten: {again:?}");
    // Staff see that it happened.
    let acts = admin.get("/activity").await.json();
    assert!(acts["events"].as_array().unwrap().iter().any(|event| event["type"] == "export.started"), "{acts}");
    // Nothing of it stays in the bucket.
    let left = app.app().s3().list_objects_v2().bucket("transfer").send().await.unwrap();
    assert_eq!(left.contents().len(), 0, "{left:?}");

    let new = Operator::start().await;
    let arguments = ["import", &file, "--identity", &identity, "--json"];
    let dry = new.run(&[&arguments[..], &["--dry-run"]].concat()).await.json();
    assert_eq!((&dry["imported"], &dry["refused"]), (&json!(8), &json!(0)));
    let done = new.run(&arguments).await.json();
    assert_eq!((&done["imported"], &done["refused"]), (&json!(8), &json!(0)));
    let again = new.run(&arguments).await.json();
    assert_eq!((&again["imported"], &again["already_there"]), (&json!(0), &json!(8)));

    let app = &new.app;
    assert_eq!(app.login("password@example.com", PASSWORD).await.status, 200);
    assert_eq!(app.login("eve@example.com", PASSWORD).await.code(), "account_disabled");
    assert_eq!(app.login("waits@example.com", PASSWORD).await.code(), "email_not_confirmed");
    assert_eq!(app.login("gone@example.com", PASSWORD).await.code(), "invalid_credentials");
    app.clock.advance(std::time::Duration::from_mins(2));
    let proof = json!({ "code": owner.code_at(app.clock.now()) });
    assert_eq!(second_step(app, ADA, PASSWORD, proof).await.status, 200);
    let proof = json!({ "recovery_code": owner.recovery[0] });
    assert_eq!(second_step(app, ADA, PASSWORD, proof.clone()).await.status, 200);
    assert_eq!(second_step(app, ADA, PASSWORD, proof).await.status, 403, "each code once");
    let proof = json!({ "recovery_code": "7kq4m2xt" });
    assert_eq!(second_step(app, "imported@example.com", &vector.password, proof).await.status, 200);
    let code = TotpSecret::from_bytes([9; 20]).code(Step::at(app.clock.now()));
    let proof = json!({ "code": String::from_utf8(code).unwrap() });
    assert_eq!(second_step(app, "imported@example.com", &vector.password, proof).await.status, 200);
    key.origin = app.stack.url().replace("127.0.0.1", "localhost");
    let answer = passkey::sign_in(app, &mut key).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["user"]["id"]), (200, &json!(bob.id)), "{}", answer.text);
    let admin = app.sign_in("admin@example.com").await;
    let grace = admin.get("/users?external_id=4711").await.json()["users"][0].clone();
    let grace = admin.get(&format!("/users/{}", text(&grace["id"]))).await.json();
    for (member, value) in
        [("roles", json!(["editor"])), ("app", json!({ "plan": "team" })), ("internal", json!({ "note": "x" }))]
    {
        assert_eq!(grace[member], value, "{member}");
    }
    let eve_there = admin.get(&format!("/users/{}", eve.id)).await.json();
    assert_eq!((&eve_there["status"], &eve_there["disabled"]["reason"]), (&json!("disabled"), &json!("A ticket")));
}

#[tokio::test]
async fn a_password_in_doubt_is_in_doubt_after_a_move() {
    let (old, new) = (Operator::start().await, Operator::start().await);
    // Confirmed by a plain link alone: whoever knows the password may not read the mailbox.
    old.app.signed_in(ADA).await;
    let (recipient, identity) = age_key(&old.data);
    let file = old.path("users.age");
    assert_eq!(old.run(&["export", "--to", &file, "--recipient", &recipient]).await.code, 0);
    assert_eq!(new.run(&["import", &file, "--identity", &identity]).await.code, 0);
    let created = new.run(&["create-admin", ADA]).await;
    assert_eq!(created.code, 1, "{created:?}");
    assert!(created.stdout.contains("not an administrator yet"), "{created:?}");
}

#[tokio::test]
async fn an_import_that_is_killed_again_and_again_makes_each_account_once() {
    const ACCOUNTS: usize = 600;
    let new = Operator::start().await;
    let file = new.path("accounts.jsonl");
    let vector = django();
    let lines = (0..ACCOUNTS).map(|number| account(&format!("user{number}@example.com"), &vector).to_string());
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let environment = new.path("functions.env");
    let arguments = ["import", file.as_str(), "--env-file", environment.as_str(), "--json"];
    for share in 1..4 {
        let mut child = new.users.command(&arguments).spawn().unwrap();
        tests::eventually("a part of the accounts", async || (accounts(&new).await > share * 100).then_some(())).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(accounts(&new).await < ACCOUNTS, "it was killed before its end");
    let before = accounts(&new).await;
    let done = new.run(&["import", &file, "--json"]).await.json();
    assert_eq!(done["imported"].as_u64().unwrap() + done["already_there"].as_u64().unwrap(), ACCOUNTS as u64);
    assert!(done["already_there"].as_u64().unwrap() >= before as u64);
    assert_eq!(accounts(&new).await, ACCOUNTS);
    new.app.idle().await;
    let events = new.app.stack.bus_events();
    let imported: std::collections::BTreeSet<String> = events
        .iter()
        .filter(|event| event.detail["type"] == "user.imported")
        .map(|event| text(&event.detail["subject"]))
        .collect();
    assert_eq!(imported.len(), ACCOUNTS);
    assert_eq!(new.app.login("user599@example.com", &vector.password).await.status, 200);
}

#[tokio::test]
async fn a_file_of_another_system_is_imported_by_the_command_line() {
    let new = Operator::start().await;
    let sample = |name: &str| format!("{}/../formats/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    let settings = new.path("settings.json");
    std::fs::write(&settings, FLASK_SETTINGS).unwrap();
    for (source, file, more) in [
        ("django", "django.csv", &[][..]),
        ("keycloak", "keycloak-realm.json", &[]),
        ("flask-security", "flask-security.csv", &["--settings", &settings]),
    ] {
        let new = Operator::start().await;
        let file = sample(file);
        let report = new.path("report.jsonl");
        let arguments = [&["import", &file, "--from", source, "--report", &report, "--json"], more].concat();
        let ran = new.run(&arguments).await;
        let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        assert!(told["imported"].as_u64().unwrap() > 0, "{ran:?}");
        let lines = std::fs::read_to_string(&report).unwrap();
        let counted = ["imported", "already_there", "refused"].map(|name| told[name].as_u64().unwrap());
        assert_eq!(lines.lines().count() as u64, counted.iter().sum::<u64>(), "{lines}");
        // An interrupted run left a line that is not whole.
        std::fs::write(&report, format!("{lines}{{\"row\"")).unwrap();
        let after = [&["import", &file, "--from", source, "--report", &report, "--after", "100"], more].concat();
        new.run(&after).await.stdout.lines().for_each(|line| assert!(line.contains("0 imported"), "{line}"));
        assert_eq!(std::fs::read_to_string(&report).unwrap(), lines);
    }
    let own = new.path("accounts.jsonl");
    std::fs::write(&own, "{\"email\":\"ada@example.com\"}\n").unwrap();
    let over_the_file = new.run(&["import", &own, "--report", &own, "--dry-run"]).await;
    assert_eq!(over_the_file.refusal().0, 1);
    assert!(std::fs::read_to_string(&own).unwrap().contains("ada@example.com"));
    std::fs::write(&settings, r#"{"peper":"3f9c1e7a52d84b60"}"#).unwrap();
    let misspelled = new.run(&["import", &own, "--settings", &settings]).await;
    assert!(misspelled.refusal().1.contains("peper"), "{misspelled:?}");
    let unconfirmed = new.run(&["import", &own, "--json"]).await;
    let told: Value = serde_json::from_str(&unconfirmed.stdout).unwrap();
    assert_eq!((&told["imported"], &told["unconfirmed"]), (&json!(1), &json!(1)), "{unconfirmed:?}");
    let sorry = new.run(&["import", &sample("django.csv"), "--from", "oracle"]).await;
    assert_eq!(sorry.code, 2, "{sorry:?}");
    let missing = new.run(&["import", &new.path("nothing.csv"), "--from", "django"]).await;
    assert_eq!(missing.refusal().0, 1);
    let recipient = new.run(&["export", "--to", &new.path("x.age"), "--recipient", "age1nonsense"]).await;
    assert_eq!(recipient.refusal().0, 1);
}

const FLASK_SETTINGS: &str = r#"{
    "SECURITY_PASSWORD_SALT": "146585145368132386173505678016728509634",
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SINGLE_HASH": false,
    "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKD"
}"#;

#[tokio::test]
async fn passwords_are_tried_against_hashes_a_line_each() {
    let users = Users::at("http://127.0.0.1:1");
    let vector = include_str!("../../foreign-hashes/vectors/vectors.jsonl").lines().find(|line| {
        line.contains("django_pbkdf2_sha256") && line.contains("\"verifies\":true")
            || line.contains("django_pbkdf2_sha256") && line.contains("\"verifies\": true")
    });
    let vector = vector.unwrap();
    let wrong = vector.replace("\"password\": \"", "\"password\": \"x").replace("\"password\":\"", "\"password\":\"x");
    let ran = users.run_with(&format!("{vector}\n{wrong}\nnonsense\n"), &["verify-hash"]).await;
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0], &lines[1]), (&json!({ "verifies": true }), &json!({ "verifies": false })), "{ran:?}");
    assert!(lines[2]["error"].is_string());
}
