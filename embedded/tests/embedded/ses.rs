//! SES: a mail is kept as it was given, and refused as SES would.

use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::builders::MessageBuilder;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};
use embedded::{Outage, Service};

use crate::Aws;

fn mail(aws: &Aws, to: &str) -> SendEmailFluentBuilder {
    let content = |text: &str| Content::builder().data(text).charset("UTF-8").build().unwrap();
    let header = MessageHeader::builder().name("X-Mail-Id").value("7").build().unwrap();
    let body = Body::builder().text(content("Grüße")).html(content("<p>Grüße</p>")).build();
    let message = Message::builder().subject(content("Welcome")).body(body).headers(header).build();
    aws.ses
        .send_email()
        .from_email_address("Service <service@example.com>")
        .destination(Destination::builder().to_addresses(to).build())
        .reply_to_addresses("help@example.com")
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("kind").value("welcome").build().unwrap())
        .configuration_set_name("default")
}

#[tokio::test]
async fn emails_are_kept_with_all_their_parts_newest_first() {
    let aws = Aws::start().await;
    mail(&aws, "bob@example.com").send().await.unwrap();
    let sent = mail(&aws, "ada@example.com").send().await.unwrap();

    let mails = aws.embedded.received().mails();

    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].message_id, sent.message_id.unwrap());
    assert_eq!(mails[0].to, ["ada@example.com"]);
    assert_eq!(mails[0].from, "Service <service@example.com>");
    assert_eq!(mails[0].reply_to, ["help@example.com"]);
    assert_eq!(mails[0].subject, "Welcome");
    assert_eq!(mails[0].text.as_deref(), Some("Grüße"));
    assert_eq!(mails[0].html.as_deref(), Some("<p>Grüße</p>"));
    assert_eq!(mails[0].headers["X-Mail-Id"], "7");
    assert_eq!(mails[0].tags["kind"], "welcome");
    assert_eq!(mails[0].configuration_set.as_deref(), Some("default"));
}

// Reported by users of aws-cdk (issue 18903) and saasmail (issue 198): names that were taken on one machine, and not by SES.
#[tokio::test]
async fn an_email_that_ses_would_reject_is_refused() {
    let aws = Aws::start().await;
    let tag = |name: &str, value: &str| MessageTag::builder().name(name).value(value).build().unwrap();
    let simple = |edit: &dyn Fn(MessageBuilder) -> MessageBuilder| {
        let text = Body::builder().text(Content::builder().data("x").build().unwrap()).build();
        let message = Message::builder().subject(Content::builder().data("x").build().unwrap()).body(text);
        mail(&aws, "ada@example.com").content(EmailContent::builder().simple(edit(message).build()).build())
    };
    let header = |name: &str, value: &str| {
        let header = MessageHeader::builder().name(name).value(value).build().unwrap();
        simple(&|message| message.headers(header.clone()))
    };
    let subject = Content::builder().data("x\r\nBcc: eve@example.com").build().unwrap();
    let many = MessageHeader::builder().name("X-Mail-Id").value("7").build().unwrap();
    for (case, mail) in vec![
        ("no recipient", mail(&aws, "x").destination(Destination::builder().build())),
        ("no domain", mail(&aws, "ada")),
        ("a Unicode address", mail(&aws, "ädä@example.com")),
        ("two addresses in one", mail(&aws, "ada@example.com, eve@example.com")),
        ("a domain that ends in a full stop", mail(&aws, "ada@example.com.")),
        ("a tag with spaces", mail(&aws, "ada@example.com").email_tags(tag("user", "not a tag"))),
        ("a tag twice", mail(&aws, "ada@example.com").email_tags(tag("kind", "other"))),
        ("no sender", mail(&aws, "ada@example.com").set_from_email_address(None)),
        (
            "a comma in the sender's name",
            mail(&aws, "ada@example.com").from_email_address("Smith, Sons <a@example.com>"),
        ),
        ("a group as the sender", mail(&aws, "ada@example.com").from_email_address("Acme: Tools <a@example.com>")),
        ("a line break in the sender", mail(&aws, "ada@example.com").from_email_address("A\r\nBcc: <a@example.com>")),
        ("a comma in a reply address", mail(&aws, "ada@example.com").reply_to_addresses("Smith, Sons <a@example.com>")),
        ("a line break in the subject", simple(&|message| message.subject(subject.clone()))),
        ("a line break in a header", header("X-Mail-Id", "7\r\nBcc: eve@example.com")),
        ("a header beyond ASCII", header("X-Name", "Körner")),
        ("a header that is too long", header("X-Name", &"x".repeat(871))),
        ("a header with a colon in its name", header("X:Name", "x")),
        ("a header with a space in its name", header("X Name", "x")),
        ("sixteen headers", simple(&|message| message.set_headers(Some(vec![many.clone(); 16])))),
    ] {
        let error = mail.send().await.unwrap_err().into_service_error();
        assert!(error.is_bad_request_exception(), "{case}: {error:?}");
    }
    assert!(aws.embedded.received().mails().is_empty());
}

#[tokio::test]
async fn ses_can_be_made_to_reject_and_to_lose_its_answer() {
    let aws = Aws::start().await;

    aws.embedded.set_outage(Service::Ses, Outage::Reject);
    let rejected = mail(&aws, "ada@example.com").send().await.unwrap_err();
    assert!(rejected.into_service_error().is_message_rejected());
    assert!(aws.embedded.received().mails().is_empty());

    aws.embedded.set_outage(Service::Ses, Outage::AnswerLost);
    mail(&aws, "ada@example.com").send().await.unwrap_err();
    assert_eq!(aws.embedded.received().mails().len(), 1);
}

#[tokio::test]
async fn emails_survive_a_restart_even_after_a_torn_line() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::start_in(folder.path()).await;
    mail(&aws, "ada@example.com").send().await.unwrap();
    let before = aws.embedded.received().mails();
    aws.embedded.stop().await;
    let file = folder.path().join("mail.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();

    let aws = Aws::start_in(folder.path()).await;
    assert_eq!(aws.embedded.received().mails(), before);
    mail(&aws, "bob@example.com").send().await.unwrap();
    aws.embedded.stop().await;

    assert_eq!(Aws::start_in(folder.path()).await.embedded.received().mails().len(), 2);
}
