//! The way in: an event of an HTTP API (payload format 2.0) becomes the request that a route answers.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! `lambda_http` makes a URL of host, path and query, and panics or fails where that is none; API Gateway hands the path on
//! decoded and the query as it came, so there are such events. Its URL also resolves dot segments, and the route would see
//! another path than the one that led here. So the request is made here, of any event, and `lambda_http` makes the answer.

use std::convert::Infallible;
use std::fmt::Write;

use axum::Router;
use axum::http::header::{COOKIE, HeaderName};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, LambdaEvent, Request, Service};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

use super::answer::refusal;
use crate::error::Code;

/// Characters allowed in a path by RFC 3986, 3.3, besides letters, digits and escapes.
const IN_PATH: &[u8] = b"-._~!$&'()*+,;=:@/";
/// And in a query (3.4).
const IN_QUERY: &[u8] = b"-._~!$&'()*+,;=:@/?";

/// What a request is made of.
struct Parts {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A route's answer to an event, as API Gateway reads it. An event that no request can be made of is answered 400.
pub async fn answer(service: Router, event: LambdaEvent<Value>) -> impl Serialize + Send {
    let LambdaEvent { payload, context } = event;
    let request_context = &payload["requestContext"];
    // Nothing of the event is in it that `lambda_http` could fail at.
    let mut plain = ApiGatewayV2httpRequest::default();
    plain.raw_path = Some("/".to_owned());
    plain.request_context.request_id = request_context["requestId"].as_str().map(ToOwned::to_owned);
    plain.request_context.http.source_ip = request_context["http"]["sourceIp"].as_str().map(ToOwned::to_owned);
    let request_id = plain.request_context.request_id.clone().unwrap_or_default();

    let mut parts = read(&payload);
    let answering = tower::service_fn(move |mut request: Request| {
        let (service, request_id, parts) = (service.clone(), request_id.clone(), parts.take());
        async move {
            let Some(Parts { method, uri, headers, body }) = parts else {
                tracing::info!("the event is not a request");
                return Ok::<Response, Infallible>(refusal(Code::InvalidRequest, None, &request_id));
            };
            *request.method_mut() = method;
            *request.uri_mut() = uri;
            *request.body_mut() = Body::Binary(body);
            request.headers_mut().extend(headers);
            service.oneshot(request).await
        }
    });
    let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(plain), context);
    let answer = Adapter::from(answering).call(event);
    match answer.await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// `None` when the event has no method, or when a header or the body is something that HTTP has not.
fn read(event: &Value) -> Option<Parts> {
    let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
    let method = Method::from_bytes(event["requestContext"]["http"]["method"].as_str()?.as_bytes()).ok()?;
    let uri = target(&text(&event["rawPath"]), &text(&event["rawQueryString"]))?.into();
    let mut headers = HeaderMap::new();
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.as_str()?).ok()?);
    }
    let cookies = event["cookies"].as_array().into_iter().flatten();
    let cookies = cookies.map(Value::as_str).collect::<Option<Vec<_>>>()?;
    if !cookies.is_empty() {
        headers.insert(COOKIE, HeaderValue::from_str(&cookies.join("; ")).ok()?);
    }
    let body = text(&event["body"]);
    let body = if event["isBase64Encoded"] == true { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    Some(Parts { method, uri, headers, body })
}

/// The one view of a request's path and query, for the gateway that chooses a function and for the function: nothing is
/// resolved or folded, and what RFC 3986 has no place for is percent-encoded.
///
/// `None` when it is longer than a URI can be, 64 KiB.
#[must_use]
pub fn target(path: &str, query: &str) -> Option<PathAndQuery> {
    let mut target = encode(path.as_bytes(), IN_PATH);
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    if !query.is_empty() {
        target.push('?');
        target += &encode(query.as_bytes(), IN_QUERY);
    }
    target.parse().ok()
}

/// A request target as it came over the wire, with what RFC 3986 has no place for percent-encoded.
#[must_use]
pub fn encode_target(target: &[u8]) -> String {
    encode(target, IN_QUERY)
}

fn encode(text: &[u8], allowed: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        let digits = text.get(at + 1..at + 3);
        let escape = *byte == b'%' && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if escape || byte.is_ascii_alphanumeric() || allowed.contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_target_keeps_what_a_uri_has_and_encodes_the_rest() {
        for (path, query, expected) in [
            ("/api/v1/user", "", "/api/v1/user"),
            ("/api/v1/user", "a=b&c=d?e/f", "/api/v1/user?a=b&c=d?e/f"),
            ("", "", "/"),
            ("user", "", "/user"),
            ("//user", "", "//user"),
            ("/x/../health", "", "/x/../health"),
            ("/x/%2e%2E/health/.", "", "/x/%2e%2E/health/."),
            ("/a%2Fb", "q=%2F+%20", "/a%2Fb?q=%2F+%20"),
            ("/a b?c#d", "", "/a%20b%3Fc%23d"),
            ("/a\\b", "", "/a%5Cb"),
            ("/100%", "q=100%", "/100%25?q=100%25"),
            ("/%zz", "q=%4", "/%25zz?q=%254"),
            ("/ü/\u{1F600}", "ü", "/%C3%BC/%F0%9F%98%80?%C3%BC"),
            ("/\0\r\n", "\0\r\n\t", "/%00%0D%0A?%00%0D%0A%09"),
            ("/", "a[0]=<b>\"c\"|{d}^`e` #f", "/?a%5B0%5D=%3Cb%3E%22c%22%7C%7Bd%7D%5E%60e%60%20%23f"),
        ] {
            assert_eq!(target(path, query).unwrap(), expected, "{path} {query}");
        }
        assert!(target(&"/a".repeat(40_000), "").is_none());
    }

    proptest! {
        #[test]
        fn every_path_and_query_becomes_a_target_that_stays_as_it_is(path in any::<String>(), query in any::<String>()) {
            let once = target(&path, &query).unwrap();
            prop_assert_eq!(&target(once.path(), once.query().unwrap_or_default()).unwrap(), &once);
        }
    }

    #[test]
    fn an_event_that_is_no_request_makes_none() {
        let event = |change: &dyn Fn(&mut Value)| {
            let mut event = json!({
                "rawPath": "/", "headers": {}, "requestContext": { "http": { "method": "GET" } },
            });
            change(&mut event);
            read(&event).is_some()
        };
        assert!(event(&|_| ()));
        assert!(
            event(&|event| event["headers"]["host"] = json!("x.execute-api.127.0.0.1")),
            "a host that is no address"
        );
        assert!(event(&|event| event["requestContext"]["domainName"] = json!("[")));
        assert!(event(&|event| event["headers"]["x-name"] = json!("ü")));
        assert!(!event(&|event| event["requestContext"] = json!(null)));
        assert!(!event(&|event| event["requestContext"]["http"]["method"] = json!("G T")));
        for (member, value) in [
            ("headers", json!({ "x": 1 })),
            ("headers", json!({ "x": "a\r\nb: c" })),
            ("headers", json!({ "": "a" })),
            ("headers", json!({ "a b": "a" })),
            ("cookies", json!([1])),
            ("cookies", json!(["a=b\r\n"])),
        ] {
            assert!(!event(&|event| event[member] = value.clone()), "{member}: {value}");
        }
        assert!(!event(&|event| {
            event["body"] = json!("no base64");
            event["isBase64Encoded"] = json!(true);
        }));
    }
}
