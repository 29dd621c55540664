//! API Gateway's HTTP API: finds the function of a route, gives it the request as an event of payload format 2.0,
//! and turns its response object into an HTTP answer
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

mod received;
mod response;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use embedded::Origins;
use futures_util::FutureExt;
use lambda_http::{Context, LambdaEvent};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use shared::App;
use shared::clock::Clock;
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::refusal;
use shared::http::event::{self, target};
use shared::http::path::fits;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use self::received::Received;
use self::response::FunctionResponse;
use crate::cors;
use crate::threads::Lists;

/// API Gateway's own limit: 10,240 bytes of request line and headers
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const MAX_HEAD: usize = 10_240;

pub struct Gateway {
    exact: HashMap<String, Vec<(&'static str, Arc<Function>)>>,
    /// Routes whose path has a variable.
    variable: Vec<(&'static str, String, Arc<Function>)>,
    default: Arc<Function>,
    origins: Origins,
    clock: Clock,
    log: Dispatch,
    lists: Option<Lists>,
}

struct Function {
    route: Route,
    service: Router,
}

/// The function of a route, and what the event says of it.
struct Matched<'a> {
    function: &'a Arc<Function>,
    /// `GET /users/{id}`, or `$default`.
    key: String,
    /// The path's variable and its value.
    parameter: Option<(String, String)>,
}

impl Gateway {
    pub fn new(app: &App, origins: Origins, log: Dispatch, lists: Option<Lists>) -> Self {
        let function = |route: Route| Arc::new(Function { service: route.service(app.clone()), route });
        let mut gateway = Self {
            exact: HashMap::new(),
            variable: Vec::new(),
            default: function(functions::FALLBACK),
            origins,
            clock: app.clock.clone(),
            log,
            lists,
        };
        for function in functions::routes().copied().map(function) {
            for (method, path) in function.route.endpoints() {
                if path.contains('{') {
                    gateway.variable.push((method, path, Arc::clone(&function)));
                } else {
                    gateway.exact.entry(path).or_default().push((method, Arc::clone(&function)));
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

    fn find(&self, method: &str, path: &str) -> Matched<'_> {
        let exact = || self.exact.get(path)?.iter().find(|(takes, _)| *takes == method);
        if let Some((_, function)) = exact() {
            return Matched { function, key: format!("{method} {path}"), parameter: None };
        }
        let variable = self.variable.iter().find(|(takes, pattern, _)| *takes == method && fits(pattern, path));
        match variable {
            Some((_, pattern, function)) => Matched {
                function,
                key: format!("{method} {}", route_path(pattern)),
                parameter: parameter(pattern, path),
            },
            None => Matched { function: &self.default, key: "$default".to_owned(), parameter: None },
        }
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if let Some(preflight) = cors::preflight(&self.origins, &parts.method, &parts.headers) {
            return preflight;
        }
        let mut answer = self.invoke(&parts, body).await;
        cors::add_headers(&self.origins, parts.headers.get(ORIGIN), answer.headers_mut());
        answer
    }

    async fn invoke(&self, parts: &Parts, body: Body) -> Response<Body> {
        let request_id = shared::random::uuid(self.clock.now()).to_string();
        let head = parts.uri.to_string().len()
            + parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        if head > MAX_HEAD {
            return refusal(Code::HeadersTooLarge, None, &request_id);
        }
        // It was read whole at the entrance, so this waits for nothing and cannot fail.
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let received = Received::of(parts, &body, &request_id, self.clock.now());
        // The function's own view of the path decides which one it is.
        let Some(target) = target(&received.path, "") else {
            return refusal(Code::HeadersTooLarge, None, &request_id);
        };
        let matched = self.find(parts.method.as_str(), target.path());
        let event = received.event(&matched.key, matched.parameter.as_ref());
        let running = AssertUnwindSafe(run(Arc::clone(matched.function), event, request_id.clone()))
            .catch_unwind()
            .map(|ran| ran.ok().flatten());
        let answer = match &self.lists {
            Some(lists) if matched.function.route.name == functions::staff::list_users::ROUTE.name => {
                lists.run(running.with_subscriber(self.log.clone())).await.flatten()
            }
            _ => running.await,
        };
        // What Lambda makes of a function that fails without an answer.
        answer.unwrap_or_else(|| refusal(Code::Internal, None, &request_id))
    }
}

/// A route's path as the template has it: `{asset+}` for what takes all that is left.
fn route_path(pattern: &str) -> String {
    match pattern.split_once("{*") {
        Some((before, name)) => format!("{before}{{{}+}}", name.trim_end_matches('}')),
        None => pattern.to_owned(),
    }
}

/// A pattern's one variable and its value.
fn parameter(pattern: &str, path: &str) -> Option<(String, String)> {
    let (before, variable) = pattern.split_once('{')?;
    let (name, _) = variable.split_once('}')?;
    let rest = path.strip_prefix(before)?;
    let value = if name.starts_with('*') { rest } else { rest.split('/').next()? };
    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
    Some((name.trim_start_matches('*').to_owned(), value))
}

/// One invocation: the event through its JSON, as Lambda's runtime gets it, and the answer as the members of its JSON. They are
/// not written as text: that of a page of a thousand users would be escaped and read again.
async fn run(function: Arc<Function>, event: String, request_id: String) -> Option<Response<Body>> {
    let payload: Value = serde_json::from_str(&event).ok()?;
    let mut context = Context::default();
    context.request_id = request_id;
    let answer = event::answer(function.service.clone(), LambdaEvent::new(payload, context)).await;
    let response: FunctionResponse = serde_json::from_value(serde_json::to_value(&answer).ok()?).ok()?;
    response.into_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_named_as_in_the_template() {
        for (pattern, path, name, value) in [
            ("/apidocs/{*asset}", "/apidocs/a/b", "/apidocs/{asset+}", Some(("asset", "a/b"))),
            ("/users/{id}/sessions", "/users/1/sessions", "/users/{id}/sessions", Some(("id", "1"))),
            ("/users", "/users", "/users", None),
        ] {
            assert_eq!(route_path(pattern), name);
            assert_eq!(parameter(pattern, path), value.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }
}
