//! What only the local stack serves: the start page, the mailbox, the log, the events, a receiver for webhooks, and the resized
//! pictures.

mod events;
mod receiver;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use embedded::{Embedded, LogRecord, SentMail};
use serde::Serialize;
use serde_json::{Value, json};
use shared::App;
use shared::clock::Timestamp;
use shared::http::BASE_PATH;
use shared::http::answer::JsonResponse;
use shared::http::negotiation::WantsHtml;
use shared::telemetry::Shipper;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use self::receiver::Receiver;

/// A URL of the stack, with a description.
#[derive(Debug, Clone, Serialize)]
pub struct Address {
    pub name: &'static str,
    pub url: String,
    pub what: &'static str,
    /// Whether a browser can open it.
    pub page: bool,
}

pub fn addresses(url: &str, embedded: &Embedded) -> Vec<Address> {
    let endpoints = embedded.endpoints();
    let address = |name, url, what| Address { name, url, what, page: true };
    let service = |name, url: &String, what| Address { name, url: url.clone(), what, page: false };
    vec![
        address("start", format!("{url}/"), "start page: a guided tour with a form for each step"),
        address("api", format!("{url}{BASE_PATH}"), "the API"),
        address("docs", format!("{url}{BASE_PATH}/apidocs"), "the interactive API documentation"),
        address("mail", format!("{url}/_local/mail"), "all sent emails"),
        address("logs", format!("{url}/_local/logs"), "all log records"),
        address("events", format!("{url}/_local/events"), "all published events"),
        address("receiver", format!("{url}/_local/receiver"), "a receiver for testing webhooks"),
        service("dynamodb", &endpoints.dynamodb, "the tables"),
        service("s3", &endpoints.s3, "uploads and pictures"),
        service("sqs", &endpoints.sqs, "the queues"),
        service("ses", &endpoints.ses, "email"),
        service("firehose", &endpoints.firehose, "the log stream"),
        service("eventbridge", &endpoints.events, "the event buses"),
    ]
}

#[derive(Clone)]
pub struct Local(Arc<Inner>);

struct Inner {
    app: App,
    addresses: Vec<Address>,
    received: embedded::Received,
    receiver: Receiver,
    shipper: Shipper,
    log: Dispatch,
}

impl Local {
    pub fn new(app: &App, address: SocketAddr, embedded: &Embedded, shipper: Shipper, log: Dispatch) -> Self {
        Self(Arc::new(Inner {
            app: app.clone(),
            addresses: addresses(&format!("http://{address}"), embedded),
            received: embedded.received(),
            receiver: Receiver::default(),
            shipper,
            log,
        }))
    }
}

pub fn router(local: Local) -> Router {
    let asset =
        |content_type: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, content_type)], text));
    Router::new()
        .route("/", get(async || Html(include_str!("pages/start.html"))))
        .route("/_local/assets/style.css", asset("text/css; charset=utf-8", include_str!("pages/style.css")))
        .route("/_local/assets/shared.js", asset("text/javascript; charset=utf-8", include_str!("pages/shared.js")))
        .route("/_local/about", get(about))
        .route("/_local/mail", get(mail))
        .route("/_local/logs", get(logs))
        .route("/_local/events", get(events::show))
        .route("/_local/receiver", get(receiver::show))
        .route("/_local/receiver/{name}", post(receiver::receive).layer(DefaultBodyLimit::disable()))
        .route("/_local/pictures/{*key}", get(picture))
        .with_state(local)
}

async fn about(State(Local(local)): State<Local>) -> JsonResponse<Value> {
    JsonResponse::ok(json!({
        "product": local.app.config.mail.product_name,
        "version": env!("CARGO_PKG_VERSION"),
        "addresses": local.addresses,
    }))
}

async fn mail(State(Local(local)): State<Local>, WantsHtml(html): WantsHtml) -> Response {
    if html {
        return Html(include_str!("pages/mailbox.html")).into_response();
    }
    JsonResponse::ok(local.received.mails().into_iter().map(shown).collect::<Vec<_>>()).into_response()
}

fn shown(mail: SentMail) -> Value {
    let text = mail.text.unwrap_or_default();
    let links: Vec<&str> =
        text.split_whitespace().filter(|word| word.starts_with("http://") || word.starts_with("https://")).collect();
    json!({
        "to": mail.to.join(", "),
        "from": mail.from,
        "reply_to": mail.reply_to,
        "subject": mail.subject,
        "text": text,
        "html": mail.html,
        "links": links,
        "sent_at": Timestamp::from_millis(mail.sent_at).rfc3339(),
    })
}

async fn logs(State(Local(local)): State<Local>, WantsHtml(html): WantsHtml) -> Response {
    if html {
        return Html(include_str!("pages/logs.html")).into_response();
    }
    local.shipper.ship(Duration::ZERO).with_subscriber(local.log.clone()).await;
    JsonResponse::ok(local.received.logs().into_iter().map(|LogRecord { data, .. }| data).collect::<Vec<_>>())
        .into_response()
}

/// What `CloudFront` does in AWS.
async fn picture(State(Local(local)): State<Local>, Path(key): Path<String>) -> Response {
    let bucket = &local.app.config.pictures.pictures_bucket;
    let Ok(object) = local.app.s3().get_object().bucket(bucket).key(key).send().await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let content_type = object.content_type().unwrap_or_default().to_owned();
    let cache_control = object.cache_control().unwrap_or_default().to_owned();
    match object.body.collect().await {
        Ok(bytes) => {
            ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, cache_control)], bytes.into_bytes()).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
