//! Lambda's runtime and extensions API for one function process
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>), as far as the functions use it: one invocation at a
//! time, and an internal extension that is told of each.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

const REGISTERED: &str = r#"{"functionName":"function","functionVersion":"1","handler":"bootstrap"}"#;
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
/// In the year 2286: no invocation ends by it.
const DEADLINE_MS: &str = "9999999999999";
/// No invocation takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// The end of the API that invokes.
pub struct RuntimeApi {
    /// `127.0.0.1:PORT`, for `AWS_LAMBDA_RUNTIME_API`.
    pub address: String,
    events: mpsc::UnboundedSender<String>,
    told: mpsc::UnboundedSender<()>,
    said: mpsc::UnboundedReceiver<Said>,
}

enum Said {
    /// The runtime or the extension is done with everything before and asks for more.
    Next,
    Answer(Value),
    Failed(String),
}

struct Api {
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    told: Mutex<mpsc::UnboundedReceiver<()>>,
    said: mpsc::UnboundedSender<Said>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let (events, waiting_events) = mpsc::unbounded_channel();
        let (told, waiting_told) = mpsc::unbounded_channel();
        let (saying, said) = mpsc::unbounded_channel();
        let api = Arc::new(Api { events: Mutex::new(waiting_events), told: Mutex::new(waiting_told), said: saying });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(answered))
            .route("/2018-06-01/runtime/init/error", post(failed))
            .route("/2020-01-01/extension/register", post(async || ([identifier()], REGISTERED)))
            .route("/2020-01-01/extension/event/next", get(next_event))
            .with_state(api);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, events, told, said }
    }

    /// Waits until the function has started: runtime and extension ask for work.
    pub async fn ready(&mut self) {
        self.outcome(2).await;
    }

    /// Gives one event to the function. Returns its answer when Lambda would freeze it: it has answered, and runtime and
    /// extension ask for the next.
    pub async fn invoke(&mut self, event: &Value) -> Value {
        self.told.send(()).expect("a running server");
        self.events.send(event.to_string()).expect("a running server");
        self.outcome(2).await.expect("an answer")
    }

    async fn outcome(&mut self, mut missing: u32) -> Option<Value> {
        let mut answer = None;
        while missing > 0 {
            let said = timeout(PATIENCE, self.said.recv()).await.expect("the function to go on");
            match said.expect("a running server") {
                Said::Next => missing -= 1,
                Said::Answer(value) => answer = Some(value),
                Said::Failed(reason) => panic!("the function failed: {reason}"),
            }
        }
        answer
    }
}

async fn next_invocation(State(api): State<Arc<Api>>) -> Response {
    let _ = api.said.send(Said::Next);
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        (HeaderName::from_static("lambda-runtime-aws-request-id"), HeaderValue::from_static(REQUEST_ID)),
        (HeaderName::from_static("lambda-runtime-deadline-ms"), HeaderValue::from_static(DEADLINE_MS)),
        (
            HeaderName::from_static("lambda-runtime-invoked-function-arn"),
            HeaderValue::from_static("arn:aws:lambda:us-east-1:123456789012:function:function"),
        ),
    ];
    (headers, event).into_response()
}

async fn answered(State(api): State<Arc<Api>>, Path((_, outcome)): Path<(String, String)>, body: String) -> StatusCode {
    let _ = api.said.send(match serde_json::from_str(&body) {
        Ok(answer) if outcome == "response" => Said::Answer(answer),
        _ => Said::Failed(body),
    });
    StatusCode::ACCEPTED
}

async fn failed(State(api): State<Arc<Api>>, body: String) -> StatusCode {
    let _ = api.said.send(Said::Failed(body));
    StatusCode::ACCEPTED
}

fn identifier() -> (HeaderName, HeaderValue) {
    (HeaderName::from_static("lambda-extension-identifier"), HeaderValue::from_static("extension"))
}

async fn next_event(State(api): State<Arc<Api>>) -> Response {
    let _ = api.said.send(Said::Next);
    let Some(()) = api.told.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let event = json!({
        "eventType": "INVOKE",
        "deadlineMs": DEADLINE_MS.parse::<u64>().expect("a number"),
        "requestId": REQUEST_ID,
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:function",
        "tracing": { "type": "X-Amzn-Trace-Id", "value": "Root=1-6922d0c0-0123456789abcdef01234567" },
    });
    event.to_string().into_response()
}
