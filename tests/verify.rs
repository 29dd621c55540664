//! The crate `verify` against this service: what another service sees of its tokens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use shared::clock::Clock;
use tests::{TestApp, text};
use verify::{Error, Invalid, Verifier};

const MINUTE: Duration = Duration::from_mins(1);

fn time(clock: &Clock) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(clock.now().millis()).unwrap())
}

/// A verifier that goes by the clock of the service's test.
fn verifier(app: &TestApp) -> Verifier {
    let clock = app.clock.clone();
    Verifier::builder(app.url("")).clock(move || time(&clock)).build().unwrap()
}

#[tokio::test]
async fn a_token_of_each_algorithm_is_taken_and_says_who_it_is() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let app = TestApp::start_with(&[("SIGNING_ALGORITHM", algorithm)]).await;
        let admin = app.admin().await;
        let claims = verifier(&app).verify(&admin.access_token).await.unwrap();
        assert_eq!(claims.sub, admin.id, "{algorithm}");
        assert!(claims.has_role("admin") && claims.signed_in_within(MINUTE, time(&app.clock)), "{claims:?}");
    }
}

#[tokio::test]
async fn no_other_token_of_the_service_is_taken() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await;
    let link = app.confirmation_token("ada@example.com").await;
    let admin = app.admin().await;
    app.confirmed("bob@example.com").await;
    let cursor = text(&admin.get("/users?limit=1").await.json()["next_cursor"]);
    let verifier = verifier(&app);
    for token in [&link, &cursor, &admin.refresh_token] {
        let answer = verifier.verify(token).await;
        assert!(matches!(answer, Err(Error::Invalid(Invalid::Malformed))), "{answer:?}");
    }
    let other = TestApp::start().await;
    let answer = verifier.verify(&other.admin().await.access_token).await;
    assert!(matches!(answer, Err(Error::Invalid(Invalid::UnknownKey))), "of another installation: {answer:?}");
}

#[tokio::test]
async fn a_token_expires_and_keys_rotate_without_interruption() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let verifier = verifier(&app);
    assert!(verifier.verify(&ada.access_token).await.is_ok());
    app.clock.advance(MINUTE * 11);
    assert!(matches!(verifier.verify(&ada.access_token).await, Err(Error::Expired)));
    for day in 0..40 {
        app.later(MINUTE * 60 * 24).await;
        let ada = app.sign_in("ada@example.com").await;
        assert!(verifier.verify(&ada.access_token).await.is_ok(), "day {day}");
    }
    assert_eq!(app.events("key_retired").await.len(), 1);
}

#[tokio::test]
async fn a_verifier_drops_a_revoked_key_once_it_sees_the_new_one() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let verifier = verifier(&app);
    assert!(verifier.verify(&ada.access_token).await.is_ok());
    let kid = text(&app.get("/.well-known/jwks.json").await.json()["keys"][0]["kid"]);
    let update = app.app().dynamodb().update_item().table_name("users").key("pk", AttributeValue::S("KEYS".into()));
    let update = update.key("sk", AttributeValue::S(kid)).update_expression("SET revoked_at = :now");
    update.expression_attribute_values(":now", AttributeValue::N("1".into())).send().await.unwrap();

    app.later(MINUTE).await;
    let bob = app.signed_in("bob@example.com").await;
    assert!(verifier.verify(&bob.access_token).await.is_ok(), "a token of the new key makes it look at once");
    let answer = verifier.verify(&ada.access_token).await;
    assert!(matches!(answer, Err(Error::Invalid(Invalid::UnknownKey))), "{answer:?}");
}

#[tokio::test]
async fn a_token_of_an_ended_session_verifies_until_it_expires() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let verifier = verifier(&app);
    ada.post("/auth/logout", &json!({})).await;
    assert!(verifier.verify(&ada.access_token).await.is_ok(), "who must know at once introspects");
}
