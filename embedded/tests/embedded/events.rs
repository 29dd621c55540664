//! `EventBridge`: what a bus accepts, what becomes of it, and how entries fail.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::types::builders::PutEventsRequestEntryBuilder;
use embedded::{Outage, Service};
use serde_json::{Value, json};

use crate::{Aws, PUBLISHED};

fn entry(detail: &str) -> PutEventsRequestEntryBuilder {
    let entry = PutEventsRequestEntry::builder().source("com.example.users").detail_type("user.registered");
    entry.detail(detail).event_bus_name("events")
}

async fn put(aws: &Aws, entries: Vec<PutEventsRequestEntryBuilder>) -> PutEventsOutput {
    let entries = entries.into_iter().map(PutEventsRequestEntryBuilder::build).collect();
    aws.events.put_events().set_entries(Some(entries)).send().await.unwrap()
}

/// The code of a request that is refused as a whole.
async fn refused(aws: &Aws, entries: Vec<PutEventsRequestEntryBuilder>) -> String {
    let entries = entries.into_iter().map(PutEventsRequestEntryBuilder::build).collect();
    let error = aws.events.put_events().set_entries(Some(entries)).send().await.unwrap_err();
    format!("{}: {}", error.code().unwrap(), error.message().unwrap())
}

fn codes(answer: &PutEventsOutput) -> Vec<Option<&str>> {
    answer.entries().iter().map(|entry| entry.error_code()).collect()
}

async fn received(aws: &Aws, queue: &str) -> Vec<Value> {
    let url = aws.sqs.create_queue().queue_name(queue).send().await.unwrap().queue_url.unwrap();
    let received = aws.sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
    let bodies = received.messages().iter().map(|message| message.body().unwrap());
    bodies.map(|body| serde_json::from_str(body).unwrap()).collect()
}

#[tokio::test]
async fn an_accepted_event_is_kept_as_it_was_given_newest_first() {
    let aws = Aws::start().await;
    let full = entry(r#"{"n":1}"#).resources("arn:aws:users:::user/1").time(DateTime::from_millis(1_700_000_000_900));
    let plain = entry(r#"{"n":2}"#).set_event_bus_name(None);
    let by_arn = entry(r#"{"n":3}"#).event_bus_name("arn:aws:events:us-east-1:000000000000:event-bus/events");

    let answer = put(&aws, vec![full, plain, by_arn]).await;

    assert_eq!(answer.failed_entry_count(), 0);
    let events = aws.embedded.received().events();
    let ids: Vec<_> = answer.entries().iter().rev().map(|entry| entry.event_id().unwrap()).collect();
    assert_eq!(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ids);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    let [by_arn, plain, full] = events.try_into().unwrap();
    assert_eq!((full.bus.as_str(), plain.bus.as_str(), by_arn.bus.as_str()), ("events", "default", "events"));
    assert_eq!((full.source.as_str(), full.detail_type.as_str()), ("com.example.users", "user.registered"));
    assert_eq!((full.time.as_str(), full.detail), ("2023-11-14T22:13:20Z", json!({ "n": 1 })));
    assert_eq!(full.resources, ["arn:aws:users:::user/1"]);
    assert!(plain.received_at > 1_700_000_000_000);
    assert_eq!(plain.time.len(), "2023-11-14T22:13:20Z".len());
}

#[tokio::test]
async fn an_event_goes_to_the_queue_of_the_rule_that_matches() {
    let aws = Aws::start().await;
    let other_source = entry("{}").source("com.example.orders");
    let other_bus = entry("{}").event_bus_name("default");
    let answer = put(&aws, vec![other_source, entry(r#"{"n":1}"#).resources("arn"), other_bus]).await;

    // The queue did not exist until now.
    let messages = received(&aws, PUBLISHED).await;

    assert_eq!(messages.len(), 1);
    let time = messages[0]["time"].as_str().unwrap();
    assert_eq!(
        messages[0],
        json!({
            "version": "0",
            "id": answer.entries()[1].event_id(),
            "detail-type": "user.registered",
            "source": "com.example.users",
            "account": "000000000000",
            "time": time,
            "region": "us-east-1",
            "resources": ["arn"],
            "detail": { "n": 1 },
        })
    );
}

#[tokio::test]
async fn an_entry_that_eventbridge_would_not_take_fails_alone() {
    let aws = Aws::start().await;
    let entries = vec![
        entry("{}"),
        entry("{}").set_source(None),
        entry("{}").detail_type(""),
        entry("").set_detail(None),
        entry("{"),
        entry("[]"),
        entry(r#""text""#),
        entry("{}").source("aws.ses"),
        entry("{}"),
    ];

    let answer = put(&aws, entries).await;

    assert_eq!(
        codes(&answer),
        [
            None,
            Some("InvalidArgument"),
            Some("InvalidArgument"),
            Some("InvalidArgument"),
            Some("MalformedDetail"),
            Some("MalformedDetail"),
            Some("MalformedDetail"),
            Some("NotAuthorizedForSourceException"),
            None,
        ]
    );
    assert_eq!(answer.failed_entry_count(), 7);
    assert!(answer.entries().iter().all(|entry| entry.event_id().is_some() != entry.error_message().is_some()));
    assert_eq!(aws.embedded.received().events().len(), 2);
}

#[tokio::test]
async fn a_request_beyond_the_limits_is_refused_whole() {
    let aws = Aws::start().await;
    let of_size = |size: usize| {
        let fixed = "com.example.users".len() + "user.registered".len() + r#"{"a":""}"#.len();
        entry(&format!(r#"{{"a":"{}"}}"#, "x".repeat(size - fixed)))
    };
    for (case, entries) in [
        ("no entry", vec![]),
        ("eleven entries", vec![entry("{}"); 11]),
        ("one byte too many", vec![of_size(1_048_577)]),
        ("one byte too many in two entries", vec![of_size(524_288), of_size(524_289)]),
        ("a time too many", vec![of_size(1_048_576).time(DateTime::from_secs(0))]),
    ] {
        assert!(refused(&aws, entries).await.starts_with("ValidationException: "), "{case}");
    }
    assert!(aws.embedded.received().events().is_empty());

    let answer = put(&aws, vec![of_size(1_048_576)]).await;
    assert_eq!(answer.failed_entry_count(), 0);
    assert_eq!(aws.embedded.received().events().len(), 1);
    // In its envelope it is larger than a message may be.
    assert!(received(&aws, PUBLISHED).await.is_empty());
}

#[tokio::test]
async fn a_partial_failure_spares_the_first_entry_and_keeps_what_it_accepts() {
    let aws = Aws::start().await;
    aws.embedded.set_outage(Service::EventBridge, Outage::PartialFailure);

    let answer = put(&aws, (0..5).map(|number| entry(&format!(r#"{{"n":{number}}}"#))).collect()).await;

    assert_eq!(codes(&answer), [None, Some("InternalFailure"), None, Some("ThrottlingException"), None]);
    assert_eq!(answer.failed_entry_count(), 2);
    let kept: Vec<_> = aws.embedded.received().events().iter().map(|event| event.detail["n"].clone()).collect();
    assert_eq!(kept, [4, 2, 0]);
    assert_eq!(codes(&put(&aws, vec![entry("{}")]).await), [None]);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_event_accepted_and_an_outage_does_not() {
    let aws = Aws::start().await;
    for (outage, accepted) in [(Outage::Unavailable, 0), (Outage::AnswerLost, 1)] {
        aws.embedded.set_outage(Service::EventBridge, outage);
        assert!(refused(&aws, vec![entry("{}")]).await.starts_with("ServiceUnavailable: "));
        assert_eq!(aws.embedded.received().events().len(), accepted, "{outage:?}");
    }
    assert_eq!(received(&aws, PUBLISHED).await.len(), 1);
}

#[tokio::test]
async fn events_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    put(&aws, vec![entry(r#"{"n":1}"#)]).await;
    let before = aws.embedded.received().events();
    aws.embedded.stop().await;

    assert_eq!(Aws::start_in(folder.path()).await.embedded.received().events(), before);
}
