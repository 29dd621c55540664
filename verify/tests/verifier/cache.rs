//! When the keys are fetched, and what happens when they cannot be.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use verify::{Error, FetchError, Invalid, Verifier};

use crate::{Endpoint, Key, claims, with};

const MINUTE: Duration = Duration::from_mins(1);

/// A token that is valid for days, so that only its key decides.
fn lasting(key: &Key) -> String {
    key.sign(&key.header(), &with(&claims(), &json!({ "exp": 4_000_000_000_u64 })))
}

async fn at_once(verifier: &Verifier, token: &str, count: usize) -> Vec<Result<(), Error>> {
    let asking = (0..count).map(|_| {
        let (verifier, token) = (verifier.clone(), token.to_owned());
        tokio::spawn(async move { verifier.verify(&token).await.map(|_| ()) })
    });
    let mut answers = Vec::new();
    for task in asking.collect::<Vec<_>>() {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_token_and_then_once() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let verifier = endpoint.verifier();
    assert_eq!(endpoint.asked(), 0);
    for _ in 0..10 {
        assert!(verifier.verify(&key.token()).await.is_ok());
    }
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_burst_makes_one_fetch_and_all_of_it_is_answered() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    endpoint.slow(100);
    let verifier = endpoint.verifier();
    assert!(at_once(&verifier, &lasting(&key), 100).await.iter().all(Result::is_ok));
    assert_eq!(endpoint.asked(), 1, "the first");
    endpoint.advance(MINUTE * 16);
    assert!(at_once(&verifier, &lasting(&key), 100).await.iter().all(Result::is_ok));
    assert_eq!(endpoint.asked(), 2, "and when they are due again");
}

#[tokio::test]
async fn a_burst_while_the_endpoint_is_down_makes_one_fetch_too() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    endpoint.slow(100);
    endpoint.down(true);
    let answers = at_once(&endpoint.verifier(), &key.token(), 100).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Error::KeysUnavailable(_)))), "{answers:?}");
    assert_eq!(endpoint.asked(), 1);
}

/// Callers who have begun to wait for an endpoint that does not answer.
fn waiting(endpoint: &Endpoint, verifier: &Verifier, key: &Key, count: usize) -> Vec<JoinHandle<Result<(), Error>>> {
    endpoint.hang(true);
    let ask = |_| {
        let (verifier, token) = (verifier.clone(), lasting(key));
        tokio::spawn(async move { verifier.verify(&token).await.map(|_| ()) })
    };
    (0..count).map(ask).collect()
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn callers_of_a_hanging_endpoint_share_one_fetch_and_its_failure() {
    let key = Key::es256("a");
    let endpoint = Endpoint::default();
    let verifier = endpoint.verifier();
    let callers = waiting(&endpoint, &verifier, &key, 10);
    settle().await;
    // As long as a fetch may take.
    endpoint.advance(Duration::from_secs(5));
    let latecomer = waiting(&endpoint, &verifier, &key, 1);
    settle().await;
    assert_eq!(endpoint.asked(), 1);
    endpoint.down(true);
    endpoint.hang(false);
    for caller in callers.into_iter().chain(latecomer) {
        match caller.await.unwrap() {
            Err(Error::KeysUnavailable(cause)) => assert!(matches!(*cause, FetchError::Status(503)), "{cause}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(endpoint.asked(), 1, "nobody fetched again");
    assert!(verifier.verify(&lasting(&key)).await.is_err());
    assert_eq!(endpoint.asked(), 1, "the wait for the next attempt begins at the end of the last");

    endpoint.publish(&[&key]);
    endpoint.down(false);
    endpoint.advance(Duration::from_secs(1));
    assert!(at_once(&verifier, &lasting(&key), 10).await.iter().all(Result::is_ok));
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_the_fetch_to_those_who_wait() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let verifier = endpoint.verifier();
    let mut callers = waiting(&endpoint, &verifier, &key, 10);
    settle().await;
    let first = callers.remove(0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    endpoint.advance(Duration::from_secs(2));
    endpoint.hang(false);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_caller_with_a_cached_key_does_not_wait_for_a_fetch() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let verifier = endpoint.verifier();
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    endpoint.advance(MINUTE * 16);
    endpoint.slow(usize::MAX);
    let stuck = tokio::spawn({
        let (verifier, token) = (verifier.clone(), lasting(&key));
        async move { verifier.verify(&token).await.map(|_| ()) }
    });
    while endpoint.asked() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    stuck.abort();
}

#[tokio::test]
async fn keys_are_kept_as_long_as_the_answer_says_within_bounds() {
    let key = Key::es256("a");
    for (max_age, kept) in [(None, 5), (Some(MINUTE * 7), 7), (Some(Duration::ZERO), 1), (Some(MINUTE * 600), 15)] {
        let endpoint = Endpoint::with(&[&key]);
        endpoint.max_age(max_age);
        let verifier = endpoint.verifier();
        assert!(verifier.verify(&lasting(&key)).await.is_ok());
        endpoint.advance(MINUTE * kept - Duration::from_secs(1));
        assert!(verifier.verify(&lasting(&key)).await.is_ok());
        assert_eq!(endpoint.asked(), 1, "{max_age:?}");
        endpoint.advance(Duration::from_secs(1));
        assert!(verifier.verify(&lasting(&key)).await.is_ok());
        assert_eq!(endpoint.asked(), 2, "{max_age:?}");
    }
}

#[tokio::test]
async fn unknown_key_ids_trigger_a_fetch_at_most_every_ten_seconds() {
    let (old, new) = (Key::es256("old"), Key::es256("new"));
    let endpoint = Endpoint::with(&[&old]);
    let verifier = endpoint.verifier();
    assert!(verifier.verify(&old.token()).await.is_ok());
    endpoint.publish(&[&old, &new]);
    endpoint.advance(Duration::from_secs(10));
    assert!(verifier.verify(&new.token()).await.is_ok(), "not before the cached set is due");
    assert_eq!(endpoint.asked(), 2);

    for second in 0..30 {
        for number in 0..20 {
            let made_up = with(&new.header(), &json!({ "kid": format!("{second}-{number}") }));
            let answer = verifier.verify(&new.sign(&made_up, &claims())).await;
            assert!(matches!(answer, Err(Error::Invalid(Invalid::UnknownKey))), "{answer:?}");
            assert!(verifier.verify(&new.token()).await.is_ok(), "everybody else goes on");
        }
        endpoint.advance(Duration::from_secs(1));
    }
    assert_eq!(endpoint.asked(), 4);
}

#[tokio::test]
async fn a_withdrawn_key_is_trusted_for_fifteen_minutes_at_most() {
    let (compromised, new) = (Key::es256("compromised"), Key::es256("new"));
    let endpoint = Endpoint::with(&[&compromised]);
    endpoint.max_age(Some(MINUTE * 600));
    let verifier = endpoint.verifier();
    assert!(verifier.verify(&lasting(&compromised)).await.is_ok());
    endpoint.publish(&[&new]);
    endpoint.advance(MINUTE * 15);
    let answer = verifier.verify(&lasting(&compromised)).await;
    assert!(matches!(answer, Err(Error::Invalid(Invalid::UnknownKey))), "{answer:?}");

    let verifier = endpoint.verifier();
    endpoint.publish(&[&compromised]);
    assert!(verifier.verify(&lasting(&compromised)).await.is_ok());
    endpoint.publish(&[&new]);
    endpoint.advance(Duration::from_secs(10));
    assert!(verifier.verify(&lasting(&new)).await.is_ok());
    assert!(verifier.verify(&lasting(&compromised)).await.is_err(), "sooner where a token of the new key comes by");
}

#[tokio::test]
async fn while_the_endpoint_is_down_known_keys_go_on_for_an_hour() {
    let (key, other) = (Key::es256("a"), Key::es256("b"));
    let endpoint = Endpoint::with(&[&key]);
    endpoint.max_age(Some(MINUTE * 5));
    let verifier = endpoint.verifier();
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    endpoint.down(true);
    endpoint.advance(MINUTE * 5);
    for _ in 0..100 {
        assert!(verifier.verify(&lasting(&key)).await.is_ok());
    }
    assert_eq!(endpoint.asked(), 2, "one attempt in ten seconds");
    let answer = verifier.verify(&lasting(&other)).await;
    assert!(matches!(answer, Err(Error::KeysUnavailable(_))), "an unknown key may be a new one: {answer:?}");

    endpoint.advance(MINUTE * 59);
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    endpoint.advance(MINUTE);
    match verifier.verify(&lasting(&key)).await {
        Err(Error::KeysUnavailable(cause)) => assert!(matches!(*cause, FetchError::Status(503)), "{cause}"),
        other => panic!("{other:?}"),
    }
    endpoint.down(false);
    endpoint.advance(Duration::from_secs(10));
    assert!(verifier.verify(&lasting(&key)).await.is_ok(), "and when it is back, all is well");
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_no_lock_and_opens_no_flood() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    endpoint.slow(usize::MAX);
    let verifier = endpoint.verifier();
    for _ in 0..10 {
        let token = key.token();
        let hung_up = tokio::time::timeout(Duration::from_millis(1), verifier.verify(&token)).await;
        assert!(!matches!(hung_up, Ok(Ok(_))));
    }
    assert_eq!(endpoint.asked(), 1);
    endpoint.slow(0);
    endpoint.advance(Duration::from_secs(1));
    assert!(verifier.verify(&key.token()).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_keys_for_ever() {
    let key = Key::es256("a");
    let endpoint = Endpoint::with(&[&key]);
    let clock = endpoint.clone();
    let ahead = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(86_400));
    let moved = std::sync::Arc::clone(&ahead);
    let by = move || Duration::from_secs(moved.load(std::sync::atomic::Ordering::SeqCst));
    let verifier = endpoint.builder().clock(move || clock.now() + by()).build().unwrap();
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    ahead.store(0, std::sync::atomic::Ordering::SeqCst);
    assert!(verifier.verify(&lasting(&key)).await.is_ok());
    assert_eq!(endpoint.asked(), 2);
}
