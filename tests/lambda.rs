//! A function as a process of its own, against Lambda's runtime and extensions API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde_json::{Value, json};
use tests::{TestApp, eventually};
use tokio::sync::Semaphore;

const HEALTH: &str = include_str!("../events/health.json");
const EMAILER: &str = include_str!("../events/emailer.json");
const REGISTERED: &str = r#"{"functionName":"health","functionVersion":"1","handler":"bootstrap"}"#;

/// Gives one invocation to the function and one event to its extension, and keeps what it answers.
#[derive(Clone)]
struct Runtime {
    /// What the function is invoked with.
    event: &'static str,
    invocations: Arc<Semaphore>,
    events: Arc<Semaphore>,
    answer: Arc<Mutex<Option<Value>>>,
    /// How often the extension asked for an event.
    asked: Arc<AtomicUsize>,
}

struct Function(Child);

impl Function {
    /// Ends it as an environment that breaks does: the next invocation is cut off, and the runtime gives up. A process that
    /// is killed instead writes no coverage.
    async fn end(mut self, runtime: &Runtime) {
        runtime.invocations.close();
        self.failed().await;
    }

    async fn failed(&mut self) {
        let status = eventually("the end of the function", async || self.0.try_wait().unwrap()).await;
        assert_eq!(status.code(), Some(1));
    }

    /// What it says on standard error before it ends by itself.
    async fn last_words(mut self) -> String {
        self.failed().await;
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Runtime {
    async fn start(event: &'static str) -> (Self, String) {
        let one = || Arc::new(Semaphore::new(1));
        let runtime = Self { event, invocations: one(), events: one(), answer: Arc::default(), asked: Arc::default() };
        let (invoked, told, answered) = (runtime.clone(), runtime.clone(), runtime.clone());
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(async move || invoked.invoke().await))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(async move |body: String| *answered.answer.lock().unwrap() = serde_json::from_str(&body).ok()),
            )
            .route(
                "/2020-01-01/extension/register",
                post(async || ([(header("lambda-extension-identifier"), "e")], REGISTERED)),
            )
            .route("/2020-01-01/extension/event/next", get(async move || told.tell().await));
        (runtime, serve(router).await)
    }

    async fn invoke(&self) -> Response {
        let body = match self.invocations.acquire().await {
            Ok(invocation) => {
                invocation.forget();
                Body::from(self.event)
            }
            Err(_) => Body::from_stream(stream::once(async { Err::<&str, _>("cut off") })),
        };
        let headers = [
            (header("lambda-runtime-aws-request-id"), HeaderValue::from_static("r1")),
            (header("lambda-runtime-deadline-ms"), HeaderValue::from_static("99999999999999")),
            (
                header("lambda-runtime-invoked-function-arn"),
                HeaderValue::from_static("arn:aws:lambda:eu-central-1:1:function:f"),
            ),
        ];
        (headers, body).into_response()
    }

    async fn tell(&self) -> Response {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Ok(event) = self.events.acquire().await else {
            return (StatusCode::INTERNAL_SERVER_ERROR, "no events").into_response();
        };
        event.forget();
        let event = json!({
            "eventType": "INVOKE", "deadlineMs": 99_999_999_999_999_u64, "requestId": "r1", "invokedFunctionArn": "arn",
            "tracing": { "type": "X-Amzn-Trace-Id", "value": "t" },
        });
        event.to_string().into_response()
    }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn command(app: &TestApp, runtime: &str, log_level: &str) -> Command {
    let config = &app.app().config;
    let endpoints = &config.aws.endpoints;
    let mut command = Command::new(env!("CARGO_BIN_EXE_function"));
    command
        .env("AWS_LAMBDA_RUNTIME_API", runtime)
        .env("AWS_LAMBDA_FUNCTION_NAME", "health")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
        .env("AWS_REGION", "us-east-1")
        .env("EVENT_BUS", "events")
        .env("WEBHOOK_QUEUE_URL", "http://127.0.0.1:1/webhooks")
        .env("AWS_ACCESS_KEY_ID", &config.aws.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", config.aws.credentials().secret_access_key())
        .env("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.as_deref().unwrap())
        .env("AWS_ENDPOINT_URL_FIREHOSE", endpoints.firehose.as_deref().unwrap())
        .env("TABLE_NAME", &config.tables.main)
        .env("KEYS_TABLE_NAME", &config.tables.keys)
        .env("UPLOADS_BUCKET", "uploads")
        .env("PICTURES_BUCKET", "pictures")
        .env("PICTURES_URL", "http://127.0.0.1")
        .env("PUBLIC_URL", "http://127.0.0.1")
        .env("MAIL_QUEUE_URL", &config.mail.queue_url)
        .env("MAIL_FROM", "no-reply@example.com")
        .env("PRODUCT_NAME", "Example")
        .env("LOG_STREAM", "logs")
        .env("LOG_LEVEL", log_level)
        .stdout(Stdio::null());
    command
}

#[tokio::test]
async fn a_function_answers_its_invocation_and_ships_its_log_afterwards() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(HEALTH).await;
    // Empty is how the template leaves a variable out.
    let function = Function(command(&app, &address, "").spawn().unwrap());
    let answer = eventually("an answer", async || runtime.answer.lock().unwrap().clone()).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["body"], r#"{"status":"ok"}"#);
    let line = eventually("the line of the request", async || {
        app.stack.logs().await.into_iter().find(|line| line["faas.name"] == "health" && line["message"] == "answered")
    });
    assert_eq!(line.await["http.response.status_code"], 200);
    function.end(&runtime).await;
}

#[tokio::test]
async fn a_queues_function_answers_its_event_and_ships_its_log_afterwards() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(EMAILER).await;
    let mut command = command(&app, &address, "");
    let function = Function(command.env("AWS_LAMBDA_FUNCTION_NAME", "emailer").spawn().unwrap());
    let answer = eventually("an answer", async || runtime.answer.lock().unwrap().clone()).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    eventually("the extension to ask for the next event", async || {
        (runtime.asked.load(Ordering::Relaxed) == 2).then_some(())
    })
    .await;
    function.end(&runtime).await;
}

#[tokio::test]
async fn log_lines_about_shipping_do_not_delay_the_end_of_an_invocation() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(HEALTH).await;
    let function = Function(command(&app, &address, "debug").spawn().unwrap());
    eventually("the extension to ask for the next event", async || {
        (runtime.asked.load(Ordering::Relaxed) == 2).then_some(())
    })
    .await;
    assert!(app.stack.logs().await.iter().any(|line| line["message"] == "answered"));
    function.end(&runtime).await;
}

#[tokio::test]
async fn a_function_exits_if_its_extension_cannot_get_the_next_event() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(HEALTH).await;
    let function = Function(command(&app, &address, "").stderr(Stdio::piped()).spawn().unwrap());
    eventually("an answer", async || runtime.answer.lock().unwrap().clone()).await;
    runtime.events.close();
    let said = function.last_words().await;
    assert!(said.contains("Lambda responded to its extension with 500 Internal Server Error: no events"), "{said}");
}

#[tokio::test]
async fn a_function_whose_extension_lambda_does_not_take_does_not_start() {
    let app = TestApp::start().await;
    let router = Router::new()
        .route("/2020-01-01/extension/register", post(async || (StatusCode::FORBIDDEN, "too many extensions")));
    let address = serve(router).await;
    let function = Function(command(&app, &address, "").stderr(Stdio::piped()).spawn().unwrap());
    let said = function.last_words().await;
    assert!(said.contains("Lambda responded to its extension with 403 Forbidden: too many extensions"), "{said}");
    // Nobody listens on the first port.
    let function = Function(command(&app, "127.0.0.1:1", "").stderr(Stdio::piped()).spawn().unwrap());
    let said = function.last_words().await;
    assert!(said.contains("Lambda did not respond to its extension: client error (Connect): "), "{said}");
}

/// What API Gateway may send and `lambda_http` makes no request of (reported by users of aws-lambda-rust-runtime, issue 515):
/// a host that is no address, a path with a space, a query with characters that no URI has.
const ODD: &str = r#"{"version":"2.0","rawPath":"/api/v1/hea lth","rawQueryString":"a=<b>|\"c\" d",
    "headers":{"host":"x.execute-api.127.0.0.1","x-forwarded-proto":"","x-name":"\u00fc"},
    "requestContext":{"domainName":"[","http":{"method":"GET","path":"/api/v1/hea lth"},"requestId":"r-odd","stage":"$default"},
    "isBase64Encoded":false}"#;

#[tokio::test]
async fn a_function_answers_events_that_are_no_url() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(ODD).await;
    let function = Function(command(&app, &address, "").spawn().unwrap());
    let answer = eventually("an answer", async || runtime.answer.lock().unwrap().clone()).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["x-request-id"]), (&json!(404), &json!("r-odd")), "{answer}");
    function.end(&runtime).await;
}

#[tokio::test]
async fn a_function_that_uses_no_table_never_calls_for_it() {
    let app = TestApp::start().await;
    let (runtime, address) = Runtime::start(HEALTH).await;
    let table = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = command(&app, &address, "");
    command.env("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", table.local_addr().unwrap()));
    let function = Function(command.spawn().unwrap());
    let answer = eventually("an answer", async || runtime.answer.lock().unwrap().clone()).await;
    assert_eq!(answer["statusCode"], 200);
    let called = tokio::time::timeout(Duration::from_millis(1), table.accept()).await;
    assert!(called.is_err(), "health called for the table");
    function.end(&runtime).await;
}

#[tokio::test]
async fn a_function_whose_configuration_is_not_complete_says_what_is_missing() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_function"));
    let output = tokio::time::timeout(
        Duration::from_secs(20),
        tokio::task::spawn_blocking(move || {
            command.env_remove("TABLE_NAME").env("AWS_REGION", "us-east-1").output().unwrap()
        }),
    );
    let output = output.await.unwrap().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("TABLE_NAME is not set"));
}
