//! API Gateway's HTTP API: finds the function of a route, gives it the request as an event of payload format 2.0
//! through `lambda_http`'s own adapter, and turns its response object into an HTTP answer
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::App;
use shared::clock::Clock;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::refusal;
use shared::http::path::fits;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

/// API Gateway's own limits: a body of 10 MB, and 10,240 bytes of request line and headers
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const MAX_BODY: usize = 10 * 1024 * 1024;
const MAX_HEAD: usize = 10_240;

pub struct Gateway {
    exact: HashMap<String, Vec<(&'static str, Arc<Function>)>>,
    /// Routes whose path has a variable.
    variable: Vec<(&'static str, String, Arc<Function>)>,
    default: Arc<Function>,
    clock: Clock,
    log: Dispatch,
}

struct Function {
    route: Route,
    service: Router,
}

/// A function's answer, payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    multi_value_headers: HashMap<String, Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Gateway {
    pub fn new(app: &App, log: Dispatch) -> Self {
        let function = |route: Route| Arc::new(Function { service: route.service(app.clone()), route });
        let mut gateway = Self {
            exact: HashMap::new(),
            variable: Vec::new(),
            default: function(functions::not_found::ROUTE),
            clock: app.clock.clone(),
            log,
        };
        for function in functions::ROUTES.map(function) {
            for path in function.route.full_paths() {
                for method in function.route.methods {
                    if path.contains('{') {
                        gateway.variable.push((method, path.clone(), Arc::clone(&function)));
                    } else {
                        gateway.exact.entry(path.clone()).or_default().push((method, Arc::clone(&function)));
                    }
                }
            }
        }
        gateway
    }

    pub fn router(self) -> Router {
        let gateway = Arc::new(self);
        Router::new().fallback(move |request: Request| {
            let gateway = Arc::clone(&gateway);
            let log = gateway.log.clone();
            async move { gateway.answer(request).await }.with_subscriber(log)
        })
    }

    fn find(&self, method: &str, path: &str) -> &Function {
        let exact = || self.exact.get(path)?.iter().find(|(takes, _)| *takes == method).map(|(_, function)| function);
        let variable = || {
            let found = self.variable.iter().find(|(takes, pattern, _)| *takes == method && fits(pattern, path));
            found.map(|(_, _, function)| function)
        };
        exact().or_else(variable).unwrap_or(&self.default)
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let request_id = shared::random::uuid(self.clock.now()).to_string();
        let (parts, body) = request.into_parts();
        let head = parts.uri.to_string().len()
            + parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        if head > MAX_HEAD {
            return refusal(Code::HeadersTooLarge, &request_id);
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        // `lambda_http` makes a URL of it, and takes its validity for granted as it comes from AWS.
        if url::Url::parse(&format!("http://{host}{}", parts.uri.path())).is_err() {
            return refusal(Code::InvalidRequest, &request_id);
        }
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
            return refusal(Code::PayloadTooLarge, &request_id);
        };
        let function = self.find(parts.method.as_str(), parts.uri.path());
        let source =
            parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or_else(String::new, |info| info.0.ip().to_string());
        let event = event(&parts, host, &body, &request_id, &source, self.clock.now().millis());
        match AssertUnwindSafe(invoke(function, &event, &request_id)).catch_unwind().await {
            Ok(Some(answer)) => answer,
            // What Lambda makes of a function that fails without an answer.
            Ok(None) | Err(_) => refusal(Code::InternalError, &request_id),
        }
    }
}

/// One invocation: the event through its JSON, as Lambda's runtime gets it, and the answer through its JSON, as it gives it.
async fn invoke(function: &Function, event: &str, request_id: &str) -> Option<Response<Body>> {
    let payload: LambdaRequest = serde_json::from_str(event).ok()?;
    let mut context = Context::default();
    request_id.clone_into(&mut context.request_id);
    let answering = Adapter::from(function.service.clone()).call(LambdaEvent::new(payload, context));
    let answer = answering.await.ok()?;
    let answer: Answer = serde_json::from_str(&serde_json::to_string(&answer).ok()?).ok()?;
    into_http(answer)
}

fn event(
    parts: &axum::http::request::Parts,
    host: &str,
    body: &Bytes,
    request_id: &str,
    source: &str,
    now: i64,
) -> String {
    let mut headers: Map<String, Value> = Map::new();
    for name in parts.headers.keys() {
        // API Gateway joins repeated headers with commas, and shows bytes that are no text as it can.
        let values = parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        headers.insert(name.as_str().to_owned(), values.collect::<Vec<_>>().join(",").into());
    }
    // These it sets itself, whatever the client said.
    headers.insert("host".into(), host.into());
    headers.insert("x-forwarded-proto".into(), "http".into());
    headers.insert("x-forwarded-for".into(), source.into());
    let (text, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": embedded::ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": source,
                "userAgent": headers.get("user-agent").cloned().unwrap_or_default(),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": now,
        },
        "body": if body.is_empty() { Value::Null } else { text.into() },
        "isBase64Encoded": is_base64,
    })
    .to_string()
}

fn into_http(answer: Answer) -> Option<Response<Body>> {
    let body = match answer.body.unwrap_or_default() {
        body if answer.is_base64_encoded => STANDARD.decode(body).ok()?,
        body => body.into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let single = answer.headers.into_iter();
    let many = answer
        .multi_value_headers
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let mut headers = HeaderMap::new();
    for (name, value) in single.chain(many) {
        let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        // The length and the framing of this answer are this server's to say.
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING && headers.get(&name) != Some(&value) {
            headers.append(name, value);
        }
    }
    *response.headers_mut() = headers;
    Some(response)
}
