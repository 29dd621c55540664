//! Commands of staff, over the API.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{ADMIN, Answer, PASSWORD, TestApp, text};

use super::command::Users;
use crate::factor::Owner;

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn a_session_file_is_private_and_signing_out_ends_the_session() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADA).await;
    assert_eq!(users.run(&["whoami", "--json"]).await.json()["email"], ADA);
    let file = users.home.path().join(".config/users/sessions.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let token = text(&stored[app.stack.url()]["refresh_token"]);
    assert_eq!(users.run(&["logout"]).await.code, 0);
    assert_eq!(app.refresh(&token).await.code(), "invalid_refresh_token");
    let whoami = users.run(&["whoami"]).await;
    let (code, line) = whoami.refusal();
    assert!(code == 3 && line.starts_with("users: not signed in at "), "{line}");
}

#[tokio::test]
async fn a_session_survives_a_folder_that_cannot_be_written() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADA).await;
    let new = users.home.path().join(".config/users/sessions.json.new");
    // A folder in its place: root is refused no permission.
    std::fs::create_dir(&new).unwrap();
    assert_eq!(users.run(&["whoami"]).await.code, 1);
    std::fs::remove_dir(&new).unwrap();
    assert_eq!(users.run(&["whoami", "--json"]).await.json()["email"], ADA);
}

#[tokio::test]
async fn commands_at_the_same_time_share_one_session() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADA).await;
    for ran in join_all((0..6).map(|_| users.run(&["whoami"]))).await {
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[tokio::test]
async fn an_account_lives_by_commands_alone() {
    let app = TestApp::start().await;
    app.admin().await;
    let users = Users::signed_in(&app, ADMIN).await;
    let create = ["create", "--name", "Ada Lovelace", "--email", ADA, "--role", "user", "--role", "beta", "--json"];
    let more = ["--app", r#"{"plan":"gold"}"#, "--external-id", "crm-1", "--email-confirmed"];
    let created = users.run(&[&create[..], &more].concat()).await.json();
    let id = text(&created["id"]);
    assert_eq!((&created["roles"], &created["app"]["plan"]), (&json!(["beta", "user"]), &json!("gold")));
    for who in [id.as_str(), ADA, "external:crm-1"] {
        assert_eq!(users.run(&["show", who, "--json"]).await.json()["id"], created["id"], "{who}");
    }
    assert!(users.run(&["find", "lovel", "--role", "beta"]).await.stdout.contains(ADA));
    let all = users.run(&["find", "--all", "--limit", "1", "--json"]).await.stdout;
    let all: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.iter().map(|user| text(&user["email"])).collect::<Vec<_>>(), [ADA, ADMIN]);

    let disabled = users.run(&["disable", ADA, "--reason", "Sends spam", "--until", "7d", "--json"]).await.json();
    assert_eq!((&disabled["status"], &disabled["disabled"]["reason"]), (&json!("disabled"), &json!("Sends spam")));
    assert_eq!(users.run(&["enable", ADA]).await.stdout, format!("enabled {ADA}\n"));
    let roles = users.run(&["set-role", ADA, "--add", "support", "--remove", "beta", "--json"]).await.json();
    assert_eq!(roles["roles"], json!(["support", "user"]));
    assert_eq!(users.run(&["set-role", ADA, "user", "--json"]).await.json()["roles"], json!(["user"]));
    assert_eq!(users.run(&["set-email", ADA, "ada@example.org", "--confirmed"]).await.code, 0);
    let ended = users.run(&["end-sessions", &id, "--json"]).await.json();
    assert_eq!(ended, json!({ "id": id, "status": "sessions_ended" }));
    assert!(users.run(&["activity", &id]).await.stdout.contains("user.disabled"));

    assert_eq!(users.run(&["delete", &id]).await.refusal().0, 3);
    let wrong = users.run(&["delete", &id, "--yes", ADA]).await;
    assert_eq!(wrong.refusal(), (4, "users: canceled: the email address of the account is ada@example.org"));
    assert_eq!(users.run(&["delete", &id, "--yes", "ada@example.org"]).await.code, 0);
    let gone = users.run(&["show", &id]).await;
    assert_eq!(gone.refusal(), (5, "users: User not found. (user_not_found)"));
    assert_eq!(users.run(&["show", ADA]).await.refusal().0, 5);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADMIN).await;
    let before = users.run(&["show", ADA, "--json"]).await.json();
    let id = text(&before["id"]);
    for (arguments, method, below, body) in [
        (&["disable", ADA, "--reason", "x"][..], "POST", "/disable", json!({ "reason": "x" })),
        (&["enable", ADA], "POST", "/enable", Value::Null),
        (&["delete", ADA], "DELETE", "", Value::Null),
        (&["drop-factor", ADA, "passkey:a/b"], "DELETE", "/factors/passkeys/a%2Fb", Value::Null),
        (&["drop-factor", ADA, "all"], "DELETE", "/factors", Value::Null),
        (&["set-role", ADA, "--add", "admin"], "PATCH", "", json!({ "roles": ["admin", "user"] })),
        (&["set-email", ADA, "a@b.example"], "PATCH", "", json!({ "email": "a@b.example" })),
        (&["reset-password", ADA], "POST", "/password-reset", json!({ "end_sessions": false })),
        (&["confirm", ADA], "POST", "/confirmation", Value::Null),
        (&["unsuppress", ADA], "DELETE", "/email-suppression", Value::Null),
    ] {
        let said = users.run(&[arguments, &["--dry-run", "--json"]].concat()).await.json();
        assert_eq!(said["path"], format!("/api/v1/users/{id}{below}"), "{arguments:?}");
        assert_eq!((&said["method"], &said["body"]), (&json!(method), &body), "{arguments:?}");
    }
    let invite = users.run(&["invite", "b@example.com", "--role", "support", "--dry-run"]).await;
    assert_eq!(invite.stdout, "POST /api/v1/invitations\n{\"email\":\"b@example.com\",\"roles\":[\"support\"]}\n");
    assert_eq!(users.run(&["show", ADA, "--json"]).await.json(), before);
    let count = admin.get("/users?limit=10").await.json()["users"].as_array().unwrap().len();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn an_old_sign_in_is_reauthenticated_where_a_route_requires_it() {
    let app = TestApp::start().await;
    app.admin().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADMIN).await;
    app.clock.advance(Duration::from_mins(16));
    let silent = users.run(&["disable", ADA]).await;
    assert_eq!(silent.refusal(), (3, "users: input is required, but prompting is disabled: Password again"));
    let wrong = users.run_with("wrong\n", &["disable", ADA, "--password-stdin"]).await;
    assert_eq!(wrong.refusal(), (1, "users: The current password is incorrect. (wrong_password)"));
    let right = users.run_with(&format!("{PASSWORD}\n"), &["disable", ADA, "--password-stdin"]).await;
    assert_eq!(right.stdout, format!("disabled {ADA}, with no end date\n"));
    assert_eq!(users.run(&["enable", ADA]).await.code, 0);
}

#[tokio::test]
async fn a_second_factor_is_requested_after_the_password_and_for_step_up() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let owner = Owner::enrolled_as(&app, admin, ADMIN).await;
    app.confirmed(ADA).await;
    let users = Users::of(&app);
    let login = ["login", ADMIN, "--password-stdin"];
    assert_eq!(users.run_with(&format!("{PASSWORD}\n"), &login).await.refusal().0, 3);
    let wrong = users.run_with(&format!("{PASSWORD}\n{}\n", owner.wrong_code()), &login).await;
    assert_eq!(
        wrong.refusal(),
        (1, "users: The code is incorrect, has expired, or has already been used. (invalid_code)")
    );
    let signed_in = users.run_with(&format!("{PASSWORD}\n{}\n", owner.fresh_code()), &login).await;
    assert_eq!(signed_in.stdout, format!("signed in as {ADMIN}\n"));
    app.clock.advance(Duration::from_mins(16));
    let recovery = format!("{}\n", owner.recovery[0]);
    assert_eq!(users.run_with(&recovery, &["disable", ADA, "--password-stdin"]).await.code, 0);
}

#[tokio::test]
async fn what_is_refused_has_its_line_and_its_exit_code() {
    let app = TestApp::start().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADA).await;
    assert_eq!(
        users.run(&["find"]).await.refusal(),
        (1, "users: Your account does not have permission to do this. (forbidden)")
    );
    let wrong = users.run_with("wrong\n", &["login", ADA, "--password-stdin"]).await;
    let said = "users: The email address or password is incorrect. (invalid_credentials)";
    assert_eq!(wrong.refusal(), (1, said));
    assert_eq!(users.run(&["show", "ada"]).await.code, 2);
    assert_eq!(users.run(&["delete"]).await.code, 2);
    let nowhere = Users::at("http://127.0.0.1:9");
    assert_eq!(nowhere.run_with("x\n", &["login", ADA, "--password-stdin"]).await.refusal().0, 6);
}

#[tokio::test]
async fn invalid_fields_are_named_on_the_line() {
    let app = TestApp::start().await;
    app.admin().await;
    let users = Users::signed_in(&app, ADMIN).await;
    let ran = users.run(&["create", "--name", "", "--email", "nobody", "--role", "Admin"]).await;
    let (code, line) = ran.refusal();
    assert_eq!(code, 1);
    for part in ["users: name: ", "; email: ", "(invalid_email)", "; roles: ", "(invalid_role)"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn a_reader_that_leaves_ends_it_quietly() {
    let app = TestApp::start().await;
    app.admin().await;
    let users = Users::signed_in(&app, ADMIN).await;
    let mut command = users.command(&["find", "--all", "--json"]);
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A service that answers a refresh, loses the first answer to a change and says 503 to the second; what it got of each.
fn unreliable(listener: &TcpListener) -> Vec<(String, Option<String>)> {
    let pair = r#"{"access_token":"a","refresh_token":"r2"}"#;
    let busy = r#"{"status":503,"code":"temporarily_unavailable","detail":"Too much happens at once."}"#;
    let answers = [
        Some(("200 OK", pair)),
        None,
        Some(("503 Service Unavailable\r\nretry-after: 0", busy)),
        Some(("201 Created", r#"{"id":"1"}"#)),
    ];
    answers.map(|answer| serve_one(listener, answer)).into()
}

fn serve_one(listener: &TcpListener, answer: Option<(&str, &str)>) -> (String, Option<String>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let request = lines.next().unwrap();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    if let Some((status, body)) = answer {
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    }
    let key = headers.iter().find_map(|header| header.strip_prefix("idempotency-key: "));
    (request, key.map(ToOwned::to_owned))
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let users = Users::at(&url);
    let folder = users.home.path().join(".config/users");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("sessions.json"), json!({ url: { "refresh_token": "r1" } }).to_string()).unwrap();
    // Not of the runtime, which would wait for requests that never come.
    let served = std::thread::spawn(move || unreliable(&listener));
    let create = users.run(&["create", "--name", "Ada", "--email", ADA]).await;
    assert_eq!(create.stdout, format!("created 1 {ADA}\n"), "{create:?}");
    let [(refresh, none), changes @ ..] = &served.join().unwrap()[..] else { panic!("no requests") };
    assert_eq!((refresh.as_str(), none), ("POST /api/v1/auth/refresh HTTP/1.1", &None));
    assert!(changes.iter().all(|change| *change == changes[0] && change.1.is_some()), "{changes:?}");
    assert!(std::fs::read_to_string(folder.join("sessions.json")).unwrap().contains("r2"));
}

#[tokio::test]
async fn concurrent_changes_of_roles_keep_all_of_them() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.confirmed(ADA).await;
    let users = Users::signed_in(&app, ADMIN).await;
    let added = ["a", "b", "c", "d"].map(|role| ["set-role", ADA, "--add", role]);
    for ran in join_all(added.iter().map(|arguments| users.run(arguments))).await {
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let found = Answer::of(admin.request(Method::GET, "/users?role=a")).await.json();
    assert_eq!(found["users"][0]["roles"], json!(["a", "b", "c", "d", "user"]));
}

#[tokio::test]
async fn people_are_invited_sent_another_link_and_refused() {
    let app = TestApp::start().await;
    app.admin().await;
    let users = Users::signed_in(&app, ADMIN).await;
    let invited = users.run(&["invite", ADA, "--role", "beta", "--app", r#"{"plan":"gold"}"#, "--json"]).await.json();
    let id = text(&invited["id"]);
    assert_eq!((&invited["status"], &invited["roles"]), (&json!("pending"), &json!(["beta"])));
    assert_eq!(users.run(&["invite", ADA]).await.code, 1, "there is one");
    let listed = users.run(&["invitations", "list"]).await.stdout;
    assert!(listed.contains(ADA) && listed.contains("pending"), "{listed}");
    let first = app.mailed_token(ADA, "/auth/invitation").await;
    assert_eq!(users.run(&["invitations", "send", &id]).await.stdout, format!("emailed the invitation {id} again\n"));
    let second = app.mailed_token(ADA, "/auth/invitation").await;
    assert_ne!(first, second);
    assert_eq!(users.run(&["invitations", "revoke", &id]).await.stdout, format!("revoked the invitation {id}\n"));
    assert_eq!(users.run(&["invitations", "revoke", &id]).await.code, 5);
    assert_eq!(app.post("/auth/invitation", &json!({ "token": second })).await.code(), "link_invalid");
}
