//! `GET /auth/confirm`, `POST /auth/confirm`

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use shared::http::pages::CONTENT_SECURITY_POLICY;
use tests::{Answer, PASSWORD, TestApp, text};

const LIFE: Duration = Duration::from_hours(24);
/// What a browser says it takes.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// As a program that prefers JSON by name.
async fn open(app: &TestApp, token: &str) -> Answer {
    open_with(app, &format!("token={token}")).await
}

async fn open_with(app: &TestApp, query: &str) -> Answer {
    let request = app.request(Method::GET, &format!("/auth/confirm?{query}"));
    Answer::of(request.header("accept", "application/json")).await
}

async fn post(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/confirm", &json!({ "token": token })).await
}

async fn open_in_browser(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.request(Method::GET, &format!("/auth/confirm?token={token}")).header("accept", BROWSER)).await
}

async fn press_the_button(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.request(Method::POST, "/auth/confirm").header("accept", BROWSER).form(&[("token", token)])).await
}

/// Registers; the token that was mailed.
async fn registered(app: &TestApp, email: &str) -> String {
    assert_eq!(app.register(email).await.status, 202);
    app.confirmation_token(email).await
}

#[tokio::test]
async fn a_program_confirms_by_get_json_or_form_and_repeats_are_reported() {
    let app = TestApp::start().await;
    for way in ["get", "json", "form"] {
        let email = format!("{way}@example.com");
        let token = registered(&app, &email).await;
        for status in ["confirmed", "already_confirmed", "already_confirmed"] {
            let answer = match way {
                "get" => open(&app, &token).await,
                "json" => post(&app, &token).await,
                _ => Answer::of(app.request(Method::POST, "/auth/confirm").form(&[("token", &token)])).await,
            };
            assert_eq!(answer.status, 200, "{way}: {}", answer.text);
            assert_eq!(answer.json(), json!({ "status": status }), "{way}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        assert_eq!(app.login(&email, PASSWORD).await.status, 200, "{way}");
    }
}

#[tokio::test]
async fn a_program_may_name_json_as_what_it_takes() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let request =
        app.request(Method::GET, &format!("/auth/confirm?token={token}")).header("accept", "application/json");
    assert_eq!(Answer::of(request).await.json(), json!({ "status": "confirmed" }));
}

#[tokio::test]
async fn concurrent_uses_of_a_link_confirm_once() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let gets = join_all((0..8).map(|_| open(&app, &token)));
    let posts = join_all((0..8).map(|_| post(&app, &token)));
    let (gets, posts) = tokio::join!(gets, posts);
    let mut statuses: Vec<String> = gets.iter().chain(&posts).map(|answer| text(&answer.json()["status"])).collect();
    statuses.sort();
    assert_eq!(statuses.iter().filter(|status| *status == "confirmed").count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| *status == "already_confirmed").count(), 15, "{statuses:?}");
    assert_eq!(app.events("address_confirmed").await.len(), 1);
}

#[tokio::test]
async fn concurrent_links_of_one_account_confirm_once() {
    let app = TestApp::start_with(&[("LIMITS", "off")]).await;
    let mut tokens = vec![registered(&app, "ada@example.com").await];
    for count in 2..9 {
        app.post("/auth/send", &json!({ "email": "ada@example.com" })).await;
        app.mails_to("ada@example.com", count).await;
        tokens.push(app.confirmation_token("ada@example.com").await);
    }
    let answers = join_all(tokens.iter().map(|token| post(&app, token))).await;
    let confirmed = answers.iter().filter(|answer| answer.json()["status"] == "confirmed").count();
    assert_eq!(confirmed, 1, "{answers:?}");
    assert_eq!(app.events("address_confirmed").await.len(), 1);
}

#[tokio::test]
async fn a_link_expires_after_a_day_and_says_so() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let late = registered(&app, "bob@example.com").await;
    app.clock.advance(LIFE - Duration::from_mins(5));
    assert_eq!(post(&app, &token).await.json()["status"], "confirmed");
    app.clock.advance(Duration::from_mins(5));
    for answer in [open(&app, &late).await, post(&app, &late).await] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (410, "link_expired"));
    }
    assert_eq!(app.login("bob@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn what_is_not_a_link_of_ours_is_refused() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let cut = &token[..token.len() - 1];
    let longer = format!("{token}A");
    let zeros = URL_SAFE_NO_PAD.encode([0; 48]);
    let mut last_turned = URL_SAFE_NO_PAD.decode(&token).unwrap();
    last_turned[47] ^= 1;
    let last_turned = URL_SAFE_NO_PAD.encode(last_turned);
    for garbage in ["", "x", "%00", "MZ2x-9_kQ0", "../../etc/passwd", cut, &longer, &zeros, &last_turned] {
        for answer in [open(&app, garbage).await, post(&app, garbage).await] {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "link_invalid"), "{garbage:?}");
        }
    }
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn a_request_without_one_token_is_refused() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    for query in [String::new(), format!("token={token}&token={token}"), format!("Token={token}")] {
        assert_eq!(open_with(&app, &query).await.fields(), [("token".into(), "required".into())], "{query}");
    }
    for body in
        [json!({}), json!({ "token": 5 }), json!({ "token": token, "email": "eve@example.com" }), json!([token])]
    {
        assert_eq!(app.post("/auth/confirm", &body).await.code(), "invalid_request", "{body}");
    }
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn the_link_of_one_account_does_not_confirm_another() {
    let app = TestApp::start().await;
    let ada = URL_SAFE_NO_PAD.decode(registered(&app, "ada@example.com").await).unwrap();
    let eve = URL_SAFE_NO_PAD.decode(registered(&app, "eve@example.com").await).unwrap();
    // The account that a token leads to stands before its secret, and anybody can read it.
    let swapped = URL_SAFE_NO_PAD.encode([&ada[..16], &eve[16..]].concat());
    assert_eq!(post(&app, &swapped).await.code(), "link_invalid");
    assert_eq!(post(&app, &URL_SAFE_NO_PAD.encode(&eve)).await.json()["status"], "confirmed");
    assert_eq!(post(&app, &swapped).await.code(), "link_invalid");
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn the_link_of_a_deleted_account_confirms_nothing_not_even_its_successor() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let admin = app.admin().await;
    let users = admin.get("/users").await.json();
    let ada = users["users"].as_array().unwrap().iter().find(|user| user["email"] == "ada@example.com").unwrap();
    assert_eq!(admin.delete(&format!("/user?id={}", text(&ada["id"]))).await.status, 204);
    assert_eq!(post(&app, &token).await.code(), "link_invalid");
    app.register("ada@example.com").await;
    assert_eq!(post(&app, &token).await.code(), "link_invalid");
    assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
}

#[tokio::test]
async fn a_browser_that_opens_the_link_gets_a_button_and_confirms_nothing() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    for _ in 0..2 {
        let page = open_in_browser(&app, &token).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
        assert_eq!(page.header("content-security-policy"), CONTENT_SECURITY_POLICY);
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.text.contains("<form method=\"post\""), "{}", page.text);
        assert!(page.text.contains(&token), "{}", page.text);
        assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed");
    }
    assert_eq!(post(&app, &token).await.json()["status"], "confirmed");
}

#[tokio::test]
async fn the_button_confirms_and_every_outcome_is_a_page() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let late = registered(&app, "bob@example.com").await;
    let confirmed = press_the_button(&app, &token).await;
    assert_eq!(app.login("ada@example.com", PASSWORD).await.status, 200);
    let again = press_the_button(&app, &token).await;
    let invalid = press_the_button(&app, "<script>alert(1)</script>").await;
    app.clock.advance(LIFE);
    let expired = press_the_button(&app, &late).await;
    for (page, status, says) in [
        (confirmed, 200, "Your email address is confirmed"),
        (again, 200, "Your email address is already confirmed"),
        (invalid, 400, "This link does not work"),
        (expired, 410, "This link has expired"),
    ] {
        assert_eq!(page.status, status, "{says}");
        assert!(page.header("content-type").starts_with("text/html"), "{says}");
        assert_eq!(page.header("content-security-policy"), CONTENT_SECURITY_POLICY, "{says}");
        assert!(page.text.contains(says), "{says}: {}", page.text);
        assert!(!page.text.contains("<script"), "{says}");
    }
}

#[tokio::test]
async fn the_page_does_not_run_what_the_address_holds() {
    let app = TestApp::start().await;
    let page = open_in_browser(&app, "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert_eq!(page.status, 400);
    assert!(!page.text.contains("<script"), "{}", page.text);
}

#[tokio::test]
async fn head_changes_nothing() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    for accept in ["*/*", BROWSER] {
        let request = app.request(Method::HEAD, &format!("/auth/confirm?token={token}")).header("accept", accept);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 405);
        let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "POST"]);
        assert_eq!(answer.text, "");
    }
    assert_eq!(post(&app, &token).await.json()["status"], "confirmed");
}

#[tokio::test]
async fn only_the_configured_address_makes_an_administrator() {
    let app = TestApp::start_with(&[("ADMIN_EMAIL", "boss@example.com")]).await;
    for (email, roles) in [
        ("admin@example.com", json!(["user"])),
        ("boss@example.com.evil.example", json!(["user"])),
        ("boss+1@example.com", json!(["user"])),
    ] {
        assert_eq!(app.register(email).await.status, 202);
        // A mail goes to the address with its domain in lower case.
        let (local, domain) = email.split_once('@').unwrap();
        let token = app.confirmation_token(&format!("{local}@{}", domain.to_lowercase())).await;
        assert_eq!(post(&app, &token).await.status, 200);
        let user = app.sign_in(email).await;
        assert_eq!(user.get("/user").await.json()["roles"], roles, "{email}");
        assert_eq!(user.get("/users").await.status, 403, "{email}");
    }
    assert_eq!(app.register("Boss@Example.com").await.status, 202);
    assert_eq!(app.choose_password("Boss@example.com", PASSWORD).await.status, 200);
    let boss = app.sign_in("boss@example.com").await;
    assert_eq!(boss.get("/user").await.json()["roles"], json!(["user", "admin"]));
    assert_eq!(boss.get("/users").await.status, 200);
}

/// Reported by users of gcconnex (issue 1062) and fxa-content-server (issue 4884), whose links came with parameters of a
/// campaign.
#[tokio::test]
async fn every_page_of_an_emailed_link_ignores_added_parameters() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    for query in [
        format!("token={token}&utm_source=x&utm_source=y"),
        format!("fbclid=1&token={token}"),
        format!("token={token}&%FF=%00&=&&x"),
        format!("token={token}."),
        format!("token={token}%3E"),
        format!("token=%20{token}%0D%0A"),
    ] {
        let page = browse(&app, &format!("/auth/confirm?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        assert!(page.text.contains("<button") && page.text.contains(&format!("value=\"{token}\"")), "{}", page.text);
    }
    assert_eq!(open_with(&app, &format!("token={token}&utm_source=x")).await.json()["status"], "confirmed");

    let ada = app.sign_in("ada@example.com").await;
    app.post("/auth/password/forgot", &json!({ "email": "ada@example.com" })).await;
    let reset = app.mailed_token("ada@example.com", "/auth/password/reset").await;
    ada.put("/user", &json!({ "email": "ada@example.org" })).await;
    let change = app.mailed_token("ada@example.org", "/auth/email/confirm").await;
    for (path, token) in [("/auth/password/reset", &reset), ("/auth/email/confirm", &change)] {
        let page = browse(&app, &format!("{path}?token={token}&utm_source=x")).await;
        assert!(page.status == 200 && page.text.contains("<form"), "{path}: {}", page.text);
    }
    app.post("/auth/email/confirm", &json!({ "token": change })).await;
    let undo = app.mailed_token("ada@example.com", "/auth/email/undo").await;
    let page = browse(&app, &format!("/auth/email/undo?utm_source=x&token={undo}")).await;
    assert!(page.status == 200 && page.text.contains("<form"), "{}", page.text);
}

/// Reported by users of blurts-server (issue 526), who got JSON for a link whose token their email program had left out.
#[tokio::test]
async fn a_browser_gets_a_page_for_a_link_without_a_usable_token() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    let cut = &token[..token.len() - 3];
    for path in ["/auth/confirm", "/auth/password/reset", "/auth/email/confirm", "/auth/email/undo"] {
        let queries = [
            "",
            "?",
            "?token",
            "?token=",
            "?utm_source=x",
            &format!("?token={cut}"),
            &format!("?token={token}&token={token}"),
        ]
        .map(str::to_owned);
        for query in queries {
            let page = browse(&app, &format!("{path}{query}")).await;
            assert_eq!(page.status, 400, "{path}{query}");
            assert!(page.header("content-type").starts_with("text/html"), "{path}{query}");
            assert_eq!(page.header("content-security-policy"), CONTENT_SECURITY_POLICY, "{path}{query}");
            assert!(page.text.contains("<h1>This link does not work</h1>"), "{path}{query}: {}", page.text);
            assert!(page.text.contains("To get a new link"), "{path}{query}: {}", page.text);
        }
    }
}

/// Reported by users of supabase/auth (issues 739 and 1214), whose links were opened by previews and scanners first.
#[tokio::test]
async fn only_a_client_that_explicitly_prefers_json_confirms_by_opening_the_link() {
    let app = TestApp::start().await;
    let token = registered(&app, "ada@example.com").await;
    for accept in [
        None,
        Some("*/*"),
        Some(""),
        Some("application/*"),
        Some(BROWSER),
        Some("image/*,*/*;q=0.8"),
        Some("application/json;q=0.5, */*"),
        Some("text/html, application/json"),
    ] {
        let request = app.request(Method::GET, &format!("/auth/confirm?token={token}"));
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let page = Answer::of(request).await;
        assert!(page.status == 200 && page.text.contains("<button"), "{accept:?}: {}", page.text);
        assert_eq!(app.login("ada@example.com", PASSWORD).await.code(), "email_not_confirmed", "{accept:?}");
    }
    assert_eq!(open(&app, &token).await.json()["status"], "confirmed");
}

/// As a browser opens a path.
async fn browse(app: &TestApp, path: &str) -> Answer {
    Answer::of(app.request(Method::GET, path).header("accept", BROWSER)).await
}
