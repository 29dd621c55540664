//! Commands of operators, on the service's tables and queues.

use serde_json::{Value, json};
use tests::{Answer, PASSWORD, text};

use super::command::{Operator, Users};
use local::{Outage, Service};

const ADA: &str = "ada@example.com";

async fn keys(operator: &Operator) -> Vec<(String, String)> {
    let list = operator.run(&["keys", "list", "--json"]).await.json();
    list["keys"].as_array().unwrap().iter().map(|key| (text(&key["state"]), text(&key["kid"]))).collect()
}

async fn choose_password(operator: &Operator, link: &str) -> Answer {
    let (_, token) = link.split_once("/auth/password/reset?token=").unwrap();
    operator.app.post("/auth/password/reset", &json!({ "token": token, "password": PASSWORD })).await
}

#[tokio::test]
async fn the_first_administrator_chooses_a_password_by_link_and_signs_in() {
    let operator = Operator::start().await;
    let create = ["create-admin", ADA, "--name", "Ada Lovelace", "--json"];
    assert_eq!(operator.run(&[&create[..], &["--dry-run"]].concat()).await.json()["status"], "created");
    let created = operator.run(&create).await.json();
    assert_eq!(created["status"], "created");
    let again = operator.run(&create).await.json();
    assert_eq!((&again["status"], &again["id"]), (&json!("already_admin"), &created["id"]));
    operator.app.idle().await;
    assert!(operator.app.mails(ADA).await.is_empty(), "the link is printed alone");
    assert_eq!(choose_password(&operator, &text(&again["link"])).await.status, 200);
    assert_eq!(choose_password(&operator, &text(&created["link"])).await.code(), "link_used");
    let admin = operator.app.sign_in(ADA).await;
    let shown = admin.get(&format!("/users/{}", admin.id)).await.json();
    assert_eq!((&shown["roles"], &shown["email_confirmed"]), (&json!(["admin", "user"]), &json!(true)));
    let events = admin.get(&format!("/users/{}/activity", admin.id)).await.json();
    let created = events["events"].as_array().unwrap().iter().find(|event| event["type"] == "user.created").unwrap();
    assert_eq!(created["actor"], json!({ "type": "system" }));
}

#[tokio::test]
async fn an_account_becomes_an_administrator_once_its_address_is_confirmed() {
    let operator = Operator::start().await;
    operator.app.register(ADA).await;
    let early = operator.run(&["create-admin", ADA, "--json"]).await;
    assert_eq!(early.code, 1);
    let early: Value = serde_json::from_str(&early.stdout).unwrap();
    assert_eq!(early["status"], "unconfirmed");
    assert_eq!(choose_password(&operator, &text(&early["link"])).await.status, 200);
    assert_eq!(operator.run(&["create-admin", ADA, "--json"]).await.json()["status"], "role_added");
    let ada = operator.app.sign_in(ADA).await;
    assert_eq!(ada.get("/users").await.status, 200);
}

#[tokio::test]
async fn an_account_confirmed_by_link_must_choose_a_password_to_become_administrator() {
    let operator = Operator::start().await;
    let stranger = operator.app.signed_in(ADA).await;
    let early = operator.run(&["create-admin", ADA, "--json"]).await;
    assert_eq!(early.code, 1);
    assert_eq!(stranger.get("/users").await.code(), "forbidden");
    let early: Value = serde_json::from_str(&early.stdout).unwrap();
    assert_eq!(choose_password(&operator, &text(&early["link"])).await.status, 200);
    assert_eq!(operator.run(&["create-admin", ADA, "--json"]).await.json()["status"], "role_added");
    assert_eq!(stranger.get("/users").await.code(), "invalid_token");
    let admin = operator.app.sign_in(ADA).await;
    let activity = admin.get(&format!("/users/{}/activity", admin.id)).await.text;
    assert!(activity.contains("user.password_reset_sent"), "a link that is printed is told: {activity}");
}

#[tokio::test]
async fn a_key_is_rotated_by_the_rules_and_revoked_at_once() {
    let operator = Operator::start().await;
    let [(state, first)] = keys(&operator).await.try_into().unwrap();
    assert_eq!(state, "signing");
    let made = operator.run(&["keys", "rotate", "--json"]).await.json();
    let again = operator.run(&["keys", "rotate", "--json"]).await.json();
    assert_eq!((&made["status"], &again["status"]), (&json!("made"), &json!("waiting")));
    assert_eq!(made["kid"], again["kid"]);
    let next = text(&made["kid"]);
    assert_eq!(keys(&operator).await, [("next".to_owned(), next.clone()), (state, first.clone())]);

    for unknown in ["no-such-key", "-no-such-key", "--no-such-key"] {
        assert_eq!(operator.run(&["keys", "revoke", unknown]).await.refusal().0, 5, "{unknown}");
    }
    assert_eq!(operator.run(&["keys", "revoke", &first]).await.code, 0);
    operator.app.stack.sweep().await;
    let keys = keys(&operator).await;
    assert!(!keys.iter().any(|(_, kid)| *kid == first), "{keys:?}");
    let signing = keys.iter().find(|(state, _)| state == "signing").unwrap();
    assert_ne!(signing.1, next, "the next one is not published for long enough");
}

#[tokio::test]
async fn the_doctor_finds_nothing_and_then_what_is_broken() {
    let operator = Operator::start().await;
    let well = operator.run(&["doctor"]).await;
    assert_eq!((well.code, well.stderr.as_str()), (0, ""), "{well:?}");
    for line in ["ok configuration: ", "ok main table: ", "ok signing keys: ", "ok mail queue: ", "ok published keys: "]
    {
        assert!(well.stdout.contains(line), "{line}: {}", well.stdout);
    }
    operator.app.outage(Service::Sqs, Outage::Unavailable).await;
    let ill = operator.run(&["doctor", "--json"]).await;
    assert_eq!(ill.code, 1);
    let report: Value = serde_json::from_str(&ill.stdout).unwrap();
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["state"] == "fail");
    let failed: Vec<_> = failed.map(|check| text(&check["name"])).collect();
    assert_eq!(failed, ["mail queue", "webhook queue"]);
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let users = Users::at("http://127.0.0.1:9");
    let file = users.home.path().join("empty.env");
    std::fs::write(&file, "PUBLIC_URL=\nTABLE_NAME=\n").unwrap();
    let ran = users.run(&["keys", "list", "--env-file", file.to_str().unwrap()]).await;
    let (code, line) = ran.refusal();
    assert!(code == 1 && line.contains("PUBLIC_URL is not set") && line.contains("TABLE_NAME is not set"), "{line}");
}

#[tokio::test]
async fn a_local_stack_that_does_not_run_is_named() {
    let operator = Operator::start().await;
    let written = std::fs::read_to_string(operator.path("functions.env")).unwrap();
    let tables = written.lines().find(|line| line.starts_with("AWS_ENDPOINT_URL_DYNAMODB=")).unwrap();
    let stopped = written.replace(tables, "AWS_ENDPOINT_URL_DYNAMODB=\"http://127.0.0.1:9\"");
    let file = operator.path("stopped.env");
    std::fs::write(&file, stopped).unwrap();
    for command in [["keys", "list"].as_slice(), &["create-admin", "ada@example.com"]] {
        let ran = operator.users.run(&[command, &["--env-file", &file]].concat()).await;
        let (code, line) = ran.refusal();
        let names = line.contains("connection refused at http://127.0.0.1:9,") && line.contains("`cargo run`");
        assert!(code == 6 && names, "{code}: {line}");
    }
    let doctor = operator.users.run(&["doctor", "--env-file", &file]).await;
    assert!(doctor.stdout.contains("fail main table: users: dispatch failure"), "{doctor:?}");
    assert!(doctor.stdout.contains("ok mail queue"), "it checks the rest: {doctor:?}");
    assert!(doctor.stderr.contains("is the local stack running?"), "{doctor:?}");
}

#[tokio::test]
async fn a_file_that_is_encrypted_or_of_another_system_is_named() {
    let operator = Operator::start().await;
    let import = async |content: &str| {
        let file = operator.path("accounts");
        std::fs::write(&file, content).unwrap();
        operator.run(&["import", &file, "--dry-run"]).await
    };
    for encrypted in ["age-encryption.org/v1\n-> X25519 x\n", "-----BEGIN AGE ENCRYPTED FILE-----\n"] {
        let ran = import(encrypted).await;
        let (code, line) = ran.refusal();
        assert!(code == 1 && line.ends_with("encrypted with age: pass the key file with --identity"), "{line}");
    }
    let foreign = import("{\"_id\":\"1\",\"email_address\":\"ada@example.com\"}\n").await;
    assert!(foreign.code == 1 && foreign.stderr.contains("--from names the system"), "{foreign:?}");
    let refused = import("{\"email\":\"ada@example.com\"}\n{\"email\":\"ada\"}\n").await;
    assert!(refused.code == 1 && !refused.stderr.contains("--from"), "{refused:?}");
}

#[tokio::test]
async fn a_missing_session_names_the_service_and_how_to_name_another() {
    let users = Users::at("http://127.0.0.1:9");
    let ran = users.run(&["whoami"]).await;
    let (code, line) = ran.refusal();
    assert!(code == 3 && line.contains("not signed in at http://127.0.0.1:9:") && line.contains("USERS_URL"), "{line}");
    let ran = users.run_with(&format!("{PASSWORD}\n"), &["login", "ada@example.com", "--password-stdin"]).await;
    let (code, line) = ran.refusal();
    assert!(code == 6 && line.ends_with("is the service running there?"), "{line}");
}

#[tokio::test]
async fn shells_and_the_manual_know_every_command() {
    let users = Users::at("http://127.0.0.1:9");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(users.run(&["completions", shell]).await.stdout.contains("create-admin"), "{shell}");
    }
    let pages = users.home.path().join("man");
    assert_eq!(users.run(&["man", pages.to_str().unwrap()]).await.code, 0);
    for page in ["users.1", "users-create-admin.1", "users-keys-revoke.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
}
