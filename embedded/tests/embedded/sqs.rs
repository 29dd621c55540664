//! SQS: delivery, visibility, dead letters, waiting, and the limits that bite in production.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};

use crate::Aws;

async fn create(sqs: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let created = sqs.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap();
    created.queue_url.unwrap()
}

async fn send(sqs: &Client, url: &str, body: &str) {
    sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(sqs: &Client, url: &str, wait: i32) -> Vec<Message> {
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(wait);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    receive.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default()
}

async fn show(sqs: &Client, url: &str, message: &Message, seconds: i32) {
    let change = sqs.change_message_visibility().queue_url(url).visibility_timeout(seconds);
    change.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
}

async fn delete(sqs: &Client, url: &str, message: &Message) {
    sqs.delete_message().queue_url(url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
}

async fn attribute(sqs: &Client, url: &str, name: QueueAttributeName) -> String {
    let get = sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    get.attributes.unwrap().remove(&name).unwrap()
}

fn receives(message: &Message) -> &str {
    &message.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount]
}

#[tokio::test]
async fn a_received_message_is_hidden_until_it_is_shown_again_or_deleted() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    send(&sqs, &url, "hello").await;

    let first = receive(&sqs, &url, 0).await;
    assert_eq!(first[0].body(), Some("hello"));
    assert!(receive(&sqs, &url, 0).await.is_empty());
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessages).await, "0");
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, "1");

    show(&sqs, &url, &first[0], 0).await;
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessages).await, "1");
    let second = receive(&sqs, &url, 0).await;
    assert_eq!((receives(&first[0]), receives(&second[0])), ("1", "2"));

    delete(&sqs, &url, &second[0]).await;
    delete(&sqs, &url, &second[0]).await;
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await, "0");
}

#[tokio::test]
async fn a_stale_receipt_handle_deletes_nothing() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    send(&sqs, &url, "hello").await;
    let first = receive(&sqs, &url, 0).await;
    show(&sqs, &url, &first[0], 0).await;
    let second = receive(&sqs, &url, 0).await;

    delete(&sqs, &url, &first[0]).await;

    show(&sqs, &url, &second[0], 0).await;
    assert_eq!(receive(&sqs, &url, 0).await.len(), 1);
}

#[tokio::test]
async fn a_message_reappears_after_its_visibility_timeout() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[(QueueAttributeName::VisibilityTimeout, "1")]).await;
    send(&sqs, &url, "hello").await;

    assert_eq!(receive(&sqs, &url, 0).await.len(), 1);
    assert!(receive(&sqs, &url, 0).await.is_empty());
    assert_eq!(receives(&receive(&sqs, &url, 20).await[0]), "2");
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let dead = create(&sqs, "dead", &[]).await;
    let arn = attribute(&sqs, &dead, QueueAttributeName::QueueArn).await;
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}"#);
    let url = create(&sqs, "queue", &[(QueueAttributeName::RedrivePolicy, &policy)]).await;
    send(&sqs, &url, "poison").await;
    for _ in 0..2 {
        let received = receive(&sqs, &url, 0).await;
        show(&sqs, &url, &received[0], 0).await;
    }

    // The dead-letter queue's waiting receive is woken by the one that finds the message exhausted.
    let (dead_letters, rest) = tokio::join!(receive(&sqs, &dead, 20), receive(&sqs, &url, 0));

    assert!(rest.is_empty());
    assert_eq!(dead_letters[0].body(), Some("poison"));
    assert_eq!(attribute(&sqs, &url, QueueAttributeName::ApproximateNumberOfMessages).await, "0");
}

#[tokio::test]
async fn a_waiting_receive_is_woken_by_a_send_and_holds_up_nothing() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let waiting = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move { receive(&sqs, &url, 20).await }
    });
    let other = create(&sqs, "other", &[]).await;
    for _ in 0..100 {
        send(&sqs, &other, "something else").await;
    }
    assert!(!waiting.is_finished());

    send(&sqs, &url, "hello").await;

    assert_eq!(waiting.await.unwrap()[0].body(), Some("hello"));
}

#[tokio::test]
async fn a_waiting_receive_ends_when_the_servers_stop() {
    let Aws { sqs, embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let other = create(&sqs, "other", &[]).await;
    let waiting = tokio::spawn({
        let sqs = sqs.clone();
        async move { sqs.receive_message().queue_url(url).wait_time_seconds(20).send().await }
    });
    for _ in 0..100 {
        send(&sqs, &other, "until the receive has begun").await;
    }
    assert!(!waiting.is_finished());

    let started = tokio::time::Instant::now();
    embedded.stop().await;

    assert!(started.elapsed().as_secs() < 2);
    assert!(waiting.await.unwrap().unwrap().messages().is_empty());
}

#[tokio::test]
async fn a_batch_tells_each_entrys_fate() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let entry = |id: usize, body: &str| {
        SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body).build().unwrap()
    };
    let entries = vec![entry(1, "one"), entry(2, "\u{1}"), entry(3, "three")];
    let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(sent.successful().iter().map(SendMessageBatchResultEntry::id).collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(sent.failed()[0].id(), "2");
    assert_eq!(sent.failed()[0].code(), "InvalidMessageContents");

    let received = receive(&sqs, &url, 0).await;
    assert_eq!(received.len(), 2);
    let handle = |message: &Message| message.receipt_handle().unwrap().to_owned();
    let change = ChangeMessageVisibilityBatchRequestEntry::builder().id("a").receipt_handle(handle(&received[0]));
    let change = change.visibility_timeout(60).build().unwrap();
    let changed = sqs.change_message_visibility_batch().queue_url(&url).entries(change).send().await.unwrap();
    assert_eq!(changed.successful().len(), 1);
    let delete = |id: &str, handle: String| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let entries = vec![delete("a", handle(&received[0])), delete("b", "made up".to_owned())];
    let deleted = sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (1, 1));
}

#[tokio::test]
async fn a_batch_of_none_or_of_more_than_ten_is_refused() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let entry =
        |id: usize| SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body("x").build().unwrap();

    for (count, code) in
        [(0, "AWS.SimpleQueueService.EmptyBatchRequest"), (11, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")]
    {
        let entries = (0..count).map(entry).collect();
        let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await;
        assert_eq!(sent.unwrap_err().code(), Some(code));
    }
}

#[tokio::test]
async fn a_batch_whose_entries_cannot_be_told_apart_is_refused_whole() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let long = "x".repeat(81);
    for (ids, code) in [
        (["a", "a"], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        (["a", ""], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (["a", "b c"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (["a", "b/c"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (["a", "ü"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (["a", &long], "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ] {
        let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body("x").build().unwrap();
        let entries = ids.map(entry).to_vec();
        let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await;
        assert_eq!(sent.unwrap_err().code(), Some(code), "{ids:?}");
        let entry = |id: &str| DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle("x.1").build().unwrap();
        let entries = ids.map(entry).to_vec();
        let deleted = sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await;
        assert_eq!(deleted.unwrap_err().code(), Some(code), "{ids:?}");
    }
    assert!(receive(&sqs, &url, 0).await.is_empty());
}

#[tokio::test]
async fn a_message_that_sqs_would_not_take_is_refused() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let send = |body: &str| sqs.send_message().queue_url(&url).message_body(body);
    let value =
        |kind: &str, text: &str| MessageAttributeValue::builder().data_type(kind).string_value(text).build().unwrap();
    let half = "x".repeat(524_288);
    let eleven = (0..11).map(|number| (number.to_string(), value("String", "x"))).collect();
    for (case, send, code) in [
        ("no body", send(""), "MissingParameter"),
        ("more than 1 MiB", send(&"x".repeat(1_048_577)), "InvalidParameterValue"),
        (
            "more with its attribute",
            send(&half).message_attributes("a", value("String", &half)),
            "InvalidParameterValue",
        ),
        ("a character outside XML", send("\u{FFFF}"), "InvalidMessageContents"),
        ("a delay over 15 minutes", send("x").delay_seconds(901), "InvalidParameterValue"),
        ("a negative delay", send("x").delay_seconds(-1), "InvalidParameterValue"),
        ("eleven attributes", send("x").set_message_attributes(Some(eleven)), "InvalidParameterValue"),
        ("a name with spaces", send("x").message_attributes("a b", value("String", "x")), "InvalidParameterValue"),
        ("a reserved name", send("x").message_attributes("AWS.x", value("String", "x")), "InvalidParameterValue"),
        ("no such type", send("x").message_attributes("a", value("Text", "x")), "InvalidParameterValue"),
        ("no value", send("x").message_attributes("a", value("String", "")), "InvalidParameterValue"),
    ] {
        assert_eq!(send.send().await.unwrap_err().code(), Some(code), "{case}");
    }
    let read = sqs.get_queue_attributes().queue_url(&url).attribute_names("NoSuchName".into());
    assert_eq!(read.send().await.unwrap_err().code(), Some("InvalidAttributeName"));
    assert!(receive(&sqs, &url, 0).await.is_empty());
}

#[tokio::test]
async fn message_attributes_come_back() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;
    let value = MessageAttributeValue::builder().data_type("String").string_value("00-abc").build().unwrap();
    let send = sqs.send_message().queue_url(&url).message_body("x").message_attributes("traceparent", value.clone());
    send.send().await.unwrap();

    assert_eq!(receive(&sqs, &url, 0).await[0].message_attributes().unwrap()["traceparent"], value);
}

#[tokio::test]
async fn a_queue_is_found_by_name_or_by_its_url_on_aws() {
    let aws = Aws::start().await;
    let url = create(&aws.sqs, "queue", &[]).await;
    assert!(url.starts_with(&aws.embedded.endpoints().sqs));

    let found = aws.sqs.get_queue_url().queue_name("queue").send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    // As written into a configuration before the ports were known.
    send(&aws.sqs, "https://sqs.us-east-1.amazonaws.com/000000000000/queue", "hello").await;
    assert_eq!(receive(&aws.sqs, &url, 0).await.len(), 1);

    let missing = aws.sqs.get_queue_url().queue_name("missing").send().await.unwrap_err();
    assert!(missing.into_service_error().is_queue_does_not_exist());
    let missing = aws.sqs.send_message().queue_url("missing").message_body("x").send().await.unwrap_err();
    assert!(missing.into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn a_queue_may_be_created_twice_but_not_differently() {
    let Aws { sqs, embedded: _embedded, .. } = Aws::start().await;
    create(&sqs, "queue", &[(QueueAttributeName::VisibilityTimeout, "60")]).await;
    create(&sqs, "queue", &[(QueueAttributeName::VisibilityTimeout, "60")]).await;
    create(&sqs, "queue", &[]).await;

    let other = sqs.create_queue().queue_name("queue").attributes(QueueAttributeName::VisibilityTimeout, "61");
    assert!(other.send().await.unwrap_err().into_service_error().is_queue_name_exists());
    let absurd = sqs.create_queue().queue_name("absurd").attributes(QueueAttributeName::VisibilityTimeout, "43201");
    assert_eq!(absurd.send().await.unwrap_err().code(), Some("InvalidAttributeValue"));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_message_sent() {
    use embedded::{Outage, Service};
    let Aws { sqs, embedded, .. } = Aws::start().await;
    let url = create(&sqs, "queue", &[]).await;

    embedded.set_outage(Service::Sqs, Outage::AnswerLost);
    sqs.send_message().queue_url(&url).message_body("x").send().await.unwrap_err();
    embedded.set_outage(Service::Sqs, Outage::None);

    assert_eq!(receive(&sqs, &url, 0).await.len(), 1);
}
