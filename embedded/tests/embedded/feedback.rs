//! What SES reports about mails: the simulator's addresses, and the suppression list.

use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag, SuppressionListReason,
};
use embedded::{BusEvent, SuppressionReason};
use serde_json::{Value, json};

use crate::Aws;

fn mail(aws: &Aws, to: &[&str]) -> SendEmailFluentBuilder {
    let content = |text: &str| Content::builder().data(text).build().unwrap();
    let header = MessageHeader::builder().name("X-Mail-Id").value("7").build().unwrap();
    let body = Body::builder().text(content("Hello")).build();
    let message = Message::builder().subject(content("Welcome")).body(body).headers(header).build();
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    aws.ses
        .send_email()
        .from_email_address("Service <service@example.com>")
        .destination(Destination::builder().set_to_addresses(Some(to)).build())
        .reply_to_addresses("help@example.com")
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("kind").value("welcome").build().unwrap())
        .configuration_set_name("mail")
}

async fn send(aws: &Aws, to: &[&str]) -> String {
    mail(aws, to).send().await.unwrap().message_id.unwrap()
}

/// What was reported, oldest first.
fn reported(aws: &Aws) -> Vec<BusEvent> {
    let mut events = aws.embedded.received().events();
    events.reverse();
    events
}

fn types(events: &[BusEvent]) -> Vec<(&str, &str)> {
    events.iter().map(|event| (event.detail_type.as_str(), event.detail["eventType"].as_str().unwrap())).collect()
}

const SENT: (&str, &str) = ("Email Sent", "Send");
const DELIVERED: (&str, &str) = ("Email Delivered", "Delivery");
const BOUNCED: (&str, &str) = ("Email Bounced", "Bounce");
const COMPLAINED: (&str, &str) = ("Email Complaint Received", "Complaint");

/// The part of an event that its type adds, without what differs each time.
fn content(event: &BusEvent, member: &str) -> Value {
    let mut content = event.detail[member].clone();
    for time in ["timestamp", "arrivalDate"].into_iter().filter_map(|name| content.as_object_mut()?.remove(name)) {
        assert_eq!(time.as_str().unwrap().len(), "2026-01-31T09:30:00.120Z".len());
    }
    if let Some(id) = content.as_object_mut().unwrap().remove("feedbackId") {
        assert!(id.as_str().unwrap().ends_with("-000000"));
    }
    content
}

#[tokio::test]
async fn an_email_to_any_address_is_reported_as_sent_and_delivered() {
    let aws = Aws::start().await;
    let message_id = send(&aws, &["Ada <ada@example.com>"]).await;

    let events = reported(&aws);

    assert_eq!(types(&events), [SENT, DELIVERED]);
    for event in &events {
        assert_eq!((event.bus.as_str(), event.source.as_str()), ("default", "aws.ses"));
        assert_eq!(event.resources, ["arn:aws:ses:us-east-1:000000000000:configuration-set/mail"]);
        let mut mail = event.detail["mail"].clone();
        let sent_at = mail.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(sent_at.as_str().unwrap().ends_with('Z'));
        assert_eq!(
            mail,
            json!({
                "source": "Service <service@example.com>",
                "sourceArn": "arn:aws:ses:us-east-1:000000000000:identity/example.com",
                "sendingAccountId": "000000000000",
                "messageId": message_id,
                "destination": ["Ada <ada@example.com>"],
                "headersTruncated": false,
                "headers": [
                    { "name": "From", "value": "Service <service@example.com>" },
                    { "name": "Reply-To", "value": "help@example.com" },
                    { "name": "To", "value": "Ada <ada@example.com>" },
                    { "name": "Subject", "value": "Welcome" },
                    { "name": "MIME-Version", "value": "1.0" },
                    { "name": "X-Mail-Id", "value": "7" },
                ],
                "commonHeaders": {
                    "from": ["Service <service@example.com>"],
                    "replyTo": ["help@example.com"],
                    "to": ["Ada <ada@example.com>"],
                    "messageId": message_id,
                    "subject": "Welcome",
                },
                "tags": {
                    "ses:operation": ["SendEmail"],
                    "ses:configuration-set": ["mail"],
                    "ses:source-ip": ["127.0.0.1"],
                    "ses:from-domain": ["example.com"],
                    "ses:caller-identity": ["local"],
                    "kind": ["welcome"],
                },
            })
        );
    }
    assert_eq!(events[0].detail["send"], json!({}));
    let delivery = content(&events[1], "delivery");
    assert!(delivery["processingTimeMillis"].as_i64().unwrap() >= 0);
    assert_eq!(delivery["recipients"], json!(["Ada <ada@example.com>"]));
}

#[tokio::test]
async fn without_a_configuration_set_nothing_is_reported() {
    let aws = Aws::start().await;
    let mail = mail(&aws, &["bounce@simulator.amazonses.com"]).set_configuration_set_name(None);
    mail.send().await.unwrap();

    assert!(reported(&aws).is_empty());
    assert_eq!(aws.embedded.received().mails().len(), 1);
}

#[tokio::test]
async fn an_email_to_the_simulators_bounce_address_bounces_permanently() {
    let aws = Aws::start().await;
    let address = "bounce+7@simulator.amazonses.com";
    send(&aws, &[address]).await;

    let events = reported(&aws);

    assert_eq!(types(&events), [SENT, BOUNCED]);
    assert_eq!(
        content(&events[1], "bounce"),
        json!({
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{
                "emailAddress": address,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }],
            "reportingMTA": "dns; a1-1.smtp-out.amazonses.com",
        })
    );
    assert_eq!(aws.embedded.received().mails()[0].to, [address]);
    // It can be used again and again.
    send(&aws, &[address]).await;
    assert_eq!(reported(&aws)[3].detail["bounce"]["bounceSubType"], "General");
}

#[tokio::test]
async fn the_simulator_complains_answers_and_is_on_the_global_list() {
    let aws = Aws::start().await;
    let address = |name: &str| format!("{name}@simulator.amazonses.com");
    for name in ["complaint", "ooto", "suppressionlist", "success"] {
        send(&aws, &[&address(name)]).await;
    }

    let events = reported(&aws);

    assert_eq!(types(&events), [SENT, DELIVERED, COMPLAINED, SENT, DELIVERED, BOUNCED, SENT, BOUNCED, SENT, DELIVERED]);
    assert_eq!(
        content(&events[2], "complaint"),
        json!({
            "complaintSubType": null,
            "complainedRecipients": [{ "emailAddress": address("complaint") }],
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
        })
    );
    assert_eq!(
        content(&events[5], "bounce"),
        json!({
            "bounceType": "Transient",
            "bounceSubType": "General",
            "bouncedRecipients": [{ "emailAddress": address("ooto") }],
        })
    );
    let global = content(&events[7], "bounce");
    assert_eq!((&global["bounceType"], &global["bounceSubType"]), (&json!("Permanent"), &json!("General")));
    assert_eq!(aws.embedded.received().mails().len(), 4);
    let list = aws.ses.list_suppressed_destinations().send().await.unwrap();
    assert!(list.suppressed_destination_summaries().is_empty());
}

#[tokio::test]
async fn an_email_to_a_suppressed_address_is_accepted_and_not_sent() {
    let aws = Aws::start().await;
    aws.embedded.suppress("gone@example.com", SuppressionReason::Bounce);
    aws.embedded.suppress("angry@example.com", SuppressionReason::Complaint);
    send(&aws, &["Gone <GONE@example.com>"]).await;
    send(&aws, &["angry@example.com"]).await;

    let events = reported(&aws);

    assert_eq!(types(&events), [SENT, BOUNCED, SENT, COMPLAINED]);
    let bounce = content(&events[1], "bounce");
    assert_eq!(bounce["bounceType"], "Permanent");
    assert_eq!(bounce["bounceSubType"], "OnAccountSuppressionList");
    assert_eq!(bounce["bouncedRecipients"][0]["emailAddress"], "Gone <GONE@example.com>");
    assert_eq!(
        content(&events[3], "complaint"),
        json!({
            "complaintSubType": "OnAccountSuppressionList",
            "complainedRecipients": [{ "emailAddress": "angry@example.com" }],
        })
    );
    assert!(aws.embedded.received().mails().is_empty());
}

#[tokio::test]
async fn each_recipient_has_a_fate_of_its_own() {
    let aws = Aws::start().await;
    aws.embedded.suppress("gone@example.com", SuppressionReason::Bounce);
    let recipients = ["gone@example.com", "ada@example.com", "bounce@simulator.amazonses.com"];
    send(&aws, &recipients).await;

    let events = reported(&aws);

    assert_eq!(types(&events), [SENT, BOUNCED, DELIVERED, BOUNCED]);
    assert!(events.iter().all(|event| event.detail["mail"]["destination"] == json!(recipients)));
    assert_eq!(aws.embedded.received().mails()[0].to, recipients[1..]);
}

#[tokio::test]
async fn the_suppression_list_is_read_and_changed_by_its_api() {
    let aws = Aws::start().await;
    let address = "ada+1@example.com";
    let put = |address: &str| {
        let put = aws.ses.put_suppressed_destination().email_address(address);
        put.reason(SuppressionListReason::Complaint).send()
    };
    let get = |address: &str| aws.ses.get_suppressed_destination().email_address(address).send();
    let delete = |address: &str| aws.ses.delete_suppressed_destination().email_address(address).send();
    assert!(get(address).await.unwrap_err().into_service_error().is_not_found_exception());
    assert!(delete(address).await.unwrap_err().into_service_error().is_not_found_exception());
    assert!(put("ada").await.unwrap_err().into_service_error().is_bad_request_exception());

    put(address).await.unwrap();

    let listed = get(address).await.unwrap().suppressed_destination.unwrap();
    assert_eq!((listed.email_address(), listed.reason()), (address, &SuppressionListReason::Complaint));
    assert!(listed.last_update_time().secs() > 1_700_000_000);
    assert!(get("ADA+1@example.com").await.is_err());
    let list = aws.ses.list_suppressed_destinations().send().await.unwrap();
    assert_eq!(list.suppressed_destination_summaries()[0].email_address(), address);

    delete(address).await.unwrap();
    assert!(get(address).await.is_err());
    send(&aws, &[address]).await;
    assert_eq!(types(&reported(&aws)), [SENT, DELIVERED]);
}

#[tokio::test]
async fn the_suppression_list_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    aws.embedded.suppress("gone@example.com", SuppressionReason::Bounce);
    aws.embedded.stop().await;

    let aws = Aws::start_in(folder.path()).await;
    let listed = aws.ses.get_suppressed_destination().email_address("gone@example.com").send().await.unwrap();

    assert_eq!(listed.suppressed_destination().unwrap().reason(), &SuppressionListReason::Bounce);
}
