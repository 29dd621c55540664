//! The local gateway as browsers and odd clients meet it: who is answered, CORS, and what no URI has.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tests::{Answer, TestApp, jpeg, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::requests::{host, raw};

/// A front end of this machine.
const SITE: &str = "http://localhost:5173";
const PAGES: [&str; 9] = [
    "/",
    "/_local/mail",
    "/_local/logs",
    "/_local/events",
    "/_local/receiver",
    "/_local/about",
    "/_local/pictures/x",
    "/api/v1/health",
    "/api/v1/nothing",
];

fn from(origin: &str, request: RequestBuilder) -> RequestBuilder {
    request.header("origin", origin)
}

fn preflight(app: &TestApp, path: &str, origin: &str) -> RequestBuilder {
    let request = from(origin, app.request(Method::OPTIONS, path));
    let request = request.header("access-control-request-method", "PUT");
    request.header("access-control-request-headers", "authorization,content-type")
}

fn allowed(headers: &HeaderMap) -> Option<&str> {
    headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

#[tokio::test]
async fn a_foreign_host_is_refused_on_every_path() {
    let app = TestApp::start().await;
    let port = host(&app).rsplit_once(':').unwrap().1.to_owned();
    for path in PAGES {
        for foreign in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "x@127.0.0.1", "["]
        {
            let answer =
                raw(&app, format!("GET {path} HTTP/1.1\r\nHost: {foreign}\r\nConnection: close\r\n\r\n").as_bytes())
                    .await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{path} {foreign}: {answer}");
            assert!(answer.contains("\"code\":\"forbidden\""), "{path} {foreign}: {answer}");
        }
        for own in ["127.0.0.1", "localhost", "[::1]", "app.localhost"] {
            let answer =
                Answer::of(app.request(Method::GET, &app.local(path)).header("host", format!("{own}:{port}"))).await;
            assert_ne!(answer.status, 403, "{path} {own}");
        }
    }
    let absolute = "GET http://evil.example/_local/mail HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    assert!(raw(&app, absolute.as_bytes()).await.starts_with("HTTP/1.1 403"));
    let two = "GET /_local/mail HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert!(!raw(&app, two.as_bytes()).await.starts_with("HTTP/1.1 2"));
}

#[tokio::test]
async fn the_host_of_the_public_address_is_answered() {
    let app = TestApp::start_with(&[("PUBLIC_URL", "https://users.example.com")]).await;
    for (name, status) in [("users.example.com", 200), ("other.example.com", 403)] {
        let answer = Answer::of(app.request(Method::GET, "/health").header("host", name)).await;
        assert_eq!(answer.status, status, "{name}");
    }
    let answer = Answer::of(from("https://users.example.com", app.request(Method::GET, "/health"))).await;
    assert_eq!(answer.status, 200, "its own pages");
}

#[tokio::test]
async fn a_foreign_page_is_refused_on_every_path() {
    let app = TestApp::start().await;
    for path in PAGES {
        for origin in
            ["https://evil.example", "null", "http://localhost.evil.example:5173", "http://127.0.0.1@evil.example"]
        {
            let answer = Answer::of(from(origin, app.request(Method::GET, &app.local(path)))).await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"), "{path} {origin}");
            assert_eq!(allowed(&answer.headers), None, "{path} {origin}");
            let answer = Answer::of(preflight(&app, &app.local(path), origin)).await;
            assert_eq!((answer.status.as_u16(), allowed(&answer.headers)), (403, None), "{path} {origin}");
        }
    }
    let register = json!({ "name": "Eve", "email": "eve@example.com", "password": "correct horse battery" });
    let request = from("https://evil.example", app.request(Method::POST, "/auth/register")).json(&register);
    assert_eq!(Answer::of(request).await.status, 403);
    assert!(app.items_with("eve@example.com").await.is_empty());
}

/// As a browser posts the form of a page whose referrer policy is `no-referrer`.
#[tokio::test]
async fn a_browser_posts_the_form_of_a_mailed_page() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let token = app.mailed_token("ada@example.com", "/auth/confirm").await;
    let press = |site: &'static str| {
        let request = from("null", app.request(Method::POST, "/auth/confirm")).header("accept", "text/html");
        Answer::of(request.header("sec-fetch-site", site).form(&[("token", &token)]))
    };
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(press(site).await.status, 403, "{site}");
    }
    let page = press("same-origin").await;
    assert!(page.status == 200 && page.text.contains("Your email address is confirmed"), "{}", page.text);
}

/// Reported by users of serverless-offline (issue 72).
#[tokio::test]
async fn a_front_end_on_another_port_calls_the_api_and_uploads() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let answer = Answer::of(preflight(&app, "/user", SITE)).await;
    assert_eq!((answer.status.as_u16(), allowed(&answer.headers)), (204, Some(SITE)));

    let user = Answer::of(from(SITE, ada.request(Method::GET, "/user"))).await;
    let problem = Answer::of(from(SITE, app.request(Method::GET, "/user"))).await;
    let unknown = Answer::of(from(SITE, app.request(Method::GET, "/nothing"))).await;
    let long = from(SITE, app.request(Method::GET, &format!("/user?{}", "x".repeat(11_000))));
    let long = Answer::of(long).await;
    for (answer, status) in [(user, 200), (problem, 401), (unknown, 404), (long, 431)] {
        assert_eq!((answer.status.as_u16(), allowed(&answer.headers)), (status, Some(SITE)));
        assert_eq!(answer.header("vary"), "origin", "{status}");
        assert!(answer.header("access-control-expose-headers").contains("retry-after"), "{status}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{status}");
    }

    let bytes = jpeg(50, 50, [1, 2, 3]);
    let upload = ada.request_upload("image/jpeg", bytes.len()).await;
    let url = text(&upload["upload_url"]);
    let asked = from(SITE, app.request(Method::OPTIONS, &url)).header("access-control-request-method", "PUT");
    let asked = Answer::of(asked.header("access-control-request-headers", "content-type,if-none-match")).await;
    assert_eq!((asked.status.as_u16(), allowed(&asked.headers)), (200, Some(SITE)));
    let mut put = from(SITE, app.request(Method::PUT, &url)).body(bytes);
    for (name, value) in upload["headers"].as_object().unwrap() {
        put = put.header(name, text(value));
    }
    let put = Answer::of(put).await;
    assert_eq!((put.status.as_u16(), allowed(&put.headers)), (200, Some(SITE)));
    let picture = text(&ada.picture().await["urls"]["64"]);
    assert_eq!(Answer::of(from(SITE, app.request(Method::GET, &picture))).await.status, 200);
}

#[tokio::test]
async fn cors_origins_says_which_pages_may_call() {
    let app = TestApp::start_with(&[("CORS_ORIGINS", "https://app.example.com, https://admin.example.com:8443")]).await;
    let ada = app.signed_in("ada@example.com").await;
    let upload = text(&ada.request_upload("image/jpeg", 5).await["upload_url"]);
    let own = app.stack.url();
    for (origin, expected) in [
        ("https://app.example.com", true),
        ("https://admin.example.com:8443", true),
        (own.as_str(), true),
        ("https://admin.example.com", false),
        ("http://app.example.com", false),
        (SITE, false),
    ] {
        let answer = Answer::of(from(origin, ada.request(Method::GET, "/user"))).await;
        assert_eq!(
            (answer.status == 200, allowed(&answer.headers)),
            (expected, expected.then_some(origin)),
            "{origin}"
        );
        let asked = Answer::of(preflight(&app, "/user", origin)).await;
        assert_eq!((asked.status == 204, allowed(&asked.headers)), (expected, expected.then_some(origin)), "{origin}");
        let asked = from(origin, app.request(Method::OPTIONS, &upload)).header("access-control-request-method", "PUT");
        let asked = Answer::of(asked).await;
        assert_eq!((asked.status == 200, allowed(&asked.headers)), (expected, expected.then_some(origin)), "{origin}");
    }
    let app = TestApp::start_with(&[("CORS_ORIGINS", "*")]).await;
    assert_eq!(Answer::of(from("https://anything.example", app.request(Method::GET, "/health"))).await.status, 200);
}

/// The list of a property of the API's `CorsConfiguration`.
fn configured(template: &str, property: &str) -> Vec<String> {
    let (_, configuration) = template.split_once("CorsConfiguration:").unwrap();
    let (_, value) = configuration.split_once(&format!("{property}: ")).unwrap();
    let value = value.lines().next().unwrap().trim_matches(['[', ']']);
    let mut list: Vec<String> = value.split(',').map(|item| item.trim().to_ascii_lowercase()).collect();
    list.sort_unstable();
    list
}

#[tokio::test]
async fn cors_is_that_of_the_template() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    let app = TestApp::start().await;
    let asked = Answer::of(preflight(&app, "/user", SITE)).await;
    let answered = Answer::of(from(SITE, app.request(Method::GET, "/health"))).await;
    for (property, header, answer) in [
        ("AllowMethods", "access-control-allow-methods", &asked),
        ("AllowHeaders", "access-control-allow-headers", &asked),
        ("MaxAge", "access-control-max-age", &asked),
        ("ExposeHeaders", "access-control-expose-headers", &answered),
    ] {
        let mut sent: Vec<String> = answer.header(header).split(',').map(str::to_ascii_lowercase).collect();
        sent.sort_unstable();
        assert_eq!(sent, configured(&template, property), "{property}");
    }
    let plain = Answer::of(app.request(Method::OPTIONS, "/user")).await;
    assert_eq!(plain.code(), "method_not_allowed", "OPTIONS that no page asks with is no preflight");
}

/// Reported by users of aws-lambda-rust-runtime (issue 515) and hono (issue 2156).
#[tokio::test]
async fn a_request_with_characters_that_no_uri_has_is_answered() {
    let app = TestApp::start().await;
    let host = host(&app);
    for (target, status) in [
        ("/api/v1/health?a=<b>", 200),
        ("/api/v1/health?\"quoted\"", 200),
        ("/api/v1/health?a b", 200),
        ("/api/v1/health?{a}|b\\c^d`e", 200),
        ("/api/v1/health?ü=\u{1f600}", 200),
        ("/api/v1/health?a[]=1#b", 200),
        ("/api/v1/health?100%", 200),
        ("/api/v1/health?%FF%FE\u{0}", 200),
        ("/api/v1/%68ealth", 200),
        ("/api/v1/auth/confirm?token=<script>", 400),
        ("/api/v1/users?limit=<1>", 401),
        ("/api/v1/<b>", 404),
        ("/api/v1/a b", 404),
        ("/api/v1/health\\", 404),
        ("/ü", 404),
        ("/\u{1}", 404),
        ("/_local/<b>", 404),
        ("/_local/mail?<b>", 200),
        ("/api/v1/auth/login?<b>", 405),
    ] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
        let answer = raw(&app, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(status < 400 || target.starts_with("/_local") || body.contains("\"code\":\""), "{target}: {answer}");
        assert!(target.starts_with("/_local") || head.contains("x-request-id"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_connection_goes_on_after_a_request_with_odd_characters() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(host(&app)).await.unwrap();
    let body = r#"{"email":"GET /<> HTTP/1.1"}"#;
    for (request, status) in [
        ("GET /api/v1/health?<> HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200),
        (
            format!(
                "POST /api/v1/auth/send?<> HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            400,
        ),
        ("\r\nGET /api/v1/<> HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 404),
        ("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 200),
    ] {
        // A line in pieces is a line all the same.
        let (first, rest) = request.split_at(9);
        stream.write_all(first.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains('}') {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed after {request}");
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
}

#[tokio::test]
async fn what_is_sent_in_a_query_arrives_as_it_was_sent() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let token = app.confirmation_token("ada@example.com").await;
    // The same, with an escape where none is needed.
    let first = token.chars().next().unwrap();
    let escaped = format!("%{:02X}{}", u32::from(first), &token[1..]);
    let request = format!(
        "GET /api/v1/auth/confirm?token={escaped} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
        host(&app)
    );
    let answer = raw(&app, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
