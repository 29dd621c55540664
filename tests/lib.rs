//! [`TestApp`]: the whole service for one test, with its own ports, its own memory and a clock that the test moves.

#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, reason = "a test harness stops where it cannot go on")]

pub mod authenticator;
pub mod contract;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local::{Options, Outage, Queue, Service, Stack};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use shared::App;
use shared::clock::Clock;
use shared::domain::event::{Actor, DomainEvent, EventKind, Subject};
use shared::domain::limit::Limit;
use shared::domain::user::User;

pub const PASSWORD: &str = "correct horse battery";
/// What the local stack has as `ADMIN_EMAIL`.
pub const ADMIN: &str = "admin@example.com";

/// How long a condition may take to come true before a test gives up: far longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct TestApp {
    pub stack: Stack,
    pub clock: Clock,
    http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// Somebody who has an account and is signed in.
pub struct SignedIn<'a> {
    app: &'a TestApp,
    pub email: String,
    pub id: String,
    pub access_token: String,
    pub refresh_token: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with configuration variables of its own.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        Self::start_in(None, variables).await
    }

    /// Starts on data that outlives it.
    pub async fn start_in(data: Option<&std::path::Path>, variables: &[(&str, &str)]) -> Self {
        let clock = Clock::default();
        // The cheapest hash argon2 takes: tests are about what surrounds it.
        let cheap = [("PASSWORD_HASH_MEMORY_KIB", "8"), ("PASSWORD_HASH_ITERATIONS", "1")];
        // All clients of all tests come from 127.0.0.1. Tests about limits set their own.
        let roomy: Vec<_> = Limit::ALL.iter().map(|limit| (limit.variable(), "10000/1m")).collect();
        // A test harness cannot be started as a worker.
        let worker =
            std::env::var("CARGO_BIN_EXE_function").expect("Cargo says where the binaries of this package are");
        let worker = [("PICTURE_WORKER", worker.as_str())];
        let variables = cheap
            .iter()
            .chain(&worker)
            .chain(&roomy)
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .chain(table_of_another_make());
        let options = Options {
            port: 0,
            data: data.map(Into::into),
            fresh: false,
            clock: clock.clone(),
            variables: variables.collect::<HashMap<_, _>>(),
            sweeping: false,
            publishing: true,
            // A failed message is there again at once, so no test waits for it.
            visibility: Duration::ZERO,
        };
        let stack = Stack::start(options).await.expect("the stack starts");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { stack, clock, http }
    }

    /// The service's own view of the world, to reach where HTTP does not.
    pub fn app(&self) -> &App {
        &self.stack.app
    }

    /// The same function in another place: its own clients and keys, the same tables.
    pub fn another_instance(&self) -> App {
        App::new(self.app().config.clone(), self.clock.clone()).expect("the same configuration")
    }

    pub fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}/api/v1{path}", self.stack.url()) }
    }

    /// A request to a path of the API, or to a whole URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub async fn register(&self, email: &str) -> Answer {
        self.post("/auth/register", &json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD })).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login", &json!({ "email": email, "password": password })).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.post("/auth/refresh", &json!({ "refresh_token": refresh_token })).await
    }

    /// Registers and confirms, by the plain link.
    pub async fn confirmed(&self, email: &str) {
        assert_eq!(self.register(email).await.status, 202);
        // The address may have had mails before.
        let token = self.mailed_token(email, "/auth/confirm").await;
        let answer = self.post("/auth/confirm", &json!({ "token": token })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Chooses a password through the newest link that was mailed for that.
    pub async fn choose_password(&self, email: &str, password: &str) -> Answer {
        let token = self.mailed_token(email, "/auth/password/reset").await;
        self.post("/auth/password/reset", &json!({ "token": token, "password": password })).await
    }

    /// Says that the password is forgotten, and chooses another through the link.
    pub async fn recover(&self, email: &str, password: &str) -> Answer {
        let asked = self.post("/auth/password/forgot", &json!({ "email": email })).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        self.choose_password(email, password).await
    }

    /// Registers, confirms and signs in.
    pub async fn signed_in(&self, email: &str) -> SignedIn<'_> {
        self.confirmed(email).await;
        self.sign_in(email).await
    }

    /// Registers, confirms by choosing a password through a mailed link, and signs in: nobody else may know the password.
    pub async fn signed_in_by_mail(&self, email: &str) -> SignedIn<'_> {
        self.confirmed(email).await;
        let answer = self.recover(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.sign_in(email).await
    }

    /// The administrator, who chose a password through the mailed link, signed in.
    pub async fn admin(&self) -> SignedIn<'_> {
        assert_eq!(self.register(ADMIN).await.status, 202);
        let answer = self.choose_password(ADMIN, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.sign_in(ADMIN).await
    }

    /// Signs in to an account that is there: another session.
    pub async fn sign_in(&self, email: &str) -> SignedIn<'_> {
        let answer = self.login(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.session_of(email, &answer.json())
    }

    /// The session that an answer to a sign-in begins.
    pub fn session_of(&self, email: &str, body: &Value) -> SignedIn<'_> {
        SignedIn {
            app: self,
            email: email.to_owned(),
            id: text(&body["user"]["id"]),
            access_token: text(&body["access_token"]),
            refresh_token: text(&body["refresh_token"]),
        }
    }

    /// The token of the newest link that was mailed to an address, once there is one.
    pub async fn confirmation_token(&self, email: &str) -> String {
        let mails = self.mails_to(email, 1).await;
        let mut link = mails.iter().flat_map(|mail| mail["links"].as_array().into_iter().flatten()).map(text);
        let token = link.find_map(|link| link.split_once("/auth/confirm?token=").map(|(_, token)| token.to_owned()));
        token.unwrap_or_else(|| panic!("no mail to {email} has a link: {mails:?}"))
    }

    /// The token of the newest link to a path that was mailed to an address, once the emailer has nothing left to do.
    pub async fn mailed_token(&self, email: &str, path: &str) -> String {
        self.emptied(Queue::Mail).await;
        let mails = self.mails(email).await;
        let mut links = mails.iter().flat_map(|mail| mail["links"].as_array().into_iter().flatten()).map(text);
        let start = format!("{path}?token=");
        let token = links.find_map(|link| link.split_once(&start).map(|(_, token)| token.to_owned()));
        token.unwrap_or_else(|| panic!("no mail to {email} has a link to {path}: {mails:?}"))
    }

    /// All mails to an address, newest first, once there are at least `count`.
    pub async fn mails_to(&self, email: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} mails to {email}"), async || {
            let mails = self.mails(email).await;
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// All mails to an address that were sent until now, newest first.
    pub async fn mails(&self, email: &str) -> Vec<Value> {
        let answer = Answer::of(self.request(Method::GET, &self.local("/_local/mail"))).await.json();
        answer.as_array().expect("an array").iter().filter(|mail| mail["to"] == email).cloned().collect()
    }

    /// A URL of the local stack's own pages.
    pub fn local(&self, path: &str) -> String {
        format!("{}{path}", self.stack.url())
    }

    /// Waits until every event was published and enqueued, and every queue is empty and nothing of it is being worked on.
    pub async fn idle(&self) {
        eventually("a stream that was read", async || self.stack.has_read_all_changes().then_some(())).await;
        for queue in Queue::ALL {
            self.emptied(queue).await;
        }
    }

    /// Waits until a queue is empty and nothing of it is being worked on.
    async fn emptied(&self, queue: Queue) {
        let what = format!("an empty queue: {}", queue.name());
        eventually(&what, async || (self.queued(queue.name()).await == 0).then_some(())).await;
    }

    /// How many messages a queue holds, those being worked on too.
    pub async fn queued(&self, queue: &str) -> u32 {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let sqs = self.app().sqs();
        let url = self.queue_url(queue);
        let answer =
            sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await.expect("attributes");
        let attributes = answer.attributes().expect("attributes");
        [Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesNotVisible]
            .iter()
            .filter_map(|name| attributes.get(name)?.parse::<u32>().ok())
            .sum()
    }

    /// Puts a message into a queue, as a stranger might.
    pub async fn enqueue(&self, queue: &str, body: &str) {
        let sqs = self.app().sqs();
        sqs.send_message()
            .queue_url(self.queue_url(queue))
            .message_body(body)
            .send()
            .await
            .expect("the queue takes it");
    }

    fn queue_url(&self, queue: &str) -> String {
        let mail = &self.app().config.mail.queue_url;
        let (base, _) = mail.rsplit_once('/').expect("a queue URL");
        format!("{base}/{queue}")
    }

    /// The keys of all objects in a bucket.
    pub async fn objects(&self, bucket: &str) -> Vec<String> {
        let page = self.app().s3().list_objects_v2().bucket(bucket).send().await.expect("a listing");
        page.contents().iter().filter_map(|object| object.key().map(ToOwned::to_owned)).collect()
    }

    /// Every item of the main table that mentions a text, as it is stored.
    pub async fn items_with(&self, text: &str) -> Vec<String> {
        let mut items = Vec::new();
        let mut pages = self.app().dynamodb().scan().table_name("users").into_paginator().items().send();
        while let Some(item) = pages.next().await {
            items.push(format!("{:?}", item.expect("an item")));
        }
        items.retain(|item| item.contains(text));
        items
    }

    /// Disables an account in the table alone: what it held is held back by that, and by nothing else.
    pub async fn set_disabled(&self, id: &str) {
        use aws_sdk_dynamodb::types::AttributeValue;
        let at = AttributeValue::N(self.clock.now().millis().to_string());
        let update = self.app().dynamodb().update_item().table_name("users");
        let update = update.key("pk", AttributeValue::S(format!("USER#{id}")));
        let update =
            update.key("sk", AttributeValue::S("PROFILE".into())).update_expression("SET disabled = :disabled");
        let disabled = AttributeValue::M(HashMap::from([("at".to_owned(), at)]));
        update.expression_attribute_values(":disabled", disabled).send().await.expect("an update");
    }

    /// Moves the clock and runs the sweeper, as its schedule would have.
    pub async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.stack.sweep().await;
    }

    #[expect(clippy::unused_async, reason = "the tests await whatever changes the world")]
    pub async fn outage(&self, service: Service, outage: Outage) {
        self.stack.set_outage(service, outage);
    }

    /// The security events of one kind in the log stream, newest first.
    pub async fn events(&self, action: &str) -> Vec<Value> {
        self.stack.logs().await.into_iter().filter(|line| line["event.action"] == action).collect()
    }
}

impl Answer {
    /// Sends a request; the answer has to be one that the API's document knows.
    pub async fn of(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Self { status, headers, text: response.text().await.expect("text") };
        contract::check(&method, &path, &answer);
        answer
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// The code of a problem answer, after checking that it is a whole one.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{} {}", self.status, self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
        }
        assert!(problem["errors"].is_array());
        text(&problem["code"])
    }

    /// The fields that a problem names, with their codes.
    pub fn fields(&self) -> Vec<(String, String)> {
        assert_eq!(self.code(), "invalid_request");
        let problem = self.json();
        problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| (text(&error["field"]), text(&error["code"])))
            .collect()
    }

    /// All that two answers have in common if they must not be told apart: not the request's id, the date, the length, and
    /// how many requests there were before.
    pub fn essence(&self) -> (StatusCode, Vec<(String, String)>, String) {
        let own = ["x-request-id", "date", "content-length", "ratelimit"];
        let headers = self.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        headers.sort();
        (self.status, headers, self.text.replace(self.header("x-request-id"), "ID"))
    }

    /// A header's text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl SignedIn<'_> {
    /// A request with the access token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).bearer_auth(&self.access_token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Refreshes, and goes on with the new pair.
    pub async fn refresh(&mut self) {
        let answer = self.app.refresh(&self.refresh_token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        self.access_token = text(&body["access_token"]);
        self.refresh_token = text(&body["refresh_token"]);
    }

    pub async fn logout(&self) -> Answer {
        Answer::of(self.request(Method::POST, "/auth/logout")).await
    }

    /// Asks for an upload and sends `bytes` to it; the URL's answer.
    pub async fn upload(&self, content_type: &str, bytes: Vec<u8>) -> Answer {
        let upload = self.request_upload(content_type, bytes.len()).await;
        self.send_upload(&upload, bytes).await
    }

    pub async fn request_upload(&self, content_type: &str, length: usize) -> Value {
        let answer =
            self.post("/user/picture", &json!({ "content_type": content_type, "content_length": length })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub async fn send_upload(&self, upload: &Value, bytes: Vec<u8>) -> Answer {
        let mut request = self.app.request(Method::PUT, &text(&upload["upload_url"]));
        for (name, value) in upload["headers"].as_object().expect("headers") {
            // The client counts by itself.
            if name != "content-length" {
                request = request.header(name, text(value));
            }
        }
        Answer::of(request.body(bytes)).await
    }

    /// The picture of this user, once nothing is processed any more.
    pub async fn picture(&self) -> Value {
        eventually("a processed picture", async || {
            let picture = self.get("/user").await.json()["picture"].clone();
            (picture["status"] != "processing").then_some(picture)
        })
        .await
    }
}

/// With `OTHER_DYNAMODB`, the address of a stand-in for `DynamoDB` of another make, the service's tables are there instead
/// of in the process; each test has a region of its own, so they have nothing in common. `tests/table/prove` sets it.
fn table_of_another_make() -> impl Iterator<Item = (String, String)> {
    static REGIONS: AtomicUsize = AtomicUsize::new(0);
    let endpoint = std::env::var("OTHER_DYNAMODB").ok();
    endpoint.into_iter().flat_map(|endpoint| {
        let region = format!("test-{}-{}", std::process::id(), REGIONS.fetch_add(1, Ordering::Relaxed));
        [("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), endpoint), ("AWS_REGION".to_owned(), region)]
    })
}

/// Waits for a condition: asks again until it gives something.
///
/// # Panics
/// When it does not come true for far longer than it ever takes.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A JPEG of one colour.
pub fn jpeg(width: u16, height: u16, colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let samples = colour.repeat(usize::from(width) * usize::from(height));
    let encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.encode(&samples, width, height, jpeg_encoder::ColorType::Rgb).expect("a JPEG");
    file
}

/// The text of a JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// An event, for a method of the store that is called by itself.
#[must_use]
pub fn any_event(user: &User) -> DomainEvent {
    DomainEvent::new(Subject::User(user.id), &Actor::SYSTEM, EventKind::Confirmed {}, user.created_at)
}
