//! Passwords that another system knows: it is asked once, for as long as it is to be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use tests::TestApp;
use tokio::net::TcpListener;

use super::import::import;

const ADA: &str = "ada@example.com";
const PASSWORD: &str = "an old password";
const POOL: &str = "eu-central-1_a1B2c3D4e";

/// A system that accounts were in before: how often it was asked, and what it saw last.
#[derive(Clone, Default)]
struct Former {
    asked: Arc<AtomicUsize>,
    broken: Arc<AtomicUsize>,
    last: Arc<std::sync::Mutex<Option<(HeaderMap, String)>>>,
}

impl Former {
    /// Serves both kinds at once; its URL.
    async fn start() -> (Self, String) {
        let former = Self::default();
        let routes = Router::new().route("/", post(cognito)).route("/check", post(check)).with_state(former.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (former, url)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn begin(&self, headers: HeaderMap, body: String) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().unwrap() = Some((headers, body));
        self.broken.load(Ordering::SeqCst) == 0
    }
}

async fn cognito(State(former): State<Former>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let request: Value = serde_json::from_str(&body).unwrap();
    let signed = headers["authorization"].to_str().unwrap().contains("/eu-central-1/cognito-idp/aws4_request");
    let target = headers["x-amz-target"] == "AWSCognitoIdentityProviderService.AdminInitiateAuth";
    if !former.begin(headers, body) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "__type": "TooManyRequestsException" })));
    }
    assert!(signed && target && request["UserPoolId"] == POOL && request["ClientId"] == "client");
    if request["AuthParameters"] == json!({ "USERNAME": "ada", "PASSWORD": PASSWORD }) {
        return (StatusCode::OK, Json(json!({ "AuthenticationResult": { "AccessToken": "x" } })));
    }
    (StatusCode::BAD_REQUEST, Json(json!({ "__type": "NotAuthorizedException" })))
}

async fn check(State(former): State<Former>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let request: Value = serde_json::from_str(&body).unwrap();
    if !former.begin(headers, body) {
        // A page that is shown whatever is asked.
        return (StatusCode::OK, Json(json!("We are moving")));
    }
    (StatusCode::OK, Json(json!({ "verifies": request == json!({ "username": "ada", "password": PASSWORD }) })))
}

async fn start(url: &str) -> TestApp {
    let until = "2999-01-01T00:00:00Z";
    let check = format!("{url}/check");
    TestApp::start_with(&[
        ("LEGACY_USER_POOL", POOL),
        ("LEGACY_PASSWORD_URL", &check),
        ("LEGACY_PASSWORDS_UNTIL", until),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", url),
    ])
    .await
}

fn account(password: &Value) -> Value {
    json!({ "email": ADA, "email_confirmed": true, "password": password })
}

/// What an import says of either.
fn ways() -> [Value; 2] {
    [
        json!({ "cognito": { "pool": POOL, "client": "client", "username": "ada" } }),
        json!({ "endpoint": { "username": "ada" } }),
    ]
}

#[tokio::test]
async fn the_legacy_system_is_asked_until_the_right_password_and_never_again() {
    for way in ways() {
        let (former, url) = Former::start().await;
        let app = start(&url).await;
        import(&app, &account(&way)).await;
        assert_eq!(app.login(ADA, "another password").await.code(), "invalid_credentials", "{way}");
        assert_eq!((app.login(ADA, PASSWORD).await.status.as_u16(), former.asked()), (200, 2), "{way}");
        assert_eq!(app.login(ADA, PASSWORD).await.status, 200, "{way}");
        assert_eq!(app.login(ADA, "another password").await.code(), "invalid_credentials", "{way}");
        assert_eq!(former.asked(), 2, "{way}");
    }
}

#[tokio::test]
async fn a_system_that_does_not_answer_is_no_wrong_password() {
    for way in ways() {
        let (former, url) = Former::start().await;
        let app = start(&url).await;
        import(&app, &account(&way)).await;
        former.broken.store(1, Ordering::SeqCst);
        let answer = app.login(ADA, PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "temporarily_unavailable"), "{way}");
        // However often: nobody is locked out by it.
        for _ in 0..10 {
            assert_eq!(app.login(ADA, PASSWORD).await.status, 503, "{way}");
        }
        former.broken.store(0, Ordering::SeqCst);
        assert_eq!(app.login(ADA, PASSWORD).await.status, 200, "{way}");
    }
}

#[tokio::test]
async fn a_legacy_system_is_not_asked_after_its_end_but_resets_work() {
    let (former, url) = Former::start().await;
    let app = TestApp::start_with(&[
        ("LEGACY_USER_POOL", POOL),
        ("LEGACY_PASSWORDS_UNTIL", "2999-01-01T00:00:00Z"),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &url),
    ])
    .await;
    import(&app, &account(&ways()[0])).await;
    app.clock.advance(Duration::from_hours(24 * 366 * 1000));
    assert_eq!(app.login(ADA, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(former.asked(), 0);
    assert_eq!(app.recover(ADA, "quiet lantern harbour").await.status, 200);
    assert_eq!(app.login(ADA, "quiet lantern harbour").await.status, 200);
}

#[tokio::test]
async fn the_endpoint_knows_by_a_signature_who_asks_and_what() {
    let (former, url) = Former::start().await;
    let app = start(&url).await;
    import(&app, &account(&ways()[1])).await;
    assert_eq!(app.login(ADA, PASSWORD).await.status, 200);
    let (headers, body) = former.last.lock().unwrap().clone().unwrap();
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("request+jwt"));
    let keys = app.get(&app.url("/.well-known/jwks.json")).await.json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == json!(header.kid)).unwrap();
    let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[format!("{url}/check")]);
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap().claims;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    assert_eq!(claims["body_sha256"], URL_SAFE_NO_PAD.encode(digest));
    // It opens nothing here.
    let user = app.request(reqwest::Method::GET, "/user").bearer_auth(&token);
    assert_eq!(tests::Answer::of(user).await.code(), "invalid_token");
}

#[tokio::test]
async fn where_some_passwords_are_elsewhere_unknown_addresses_are_asked_about_as_well() {
    let (former, url) = Former::start().await;
    let app = start(&url).await;
    import(&app, &account(&ways()[1])).await;
    // All accounts have such a password, so every address passes for one.
    assert_eq!(app.login("nobody@example.com", PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(former.asked(), 1);
    let body: Value = serde_json::from_str(&former.last.lock().unwrap().clone().unwrap().1).unwrap();
    assert_ne!(body["username"], "nobody@example.com", "no address is given away");
}
