//! `GET /users`

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use shared::domain::email::EmailAddress;
use shared::domain::id::UserId;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::user::User;
use shared::store::Created;
use tests::{SignedIn, TestApp, text};

/// Makes accounts without going through HTTP: `names` are what stands before the `@`.
async fn make_accounts(app: &TestApp, template: &User, names: impl Iterator<Item = String>) {
    let made = names.map(async |name| {
        let now = app.clock.now();
        let email = EmailAddress::parse(&format!("{name}@example.com")).unwrap();
        let user = User { id: UserId::new(now), email, created_at: now, ..template.clone() };
        keep(app, &user).await;
    });
    stream::iter(made).buffer_unordered(50).count().await;
}

async fn keep(app: &TestApp, user: &User) {
    let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ConfirmAddress { user: user.id }, user.created_at);
    assert_eq!(app.app().store().create_user(user, &mail, &tests::any_event(user)).await.unwrap(), Created::Yes);
}

async fn account(app: &TestApp, id: &str) -> User {
    app.app().store().user(id.parse().unwrap()).await.unwrap().unwrap()
}

fn emails(page: &Value) -> Vec<String> {
    page["users"].as_array().unwrap().iter().map(|user| text(&user["email"])).collect()
}

/// Walks from a cursor to the end.
async fn walk(admin: &SignedIn<'_>, limit: usize, mut cursor: Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = admin.get(&format!("/users?limit={limit}{from}")).await.json();
        found.extend(emails(&page));
        cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
        if cursor.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn only_staff_list_users() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(app.get("/users").await.code(), "unauthenticated");
    let answer = ada.get("/users").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"));
    let admin = app.admin().await;
    let answer = admin.get("/users").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(emails(&answer.json()), ["admin@example.com", "ada@example.com"], "newest first");
    assert_eq!(answer.json()["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_listed_user_looks_like_a_read_one_and_has_no_secret() {
    let app = TestApp::start().await;
    let (ada, admin) = (app.signed_in("ada@example.com").await, app.admin().await);
    let answer = admin.get("/users").await;
    let mut read = ada.get("/user").await.json();
    let object = read.as_object_mut().unwrap();
    assert_eq!((object.remove("app"), object.remove("profile")), (Some(json!({})), Some(json!({}))));
    object.insert("status".to_owned(), json!("active"));
    assert_eq!(answer.json()["users"][1], read);
    for secret in ["password", "argon2", "hash", "epoch", "disabled", "pk"] {
        assert!(!answer.text.contains(secret), "{secret} in {}", answer.text);
    }
}

#[tokio::test]
async fn limits_are_kept_to() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let template = account(&app, &admin.id).await;
    make_accounts(&app, &template, (0..1100).map(|number| format!("user{number}"))).await;
    for (query, expected) in [("", 20), ("?limit=1", 1), ("?limit=101", 101), ("?limit=1000", 1000)] {
        assert_eq!(emails(&admin.get(&format!("/users{query}")).await.json()).len(), expected, "{query}");
    }
    for limit in ["0", "1001", "-1", "1.5", "", "ten", "99999999999999999999", "0x10", "1%20", "%00"] {
        let answer = admin.get(&format!("/users?limit={limit}")).await;
        assert_eq!(answer.status, 400, "{limit:?}");
        assert_eq!(answer.fields(), [("limit".to_owned(), "out_of_range".to_owned())], "{limit:?}");
    }
    for query in ["limit=1&limit=2", "offset=5", "page=2", "limit[]=1"] {
        assert_eq!(admin.get(&format!("/users?{query}")).await.code(), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn a_page_is_full_and_in_order_at_any_limit() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let template = account(&app, &admin.id).await;
    let made = (0..300_u16).map(|number| {
        app.clock.advance(Duration::from_millis(1));
        let now = app.clock.now();
        let id = UserId::new(now);
        let email = EmailAddress::parse(&format!("user{number}@example.com")).unwrap();
        User { id, email, created_at: now, ..template.clone() }
    });
    let made: Vec<User> = made.collect();
    stream::iter(&made).for_each_concurrent(50, async |user| keep(&app, user).await).await;

    let newest_first = made.iter().rev().map(|user| user.email.to_string());
    let expected: Vec<String> = newest_first.chain(["admin@example.com".to_owned()]).collect();
    for limit in [1000, 100, 7] {
        assert_eq!(walk(&admin, limit, None).await, expected, "with a limit of {limit}");
    }
}

/// A read of `DynamoDB` ends after 1 MB, however many items it was to give.
#[tokio::test]
async fn a_page_is_whole_although_reads_of_the_index_are_cut() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let template = account(&app, &admin.id).await;
    make_accounts(&app, &template, (0..40).map(|number| format!("user{number}"))).await;
    let all = walk(&admin, 1000, None).await;
    assert_eq!(all.len(), 41);
    // Something large that the index holds as well.
    let id = |user: &Value| text(&user["id"]);
    let ids: Vec<_> = admin.get("/users?limit=1000").await.json()["users"].as_array().unwrap().iter().map(id).collect();
    for id in ids {
        let update = app.app().dynamodb().update_item().table_name("users").key("pk", s(&format!("USER#{id}")));
        let update = update.key("sk", s("PROFILE")).update_expression("SET picture.padding = :padding");
        update.expression_attribute_values(":padding", s(&"x".repeat(300_000))).send().await.unwrap();
    }
    let query = app.app().dynamodb().query().table_name("users").index_name("list");
    let query = query.key_condition_expression("listed_in = :list").expression_attribute_values(":list", s("USERS"));
    assert!(query.send().await.unwrap().last_evaluated_key.is_some(), "no read was cut");

    for limit in [1000, 7] {
        assert_eq!(walk(&admin, limit, None).await, all, "with a limit of {limit}");
    }
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn a_cursor_works_with_every_limit_and_always_again() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let template = account(&app, &admin.id).await;
    make_accounts(&app, &template, (0..30).map(|number| format!("user{number}"))).await;
    let whole = walk(&admin, 100, None).await;
    assert_eq!(whole.len(), 31);
    for limit in [1, 7, 31] {
        assert_eq!(walk(&admin, limit, None).await, whole, "with a limit of {limit}");
    }
    let cursor = text(&admin.get("/users?limit=1").await.json()["next_cursor"]);
    for limit in [1, 4, 100, 4] {
        assert_eq!(walk(&admin, limit, Some(cursor.clone())).await, whole[1..], "with a limit of {limit}");
    }
    let exact = admin.get("/users?limit=31").await.json();
    assert_eq!(exact["next_cursor"], Value::Null, "the last page says that it is the last");
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused() {
    let app = TestApp::start().await;
    let (ada, admin) = (app.signed_in("ada@example.com").await, app.admin().await);
    let genuine = text(&admin.get("/users?limit=1").await.json()["next_cursor"]);
    assert!(genuine.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{genuine}");

    let other = TestApp::start().await;
    let other_admin = other.admin().await;
    other.signed_in("ada@example.com").await;
    let foreign = text(&other_admin.get("/users?limit=1").await.json()["next_cursor"]);

    let mut forged: Vec<String> = (0..genuine.len())
        .map(|at| {
            let mut cursor = genuine.clone().into_bytes();
            cursor[at] = if cursor[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(cursor).unwrap()
        })
        .collect();
    forged.extend([
        foreign,
        ada.id.clone(),
        String::new(),
        "x".repeat(4000),
        genuine[1..].to_owned(),
        "%FF".to_owned(),
    ]);
    forged.extend([format!("{genuine}="), format!("{genuine}A"), ada.refresh_token.clone(), "../..".to_owned()]);
    for cursor in forged {
        let answer = admin.get(&format!("/users?cursor={cursor}")).await;
        assert_eq!(answer.status, 400, "{cursor}");
        assert_eq!(answer.fields(), [("cursor".to_owned(), "invalid_cursor".to_owned())], "{cursor}");
    }
    assert_eq!(admin.get(&format!("/users?cursor={genuine}")).await.status, 200);
}

#[tokio::test]
async fn paging_through_users_misses_and_repeats_none_while_others_are_added() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let template = account(&app, &admin.id).await;
    make_accounts(&app, &template, (0..1999).map(|number| format!("user{number}"))).await;

    let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = admin.get(&format!("/users?limit=100{cursor}")).await.json();
        found.extend(page["users"].as_array().unwrap().clone());
        pages += 1;
        make_accounts(&app, &template, (0..5).map(|number| format!("late{pages}-{number}"))).await;
        app.register(&format!("late{pages}@example.com")).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 20);
    assert_eq!(found.len(), 2000);
    let ids: Vec<String> = found.iter().map(|user| text(&user["id"])).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, each once");
    let listed: HashSet<String> = found.iter().map(|user| text(&user["email"])).collect();
    let expected = (0..1999).map(|number| format!("user{number}@example.com"));
    assert_eq!(listed, expected.chain(["admin@example.com".to_owned()]).collect());
}

#[tokio::test]
async fn who_lost_the_role_lists_no_more_whatever_the_token_says() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert_eq!(admin.get("/users").await.status, 200);
    assert_eq!(admin.delete("/user").await.status, 204);
    assert_eq!(admin.get("/users").await.code(), "invalid_token");
}
