//! The extractor: who is let in, and what the others are told.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::FromRef;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};
use tower::ServiceExt;
use verify::Verifier;
use verify::axum::Caller;

use crate::{Endpoint, Key, claims, with};

#[derive(Clone)]
struct State {
    verifier: Verifier,
}

impl FromRef<State> for Verifier {
    fn from_ref(state: &State) -> Self {
        state.verifier.clone()
    }
}

async fn ask(endpoint: &Endpoint, authorization: &[&str]) -> (StatusCode, HeaderMap, String) {
    let state = State { verifier: endpoint.verifier() };
    let routes = Router::new().route("/", get(async |Caller(claims): Caller| claims.sub)).with_state(state);
    let mut request = Request::get("/");
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let answer = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, String::from_utf8(to_bytes(answer.into_body(), 4096).await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_valid_token_lets_its_user_in() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    for scheme in ["Bearer", "bearer"] {
        let (status, _, body) = ask(&endpoint, &[&format!("{scheme} {}", key.token())]).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "0192f3a4-0000-7000-8000-000000000001"));
    }
}

#[tokio::test]
async fn a_refused_caller_learns_how_to_authenticate_and_no_more() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let good = format!("Bearer {}", key.token());
    let expired = key.sign(&key.header(), &with(&claims(), &json!({ "exp": 1 })));
    let invalid = "Bearer error=\"invalid_token\"";
    for (authorization, code, challenge) in [
        (vec![], "unauthenticated", "Bearer"),
        (vec!["Basic YTpi"], "unauthenticated", "Bearer"),
        (vec!["Bearer"], "unauthenticated", "Bearer"),
        (vec![good.as_str(), good.as_str()], "unauthenticated", "Bearer"),
        (vec!["Bearer x.y.z"], "invalid_token", invalid),
        (vec![&format!("Bearer {expired}")], "invalid_token", invalid),
    ] {
        let (status, headers, body) = ask(&endpoint, &authorization).await;
        assert_eq!((status, headers["www-authenticate"].to_str().unwrap()), (StatusCode::UNAUTHORIZED, challenge));
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(401)), "{authorization:?}");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn unavailable_keys_are_not_blamed_on_the_caller() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    endpoint.down(true);
    let (status, headers, body) = ask(&endpoint, &[&format!("Bearer {}", key.token())]).await;
    assert_eq!((status, &headers["retry-after"]), (StatusCode::SERVICE_UNAVAILABLE, &"10".parse().unwrap()));
    assert!(body.contains("keys_unavailable") && !headers.contains_key("www-authenticate"), "{body}");
}
