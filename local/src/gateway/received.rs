//! A request on its way in: as an event of payload format 2.0.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use shared::clock::Timestamp;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::entrance::Arrival;

/// The types of bodies that go to a function as text; of others it gets base64.
const TEXTS: [&str; 3] = ["application/json", "application/xml", "application/javascript"];

/// A request as API Gateway sees it.
pub(super) struct Received<'a> {
    parts: &'a Parts,
    body: &'a Bytes,
    request_id: &'a str,
    now: Timestamp,
    source: String,
    /// Decoded.
    pub path: String,
    /// As it came.
    query: String,
}

impl<'a> Received<'a> {
    pub fn of(parts: &'a Parts, body: &'a Bytes, request_id: &'a str, now: Timestamp) -> Self {
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

    /// The event of payload format 2.0: for a route, with the path's variable and its value.
    pub fn event(&self, route_key: &str, parameter: Option<&(String, String)>) -> String {
        let Self { parts, body, request_id, now, source, path, query } = self;
        let headers = self.headers();
        let host = headers.get("host").and_then(Value::as_str).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
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
                "routeKey": route_key,
                "stage": "$default",
                "time": common_log_time(*now),
                "timeEpoch": now.millis(),
            },
            "isBase64Encoded": false,
        });
        // What there is none of is left out.
        if let Some((name, value)) = parameter {
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::Request;

    use super::super::parameter;
    use super::*;

    const NOW: i64 = 1_795_424_400_000;

    /// The event of a request.
    fn event(request: axum::http::request::Builder, raw_target: Option<&str>, body: &'static [u8], key: &str) -> Value {
        let arrival = Arrival {
            address: SocketAddr::from(([127, 0, 0, 1], 50_000)),
            raw_target: raw_target.map(ToOwned::to_owned),
        };
        let (parts, ()) = request.extension(arrival).body(()).unwrap().into_parts();
        let parameter = parameter(key.rsplit(' ').next().unwrap(), parts.uri.path());
        let body = Bytes::from_static(body);
        let received = Received::of(&parts, &body, "r1", Timestamp::from_millis(NOW));
        serde_json::from_str(&received.event(key, parameter.as_ref())).unwrap()
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
    fn a_body_whose_type_or_bytes_are_not_text_is_base64() {
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
}
