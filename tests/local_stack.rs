//! The local stack: its pages, its data between runs, and how it starts

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use local::{Options, Outage, Service, Stack};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, PASSWORD, TestApp, eventually, jpeg, text};

/// An address that stays the same over restarts, whatever the port.
const PUBLIC: [(&str, &str); 1] = [("PUBLIC_URL", "http://users.example.com")];

fn options() -> Options {
    let cheap = [("PASSWORD_HASH_MEMORY_KIB", "8"), ("PASSWORD_HASH_ITERATIONS", "1")];
    Options {
        port: 0,
        variables: cheap.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        sweeping: false,
        ..Options::default()
    }
}

async fn refusal(options: Options) -> String {
    Stack::start(options).await.map(|_| ()).unwrap_err().to_string()
}

#[tokio::test]
async fn accounts_sessions_pictures_emails_and_logs_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(50, 50, [1, 2, 3])).await;
    assert_eq!(ada.picture().await["status"], "ready");
    app.idle().await;
    let (access, refresh) = (ada.access_token.clone(), ada.refresh_token.clone());
    let keys = app.get("/.well-known/jwks.json").await.text;
    app.stack.stop().await;

    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    assert_eq!(app.get("/.well-known/jwks.json").await.text, keys);
    let user = Answer::of(app.request(Method::GET, "/user").bearer_auth(&access)).await;
    assert_eq!(user.status, 200, "{}", user.text);
    assert_eq!(app.refresh(&refresh).await.status, 200);
    assert_eq!(app.sign_in("ada@example.com").await.picture().await["status"], "ready");
    assert_eq!(app.objects("pictures").await.len(), 3);
    assert_eq!(app.mails("ada@example.com").await.len(), 1);
    assert_eq!(app.events("user_registered").await.len(), 1);
    app.stack.stop().await;
}

#[tokio::test]
async fn an_email_in_the_outbox_survives_a_restart_and_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    assert_eq!(app.register("ada@example.com").await.status, 202);
    app.stack.stop().await;

    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    app.idle().await;
    assert!(app.mails("ada@example.com").await.is_empty());
    app.later(Duration::from_mins(2)).await;
    let token = app.confirmation_token("ada@example.com").await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
    app.idle().await;
    assert_eq!(app.mails("ada@example.com").await.len(), 1);
}

#[tokio::test]
async fn an_upload_that_was_not_resized_before_the_stop_is_resized_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    let ada = app.signed_in("ada@example.com").await;
    app.idle().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    ada.upload("image/jpeg", jpeg(50, 50, [1, 2, 3])).await;
    assert_eq!(ada.get("/user").await.json()["picture"]["status"], "processing");
    app.stack.stop().await;

    let app = TestApp::start_in(Some(folder.path()), &PUBLIC).await;
    let ada = app.sign_in("ada@example.com").await;
    let picture = ada.picture().await;
    assert_eq!(picture["status"], "ready");
    assert_eq!(app.get(&text(&picture["urls"]["64"])).await.status, 200);
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
}

#[tokio::test]
async fn without_a_folder_nothing_is_kept() {
    let app = TestApp::start().await;
    app.confirmed("ada@example.com").await;
    app.stack.stop().await;
    let app = TestApp::start().await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "invalid_credentials");
    assert!(app.mails("ada@example.com").await.is_empty());
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_in_one_line() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = refusal(Options { port, ..options() }).await;
    assert!(line.contains(&port.to_string()) && line.contains("PORT="), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[tokio::test]
async fn data_in_use_is_reported_in_one_line_until_its_owner_stops() {
    let folder = tempfile::tempdir().unwrap();
    let data = || Some(folder.path().to_owned());
    let first = Stack::start(Options { data: data(), ..options() }).await.unwrap();
    let line = refusal(Options { data: data(), ..options() }).await;
    assert!(line.contains("in use") && line.contains(folder.path().to_str().unwrap()), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    first.stop().await;
    Stack::start(Options { data: data(), ..options() }).await.unwrap().stop().await;
}

#[tokio::test]
async fn an_unusable_folder_or_invalid_variable_is_reported_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let line = refusal(Options { data: Some(file.clone()), ..options() }).await;
    assert!(line.contains(file.to_str().unwrap()) && line.lines().count() == 1, "{line}");
    for (name, value) in [
        ("SIGNING_ALGORITHM", "none"),
        ("ADMIN_EMAIL", "nobody"),
        ("PASSWORD_HASH_MEMORY_KIB", "lots"),
        ("CORS_ORIGINS", "app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
    ] {
        let variables = HashMap::from([(name.to_owned(), value.to_owned())]);
        let line = refusal(Options { variables, ..options() }).await;
        assert!(line.contains(name) && line.lines().count() == 1, "{line}");
    }
}

async fn page(app: &TestApp, path: &str, accept: &str) -> Answer {
    Answer::of(app.request(Method::GET, &app.local(path)).header("accept", accept)).await
}

#[tokio::test]
async fn the_mailbox_is_html_for_browsers_and_json_for_programs() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    app.mails_to("ada@example.com", 1).await;
    app.register("bob@example.com").await;
    app.mails_to("bob@example.com", 1).await;
    for path in ["/_local/mail", "/_local/logs", "/"] {
        let html = page(&app, path, "text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!(html.status, 200, "{path}");
        assert!(html.header("content-type").starts_with("text/html"), "{path}");
        assert!(html.text.to_ascii_lowercase().starts_with("<!doctype html>"), "{path}");
    }
    for accept in ["application/json", "*/*"] {
        let answer = page(&app, "/_local/mail", accept).await;
        assert!(answer.header("content-type").starts_with("application/json"));
        let mails = answer.json();
        assert_eq!((&mails[0]["to"], &mails[1]["to"]), (&json!("bob@example.com"), &json!("ada@example.com")));
        for field in ["subject", "text", "html", "sent_at"] {
            assert!(mails[0][field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
        }
        assert!(text(&mails[0]["sent_at"]).ends_with('Z'));
        assert!(mails[0]["links"].as_array().unwrap().iter().any(|link| text(link).contains("token=")));
    }
}

#[tokio::test]
async fn the_start_page_and_all_it_needs_come_from_here() {
    let app = TestApp::start().await;
    for path in ["/", "/_local/mail", "/_local/logs", "/_local/events", "/_local/receiver"] {
        let html = page(&app, path, "text/html").await.text;
        for attribute in [" src=\"", " href=\""] {
            for link in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                let here = link.starts_with('#')
                    || link.starts_with("data:")
                    || (link.starts_with('/') && !link.starts_with("//"));
                assert!(here, "{path} refers to {link}");
                if link.starts_with('/') {
                    let status = page(&app, link.split('#').next().unwrap(), "*/*").await.status.as_u16();
                    assert!([200, 308].contains(&status), "{path} refers to {link}: {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_address_that_is_shown_answers() {
    let app = TestApp::start().await;
    let about = page(&app, "/_local/about", "*/*").await.json();
    assert_eq!(about["product"], "Example");
    assert!(about["version"].as_str().is_some());
    let shown: Vec<String> =
        about["addresses"].as_array().unwrap().iter().map(|address| text(&address["url"])).collect();
    let printed: Vec<String> = app.stack.addresses().into_iter().map(|address| address.url).collect();
    assert_eq!(shown, printed);
    let pages = ["start", "docs", "mail", "logs", "events", "receiver"];
    for name in pages.into_iter().chain(["api", "dynamodb", "s3", "sqs", "ses", "firehose", "eventbridge"]) {
        let addresses = about["addresses"].as_array().unwrap();
        let address = addresses.iter().find(|address| address["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        assert!(!text(&address["what"]).is_empty());
        // What an AWS service says to a request without a signature is its own; that it answers is enough.
        let answer = Answer::of(app.request(Method::GET, &text(&address["url"]))).await;
        assert!(!pages.contains(&name) || answer.status == 200, "{name}");
        assert_eq!(address["page"], pages.contains(&name) || name == "api", "{name}");
    }
}

#[tokio::test]
async fn the_log_stream_has_records_with_the_names_of_ecs() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answer = ada.get("/user").await;
    let logs = page(&app, "/_local/logs", "*/*").await.json();
    let lines = logs.as_array().unwrap();
    for line in lines {
        for field in ["@timestamp", "log.level", "log.logger", "message"] {
            assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {line}");
        }
    }
    let request = lines.iter().find(|line| line["trace.id"] == answer.header("x-request-id")).unwrap();
    assert_eq!(request["faas.name"], "get_user");
    assert_eq!(request["http.request.method"], "GET");
    assert_eq!(request["http.response.status_code"], 200);
    assert_eq!(request["url.path"], "/api/v1/user");
    assert_eq!(request["user.id"], ada.id);
    assert_eq!(request["source.ip"], "127.0.0.1");
    let event = lines.iter().find(|line| line["event.action"] == "login_succeeded").unwrap();
    assert_eq!((&event["event.kind"], &event["event.outcome"]), (&json!("event"), &json!("success")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn concurrent_pages_of_accounts_are_answered_and_logged_by_both_runtimes() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let answers = join_all((0..3).map(|_| admin.get("/users"))).await;
    let lines = app.stack.logs().await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let line = lines.iter().find(|line| line["trace.id"] == answer.header("x-request-id")).unwrap();
        assert_eq!(line["faas.name"], "list_users");
    }
}

#[tokio::test]
async fn a_log_stream_that_refuses_records_loses_none_silently() {
    let app = TestApp::start().await;
    app.stack.logs().await;
    app.outage(Service::Firehose, Outage::PartialFailure).await;
    for _ in 0..30 {
        app.get("/health").await;
    }
    // What is refused three times is given up, and counted.
    app.stack.logs().await;
    app.outage(Service::Firehose, Outage::None).await;
    eventually("a line that counts what was dropped", async || {
        app.stack.logs().await.iter().find_map(|line| line["log.dropped"].as_u64()).filter(|dropped| *dropped > 0)
    })
    .await;
    let after = app.get("/health").await;
    let logs: Vec<Value> = app.stack.logs().await;
    assert!(logs.iter().any(|line| line["trace.id"] == after.header("x-request-id")));
}

#[tokio::test]
async fn requests_are_answered_while_the_log_stream_is_down() {
    let app = TestApp::start().await;
    app.outage(Service::Firehose, Outage::Unavailable).await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(ada.get("/user").await.status, 200);
}

#[tokio::test]
async fn the_credentials_of_each_start_are_in_the_file_for_functions() {
    let folder = tempfile::tempdir().unwrap();
    let read = || std::fs::read_to_string(folder.path().join("functions.env")).unwrap();
    let mut before = String::new();
    for _ in 0..2 {
        let app = TestApp::start_in(Some(folder.path()), &[]).await;
        let credentials = app.app().config.aws.credentials();
        let (id, secret) = (credentials.access_key_id(), credentials.secret_access_key());
        let file = read();
        assert!(file.contains(&format!("AWS_ACCESS_KEY_ID=\"{id}\"\n")), "{file}");
        assert!(file.contains(&format!("AWS_SECRET_ACCESS_KEY=\"{secret}\"\n")));
        assert!(!before.contains(id) && !before.contains(secret), "they are new");
        for line in app.stack.logs().await {
            assert!(!line.to_string().contains(secret), "{line}");
        }
        before = file;
        app.stack.stop().await;
    }
}

#[tokio::test]
async fn starting_fresh_empties_the_data_but_never_that_of_a_running_stack() {
    let folder = tempfile::tempdir().unwrap();
    let first = TestApp::start_in(Some(folder.path()), &[]).await;
    first.confirmed("ada@example.com").await;
    let fresh = || Options { port: 0, data: Some(folder.path().into()), fresh: true, ..Options::default() };
    assert!(Stack::start(fresh()).await.is_err(), "the data is in use");
    assert_eq!(first.login("ada@example.com", PASSWORD).await.status, 200);
    first.stack.stop().await;
    Stack::start(fresh()).await.unwrap().stop().await;
    let again = TestApp::start_in(Some(folder.path()), &[]).await;
    assert_eq!(again.login("ada@example.com", PASSWORD).await.status, 401);
    assert!(again.mails("ada@example.com").await.is_empty());
}
