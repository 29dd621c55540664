//! Fetching, from servers of the tests that say what an attacker's or a broken one might.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use verify::{BuildError, Error, FetchError, LARGEST_KEY_SET, Verifier};

use crate::{ISSUER, Key, claims, with};

/// A server on this machine that answers every request the same; its URL, and how often it was asked.
async fn server(answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/.well-known/jwks.json", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if let Ok(1..) = connection.read(&mut request).await {
                    connection.write_all(&answer).await.ok();
                }
            });
        }
    });
    (url, asked)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

fn lasting(key: &Key) -> String {
    key.sign(&key.header(), &with(&claims(), &json!({ "exp": 4_000_000_000_u64, "nbf": 0 })))
}

async fn outcome(url: &str, key: &Key) -> Result<(), Error> {
    Verifier::builder(ISSUER).jwks_url(url).build().unwrap().verify(&lasting(key)).await.map(|_| ())
}

async fn failure(answer: Vec<u8>) -> FetchError {
    let (url, _) = server(answer).await;
    match outcome(&url, &Key::es256("a")).await {
        Err(Error::KeysUnavailable(failure)) => Arc::try_unwrap(failure).unwrap_or_else(|shared| panic!("{shared}")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_are_fetched_and_check_a_token() {
    let key = Key::es256("a");
    let (url, asked) = server(answer("200 OK", "", &json!({ "keys": [key.jwk] }).to_string())).await;
    outcome(&url, &key).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let key = Key::es256("a");
    let (elsewhere, asked) = server(answer("200 OK", "", &json!({ "keys": [key.jwk] }).to_string())).await;
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (url, _) = server(answer(status, &format!("location: {elsewhere}\r\n"), "")).await;
        let answer = outcome(&url, &key).await;
        assert!(matches!(answer, Err(Error::KeysUnavailable(_))), "{status}: {answer:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_oversized_key_set_is_not_read() {
    let whole = json!({ "keys": [], "filler": "x".repeat(LARGEST_KEY_SET) }).to_string();
    assert!(matches!(failure(answer("200 OK", "", &whole)).await, FetchError::TooLarge));
    // One that does not say how long it is, and does not end.
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat(LARGEST_KEY_SET + 1));
    assert!(matches!(failure(endless.into_bytes()).await, FetchError::TooLarge));
}

#[tokio::test]
async fn an_answer_without_a_key_set_fails_with_the_reason() {
    assert!(matches!(failure(answer("500 Internal Server Error", "", "")).await, FetchError::Status(500)));
    assert!(matches!(failure(answer("204 No Content", "", "")).await, FetchError::Status(204)));
    assert!(matches!(failure(answer("200 OK", "", "<html>")).await, FetchError::NotAKeySet));
    assert!(matches!(failure(b"nonsense\r\n\r\n".to_vec()).await, FetchError::Connection(_)));
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
    assert!(matches!(failure(short).await, FetchError::Connection(_)));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_gives_no_keys_over_https() {
    let key = Key::es256("a");
    let (url, _) = server(answer("200 OK", "", &json!({ "keys": [key.jwk] }).to_string())).await;
    let answer = outcome(&url.replace("http://", "https://"), &key).await;
    assert!(matches!(answer, Err(Error::KeysUnavailable(_))), "{answer:?}");
}

#[test]
fn keys_are_never_fetched_in_the_open_from_another_machine() {
    for issuer in ["http://api.example.com/api/v1", "api.example.com", ""] {
        assert!(matches!(Verifier::builder(issuer).build(), Err(BuildError::Url(_))), "{issuer}");
    }
    assert!(matches!(Verifier::builder(ISSUER).algorithms(&[]).build(), Err(BuildError::NoAlgorithm)));
    assert!(Verifier::builder(ISSUER).build().is_ok());
}
