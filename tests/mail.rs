//! Mails: none is lost, none goes out twice, and none tells what it should not.

use std::time::Duration;

use futures_util::future::join_all;
use local::{Outage, Service};
use serde_json::{Value, json};
use shared::domain::email::EmailAddress;
use shared::domain::mail::{EmailKind, OutboxEmail};
use shared::domain::name::UserName;
use shared::domain::password::{NewPassword, Password};
use shared::domain::user::User;
use shared::store::{Claim, Created, Pending};
use tests::{PASSWORD, TestApp, eventually, jpeg, text};

const MINUTE: Duration = Duration::from_mins(1);
const ADA: &str = "ada@example.com";

/// Every mail that is owed.
async fn owed(app: &TestApp) -> Vec<OutboxEmail> {
    let far = app.clock.now().plus(Duration::from_hours(1000));
    let due = app.app().store().due(100, far).await.unwrap();
    due.into_iter()
        .filter_map(|pending| match pending {
            Pending::Email(mail) => Some(mail),
            Pending::Erasure(_) => None,
        })
        .collect()
}

/// Registers while the queue is down, so that the mail is owed and nobody was told.
async fn register_unnoticed(app: &TestApp, email: &str) -> OutboxEmail {
    app.outage(Service::Sqs, Outage::Unavailable).await;
    assert_eq!(app.register(email).await.status, 202);
    app.outage(Service::Sqs, Outage::None).await;
    let mut owed = owed(app).await;
    assert_eq!(owed.len(), 1);
    owed.remove(0)
}

fn message(mail: &OutboxEmail) -> String {
    json!({ "address": mail.address, "mail": mail.id }).to_string()
}

async fn actions(app: &TestApp, action: &str) -> Vec<Value> {
    app.events(action).await.iter().map(|event| event["event.reason"].clone()).collect()
}

#[tokio::test]
async fn a_message_delivered_many_times_sends_one_email() {
    let app = TestApp::start().await;
    let mail = register_unnoticed(&app, ADA).await;
    let message = message(&mail);
    join_all((0..6).map(|_| app.enqueue("mail", &message))).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    app.enqueue("mail", &message).await;
    app.later(2 * MINUTE).await;
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
    assert_eq!(app.queued("mail-dead-letters").await, 0);
    assert!(owed(&app).await.is_empty());
}

#[tokio::test]
async fn an_email_whose_emailer_died_is_sent_once_after_its_claim_expires() {
    let app = TestApp::start().await;
    let mail = register_unnoticed(&app, ADA).await;
    let claim = app.app().store().claim_email(&mail.address, mail.id, app.clock.now()).await.unwrap();
    assert!(matches!(claim, Claim::Taken(_)), "{claim:?}");
    // Nobody hears of that emailer again.
    let again = app.app().store().claim_email(&mail.address, mail.id, app.clock.now()).await.unwrap();
    assert!(matches!(again, Claim::Held), "{again:?}");
    assert!(app.mails(ADA).await.is_empty());

    app.later(61 * Duration::from_secs(1)).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    app.later(5 * MINUTE).await;
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
    assert!(owed(&app).await.is_empty());
}

#[tokio::test]
async fn an_email_claimed_by_another_emailer_is_not_sent() {
    let app = TestApp::start().await;
    let mail = register_unnoticed(&app, ADA).await;
    app.app().store().claim_email(&mail.address, mail.id, app.clock.now()).await.unwrap();
    app.enqueue("mail", &message(&mail)).await;
    eventually("the message to be given up", async || (app.queued("mail-dead-letters").await == 1).then_some(())).await;
    assert!(app.mails(ADA).await.is_empty());
    app.later(2 * MINUTE).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
}

#[tokio::test]
async fn a_slow_emailer_does_not_complete_an_email_that_another_claimed() {
    let app = TestApp::start().await;
    let mail = register_unnoticed(&app, ADA).await;
    let store = app.app().store();
    let Claim::Taken(slow) = store.claim_email(&mail.address, mail.id, app.clock.now()).await.unwrap() else {
        panic!("not taken")
    };
    let later = app.clock.now().plus(2 * MINUTE);
    let Claim::Taken(second) = store.claim_email(&mail.address, mail.id, later).await.unwrap() else {
        panic!("not taken again")
    };
    store.complete_email(&slow).await.unwrap();
    assert_eq!(owed(&app).await.len(), 1, "the slow one's claim had run out");
    store.release_email(&slow).await.unwrap();
    assert!(matches!(store.claim_email(&mail.address, mail.id, later).await.unwrap(), Claim::Held));
    store.complete_email(&second).await.unwrap();
    assert!(owed(&app).await.is_empty());
}

#[tokio::test]
async fn an_email_stays_in_the_outbox_while_ses_is_down() {
    let app = TestApp::start().await;
    app.outage(Service::Ses, Outage::Unavailable).await;
    assert_eq!(app.register(ADA).await.status, 202, "registering does not depend on it");
    eventually("a failed attempt", async || {
        let logs = app.stack.logs().await;
        logs.iter().any(|line| line["message"] == "failed to send an email; it will be retried").then_some(())
    })
    .await;
    assert_eq!(owed(&app).await.len(), 1);
    app.outage(Service::Ses, Outage::None).await;
    app.later(2 * MINUTE).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
    assert!(owed(&app).await.is_empty());
    let token = app.confirmation_token(ADA).await;
    assert_eq!(app.post("/auth/confirm", &json!({ "token": token })).await.status, 200);
}

#[tokio::test]
async fn an_email_that_ses_rejects_stays_in_the_outbox_until_accepted() {
    let app = TestApp::start().await;
    app.outage(Service::Ses, Outage::Reject).await;
    app.register(ADA).await;
    eventually("a dead letter", async || (app.queued("mail-dead-letters").await == 1).then_some(())).await;
    assert_eq!(owed(&app).await.len(), 1);
    app.outage(Service::Ses, Outage::None).await;
    app.later(10 * MINUTE).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    assert!(owed(&app).await.is_empty());
    assert!(app.events("mail_failed").await.is_empty());
}

#[tokio::test]
async fn an_email_that_cannot_be_sent_for_a_day_is_given_up() {
    let app = TestApp::start().await;
    register_unnoticed(&app, ADA).await;
    app.later(Duration::from_hours(25)).await;
    app.idle().await;
    assert_eq!(actions(&app, "mail_failed").await, ["given_up"]);
    assert!(owed(&app).await.is_empty());
    assert!(app.mails(ADA).await.is_empty());
    app.register(ADA).await;
    assert_eq!(app.mails_to(ADA, 1).await.len(), 1, "asking again helps");
}

#[tokio::test]
async fn a_queue_outage_fails_no_request_and_every_email_is_sent_afterwards() {
    let app = TestApp::start().await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    let names: Vec<String> = (0..4).map(|number| format!("user{number}@example.com")).collect();
    for name in &names {
        assert_eq!(app.register(name).await.status, 202);
    }
    assert_eq!(owed(&app).await.len(), 4);
    app.outage(Service::Sqs, Outage::None).await;
    app.later(2 * MINUTE).await;
    for name in &names {
        app.mails_to(name, 1).await;
    }
    app.idle().await;
    for name in &names {
        assert_eq!(app.mails(name).await.len(), 1, "{name}");
    }
    assert!(owed(&app).await.is_empty());
}

#[tokio::test]
async fn a_queue_whose_response_is_lost_sends_no_email_twice() {
    let app = TestApp::start().await;
    app.outage(Service::Sqs, Outage::AnswerLost).await;
    assert_eq!(app.register(ADA).await.status, 202);
    app.outage(Service::Sqs, Outage::None).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    app.later(2 * MINUTE).await;
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 1);
}

#[tokio::test]
async fn the_sweeper_skips_an_email_younger_than_a_minute() {
    let app = TestApp::start().await;
    register_unnoticed(&app, ADA).await;
    app.later(Duration::from_secs(50)).await;
    assert_eq!(app.queued("mail").await, 0);
    app.later(Duration::from_secs(11)).await;
    app.mails_to(ADA, 1).await;
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter_and_blocks_no_email() {
    let app = TestApp::start().await;
    let poison = ["{", "[]", "null", "{\"address\":\"ada@example.com\"}", "{\"address\":7,\"mail\":7}"];
    for body in poison {
        app.enqueue("mail", body).await;
    }
    app.register(ADA).await;
    app.mails_to(ADA, 1).await;
    app.idle().await;
    eventually("the dead letters", async || (app.queued("mail-dead-letters").await == 5).then_some(())).await;
    let unknown = json!({ "address": "eve@example.com", "mail": "0198c0de-0000-7000-8000-000000000000" });
    app.enqueue("mail", &unknown.to_string()).await;
    app.idle().await;
    assert!(app.mails("eve@example.com").await.is_empty(), "a message alone makes no mail");
    assert_eq!(app.queued("mail-dead-letters").await, 5);
}

#[tokio::test]
async fn an_email_has_the_configured_values_in_text_and_html() {
    let app = TestApp::start_with(&[
        ("MAIL_FROM", "Acme Accounts <accounts@acme.example>"),
        ("MAIL_REPLY_TO", "help@acme.example"),
        ("PRODUCT_NAME", "Acme"),
        ("SUPPORT_ADDRESS", "support@acme.example"),
        ("LINK_BASE_URL", "https://users.acme.example/"),
        ("HOME_URL", "https://www.acme.example"),
    ])
    .await;
    app.register("Ada@example.com").await;
    let mail = app.mails_to("Ada@example.com", 1).await.remove(0);
    assert_eq!(mail["from"], "Acme Accounts <accounts@acme.example>");
    assert_eq!(mail["reply_to"], json!(["help@acme.example"]));
    assert_eq!(mail["subject"], "Confirm your email address for Acme");
    let (text_part, html) = (text(&mail["text"]), text(&mail["html"]));
    for part in [&text_part, &html] {
        for word in ["Ada Lovelace", "Acme", "24 hours", "support@acme.example"] {
            assert!(part.contains(word), "{word} is not in {part}");
        }
    }
    let link = mail["links"].as_array().unwrap().iter().map(text).find(|link| link.contains("token=")).unwrap();
    let (base, token) = link.split_once("?token=").unwrap();
    assert_eq!(base, "https://users.acme.example/api/v1/auth/confirm");
    assert_eq!(token.len(), 64);
    assert!(html.contains(token));
    assert!(html.contains("https:&#x2f;&#x2f;users.acme.example") || html.contains("https://users.acme.example"));
    assert!(text_part.contains("https://www.acme.example"));
    assert!(!text_part.contains(&app.stack.url()), "no address of this machine");
}

/// Reported by users of aws-cdk (issue 18903) and saasmail (issue 198).
#[tokio::test]
async fn a_sender_of_any_name_is_written_as_mail_programs_read_it() {
    for (from, reply_to, header, answers) in [
        (
            "Körner & Söhne <info@körner.example>",
            "Hilfe für alle <hilfe@example.com>",
            "=?utf-8?b?S8O2cm5lciAmIFPDtmhuZQ==?= <info@xn--krner-jua.example>",
            "=?utf-8?b?SGlsZmUgZsO8ciBhbGxl?= <hilfe@example.com>",
        ),
        (
            "Smith, Sons & Co. <a@example.com>",
            "b@example.com",
            "\"Smith, Sons & Co.\" <a@example.com>",
            "b@example.com",
        ),
        ("Acme: Tools <a@example.com>", "b@example.com", "\"Acme: Tools\" <a@example.com>", "b@example.com"),
    ] {
        let product = "Körner & Söhne, \"Werkzeug\" 🛠";
        let app =
            TestApp::start_with(&[("MAIL_FROM", from), ("MAIL_REPLY_TO", reply_to), ("PRODUCT_NAME", product)]).await;
        app.register(ADA).await;
        let mail = app.mails_to(ADA, 1).await.remove(0);
        assert_eq!((&mail["from"], &mail["reply_to"]), (&json!(header), &json!([answers])));
        assert_eq!(mail["subject"], format!("Confirm your email address for {product}"));
    }
}

/// Reported by users of fxa (issue 4643) and django-allauth (issue 2049): an earlier version took look-alikes.
#[tokio::test]
async fn a_look_alike_of_an_earlier_version_does_not_block_an_address() {
    let app = TestApp::start().await;
    earlier_account(&app, "\u{ff41}da@example.com").await;
    app.clock.advance(2 * MINUTE);
    assert_eq!(app.register(ADA).await.status, 202);
    let token = app.mailed_token(ADA, "/auth/password/reset").await;
    let answer = app.post("/auth/password/reset", &json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Its answer shows the address as it was typed then, which the document does not have.
    let body = json!({ "email": ADA, "password": PASSWORD });
    let signed_in = app.request(reqwest::Method::POST, "/auth/login").json(&body).send().await.unwrap();
    assert_eq!(signed_in.status(), 200);
}

/// An account that was made when more addresses were taken than now, and waits for its confirmation.
async fn earlier_account(app: &TestApp, email: &str) {
    let now = app.clock.now();
    let email: EmailAddress = serde_json::from_value(json!(email)).unwrap();
    let password = NewPassword::known(Password::new(&"a stranger's password".into()));
    let hash = app.app().hasher.hash(&password).await.unwrap();
    let user = User::new(UserName::parse("Mallory").unwrap(), email, hash, now);
    let mail = OutboxEmail::new(user.email.normalized(), EmailKind::ConfirmAddress { user: user.id }, now);
    assert_eq!(app.app().store().create_user(&user, &mail, &tests::any_event(&user)).await.unwrap(), Created::Yes);
    app.enqueue("mail", &message(&mail)).await;
    app.idle().await;
}

#[tokio::test]
async fn an_undeliverable_email_is_given_up_at_once() {
    let app = TestApp::start().await;
    for (email, reason) in [("josé@example.com", "undeliverable"), ("ada@", "refused")] {
        earlier_account(&app, email).await;
        assert_eq!(actions(&app, "mail_failed").await[0], reason, "{email}");
    }
    assert!(owed(&app).await.is_empty());
    app.later(2 * MINUTE).await;
    app.idle().await;
    assert_eq!(actions(&app, "mail_failed").await.len(), 2, "and never queued again");
    assert_eq!(app.queued("mail-dead-letters").await, 0);
}

#[tokio::test]
async fn many_accounts_requesting_one_address_send_it_one_email_a_minute() {
    let app = TestApp::start().await;
    let victim = "victim@example.com";
    let mut accounts = Vec::new();
    for number in 0..5 {
        accounts.push(app.signed_in(&format!("user{number}@example.com")).await);
    }
    let ask = async || {
        join_all(accounts.iter().map(async |account| {
            let answer = account.put("/user", &json!({ "email": victim })).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        }))
        .await;
        app.idle().await;
    };
    ask().await;
    assert_eq!(app.mails(victim).await.len(), 1);
    assert_eq!(owed(&app).await.len(), 4, "the others are put off");
    app.clock.advance(2 * MINUTE);
    ask().await;
    assert_eq!(app.mails(victim).await.len(), 2);
    for sent in 3..=6 {
        app.later(Duration::from_hours(1)).await;
        app.idle().await;
        assert_eq!(app.mails(victim).await.len(), sent, "one at a time, the newest of each account");
    }
    assert!(owed(&app).await.is_empty());
    let noted = app.items_with("MAIL_TURN").await;
    assert!(noted.len() == 1 && noted[0].contains("ttl"), "{noted:?}");
}

/// Reported by users of devise (issue 501) and etesync (issue 77): a mail program left the last character of a link out.
#[tokio::test]
async fn a_link_has_its_own_line_ending_in_a_letter_or_digit() {
    let app = TestApp::start().await;
    for number in 0..8 {
        let email = format!("user{number}@example.com");
        app.register(&email).await;
        let mail = app.mails_to(&email, 1).await.remove(0);
        let text_part = text(&mail["text"]);
        let line = text_part.lines().find(|line| line.contains("token=")).unwrap();
        assert!(line.starts_with(&app.stack.url()), "{line}");
        assert!(line.ends_with(|last: char| last.is_ascii_alphanumeric()) && !line.contains(' '), "{line}");
    }
}

#[tokio::test]
async fn an_email_without_a_configured_reply_address_names_none() {
    let app = TestApp::start().await;
    app.register(ADA).await;
    let mail = app.mails_to(ADA, 1).await.remove(0);
    assert_eq!(mail["from"], "Example <no-reply@example.com>");
    assert_eq!(mail["reply_to"], json!([]));
}

#[tokio::test]
async fn each_email_has_its_own_subject_and_goes_to_the_accounts_address() {
    let app = TestApp::start().await;
    let ada = app.signed_in("Ada@example.com").await;
    app.clock.advance(2 * MINUTE);
    app.register("ADA@example.COM").await;
    let mails = app.mails_to("Ada@example.com", 2).await;
    assert_eq!(mails[0]["subject"], "You already have an account with Example");
    assert!(!text(&mails[0]["text"]).contains("token="), "a confirmed account needs no link");
    app.idle().await;
    assert!(app.mails("ADA@example.COM").await.is_empty(), "a stranger's spelling gets no mail");
    assert_eq!(ada.delete("/user").await.status, 204);
    let mails = app.mails_to("Ada@example.com", 3).await;
    assert_eq!(mails[0]["subject"], "Your account with Example was deleted");
}

#[tokio::test]
async fn registering_an_unconfirmed_address_again_sends_a_link_without_the_new_name() {
    let app = TestApp::start().await;
    app.register(ADA).await;
    app.mails_to(ADA, 1).await;
    app.clock.advance(2 * MINUTE);
    let stranger = json!({ "name": "Mallory", "email": ADA, "password": "another horse battery" });
    assert_eq!(app.post("/auth/register", &stranger).await.status, 202);
    let mails = app.mails_to(ADA, 2).await;
    assert_eq!(mails[0]["subject"], "Your account with Example is not confirmed yet");
    assert!(!mails[0].to_string().contains("Mallory"), "{}", mails[0]);
    assert_eq!(app.choose_password(ADA, "quiet lantern harbour").await.status, 200);
    for password in ["another horse battery", PASSWORD] {
        assert_eq!(app.login(ADA, password).await.code(), "invalid_credentials", "{password}");
    }
    assert_eq!(app.login(ADA, "quiet lantern harbour").await.status, 200);
}

#[tokio::test]
async fn a_hostile_name_never_becomes_a_link_or_markup() {
    let app = TestApp::start().await;
    let names = [
        "<a href=\"https://evil.example\">Click</a>",
        "https://evil.example/win",
        "www.evil.example",
        "evil.example",
        "Ada</p><script>alert(1)</script>",
        "{{ link }} {% raw %}",
        "You won! Visit evil.example now to claim the prize that waits for you there",
        "javascript:alert(1)",
        "\"><img src=x onerror=alert(1)>",
    ];
    for (number, name) in names.iter().enumerate() {
        let email = format!("user{number}@example.com");
        let body = json!({ "name": name, "email": email, "password": PASSWORD });
        assert_eq!(app.post("/auth/register", &body).await.status, 202, "{name}");
        let mail = app.mails_to(&email, 1).await.remove(0);
        let (text_part, html) = (text(&mail["text"]), text(&mail["html"]));
        for hostile in ["evil.example", "<script", "onerror", "javascript:", "{{", "{%"] {
            assert!(!text_part.contains(hostile), "{hostile} of {name} is in {text_part}");
            assert!(!html.contains(hostile), "{hostile} of {name} is in the HTML");
        }
        assert!(!text(&mail["subject"]).contains("evil"), "{mail}");
        let foreign = mail["links"].as_array().unwrap().iter().any(|link| !text(link).starts_with(&app.stack.url()));
        assert!(!foreign, "{}", mail["links"]);
    }
}

#[tokio::test]
async fn an_address_is_not_flooded_by_repeated_requests() {
    let app = TestApp::start().await;
    app.register(ADA).await;
    app.mails_to(ADA, 1).await;
    app.clock.advance(2 * MINUTE);
    for _ in 0..5 {
        app.register(ADA).await;
        app.post("/auth/send", &json!({ "email": ADA })).await;
    }
    app.idle().await;
    assert_eq!(app.mails(ADA).await.len(), 2, "one in a minute");
    assert_eq!(app.events("mail_dropped").await.len(), 9);
    assert!(owed(&app).await.is_empty());
}

/// A journey that meets everything that goes to the log, failures too. Returns what must never be seen there.
async fn journey(app: &TestApp) -> Vec<(&'static str, String)> {
    let wrong = "wrong horse battery";
    let mut ada = app.signed_in(ADA).await;
    let mut secrets = vec![
        ("a password", PASSWORD.to_owned()),
        ("a password that was tried", wrong.to_owned()),
        ("a link's token", app.confirmation_token(ADA).await),
        ("an access token", ada.access_token.clone()),
        ("a refresh token", ada.refresh_token.clone()),
    ];
    let old = ada.refresh_token.clone();
    app.login(ADA, wrong).await;
    app.login("nobody@example.com", wrong).await;
    app.register(ADA).await;
    app.post("/auth/register", &json!({ "name": "x", "email": "bob@example.com", "password": "secret7" })).await;
    app.post("/auth/login", &json!({ "email": ADA, "password": wrong, "extra": "secret7" })).await;
    app.get(&format!("/auth/confirm?token={}", secrets[2].1)).await;
    app.get(&format!("/auth/confirm?token={}&extra=1", secrets[2].1)).await;
    app.get(&format!("/user?access_token={}", ada.access_token)).await;
    ada.upload("image/jpeg", jpeg(40, 40, [9, 9, 9])).await;
    ada.picture().await;
    ada.upload("image/jpeg", b"garbage".to_vec()).await;
    ada.refresh().await;
    secrets.push(("a refreshed access token", ada.access_token.clone()));
    secrets.push(("a refreshed refresh token", ada.refresh_token.clone()));
    app.post("/auth/refresh", &json!({ "refresh_token": "not-a-token-of-ours" })).await;
    app.idle().await;

    for service in [Service::S3, Service::Ses, Service::Sqs, Service::DynamoDb] {
        app.outage(service, Outage::Unavailable).await;
        app.clock.advance(2 * MINUTE);
        app.register("bob@example.com").await;
        app.login(ADA, PASSWORD).await;
        app.register(ADA).await;
        ada.delete("/user/picture").await;
        app.outage(service, Outage::None).await;
    }
    app.outage(Service::Ses, Outage::Reject).await;
    app.clock.advance(2 * MINUTE);
    app.post("/auth/send", &json!({ "email": "bob@example.com" })).await;
    app.idle().await;
    app.outage(Service::Ses, Outage::None).await;
    app.clock.advance(MINUTE);
    assert_eq!(app.refresh(&old).await.code(), "invalid_refresh_token");
    let ada = app.sign_in(ADA).await;
    secrets.push(("another access token", ada.access_token.clone()));
    secrets.push(("another refresh token", ada.refresh_token.clone()));
    assert_eq!(ada.delete("/user").await.status, 204);
    app.later(2 * MINUTE).await;
    app.idle().await;
    let links = [app.mails(ADA).await, app.mails("bob@example.com").await].concat();
    let tokens = links.iter().flat_map(|mail| mail["links"].as_array().cloned().unwrap_or_default());
    secrets.extend(tokens.filter_map(|link| Some(("a link's token", text(&link).split_once("token=")?.1.to_owned()))));
    secrets.push(("an invalid password", "secret7".to_owned()));
    secrets.push(("a token that was tried", "not-a-token-of-ours".to_owned()));
    secrets.push(("a hash", "$argon2id$".to_owned()));
    secrets
}

#[tokio::test]
async fn no_log_line_holds_a_password_a_token_or_a_whole_address() {
    let app = TestApp::start().await;
    let mut secrets = journey(&app).await;
    secrets
        .extend([ADA, "bob@example.com", "nobody@example.com", "Lovelace"].map(|word| ("who it is", word.to_owned())));
    let logs = app.stack.logs().await;
    assert!(logs.len() > 50, "{}", logs.len());
    for line in &logs {
        let line = line.to_string();
        for (what, secret) in &secrets {
            assert!(!line.contains(secret.as_str()), "{what} is in {line}");
        }
    }
}

#[tokio::test]
async fn no_email_holds_a_password_or_a_token_of_a_session() {
    let app = TestApp::start().await;
    let secrets = journey(&app).await;
    let mails = [app.mails(ADA).await, app.mails("bob@example.com").await].concat();
    assert!(mails.len() >= 3);
    for mail in mails {
        let mail = mail.to_string();
        for (what, secret) in secrets.iter().filter(|(what, _)| *what != "a link's token") {
            assert!(!mail.contains(secret.as_str()), "{what} is in {mail}");
        }
    }
}

#[tokio::test]
async fn what_is_stored_holds_no_password_and_no_link() {
    let app = TestApp::start().await;
    let ada = app.signed_in(ADA).await;
    for secret in [PASSWORD, &app.confirmation_token(ADA).await, &ada.refresh_token, &ada.access_token] {
        assert_eq!(app.items_with(secret).await, [""; 0]);
    }
    // The secret half of a link's token, which is what its hash stands for.
    let token = app.confirmation_token(ADA).await;
    assert_eq!(app.items_with(&token[24..]).await, [""; 0]);
}
