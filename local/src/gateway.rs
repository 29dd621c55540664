//! API Gateway's HTTP API: finds the function of a route, gives it the request as an event of payload format 2.0,
//! and turns its response object into an HTTP answer
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE, TRANSFER_ENCODING,
    USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded::Origins;
use futures_util::FutureExt;
use lambda_http::{Context, LambdaEvent};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::App;
use shared::clock::{Clock, Timestamp};
use shared::error::Code;
use shared::http::Route;
use shared::http::answer::refusal;
use shared::http::event::{self, target};
use shared::http::path::fits;
use time::OffsetDateTime;
use time::macros::format_description;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::cors;
use crate::entrance::Arrival;

/// API Gateway's own limit: 10,240 bytes of request line and headers
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const MAX_HEAD: usize = 10_240;
/// The types of bodies that go to a function as text; of others it gets base64.
const TEXTS: [&str; 3] = ["application/json", "application/xml", "application/javascript"];

pub struct Gateway {
    exact: HashMap<String, Vec<(&'static str, Arc<Function>)>>,
    /// Routes whose path has a variable.
    variable: Vec<(&'static str, String, Arc<Function>)>,
    default: Arc<Function>,
    origins: Origins,
    clock: Clock,
    log: Dispatch,
}

struct Function {
    route: Route,
    service: Router,
}

/// The function of a route, and what the event says of it.
struct Found<'a> {
    function: &'a Function,
    /// `GET /users/{id}`, or `$default`.
    key: String,
    /// The path's variable and its value.
    parameter: Option<(String, String)>,
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
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Gateway {
    pub fn new(app: &App, origins: Origins, log: Dispatch) -> Self {
        let function = |route: Route| Arc::new(Function { service: route.service(app.clone()), route });
        let mut gateway = Self {
            exact: HashMap::new(),
            variable: Vec::new(),
            default: function(functions::not_found::ROUTE),
            origins,
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

    fn find(&self, method: &str, path: &str) -> Found<'_> {
        let exact = || self.exact.get(path)?.iter().find(|(takes, _)| *takes == method);
        if let Some((_, function)) = exact() {
            return Found { function, key: format!("{method} {path}"), parameter: None };
        }
        let variable = self.variable.iter().find(|(takes, pattern, _)| *takes == method && fits(pattern, path));
        match variable {
            Some((_, pattern, function)) => Found {
                function,
                key: format!("{method} {}", route_path(pattern)),
                parameter: parameter(pattern, path),
            },
            None => Found { function: &self.default, key: "$default".to_owned(), parameter: None },
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
        let found = self.find(parts.method.as_str(), target.path());
        let event = received.event(&found);
        match AssertUnwindSafe(run(found.function, &event, &request_id)).catch_unwind().await {
            Ok(Some(answer)) => answer,
            // What Lambda makes of a function that fails without an answer.
            Ok(None) | Err(_) => refusal(Code::InternalError, None, &request_id),
        }
    }
}

/// A route's path as the template has it: `{asset+}` for what takes all that is left.
fn route_path(pattern: &str) -> String {
    match pattern.split_once("{*") {
        Some((before, name)) => format!("{before}{{{}+}}", name.trim_end_matches('}')),
        None => pattern.to_owned(),
    }
}

/// A pattern's one variable and what stands at its place.
fn parameter(pattern: &str, path: &str) -> Option<(String, String)> {
    let (before, variable) = pattern.split_once('{')?;
    let (name, _) = variable.split_once('}')?;
    let rest = path.strip_prefix(before)?;
    let value = if name.starts_with('*') { rest } else { rest.split('/').next()? };
    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
    Some((name.trim_start_matches('*').to_owned(), value))
}

/// One invocation: the event through its JSON, as Lambda's runtime gets it, and the answer through its JSON, as it gives it.
async fn run(function: &Function, event: &str, request_id: &str) -> Option<Response<Body>> {
    let payload: Value = serde_json::from_str(event).ok()?;
    let mut context = Context::default();
    request_id.clone_into(&mut context.request_id);
    let answer = event::answer(function.service.clone(), LambdaEvent::new(payload, context)).await;
    let answer: Answer = serde_json::from_str(&serde_json::to_string(&answer).ok()?).ok()?;
    into_http(answer)
}

/// A request as API Gateway sees it.
struct Received<'a> {
    parts: &'a Parts,
    body: &'a Bytes,
    request_id: &'a str,
    now: Timestamp,
    source: String,
    /// Decoded.
    path: String,
    /// As it came.
    query: String,
}

impl<'a> Received<'a> {
    fn of(parts: &'a Parts, body: &'a Bytes, request_id: &'a str, now: Timestamp) -> Self {
        let arrival = parts.extensions.get::<Arrival>();
        let raw = arrival.and_then(|arrival| arrival.raw_target.as_deref());
        let raw = raw.map(|raw| raw.split_once('?').unwrap_or((raw, "")));
        let (path, query) = raw.unwrap_or_else(|| (parts.uri.path(), parts.uri.query().unwrap_or_default()));
        Self {
            parts,
            body,
            request_id,
            now,
            source: arrival.map_or_else(String::new, |arrival| arrival.address.ip().to_string()),
            path: percent_decode_str(path).decode_utf8_lossy().into_owned(),
            query: query.to_owned(),
        }
    }

    fn event(&self, found: &Found<'_>) -> String {
        let Self { parts, body, request_id, now, source, path, query } = self;
        let headers = self.headers();
        let host = headers.get("host").and_then(Value::as_str).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": found.key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": embedded::ACCOUNT,
                "apiId": "local",
                "domainName": host,
                "domainPrefix": host.split('.').next().unwrap_or_default(),
                "http": {
                    "method": parts.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": source,
                    "userAgent": headers.get(USER_AGENT.as_str()).cloned().unwrap_or_else(|| "".into()),
                },
                "requestId": request_id,
                "routeKey": found.key,
                "stage": "$default",
                "time": common_log_time(*now),
                "timeEpoch": now.millis(),
            },
            "isBase64Encoded": false,
        });
        // What there is none of is left out.
        if let Some((name, value)) = &found.parameter {
            event["pathParameters"] = json!({ name: value });
        }
        let parameters = query_parameters(query);
        if !parameters.is_empty() {
            event["queryStringParameters"] = json!(parameters);
        }
        let cookies = self.cookies();
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        if !body.is_empty() {
            let text = std::str::from_utf8(body).ok().filter(|_| is_text(&parts.headers));
            event["isBase64Encoded"] = text.is_none().into();
            event["body"] = text.map_or_else(|| STANDARD.encode(body), ToOwned::to_owned).into();
        }
        event.to_string()
    }

    /// Repeated headers joined with commas. What a client said of its own way here does not count.
    fn headers(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for name in self.parts.headers.keys().filter(|name| **name != COOKIE) {
            let values = self.parts.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            headers.insert(name.as_str().to_owned(), values.collect::<Vec<_>>().join(",").into());
        }
        let host = headers.get(HOST.as_str()).and_then(Value::as_str).unwrap_or("127.0.0.1");
        let port = host.rsplit_once(':').map_or("80", |(_, port)| port).to_owned();
        for (name, value) in [
            ("host", host.to_owned()),
            ("x-forwarded-for", self.source.clone()),
            ("x-forwarded-port", port),
            ("x-forwarded-proto", "http".to_owned()),
        ] {
            headers.insert(name.to_owned(), value.into());
        }
        headers
    }

    fn cookies(&self) -> Vec<String> {
        let values = self.parts.headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let values = values.collect::<Vec<_>>();
        let cookies = values.iter().flat_map(|value| value.split(';')).map(str::trim);
        cookies.filter(|cookie| !cookie.is_empty()).map(ToOwned::to_owned).collect()
    }
}

/// Decoded, and repeated ones joined with commas.
fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    parameters
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    content_type.is_none_or(|content_type| {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence.starts_with("text/") || TEXTS.contains(&essence.as_str())
    })
}

/// `23/Nov/2026:09:00:00 +0000`
fn common_log_time(now: Timestamp) -> String {
    let format = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let time = OffsetDateTime::from_unix_timestamp(now.millis() / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&format).unwrap_or_default()
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
    for cookie in answer.cookies {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    *response.headers_mut() = headers;
    Some(response)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const NOW: i64 = 1_795_424_400_000;

    /// The event of a request to a function that answers nothing.
    fn event(request: axum::http::request::Builder, raw_target: Option<&str>, body: &'static [u8], key: &str) -> Value {
        let arrival = Arrival {
            address: SocketAddr::from(([127, 0, 0, 1], 50_000)),
            raw_target: raw_target.map(ToOwned::to_owned),
        };
        let (parts, ()) = request.extension(arrival).body(()).unwrap().into_parts();
        let function = Function { route: functions::health::ROUTE, service: Router::new() };
        let found = Found {
            function: &function,
            key: key.to_owned(),
            parameter: parameter(key.rsplit(' ').next().unwrap(), parts.uri.path()),
        };
        let body = Bytes::from_static(body);
        let received = Received::of(&parts, &body, "r1", Timestamp::from_millis(NOW));
        serde_json::from_str(&received.event(&found)).unwrap()
    }

    #[test]
    fn an_event_is_that_of_payload_format_2() {
        let request = Request::put("/api/v1/user/passkeys/a%20b%C3%BC?q=a%20b&q=2&e=&%C3%BC")
            .header("host", "127.0.0.1:9000")
            .header("user-agent", "curl/8")
            .header("accept", "text/html")
            .header("accept", "*/*")
            .header("cookie", "a=1; b=2")
            .header("cookie", "c=3")
            .header("content-type", "application/json; charset=utf-8")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", "gopher");
        let event = event(request, None, b"{}", "PUT /api/v1/user/passkeys/{id}");
        assert_eq!(
            event,
            json!({
                "version": "2.0",
                "routeKey": "PUT /api/v1/user/passkeys/{id}",
                "rawPath": "/api/v1/user/passkeys/a b\u{fc}",
                "rawQueryString": "q=a%20b&q=2&e=&%C3%BC",
                "cookies": ["a=1", "b=2", "c=3"],
                "headers": {
                    "accept": "text/html,*/*",
                    "content-type": "application/json; charset=utf-8",
                    "host": "127.0.0.1:9000",
                    "user-agent": "curl/8",
                    "x-forwarded-for": "127.0.0.1",
                    "x-forwarded-port": "9000",
                    "x-forwarded-proto": "http",
                },
                "queryStringParameters": { "q": "a b,2", "e": "", "\u{fc}": "" },
                "pathParameters": { "id": "a b\u{fc}" },
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "local",
                    "domainName": "127.0.0.1:9000",
                    "domainPrefix": "127",
                    "http": {
                        "method": "PUT",
                        "path": "/api/v1/user/passkeys/a b\u{fc}",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "curl/8",
                    },
                    "requestId": "r1",
                    "routeKey": "PUT /api/v1/user/passkeys/{id}",
                    "stage": "$default",
                    "time": "23/Nov/2026:09:00:00 +0000",
                    "timeEpoch": NOW,
                },
                "body": "{}",
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn an_event_leaves_out_what_the_request_has_none_of() {
        let event = event(Request::get("/health"), None, b"", "$default");
        for member in ["body", "cookies", "pathParameters", "queryStringParameters"] {
            assert_eq!(event.get(member), None);
        }
        assert_eq!(event["rawQueryString"], "");
        assert_eq!(event["requestContext"]["http"]["userAgent"], "");
    }

    #[test]
    fn a_query_is_handed_on_as_it_came_and_a_path_decoded() {
        let request = || Request::get("/a%3C?b=%3Cc%3E");
        for (raw_target, path, query) in [
            (None, "/a<", "b=%3Cc%3E"),
            (Some("/a<?b=<c>"), "/a<", "b=<c>"),
            (Some("/a%3C?b=\"c d\"?e"), "/a<", "b=\"c d\"?e"),
            (Some("/a%252F%zz"), "/a%2F%zz", ""),
        ] {
            let event = event(request(), raw_target, b"", "$default");
            assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&json!(path), &json!(query)), "{raw_target:?}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_by_its_type_or_bytes_comes_in_base64() {
        for (content_type, body, expected, base64) in [
            (Some("application/json"), b"{}".as_slice(), "{}", false),
            (Some("TEXT/plain;charset=utf-8"), b"a", "a", false),
            (None, b"a", "a", false),
            (Some("application/x-www-form-urlencoded"), b"a=b", "YT1i", true),
            (Some("image/png"), b"a", "YQ==", true),
            (Some("application/json"), b"\xFF", "/w==", true),
        ] {
            let request =
                content_type.into_iter().fold(Request::post("/"), |request, kind| request.header("content-type", kind));
            let event = event(request, None, body, "$default");
            assert_eq!(
                (&event["body"], &event["isBase64Encoded"]),
                (&json!(expected), &json!(base64)),
                "{content_type:?}"
            );
        }
    }

    #[test]
    fn a_functions_cookies_become_headers() {
        let answer =
            json!({ "statusCode": 200, "headers": { "a": "b" }, "cookies": ["c=1; Secure", "d=2"], "body": "" });
        let response = into_http(serde_json::from_value(answer).unwrap()).unwrap();
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["c=1; Secure", "d=2"]);
    }

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
