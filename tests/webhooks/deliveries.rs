//! Webhooks, delivered to a receiver of the test's own on this machine.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use local::{Outage, Service};
use serde_json::{Value, json};
use tests::{ADMIN, SignedIn, TestApp, eventually, text};

const ADA: &str = "ada@example.com";

/// What a receiver was sent, and what it answers.
#[derive(Clone)]
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    /// Whether it never answers.
    holds: Arc<AtomicBool>,
    /// Requests that it has not answered, of clients that still wait.
    busy: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

/// A request that is answered, or whose client has gone.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            status: Arc::new(AtomicU16::new(200)),
            holds: Arc::default(),
            busy: Arc::default(),
            requests: Arc::default(),
        };
        let router = Router::new().fallback(Self::take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    async fn take(State(receiver): State<Self>, request: Request) -> StatusCode {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        receiver.requests.lock().unwrap().push((parts.headers, serde_json::from_slice(&body).unwrap()));
        receiver.busy.fetch_add(1, Ordering::SeqCst);
        let _done = Done(receiver.busy);
        if receiver.holds.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        StatusCode::from_u16(receiver.status.load(Ordering::SeqCst)).unwrap()
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn received(&self) -> Vec<(HeaderMap, Value)> {
        self.requests.lock().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        self.received().iter().map(|(_, body)| text(&body["type"])).collect()
    }
}

async fn create(admin: &SignedIn<'_>, url: &str, types: &[&str]) -> Value {
    let answer = admin.post("/webhooks", &json!({ "url": url, "types": types })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn deliveries(admin: &SignedIn<'_>, id: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/webhooks/{id}/deliveries?limit=100")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["deliveries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn events_are_delivered_signed_to_who_wants_them() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    create(&admin, &all.url, &[]).await;
    let webhook = create(&admin, &some.url, &["user.updated"]).await;
    let ada = app.signed_in(ADA).await;
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    app.idle().await;
    assert_eq!(some.types(), ["user.updated"]);
    let mut types = all.types();
    types.sort();
    assert_eq!(types, ["user.confirmed", "user.created", "user.signed_in", "user.updated"]);
    let (headers, body) = some.received().remove(0);
    assert_eq!(headers["webhook-id"], text(&body["id"]));
    assert_eq!(headers["content-type"], "application/cloudevents+json");
    let signature = headers["webhook-signature"].to_str().unwrap();
    assert!(signature.starts_with("v1,") && !signature.contains(' '), "{signature}");
    assert_eq!(body["data"]["changed"], json!({ "name": "Ada King" }));
    let listed = deliveries(&admin, &text(&webhook["id"])).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["status"], &listed[0]["last_attempt"]["status"]), (&json!("delivered"), &json!(200)));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_two_sign_during_rotation() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let webhook = create(&admin, &receiver.url, &["user.updated"]).await;
    let (id, first) = (text(&webhook["id"]), text(&webhook["secret"]));
    assert!(first.starts_with("whsec_"));
    assert!(!admin.get("/webhooks").await.text.contains("whsec_"));
    assert_eq!(app.items_with(&first).await, Vec::<String>::new(), "sealed at rest");
    let rotated = admin.post(&format!("/webhooks/{id}/secret"), &json!({})).await;
    assert_eq!(rotated.status, 201);
    assert_ne!(text(&rotated.json()["secret"]), first);
    assert_eq!(rotated.json()["secrets"].as_array().unwrap().len(), 2);
    let signatures = async |admin: &SignedIn<'_>| {
        assert_eq!(admin.post(&format!("/webhooks/{id}/test"), &json!({})).await.status, 202);
        app.idle().await;
        let (headers, _) = receiver.received().pop().unwrap();
        headers["webhook-signature"].to_str().unwrap().split(' ').count()
    };
    assert_eq!(signatures(&admin).await, 2);
    app.clock.advance(Duration::from_hours(25));
    assert_eq!(signatures(&app.sign_in(ADMIN).await).await, 1);
}

#[tokio::test]
async fn a_failed_delivery_comes_again_with_growing_waits_and_the_same_id() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let id = text(&create(&admin, &receiver.url, &["user.created"]).await["id"]);
    receiver.answers(500);
    app.signed_in(ADA).await;
    app.idle().await;
    assert_eq!(receiver.received().len(), 1);
    let pending = deliveries(&admin, &id).await;
    assert_eq!((&pending[0]["status"], &pending[0]["attempts"]), (&json!("pending"), &json!(1)));
    for attempts in 2..=3 {
        app.later(Duration::from_mins(2)).await;
        app.idle().await;
        assert_eq!(receiver.received().len(), attempts);
    }
    receiver.answers(204);
    app.later(Duration::from_mins(10)).await;
    app.idle().await;
    let requests = receiver.received();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|(headers, _)| headers["webhook-id"] == requests[0].0["webhook-id"]));
    let done = deliveries(&app.sign_in(ADMIN).await, &id).await;
    assert_eq!((&done[0]["status"], &done[0]["attempts"]), (&json!("delivered"), &json!(4)));
}

#[tokio::test]
async fn an_endpoint_failing_for_three_days_is_disabled_and_administrators_notified() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let id = text(&create(&admin, &receiver.url, &["user.updated"]).await["id"]);
    let ada = app.signed_in(ADA).await;
    receiver.answers(503);
    assert_eq!(ada.put("/user", &json!({ "name": "One" })).await.status, 200);
    app.idle().await;
    for _ in 0..40 {
        app.later(Duration::from_hours(2)).await;
        app.idle().await;
    }
    let admin = app.sign_in(ADMIN).await;
    let webhook = admin.get("/webhooks").await.json()["webhooks"][0].clone();
    assert_eq!((&webhook["enabled"], &webhook["disabled_reason"]), (&json!(false), &json!("failing")));
    let mails = app.mails(ADMIN).await;
    let told: Vec<_> = mails.iter().filter(|mail| text(&mail["subject"]).contains("webhook")).collect();
    assert_eq!(told.len(), 1, "{mails:?}");
    assert!(text(&told[0]["text"]).contains("127.0.0.1"));
    // What happens meanwhile is not sent, and can be had afterwards.
    let ada = app.sign_in(ADA).await;
    assert_eq!(ada.put("/user", &json!({ "name": "Two" })).await.status, 200);
    app.idle().await;
    let before = receiver.received().len();
    assert_eq!(deliveries(&admin, &id).await[0]["status"], "skipped");
    assert_eq!(admin.post(&format!("/webhooks/{id}/test"), &json!({})).await.code(), "webhook_disabled");
    receiver.answers(200);
    let enable = admin.request(reqwest::Method::PATCH, &format!("/webhooks/{id}")).json(&json!({ "enabled": true }));
    assert_eq!(tests::Answer::of(enable).await.json()["enabled"], true);
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    assert_eq!(admin.post(&format!("/webhooks/{id}/replay"), &since).await.status, 202);
    app.idle().await;
    let names: Vec<_> =
        receiver.received()[before..].iter().map(|(_, body)| body["data"]["changed"]["name"].clone()).collect();
    assert_eq!(names.len(), 2, "{names:?} {} {:?}", admin.get("/webhooks").await.text, deliveries(&admin, &id).await);
    assert!(names.contains(&json!("One")) && names.contains(&json!("Two")));
    assert!(deliveries(&admin, &id).await.iter().all(|delivery| delivery["status"] == "delivered"));
}

#[tokio::test]
async fn one_delivery_can_be_sent_again() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let id = text(&create(&admin, &receiver.url, &["user.created"]).await["id"]);
    app.signed_in(ADA).await;
    app.idle().await;
    let delivery = text(&deliveries(&admin, &id).await[0]["id"]);
    assert_eq!(admin.post(&format!("/webhooks/{id}/deliveries/{delivery}/retry"), &json!({})).await.status, 202);
    app.idle().await;
    let requests = receiver.received();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].1, requests[1].1);
    let unknown = format!("/webhooks/{id}/deliveries/{id}/retry");
    assert_eq!(admin.post(&unknown, &json!({})).await.code(), "delivery_not_found");
}

#[tokio::test]
async fn a_replay_sends_only_the_deletion_of_a_deleted_account() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let id = text(&create(&admin, &receiver.url, &["user.created", "user.deleted"]).await["id"]);
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    let created = text(&deliveries(&admin, &id).await[0]["id"]);
    assert_eq!(admin.delete(&format!("/user?id={}", ada.id)).await.status, 204);
    app.idle().await;
    assert_eq!(receiver.types(), ["user.created", "user.deleted"]);
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    assert_eq!(admin.post(&format!("/webhooks/{id}/replay"), &since).await.status, 202);
    app.idle().await;
    assert_eq!(receiver.types(), ["user.created", "user.deleted", "user.deleted"]);
    let retry = admin.post(&format!("/webhooks/{id}/deliveries/{created}/retry"), &json!({})).await;
    assert_eq!(retry.code(), "delivery_not_found");
}

#[tokio::test]
async fn pending_deliveries_of_an_account_are_skipped_once_it_is_deleted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    receiver.answers(500);
    let id = text(&create(&admin, &receiver.url, &["user.created", "user.deleted"]).await["id"]);
    let ada = app.signed_in(ADA).await;
    app.idle().await;
    assert_eq!(receiver.types(), ["user.created"]);
    assert_eq!(admin.delete(&format!("/user?id={}", ada.id)).await.status, 204);
    receiver.answers(200);
    app.later(Duration::from_mins(10)).await;
    app.idle().await;
    assert_eq!(receiver.types(), ["user.created", "user.deleted"]);
    let admin = app.sign_in(ADMIN).await;
    let statuses: Vec<_> = deliveries(&admin, &id)
        .await
        .iter()
        .map(|delivery| (text(&delivery["type"]), text(&delivery["status"])))
        .collect();
    let status = |name: &str| statuses.iter().find(|(of, _)| of == name).map(|(_, status)| status.as_str());
    assert_eq!((status("user.created"), status("user.deleted")), (Some("skipped"), Some("delivered")));
}

#[tokio::test]
async fn events_are_delivered_in_order_and_replays_do_not_cancel_each_other() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    let id = text(&create(&admin, &receiver.url, &["user.updated"]).await["id"]);
    let ada = app.signed_in(ADA).await;
    let began = app.app().clock.now().rfc3339();
    let names: Vec<String> = (0..20).map(|number| format!("Ada {number}")).collect();
    for name in &names {
        assert_eq!(ada.put("/user", &json!({ "name": name })).await.status, 200);
    }
    app.idle().await;
    let told = |requests: &[(HeaderMap, Value)]| -> Vec<String> {
        requests.iter().map(|(_, body)| text(&body["data"]["changed"]["name"])).collect()
    };
    assert_eq!(told(&receiver.received()), names);
    let replay = async |since: &str| admin.post(&format!("/webhooks/{id}/replay"), &json!({ "since": since })).await;
    assert_eq!(replay(&began).await.status, 202);
    assert_eq!(replay(&app.app().clock.now().rfc3339()).await.status, 202);
    app.idle().await;
    assert!(receiver.received().len() >= 40, "the second ends nothing of the first");
    assert_eq!(replay("2999-01-01T00:00:00Z").await.fields(), [("since".to_owned(), "invalid_time".to_owned())]);
}

#[tokio::test]
async fn a_slow_endpoint_delays_no_other() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.holds.store(true, Ordering::SeqCst);
    create(&admin, &slow.url, &["user.created"]).await;
    let quick_id = text(&create(&admin, &quick.url, &["user.created"]).await["id"]);
    app.signed_in(ADA).await;
    eventually("a delivery that waits", async || (slow.busy.load(Ordering::SeqCst) > 0).then_some(())).await;
    eventually("a delivery beside it", async || (!quick.received().is_empty()).then_some(())).await;
    for _ in 0..5 {
        assert_eq!(admin.post(&format!("/webhooks/{quick_id}/test"), &json!({})).await.status, 202);
    }
    eventually("more deliveries", async || (quick.received().len() == 6).then_some(())).await;
    assert_eq!(slow.busy.load(Ordering::SeqCst), 1, "the one that is slow is still at it");
}

#[tokio::test]
async fn an_outage_of_the_queue_loses_no_delivery() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    create(&admin, &receiver.url, &["user.updated"]).await;
    let ada = app.signed_in(ADA).await;
    app.outage(Service::Sqs, Outage::Unavailable).await;
    assert_eq!(ada.put("/user", &json!({ "name": "Ada King" })).await.status, 200);
    eventually("the stream", async || app.stack.has_read_all_changes().then_some(())).await;
    app.outage(Service::Sqs, Outage::None).await;
    assert!(receiver.received().is_empty());
    app.later(Duration::from_mins(1)).await;
    app.idle().await;
    assert_eq!(receiver.types(), ["user.updated"]);
}

#[tokio::test]
async fn urls_into_the_private_network_are_refused_on_creation_and_delivery() {
    let app = TestApp::start_with(&[("WEBHOOK_TARGETS", "public")]).await;
    let admin = app.admin().await;
    for url in [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://localhost/",
        "https://user:password@hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "",
    ] {
        let answer = admin.post("/webhooks", &json!({ "url": url })).await;
        assert_eq!(answer.fields()[0].0, "url", "{url}");
    }
    // A name may lead anywhere, which shows when it is looked up.
    let receiver = Receiver::start().await;
    let port = receiver.url.rsplit_once(':').unwrap().1.split('/').next().unwrap();
    let answer = admin.post("/webhooks", &json!({ "url": format!("https://hook.localhost:{port}/") })).await;
    if answer.status == 201 {
        let id = text(&answer.json()["id"]);
        assert_eq!(admin.post(&format!("/webhooks/{id}/test"), &json!({})).await.status, 202);
        app.idle().await;
        let listed = deliveries(&admin, &id).await;
        let reason = text(&listed[0]["last_attempt"]["reason"]);
        assert!(["address_refused", "dns_failed"].contains(&reason.as_str()), "{reason}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn webhooks_are_for_administrators_who_signed_in_recently() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let ada = app.signed_in(ADA).await;
    let body = json!({ "url": "https://hooks.example.com/", "types": ["user.created"] });
    assert_eq!(ada.post("/webhooks", &body).await.code(), "forbidden");
    assert_eq!(ada.get("/webhooks").await.code(), "forbidden");
    let unknown = json!({ "url": "https://hooks.example.com/", "types": ["user.exploded"] });
    let unknown = admin.post("/webhooks", &unknown).await;
    assert_eq!(unknown.fields(), [("types".to_owned(), "unknown_type".to_owned())]);
    let id = text(&create(&admin, "https://hooks.example.com/", &[]).await["id"]);
    app.clock.advance(Duration::from_mins(20));
    let mut admin = admin;
    admin.refresh().await;
    assert_eq!(admin.post("/webhooks", &body).await.code(), "reauthentication_required");
    assert_eq!(admin.delete(&format!("/webhooks/{id}")).await.code(), "reauthentication_required");
    assert_eq!(admin.get("/webhooks").await.code(), "reauthentication_required");
    let admin = app.sign_in(ADMIN).await;
    assert_eq!(admin.get("/webhooks").await.json()["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(admin.delete(&format!("/webhooks/{id}")).await.status, 204);
    assert_eq!(admin.delete(&format!("/webhooks/{id}")).await.code(), "webhook_not_found");
    app.idle().await;
    let shown = admin.get("/activity").await.json();
    let acts: Vec<_> = shown["events"].as_array().unwrap().iter().map(|act| text(&act["type"])).collect();
    assert_eq!(acts, ["webhook.deleted", "webhook.created"]);
    assert_eq!(
        shown["events"][1]["data"],
        json!({ "host": "hooks.example.com", "types": [] }),
        "a path may be a secret"
    );
}
