//! Hostile, broken and odd requests: each gets an answer that says what is wrong, and none hurts the service.

use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::http::Route;
use shared::http::path::fits;
use tests::{Answer, PASSWORD, SignedIn, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A path that fits a route's.
fn example(pattern: &str) -> String {
    pattern.replace("{id}", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU").replace("{*asset}", "swagger-ui.css")
}

/// The operations that need a body in JSON, by the API's document.
fn with_body() -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for documented in functions::DOCUMENTS {
        let document = serde_json::to_value((documented.document)()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let body = &operation["requestBody"];
                if body["required"] == true && !body["content"]["application/json"].is_null() {
                    found.push((method.to_uppercase().parse().unwrap(), example(path)));
                }
            }
        }
    }
    assert!(found.len() >= 19, "{found:?}");
    found
}

/// Every path with the methods that it takes, in the order of the alphabet.
fn paths() -> Vec<(String, Vec<&'static str>)> {
    let endpoints: Vec<_> = functions::routes().flat_map(Route::endpoints).collect();
    let paths = endpoints.iter().map(|(_, pattern)| example(pattern));
    let takes = |path: &str| {
        let methods = endpoints.iter().filter(|(_, pattern)| fits(pattern, path)).map(|(method, _)| *method);
        methods.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    };
    paths.map(|path| (path.clone(), takes(&path))).collect()
}

/// What every answer has, whatever it says.
fn check(answer: &Answer, place: &str) {
    assert!(!answer.status.is_server_error(), "{place}: {} {}", answer.status, answer.text);
    assert!(!answer.header("x-request-id").is_empty(), "{place}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{place}");
    if answer.status.is_client_error() && !answer.header("content-type").starts_with("text/html") {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{place}");
        assert_eq!(answer.header("cache-control"), "no-store", "{place}");
        if !answer.text.is_empty() {
            answer.code();
        }
    }
}

/// The service is as well as before, and nobody was changed.
async fn check_healthy(app: &TestApp, ada: &SignedIn<'_>) {
    assert_eq!(app.get("/health").await.status, 200);
    let user = ada.get("/user").await.json();
    assert_eq!((&user["name"], &user["picture"]), (&json!("Ada Lovelace"), &json!({ "status": "none" })));
    assert_eq!(app.login(&ada.email, PASSWORD).await.status, 200);
}

fn send(ada: &SignedIn<'_>, method: &Method, path: &str, content_type: &str, body: Vec<u8>) -> RequestBuilder {
    ada.request(method.clone(), path).header(CONTENT_TYPE, content_type).body(body)
}

/// `depth` arrays in each other, as the value of a field.
fn nested(field: &str, depth: usize) -> Vec<u8> {
    format!("{{\"{field}\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_by_every_route() {
    let app = TestApp::start().await;
    let ada = app.admin().await;
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("white space", b" \r\n\t ".to_vec()),
        ("null", b"null".to_vec()),
        ("true", b"true".to_vec()),
        ("a number", b"1e999".to_vec()),
        ("a text", b"\"name\"".to_vec()),
        ("an empty array", b"[]".to_vec()),
        ("values by position", br#"["Eve","eve@example.com","correct horse battery"]"#.to_vec()),
        ("one value by position", br#"["Eve"]"#.to_vec()),
        ("two values by position", br#"["image/png",100]"#.to_vec()),
        ("a torn object", br#"{"email":"eve@example.com""#.to_vec()),
        ("two objects", br#"{"email":"eve@example.com"}{}"#.to_vec()),
        ("something behind", br#"{"email":"eve@example.com"} x"#.to_vec()),
        ("single quotes", b"{'email':'eve@example.com'}".to_vec()),
        ("a comment", b"{/* */}".to_vec()),
        ("a comma too many", br#"{"email":"eve@example.com",}"#.to_vec()),
        ("a byte order mark", b"\xEF\xBB\xBF{\"email\":\"eve@example.com\"}".to_vec()),
        ("UTF-16", "{\"email\":\"eve@example.com\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("bytes that are no UTF-8", b"{\"email\":\"eve\xFF\xFE@example.com\",\"name\":\"\xC3\x28\"}".to_vec()),
        ("half a surrogate", br#"{"email":"\ud800@example.com","name":"\udfff"}"#.to_vec()),
        ("NULs", vec![0; 64]),
        ("a NUL in a text", b"{\"email\":\"a\0b@example.com\"}".to_vec()),
        ("a key twice", br#"{"email":"eve@example.com","email":"bob@example.com","name":"a","name":"b"}"#.to_vec()),
        ("an unknown field", br#"{"admin":true}"#.to_vec()),
        ("an empty key", br#"{"":""}"#.to_vec()),
        ("a form", b"email=eve%40example.com&password=x".to_vec()),
        ("deep arrays", nested("email", 30_000)),
        ("deep objects", "{\"name\":".repeat(8_000).into_bytes()),
        ("XML", b"<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><x>&y;</x>".to_vec()),
    ];
    for (method, path) in &with_body() {
        for (what, body) in &bodies {
            let place = format!("{method} {path} with {what}");
            let answer = Answer::of(send(&ada, method, path, "application/json", body.clone())).await;
            check(&answer, &place);
            assert_eq!(answer.status, 400, "{place}: {}", answer.text);
            assert_eq!(answer.code(), "invalid_request", "{place}");
            assert!(!answer.text.contains("struct "), "{place} talks of the source: {}", answer.text);
        }
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_by_name() {
    let app = TestApp::start().await;
    let ada = app.admin().await;
    let fields = [
        "name",
        "email",
        "password",
        "token",
        "refresh_token",
        "device_token",
        "challenge_token",
        "code",
        "recovery_code",
        "content_type",
    ];
    let values = [json!(7), json!(true), json!([]), json!({}), json!(["a"]), json!({ "$ne": "" }), json!(1.5)];
    for (method, path) in &with_body() {
        for field in fields {
            for value in &values {
                let body = json!({ field: value });
                let place = format!("{method} {path} {body}");
                let answer = Answer::of(ada.request(method.clone(), path).json(&body)).await;
                check(&answer, &place);
                assert_eq!(answer.status, 400, "{place}: {}", answer.text);
                assert_eq!(answer.code(), "invalid_request", "{place}");
            }
        }
    }
    let answer = app.post("/auth/login", &json!({ "email": 7, "password": PASSWORD })).await;
    assert_eq!(answer.fields(), [("email".to_owned(), "invalid_type".to_owned())]);
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn a_body_may_have_sixty_four_kibibytes_and_no_more() {
    let app = TestApp::start().await;
    let ada = app.admin().await;
    let of = |length: usize| {
        let frame = "{\"email\":\"\"}".len();
        format!("{{\"email\":\"{}\"}}", "a".repeat(length - frame)).into_bytes()
    };
    assert_eq!(of(100).len(), 100);
    let all = with_body().into_iter().chain([(Method::POST, "/auth/logout".to_owned())]);
    for (method, path) in all {
        for (length, status) in [(64 * 1024, 400), (64 * 1024 + 1, 413), (65 * 1024, 413), (1024 * 1024, 413)] {
            let place = format!("{method} {path} with {length} bytes");
            let answer = Answer::of(send(&ada, &method, &path, "application/json", of(length))).await;
            check(&answer, &place);
            assert_eq!(answer.status, status, "{place}: {}", answer.text);
        }
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn what_the_gateway_itself_would_refuse_is_refused_without_reaching_a_function() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let before = app.stack.logs().await.len();
    let head = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        host(&app),
        11 * 1024 * 1024
    );
    let answer = raw_body(&app, head.as_bytes(), 11 * 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let mut headers = HeaderMap::new();
    headers.insert("x-long", HeaderValue::from_str(&"a".repeat(20_000)).unwrap());
    let answer = Answer::of(app.request(Method::GET, "/health").headers(headers)).await;
    check(&answer, "a long header");
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (431, "headers_too_large"));
    let answer = app.get(&format!("/users?cursor={}", "a".repeat(12_000))).await;
    check(&answer, "a long query");
    assert_eq!(answer.code(), "headers_too_large");
    assert_eq!(app.stack.logs().await.len(), before);
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn a_body_of_another_type_is_refused_by_every_route() {
    let app = TestApp::start().await;
    let ada = app.admin().await;
    let body = || br#"{"email":"eve@example.com"}"#.to_vec();
    let types = [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "json",
        "",
        ";",
        "*/*",
        "text/json",
    ];
    for (method, path) in &with_body() {
        for content_type in types {
            let place = format!("{method} {path} as {content_type:?}");
            let answer = Answer::of(send(&ada, method, path, content_type, body())).await;
            check(&answer, &place);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
                "{place}"
            );
        }
        let without = Answer::of(ada.request(method.clone(), path).body(body())).await;
        check(&without, path);
        assert_eq!(without.status, 415, "{method} {path} without a content type");
        for content_type in
            ["application/json; charset=utf-8", "Application/JSON", " application/json ;charset=\"UTF-8\""]
        {
            let answer = Answer::of(send(&ada, method, path, content_type, b"{".to_vec())).await;
            assert_eq!(answer.status, 400, "{method} {path} as {content_type:?}: it is JSON, and torn");
        }
    }
    let answer = Answer::of(send(&ada, &Method::POST, "/auth/logout", "text/plain", body())).await;
    assert_eq!(answer.code(), "unsupported_media_type");
    let form = "email=ada%40example.com&password=correct+horse+battery";
    let answer = send(&ada, &Method::POST, "/auth/login", "application/x-www-form-urlencoded", form.into());
    assert_eq!(Answer::of(answer).await.code(), "unsupported_media_type", "a form of another site signs nobody in");
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn a_sign_out_with_a_malformed_body_ends_no_session() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for body in [
        "{",
        "null",
        "[]",
        "[true]",
        "7",
        "{\"everywhere\":\"yes\"}",
        "{\"everywhere\":true,\"everywhere\":false}",
        "{\"all\":true}",
        " ",
    ] {
        let answer = Answer::of(send(&ada, &Method::POST, "/auth/logout", "application/json", body.into())).await;
        check(&answer, body);
        assert_eq!(answer.code(), "invalid_request", "{body}");
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::start().await;
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v2/user",
        "/api/v1/user/",
        "/api/v1/User",
        "/API/V1/user",
        "/api/v1//user",
        "//api/v1/user",
        "/api/v1/user/picture/64",
        "/api/v1/auth",
        "/api/v1/users/1/2",
        "/user",
        "/api/v1/user%00",
        "/api/v1/user%2f",
        "/api/v1/user%3Fx",
        "/api/v1%252Fuser",
        "/api/v1/x/../user",
        "/api/v1/x/%2e%2E/user",
        "/api/v1/x/..%2Fuser",
        "/api/v1/./user",
        "/api/v1/../v1/user",
        "/api/v1/x/../health",
        "/x/..//health",
        "/health/",
        "/health/.",
        "/api/v1/..;/user",
        "/.env",
        "/wp-login.php",
        "/api/v1/health/x",
        "/favicon.ico",
        "/%",
        "/%zz",
        "/%FF",
        "/_local/nothing",
        "/api/v1/{*rest}",
        "/api/v1/user.json",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = raw(
                &app,
                format!(
                    "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    host(&app)
                )
                .as_bytes(),
            )
            .await;
            let expected = if method == "GET" || !path.starts_with("/_local") { "404" } else { "40" };
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{method} {path}: {answer}");
            assert!(!answer.to_ascii_lowercase().contains("\r\nallow: "), "{method} {path}: {answer}");
            if !path.starts_with("/_local") {
                assert!(answer.contains("\"code\":\"not_found\""), "{method} {path}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn another_method_is_refused_with_those_that_a_path_takes() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE", "get"];
    for (path, takes) in paths() {
        for method in methods.iter().filter(|method| !takes.contains(method)) {
            let place = format!("{method} {path}");
            let request = ada.request(method.parse().unwrap(), &app.local(&path));
            let answer = Answer::of(request).await;
            check(&answer, &place);
            assert_eq!(answer.status, 405, "{place}");
            let mut allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            allow.sort_unstable();
            assert_eq!(allow, takes, "{place}");
        }
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn a_head_request_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    app.register("bob@example.com").await;
    let token = app.confirmation_token("bob@example.com").await;
    app.request(Method::HEAD, &format!("/auth/confirm?token={token}")).send().await.unwrap();
    assert_eq!(app.login("bob@example.com", PASSWORD).await.code(), "email_not_confirmed");
    let request = app.request(Method::HEAD, "/auth/refresh").bearer_auth(&ada.refresh_token);
    request.send().await.unwrap();
    app.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(app.refresh(&ada.refresh_token).await.status, 200, "the token was not used");
    for path in ["/user", "/user/picture", "/auth/logout"] {
        ada.request(Method::HEAD, path).send().await.unwrap();
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn odd_queries_are_refused_or_ignored_but_never_fail() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for query in [
        "%",
        "%zz",
        "%FF%FE",
        "limit=%zz",
        "cursor=%FF",
        "=",
        "&&&&",
        "?",
        "?limit=1",
        "limit",
        "id=%00",
        "id[$ne]=1",
        "a=b=c",
        "%00=%00",
        "limit=1;drop",
        "cursor='%20OR%201=1",
        "limit=１",
        "x=%F0%9F%98%80",
        "a%3Db",
        &"a=b&".repeat(2000),
        &format!("cursor={}", "%41".repeat(3000)),
    ] {
        for path in ["/users", "/user", "/auth/confirm", "/health", "/openapi.json"] {
            let request = admin.request(Method::GET, &format!("{path}?{query}")).header("accept", "application/json");
            let answer = Answer::of(request).await;
            check(&answer, &format!("{path}?{query}"));
            let expected: &[u16] = if ["/health", "/openapi.json"].contains(&path) { &[200] } else { &[200, 400] };
            assert!(expected.contains(&answer.status.as_u16()), "{path}?{query}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn absurd_headers_are_refused_or_ignored_but_never_fail() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let host = host(&app);
    let long = "a".repeat(20_000);
    let heads: Vec<(&str, Vec<u8>)> = vec![
        ("a host that is no host", b"Host: x.execute-api.127.0.0.1\r\n".to_vec()),
        ("a host with a space", b"Host: a b\r\n".to_vec()),
        ("a host in brackets", b"Host: [\r\n".to_vec()),
        ("a host with a path", b"Host: evil.example/x\r\n".to_vec()),
        ("a host with a user", b"Host: a@b:c@d\r\n".to_vec()),
        ("an empty host", b"Host: \r\n".to_vec()),
        ("a host beyond ASCII", b"Host: \xC3\xA4\xFF.example\r\n".to_vec()),
        ("a port beyond all ports", b"Host: example.com:99999\r\n".to_vec()),
        ("a foreign host", b"Host: evil.example\r\n".to_vec()),
        ("a protocol that is none", format!("Host: {host}\r\nX-Forwarded-Proto: a b\r\n").into()),
        ("a protocol of bytes", [format!("Host: {host}\r\nX-Forwarded-Proto: ").as_bytes(), b"\xFF\xFE\r\n"].concat()),
        ("a port that is none", format!("Host: {host}\r\nX-Forwarded-Port: -1\r\n").into()),
        ("a foreign forwarded host", format!("Host: {host}\r\nX-Forwarded-Host: evil.example\r\n").into()),
        ("bytes beyond ASCII", [format!("Host: {host}\r\nX-Name: ").as_bytes(), b"\xFF\xC3\x28\x80\r\n"].concat()),
        ("an agent beyond ASCII", [format!("Host: {host}\r\nUser-Agent: ").as_bytes(), b"\xF0\x9F\xFF\r\n"].concat()),
        ("an accept beyond ASCII", [format!("Host: {host}\r\nAccept: ").as_bytes(), b"\xFF\r\n"].concat()),
        (
            "a token beyond ASCII",
            [format!("Host: {host}\r\nAuthorization: Bearer ").as_bytes(), b"\xFF\xFE\r\n"].concat(),
        ),
        ("a token of nothing", format!("Host: {host}\r\nAuthorization: Bearer\r\n").into()),
        ("a token of spaces", format!("Host: {host}\r\nAuthorization: Bearer   \r\n").into()),
        ("another scheme", format!("Host: {host}\r\nAuthorization: Basic YWRhOng=\r\n").into()),
        ("two tokens", format!("Host: {host}\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n").into()),
        ("a long token", format!("Host: {host}\r\nAuthorization: Bearer {}\r\n", &long[..9000]).into()),
        ("a long header", format!("Host: {host}\r\nX-Long: {long}\r\n").into()),
        ("many headers", format!("Host: {host}\r\n{}", "x: y\r\n".repeat(90)).into()),
        ("a long cookie", format!("Host: {host}\r\nCookie: {long}\r\n").into()),
        ("a strange cookie", format!("Host: {host}\r\nCookie: =;;;a=\u{1f600};\"\r\n").into()),
        ("a request id", format!("Host: {host}\r\nX-Request-Id: forged\r\nX-Amzn-Trace-Id: Root=?\r\n").into()),
        ("an expectation", format!("Host: {host}\r\nExpect: 100-continue\r\n").into()),
        ("an upgrade", format!("Host: {host}\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n").into()),
        (
            "another encoding",
            format!("Host: {host}\r\nAccept-Encoding: br;q=oops\r\nContent-Encoding: gzip\r\n").into(),
        ),
        ("a range", format!("Host: {host}\r\nRange: bytes=-1\r\n").into()),
    ];
    for (what, headers) in heads {
        let request = [b"GET /api/v1/user HTTP/1.1\r\nConnection: close\r\n".as_slice(), &headers, b"\r\n"].concat();
        let answer = raw(&app, &request).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        assert!(!answer.contains("forged"), "{what}: {answer}");
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn odd_request_lines_are_refused_but_never_fail() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let host = host(&app);
    for line in [
        "GET http://evil.example/api/v1/user HTTP/1.1",
        "GET //evil.example/api/v1/user HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "GET /api/v1/user#fragment HTTP/1.1",
        "GET /api/v1/../v1/user HTTP/1.1",
        "GET /api/v1/user?a|b\"<>`{} HTTP/1.1",
        "GET /api/v1/user\\..\\users HTTP/1.1",
        "GET /\u{e4}\u{1f600} HTTP/1.1",
        "GET  /api/v1/user HTTP/1.1",
        "GET /api/v1/user HTTP/9.9",
        "GET /api/v1/user",
        "\u{0}\u{0}\u{0}",
        "<html>",
    ] {
        let answer = raw(&app, format!("{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        // What is no HTTP at all may be closed without a word.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{line}: {answer}");
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn a_client_that_disconnects_midway_affects_no_other() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for part in [
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: ",
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"em",
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
    ] {
        let mut stream = TcpStream::connect(host(&app)).await.unwrap();
        stream.write_all(part.as_bytes()).await.unwrap();
        drop(stream);
    }
    check_healthy(&app, &ada).await;
}

#[tokio::test]
async fn answers_with_personal_data_or_tokens_are_never_stored_by_caches() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let admin = app.admin().await;
    let answers = join_all(
        [
            app.request(Method::POST, "/auth/login").json(&json!({ "email": "ada@example.com", "password": PASSWORD })),
            app.request(Method::POST, "/auth/refresh").json(&json!({ "refresh_token": ada.refresh_token })),
            app.request(Method::POST, "/auth/register")
                .json(&json!({ "name": "Bob", "email": "bob@example.com", "password": PASSWORD })),
            app.request(Method::POST, "/auth/send").json(&json!({ "email": "bob@example.com" })),
            ada.request(Method::GET, "/user"),
            ada.request(Method::PUT, "/user").json(&json!({ "name": "Ada" })),
            ada.request(Method::POST, "/user/picture")
                .json(&json!({ "content_type": "image/png", "content_length": 9 })),
            ada.request(Method::DELETE, "/user/picture"),
            admin.request(Method::GET, "/users"),
            app.request(Method::GET, "/auth/confirm?token=x").header("accept", "text/html"),
            app.request(Method::GET, "/user"),
        ]
        .map(Answer::of),
    )
    .await;
    for answer in answers {
        let place = answer.text.clone();
        check(&answer, &place);
        assert_eq!(answer.header("cache-control"), "no-store", "{place}");
        for (name, value) in [("x-frame-options", "DENY"), ("referrer-policy", "no-referrer")] {
            assert_eq!(answer.header(name), value, "{place}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{place}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{place}");
    }
}

/// Reported by users of kratos (issue 2063): a program that takes pages as well, if it must, was given pages.
#[tokio::test]
async fn a_program_that_prefers_json_gets_json() {
    let app = TestApp::start().await;
    for path in ["/auth/confirm", "/auth/password/reset", "/auth/email/confirm", "/auth/email/undo"] {
        for (accept, content_type) in [
            ("application/json, text/html;q=0.1", "application/problem+json"),
            ("text/html;q=0, */*", "application/problem+json"),
            ("application/json;q=0.1, text/html", "text/html"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ] {
            let form = [("token", "x"), ("password", PASSWORD)];
            let form = if path == "/auth/password/reset" { &form[..] } else { &form[..1] };
            let answer = Answer::of(app.request(Method::POST, path).header("accept", accept).form(form)).await;
            assert!(answer.header("content-type").starts_with(content_type), "{path} {accept}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_request_has_its_own_id_which_the_log_contains() {
    let app = TestApp::start().await;
    let forged = HeaderName::from_static("x-request-id");
    let answer = Answer::of(app.request(Method::GET, "/health").header(&forged, "forged")).await;
    let other = app.get("/nothing").await;
    let ids: Vec<&str> = [&answer, &other].map(|answer| answer.header("x-request-id")).into();
    assert_ne!(ids[0], ids[1]);
    let logs: Vec<Value> = app.stack.logs().await;
    for id in ids {
        assert!(logs.iter().any(|line| line["trace.id"] == *id), "{id}");
    }
    assert!(!logs.iter().any(|line| line.to_string().contains("forged")));
}

/// `127.0.0.1:port`
pub fn host(app: &TestApp) -> String {
    app.stack.url().trim_start_matches("http://").to_owned()
}

/// Sends bytes as they are. Returns the whole answer, or as much as came before the connection was closed.
pub async fn raw(app: &TestApp, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(host(app)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !is_whole(&String::from_utf8_lossy(&answer)) && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0)
    {
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}

/// Sends a head and then a body as far as it is taken.
async fn raw_body(app: &TestApp, head: &[u8], length: usize) -> String {
    let stream = TcpStream::connect(host(app)).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(head).await.unwrap();
    let sending = async move {
        let block = vec![b'a'; 64 * 1024];
        for _ in 0..length / block.len() {
            if writer.write_all(&block).await.is_err() {
                break;
            }
        }
        writer
    };
    let reading = async {
        let mut answer = vec![0; 1024];
        let length = reader.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let (_writer, answer) = tokio::join!(sending, reading);
    answer
}
