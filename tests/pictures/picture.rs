//! `POST` and `DELETE /user/picture`, and what becomes of an upload

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use functions::pictures::resize_picture;
use futures_util::future::join_all;
use local::{Outage, Service};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::id::AttemptId;
use shared::domain::picture::{ATTEMPT_LIFE, Attempt, Next, parse_upload_key};
use tests::{Answer, SignedIn, TestApp, eventually, jpeg, text};

const RED: [u8; 3] = [200, 20, 20];
const BLUE: [u8; 3] = [20, 20, 200];
const MIB: u64 = 1024 * 1024;

/// Width and height of a JPEG, from its frame header.
fn size(jpeg: &[u8]) -> (u16, u16) {
    let mut at = 2;
    loop {
        let (marker, length) = (jpeg[at + 1], u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if matches!(marker, 0xC0 | 0xC2) {
            let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
            return (number(at + 7), number(at + 5));
        }
        at += 2 + usize::from(length);
    }
}

async fn bytes(app: &TestApp, url: &str) -> Vec<u8> {
    app.request(Method::GET, url).send().await.unwrap().bytes().await.unwrap().to_vec()
}

/// A program of these lines.
fn script(folder: &Path, lines: &str) -> String {
    let path = folder.with_extension("worker");
    std::fs::write(&path, format!("#!/bin/sh\nPATH=/bin:/usr/bin\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A worker that waits before it begins, and counts how often it was started.
struct Gate {
    folder: String,
    worker: String,
}

impl Gate {
    fn new(folder: &Path) -> Self {
        let (name, function) = (folder.display(), env!("CARGO_BIN_EXE_function"));
        let wait = format!("while ! test -e {name}/open; do sleep 0.01; done");
        let worker = script(&folder.join("gate"), &format!("echo >> {name}/runs\n{wait}\nexec {function} \"$@\""));
        Self { folder: name.to_string(), worker }
    }

    fn worker(&self) -> &str {
        &self.worker
    }

    fn open(&self) {
        std::fs::write(format!("{}/open", self.folder), "").unwrap();
    }

    fn runs(&self) -> usize {
        std::fs::read(format!("{}/runs", self.folder)).map_or(0, |lines| lines.len())
    }

    async fn started(&self) {
        eventually("a worker", async || (self.runs() > 0).then_some(())).await;
    }
}

/// The key of an upload in its bucket.
fn key(user: &SignedIn<'_>, upload: &Value) -> String {
    let url = text(&upload["upload_url"]);
    let at = url.find(&user.id).unwrap();
    url[at..].split('?').next().unwrap().to_owned()
}

/// The message about an upload, as S3 and SQS send it.
fn message(user: &SignedIn<'_>, upload: &Value) -> Value {
    let stored: Value = serde_json::from_str(include_str!("../../events/resize_picture.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text(&stored["Records"][0]["body"])).unwrap();
    event["Records"][0]["s3"]["object"]["key"] = key(user, upload).into();
    event
}

/// The same as a function is invoked with it.
fn delivery(user: &SignedIn<'_>, upload: &Value) -> SqsEvent {
    let mut event: Value = serde_json::from_str(include_str!("../../events/resize_picture.json")).unwrap();
    event["Records"][0]["body"] = message(user, upload).to_string().into();
    serde_json::from_value(event).unwrap()
}

/// Begins to read an upload, some time ago, and goes no further.
async fn begin_attempt(app: &TestApp, user: &SignedIn<'_>, upload: &Value, ago: Duration) {
    let now = app.clock.now();
    let (id, upload) = parse_upload_key(&key(user, upload)).unwrap();
    let attempt = Attempt { upload, id: AttemptId::new(now), at: now.minus(ago) };
    assert_eq!(app.app().store().begin_attempt(id, &attempt).await.unwrap(), Some(Next::Read));
}

/// Asks for an upload a second after whatever was before, so that the order of uploads is certain.
async fn request_later(app: &TestApp, user: &SignedIn<'_>, length: usize) -> Value {
    app.clock.advance(Duration::from_secs(1));
    user.request_upload("image/jpeg", length).await
}

#[tokio::test]
async fn a_picture_is_uploaded_resized_and_served_as_cacheable_squares() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let picture = jpeg(640, 300, RED);
    let upload = ada.request_upload("image/jpeg", picture.len()).await;
    assert_eq!(upload["method"], "PUT");
    assert_eq!(upload["expires_in"], 300);
    let length = picture.len().to_string();
    let headers = json!({ "content-type": "image/jpeg", "content-length": length, "if-none-match": "*" });
    assert_eq!(upload["headers"], headers);
    assert_eq!(ada.get("/user").await.json()["picture"], json!({ "status": "processing" }));

    assert_eq!(ada.send_upload(&upload, picture).await.status, 200);
    let shown = ada.picture().await;
    assert_eq!(shown["status"], "ready");
    assert_eq!(shown["urls"].as_object().unwrap().len(), 3);
    for edge in [64, 256, 512] {
        let url = text(&shown["urls"][edge.to_string()]);
        let answer = Answer::of(app.request(Method::GET, &url)).await;
        assert_eq!(answer.status, 200, "{url}");
        assert_eq!(answer.header("content-type"), "image/jpeg");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(size(&bytes(&app, &url).await), (edge, edge));
    }
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0], "what was uploaded is not kept");
    assert_eq!(app.events("picture_ready").await[0]["user.id"], ada.id);
}

#[tokio::test]
async fn an_invalid_picture_is_rejected_with_a_reason_and_can_be_replaced() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", b"<svg onload=alert(1)>".to_vec()).await;
    let rejected = ada.picture().await;
    assert_eq!(rejected["status"], "rejected");
    let reason = text(&rejected["reason"]);
    assert!(reason.ends_with('.') && reason.contains("JPEG"), "{reason}");
    assert_eq!(rejected.get("urls"), None);
    assert_eq!(app.events("picture_rejected").await[0]["event.reason"], "unsupported_format");

    app.clock.advance(Duration::from_secs(1));
    ada.upload("image/jpeg", jpeg(90, 90, BLUE)).await;
    let ready = ada.picture().await;
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready.get("reason"), None);

    app.clock.advance(Duration::from_secs(1));
    let mut torn = jpeg(300, 300, RED);
    torn.truncate(torn.len() / 3);
    ada.upload("image/jpeg", torn).await;
    let rejected = ada.picture().await;
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(rejected["urls"], ready["urls"], "the good one is still shown");
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.objects("pictures").await.len(), 3);
}

#[tokio::test]
async fn a_new_picture_has_new_urls_and_removes_the_old_ones() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(90, 90, BLUE)).await;
    let old = text(&ada.picture().await["urls"]["64"]);
    app.clock.advance(Duration::from_secs(1));
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    let new = text(&ada.picture().await["urls"]["64"]);
    app.idle().await;
    assert_ne!(new, old);
    assert_eq!(app.get(&new).await.status, 200);
    assert_eq!(app.get(&old).await.status, 404);
    assert_eq!(app.objects("pictures").await.len(), 3);
}

#[tokio::test]
async fn an_older_upload_finished_after_a_newer_one_does_not_replace_it() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let (red, blue) = (jpeg(90, 90, RED), jpeg(90, 90, BLUE));
    let older = request_later(&app, &ada, red.len()).await;
    let newer = request_later(&app, &ada, blue.len()).await;
    assert_eq!(ada.send_upload(&newer, blue).await.status, 200);
    let shown = ada.picture().await;
    assert_eq!(ada.send_upload(&older, red).await.status, 200);
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], shown);
    for url in shown["urls"].as_object().unwrap().values() {
        assert_eq!(app.get(&text(url)).await.status, 200);
    }
    assert_eq!(app.objects("pictures").await.len(), 3);
    assert_eq!(app.objects("uploads").await, [""; 0]);
}

#[tokio::test]
async fn an_older_upload_that_is_garbage_does_not_reject_the_newer_one() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let blue = jpeg(90, 90, BLUE);
    let older = request_later(&app, &ada, 7).await;
    let newer = request_later(&app, &ada, blue.len()).await;
    ada.send_upload(&newer, blue).await;
    let shown = ada.picture().await;
    ada.send_upload(&older, b"garbage".to_vec()).await;
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], shown);
}

#[tokio::test]
async fn an_upload_takes_exactly_what_it_was_asked_for() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let picture = jpeg(90, 90, RED);
    let upload = ada.request_upload("image/jpeg", picture.len()).await;
    let longer = [picture.as_slice(), b"!"].concat();
    assert_eq!(ada.send_upload(&upload, longer).await.status, 403);
    assert_eq!(ada.send_upload(&upload, picture[1..].to_vec()).await.status, 403);

    let url = text(&upload["upload_url"]);
    let put = |url: &str| app.request(Method::PUT, url).header("if-none-match", "*").body(picture.clone());
    for content_type in ["image/png", "text/html", "image/jpeg; charset=utf-8"] {
        let answer = Answer::of(put(&url).header("content-type", content_type)).await;
        assert_eq!(answer.status, 403, "{content_type}: {}", answer.text);
    }
    assert_eq!(Answer::of(put(&url)).await.status, 403, "without a content type");
    let elsewhere = url.replacen(&ada.id, "0198c0de-0000-7000-8000-000000000000", 1);
    assert_ne!(elsewhere, url);
    let answer = Answer::of(put(&elsewhere).header("content-type", "image/jpeg")).await;
    assert_eq!(answer.status, 403, "as another user");
    let reading = Answer::of(app.request(Method::GET, &url)).await;
    assert_eq!(reading.status, 403, "an upload is no download");
    let unconditional = app.request(Method::PUT, &url).header("content-type", "image/jpeg").body(picture.clone());
    assert_eq!(Answer::of(unconditional).await.status, 403, "without the condition that it signs");
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(ada.send_upload(&upload, picture.clone()).await.status, 200);
    assert_eq!(ada.picture().await["status"], "ready");
}

/// Media types have no case, and `image/jpg` is what many programs say: both were refused.
#[tokio::test]
async fn a_declared_type_is_taken_in_capitals_and_by_its_other_name() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for content_type in ["image/jpg", "IMAGE/JPEG", "Image/Png", "IMAGE/JPG"] {
        app.clock.advance(Duration::from_secs(1));
        let picture = jpeg(90, 90, RED);
        let upload = ada.request_upload(content_type, picture.len()).await;
        assert_eq!(upload["headers"]["content-type"], content_type, "to be sent as it was declared");
        assert_eq!(ada.send_upload(&upload, picture).await.status, 200, "{content_type}");
        assert_eq!(ada.picture().await["status"], "ready", "{content_type}");
    }
}

#[tokio::test]
async fn a_presigned_url_makes_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new(folder.path());
    let app = TestApp::start_with(&[("PICTURE_WORKER", gate.worker())]).await;
    let ada = app.signed_in("ada@example.com").await;
    let red = jpeg(90, 90, RED);
    let upload = ada.request_upload("image/jpeg", red.len()).await;
    let statuses = join_all((0..8).map(|_| ada.send_upload(&upload, red.clone()))).await;
    let stored = statuses.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(stored, 1);
    assert!(statuses.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 412)));
    gate.open();
    let shown = ada.picture().await;
    app.idle().await;

    // What was uploaded is gone, so S3 takes it once more; it is not even looked at.
    assert_eq!(ada.send_upload(&upload, red).await.status, 200);
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], shown);
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(gate.runs(), 1);
}

#[tokio::test]
async fn an_upload_older_than_what_is_settled_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new(folder.path());
    gate.open();
    let app = TestApp::start_with(&[("PICTURE_WORKER", gate.worker())]).await;
    let ada = app.signed_in("ada@example.com").await;
    let (red, blue) = (jpeg(90, 90, RED), jpeg(90, 90, BLUE));
    let older = request_later(&app, &ada, red.len()).await;
    let newer = request_later(&app, &ada, blue.len()).await;
    ada.send_upload(&newer, blue).await;
    let shown = ada.picture().await;
    ada.send_upload(&older, red).await;
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], shown);
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(gate.runs(), 1);
}

#[tokio::test]
async fn a_picture_that_takes_too_much_memory_is_rejected_and_harms_nothing() {
    // What the program itself takes is the larger part.
    let app = TestApp::start_with(&[("PICTURE_MEMORY_MIB", "16")]).await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    let rejected = ada.picture().await;
    assert_eq!(rejected["status"], "rejected");
    assert!(text(&rejected["reason"]).contains("too much memory"), "{rejected}");
    assert_eq!(app.events("picture_rejected").await[0]["event.reason"], "too_expensive");
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.queued("images-dead-letters").await, 0);
}

#[tokio::test]
async fn a_worker_that_an_upload_ends_rejects_the_upload() {
    for (ending, reason) in [
        ("kill -ABRT $$", "too_expensive"),
        ("kill -KILL $$", "too_expensive"),
        ("kill -XCPU $$", "too_expensive"),
        ("cat > /dev/null; echo nonsense", "decoder_failed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let worker = script(folder.path(), ending);
        let app = TestApp::start_with(&[("PICTURE_WORKER", &worker)]).await;
        let ada = app.signed_in("ada@example.com").await;
        ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
        assert_eq!(ada.picture().await["status"], "rejected", "{ending}");
        assert_eq!(app.events("picture_rejected").await[0]["event.reason"], reason, "{ending}");
        app.idle().await;
        assert_eq!(app.queued("images-dead-letters").await, 0, "{ending}");
    }
}

#[tokio::test]
async fn a_picture_is_not_rejected_because_its_worker_could_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new(folder.path());
    gate.open();
    // The first two are ended from outside and cannot begin.
    let first = format!("mkdir {0}/1 2> /dev/null && kill -TERM $$; mkdir {0}/2 2> /dev/null && exit 75", gate.folder);
    let worker = script(&folder.path().join("failing"), &format!("{first}; exec {} \"$@\"", gate.worker()));
    let app = TestApp::start_with(&[("PICTURE_WORKER", &worker)]).await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    assert_eq!(ada.picture().await["status"], "ready");
    assert_eq!(gate.runs(), 1);
}

#[tokio::test]
async fn an_upload_whose_reading_was_interrupted_is_rejected_when_it_comes_again() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let red = jpeg(90, 90, RED);
    let upload = ada.request_upload("image/jpeg", red.len()).await;
    begin_attempt(&app, &ada, &upload, ATTEMPT_LIFE).await;
    ada.send_upload(&upload, red.clone()).await;
    let rejected = ada.picture().await;
    assert_eq!(rejected["status"], "rejected");
    assert!(text(&rejected["reason"]).contains("interrupted"), "{rejected}");
    assert_eq!(app.events("picture_rejected").await[0]["event.reason"], "interrupted");
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.queued("images-dead-letters").await, 0);

    app.clock.advance(Duration::from_secs(1));
    ada.upload("image/jpeg", red).await;
    assert_eq!(ada.picture().await["status"], "ready", "another upload of it is another chance");
}

#[tokio::test]
async fn two_deliveries_at_the_same_time_read_an_upload_once() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new(folder.path());
    let app = TestApp::start_with(&[("PICTURE_WORKER", gate.worker())]).await;
    let ada = app.signed_in("ada@example.com").await;
    let red = jpeg(90, 90, RED);
    let upload = ada.request_upload("image/jpeg", red.len()).await;
    ada.send_upload(&upload, red).await;
    gate.started().await;

    let second = resize_picture::handler(app.app().clone(), delivery(&ada, &upload)).await.unwrap();
    assert_eq!(second.batch_item_failures.len(), 1, "it is to come again: the first may fail");
    gate.open();
    assert_eq!(ada.picture().await["status"], "ready");
    app.idle().await;
    let third = resize_picture::handler(app.app().clone(), delivery(&ada, &upload)).await.unwrap();
    assert_eq!(third.batch_item_failures.len(), 0);
    assert_eq!(gate.runs(), 1);
    assert_eq!(app.events("picture_ready").await.len(), 1);
}

#[tokio::test]
async fn a_picture_read_during_an_outage_is_shown_afterwards() {
    for service in [Service::S3, Service::DynamoDb] {
        let folder = tempfile::tempdir().unwrap();
        let gate = Gate::new(folder.path());
        let app = TestApp::start_with(&[("PICTURE_WORKER", gate.worker())]).await;
        let ada = app.signed_in("ada@example.com").await;
        ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
        gate.started().await;
        app.outage(service, Outage::Unavailable).await;
        gate.open();
        let failure = if service == Service::S3 {
            "failed to resize an upload; it will be retried"
        } else {
            "failed to undo an attempt to read an upload; retrying"
        };
        eventually("a failed attempt", async || {
            app.stack.logs().await.iter().any(|line| line["message"] == failure).then_some(())
        })
        .await;
        app.outage(service, Outage::None).await;
        assert_eq!(ada.picture().await["status"], "ready");
        app.idle().await;
        assert_eq!(app.objects("pictures").await.len(), 3);
        assert_eq!(app.queued("images-dead-letters").await, 0);
    }
}

#[tokio::test]
async fn an_upload_has_one_of_four_types_and_at_most_ten_mebibytes() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let field = |name: &str, code: &str| vec![(name.to_owned(), code.to_owned())];
    for (body, fields) in [
        (json!({ "content_type": "image/jpeg", "content_length": 0 }), field("content_length", "out_of_range")),
        (
            json!({ "content_type": "image/jpeg", "content_length": 10 * MIB + 1 }),
            field("content_length", "out_of_range"),
        ),
        (json!({ "content_type": "image/jpeg", "content_length": u64::MAX }), field("content_length", "out_of_range")),
        (json!({ "content_type": "image/jpeg", "content_length": -1 }), field("content_length", "invalid_type")),
        (json!({ "content_type": "image/jpeg", "content_length": 1.5 }), field("content_length", "invalid_type")),
        (json!({ "content_type": "image/jpeg", "content_length": "100" }), field("content_length", "invalid_type")),
        (json!({ "content_type": "image/jpeg" }), field("content_length", "required")),
        (json!({ "content_type": "image/svg+xml", "content_length": 9 }), field("content_type", "unsupported")),
        (json!({ "content_type": "image/jpeg2000", "content_length": 9 }), field("content_type", "unsupported")),
        (json!({ "content_type": "image/heic", "content_length": 9 }), field("content_type", "unsupported")),
        (json!({ "content_type": "", "content_length": 9 }), field("content_type", "unsupported")),
        (json!({ "content_type": "image/jpeg\r\nx: y", "content_length": 9 }), field("content_type", "unsupported")),
        (json!({}), [field("content_type", "required"), field("content_length", "required")].concat()),
    ] {
        let answer = ada.post("/user/picture", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.fields(), fields, "{body}");
    }
    let other = json!({ "content_type": "image/jpeg", "content_length": 9, "user": "somebody" });
    assert_eq!(ada.post("/user/picture", &other).await.code(), "invalid_request");
    assert_eq!(ada.get("/user").await.json()["picture"]["status"], "none", "none of them was asked for");
    for content_type in ["image/jpeg", "image/png", "image/webp", "image/gif"] {
        let answer =
            ada.post("/user/picture", &json!({ "content_type": content_type, "content_length": 10 * MIB })).await;
        assert_eq!(answer.status, 200, "{content_type}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(app.post("/user/picture", &json!({})).await.code(), "unauthenticated");
}

#[tokio::test]
async fn an_upload_that_never_comes_is_forgotten_after_a_while() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.request_upload("image/jpeg", 1000).await;
    app.clock.advance(Duration::from_mins(9));
    assert_eq!(ada.get("/user").await.json()["picture"]["status"], "processing");
    app.clock.advance(Duration::from_mins(7));
    let ada = app.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/user").await.json()["picture"], json!({ "status": "none" }));
}

#[tokio::test]
async fn deleting_the_picture_removes_it_and_cancels_uploads_in_progress() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    assert_eq!(ada.delete("/user/picture").await.status, 204, "there was none");
    app.clock.advance(Duration::from_secs(1));
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    let url = text(&ada.picture().await["urls"]["256"]);
    let blue = jpeg(90, 90, BLUE);
    let under_way = request_later(&app, &ada, blue.len()).await;
    app.clock.advance(Duration::from_secs(1));

    let answer = ada.delete("/user/picture").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(app.get(&url).await.status, 404);
    assert_eq!(ada.get("/user").await.json()["picture"], json!({ "status": "none" }));
    assert_eq!(ada.send_upload(&under_way, blue).await.status, 200);
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], json!({ "status": "none" }));
    assert_eq!(app.objects("pictures").await, [""; 0]);
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.events("picture_deleted").await.len(), 1, "the first time there was none");

    app.clock.advance(Duration::from_secs(1));
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    assert_eq!(ada.picture().await["status"], "ready", "a later one is as good as the first");
}

#[tokio::test]
async fn concurrent_deletions_of_a_picture_all_succeed() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    ada.picture().await;
    app.clock.advance(Duration::from_secs(1));
    let answers = join_all((0..40).map(|_| ada.delete("/user/picture"))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [204; 40]);
    assert_eq!(ada.get("/user").await.json()["picture"], json!({ "status": "none" }));
    app.idle().await;
    assert_eq!(app.objects("pictures").await, [""; 0]);
}

#[tokio::test]
async fn a_notification_that_comes_twice_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let red = jpeg(90, 90, RED);
    let upload = ada.request_upload("image/jpeg", red.len()).await;
    let event = message(&ada, &upload);
    app.enqueue("images", &event.to_string()).await;
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"]["status"], "processing", "too early harms nobody either");
    ada.send_upload(&upload, red).await;
    for _ in 0..3 {
        app.enqueue("images", &event.to_string()).await;
    }
    let shown = ada.picture().await;
    app.idle().await;
    app.enqueue("images", &event.to_string()).await;
    app.idle().await;
    assert_eq!(ada.get("/user").await.json()["picture"], shown);
    assert_eq!(app.events("picture_ready").await.len(), 1);
    assert_eq!(app.objects("pictures").await.len(), 3);
    assert_eq!(app.queued("images-dead-letters").await, 0);
}

#[tokio::test]
async fn an_unreadable_message_becomes_a_dead_letter_and_blocks_no_picture() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    for poison in ["{", "[]", "null", "{\"Records\":7}", "\u{fffd}"] {
        app.enqueue("images", poison).await;
    }
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    assert_eq!(ada.picture().await["status"], "ready");
    app.idle().await;
    eventually("the dead letters", async || (app.queued("images-dead-letters").await == 5).then_some(())).await;
}

#[tokio::test]
async fn an_object_that_is_no_upload_of_ours_is_left_alone() {
    let app = TestApp::start().await;
    let put = app.app().s3().put_object().bucket("uploads").key("somebody/something.jpg");
    put.body(jpeg(9, 9, RED).into()).send().await.unwrap();
    app.idle().await;
    assert_eq!(app.objects("uploads").await, ["somebody/something.jpg"]);
    assert_eq!(app.queued("images-dead-letters").await, 0);
}

#[tokio::test]
async fn an_upload_to_a_deleted_account_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    let (red, garbage) = (jpeg(90, 90, RED), b"garbage".to_vec());
    let first = request_later(&app, &ada, red.len()).await;
    let second = request_later(&app, &ada, garbage.len()).await;
    assert_eq!(ada.delete("/user").await.status, 204);
    assert_eq!(ada.send_upload(&first, red).await.status, 200);
    assert_eq!(ada.send_upload(&second, garbage).await.status, 200);
    app.idle().await;
    app.later(std::time::Duration::from_mins(2)).await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.objects("pictures").await, [""; 0]);
    assert_eq!(app.items_with(&ada.id).await, [""; 0]);
}

#[tokio::test]
async fn a_picture_that_met_an_outage_of_s3_is_made_afterwards() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    // The message waits in the queue while nobody can read it.
    app.outage(Service::Sqs, Outage::Unavailable).await;
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    app.outage(Service::S3, Outage::Unavailable).await;
    app.outage(Service::Sqs, Outage::None).await;
    eventually("a failed attempt", async || {
        let logs = app.stack.logs().await;
        logs.iter().any(|line| line["message"] == "failed to resize an upload; it will be retried").then_some(())
    })
    .await;
    assert_eq!(ada.get("/user").await.json()["picture"]["status"], "processing");
    app.outage(Service::S3, Outage::None).await;
    assert_eq!(ada.picture().await["status"], "ready");
    app.idle().await;
    assert_eq!(app.objects("uploads").await, [""; 0]);
    assert_eq!(app.objects("pictures").await.len(), 3);
}

#[tokio::test]
async fn a_picture_whose_removal_failed_is_removed_by_the_next_attempt() {
    let app = TestApp::start().await;
    let ada = app.signed_in("ada@example.com").await;
    ada.upload("image/jpeg", jpeg(90, 90, RED)).await;
    let url = text(&ada.picture().await["urls"]["512"]);
    app.idle().await;
    app.clock.advance(Duration::from_secs(1));
    app.outage(Service::S3, Outage::Unavailable).await;
    assert_eq!(ada.delete("/user/picture").await.code(), "internal_error");
    app.outage(Service::S3, Outage::None).await;
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.delete("/user/picture").await.status, 204);
    assert_eq!(app.get(&url).await.status, 404);
    assert_eq!(app.objects("pictures").await, [""; 0]);
}

#[tokio::test]
async fn identical_pictures_of_two_users_are_independent() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.signed_in("ada@example.com").await, app.signed_in("bob@example.com").await);
    let red = jpeg(90, 90, RED);
    ada.upload("image/jpeg", red.clone()).await;
    bob.upload("image/jpeg", red).await;
    let (adas, bobs) = (ada.picture().await, bob.picture().await);
    assert_ne!(adas["urls"], bobs["urls"]);
    assert_eq!(ada.delete("/user").await.status, 204);
    assert_eq!(app.get(&text(&adas["urls"]["64"])).await.status, 404);
    assert_eq!(app.get(&text(&bobs["urls"]["64"])).await.status, 200);
}
